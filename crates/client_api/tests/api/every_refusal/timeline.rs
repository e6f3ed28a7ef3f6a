//! Writing and reading a room's timeline, receipts, typing, and syncing all of it.

use super::{
    MIB,
    row::{
        Row,
        Token::Needed,
        Who::{Member, Owner, Stranger},
        Why::{NeedsNoPower, NotOfARoom, NothingRequired, OnesOwn},
        bad_parameter, bare, body, by, lacks, lacks_parameter, limit, mistyped, never, no_room,
        outsider, query, refused, with, with_body,
    },
};

pub(super) fn rows() -> Vec<Row> {
    [reading(), writing(), receipts(), ephemeral()]
        .into_iter()
        .flatten()
        .collect()
}

fn reading() -> Vec<Row> {
    vec![
        Row {
            not_member: refused([by(Stranger).gets(404, "M_NOT_FOUND", "no such event")]),
            no_power: never(NeedsNoPower),
            unknown: refused([
                with("room_id", "!nowhere:localhost").gets(404, "M_NOT_FOUND", "no such event"),
                with("event_id", "$none").gets(404, "M_NOT_FOUND", "no such event"),
                with("event_id", "{elsewhere}").gets(404, "M_NOT_FOUND", "no such event"),
            ]),
            ..bare("GET rooms/{room_id}/event/{event_id}", Needed)
        },
        Row {
            good: query("limit=2"),
            missing: never(NothingRequired),
            mistyped: refused([
                bad_parameter("limit", "limit=many"),
                bad_parameter("limit", "limit=-1"),
                bad_parameter("filter", "filter=x"),
                bad_parameter("filter", "filter=%7B%22types%22:7%7D"),
            ]),
            not_member: refused([by(Stranger).gets(404, "M_NOT_FOUND", "no such event")]),
            no_power: never(NeedsNoPower),
            unknown: refused([
                with("room_id", "!nowhere:localhost").gets(404, "M_NOT_FOUND", "no such event"),
                with("event_id", "$none").gets(404, "M_NOT_FOUND", "no such event"),
            ]),
            ..bare("GET rooms/{room_id}/context/{event_id}", Needed)
        },
        Row {
            good: query("dir=b&limit=2"),
            missing: refused([lacks_parameter("dir", "limit=2")]),
            mistyped: refused([
                bad_parameter("dir", "dir=up"),
                bad_parameter("limit", "dir=b&limit=many"),
                bad_parameter("from", "dir=b&from=nowhere"),
                bad_parameter("to", "dir=b&to=nowhere"),
                bad_parameter("filter", "dir=b&filter=x"),
                bad_parameter("filter", "dir=b&filter=%7B%22limit%22:%22x%22%7D"),
            ]),
            not_member: refused([outsider()]),
            no_power: never(NeedsNoPower),
            unknown: refused([no_room()]),
            ..bare("GET rooms/{room_id}/messages", Needed)
        },
        Row {
            good: query("timeout=0&set_presence=offline"),
            missing: never(NothingRequired),
            mistyped: refused([
                bad_parameter("timeout", "timeout=soon"),
                bad_parameter("since", "since=yesterday"),
                bad_parameter("full_state", "full_state=maybe"),
                bad_parameter("use_state_after", "use_state_after=maybe"),
                bad_parameter(
                    "org.matrix.msc4222.use_state_after",
                    "org.matrix.msc4222.use_state_after=maybe",
                ),
                bad_parameter("set_presence", "set_presence=asleep"),
                bad_parameter("filter", "filter=%7Bx"),
                bad_parameter("filter", "filter=%7B%22room%22:7%7D"),
            ]),
            unknown: refused([bad_parameter("filter", "filter=none")]),
            ..bare("GET sync", Needed)
        },
        Row {
            route: "POST /_matrix/client/unstable/org.matrix.simplified_msc3575/sync",
            good: query("timeout=0&set_presence=offline")
                .body(r#"{"lists": {}, "extensions": {}, "conn_id": "x"}"#),
            token: Needed,
            missing: refused([
                body(r#"{"lists": {"all": {"ranges": []}}}"#).gets(
                    400,
                    "M_BAD_JSON",
                    "timeline_limit",
                ),
                body(r#"{"lists": {"all": {"timeline_limit": 1}}}"#).gets(
                    400,
                    "M_BAD_JSON",
                    "ranges",
                ),
            ]),
            mistyped: refused([
                mistyped("lists"),
                mistyped("conn_id"),
                mistyped("extensions"),
                bad_parameter("timeout", "timeout=soon"),
                bad_parameter("set_presence", "set_presence=asleep"),
                body(r#"{"conn_id": "\u0000"}"#).gets(400, "M_INVALID_PARAM", "conn_id"),
                body(r#"{"extensions": {"to_device": {"enabled": true, "since": "x"}}}"#).gets(
                    400,
                    "M_INVALID_PARAM",
                    "to_device",
                ),
            ]),
            not_member: never(OnesOwn),
            no_power: never(NotOfARoom),
            unknown: refused([
                query("pos=yesterday").gets(400, "M_UNKNOWN_POS", "position"),
                query("pos=c9_s1_1_1_1_0_0_0").gets(400, "M_UNKNOWN_POS", "position"),
            ]),
            too_large: refused([
                limit(MIB),
                body(r#"{"conn_id": "{x65}"}"#).gets(400, "M_INVALID_PARAM", "conn_id"),
            ]),
        },
    ]
}

fn writing() -> Vec<Row> {
    vec![
        Row {
            route: "PUT rooms/{room_id}/send/{event_type}/{txn_id}",
            good: by(Owner).body(r#"{"any": "thing"}"#),
            token: Needed,
            missing: never(NothingRequired),
            mistyped: refused([
                body(r#"{"any": 0.5}"#).gets(400, "M_BAD_JSON", "numbers must be whole"),
                bad_parameter("org.matrix.msc4140.delay", "org.matrix.msc4140.delay=soon"),
                bad_parameter("delay", "org.matrix.msc4140.delay=0"),
            ]),
            not_member: refused([outsider()]),
            no_power: refused([by(Member).with("event_type", "x.sealed").gets(
                403,
                "M_FORBIDDEN",
                "power",
            )]),
            unknown: refused([no_room()]),
            too_large: refused([
                limit(MIB),
                body(r#"{"any": "{x65536}"}"#).gets(413, "M_TOO_LARGE", "65,536 bytes"),
                with("event_type", "{x256}").gets(400, "M_INVALID_PARAM", "type of the event"),
                with("txn_id", "{x1025}").gets(400, "M_INVALID_PARAM", "transaction"),
            ]),
        },
        Row {
            route: "PUT rooms/{room_id}/redact/{event_id}/{txn_id}",
            good: by(Owner).body(r#"{"reason": "a mistake"}"#),
            token: Needed,
            missing: never(NothingRequired),
            mistyped: refused([mistyped("reason")]),
            not_member: refused([outsider()]),
            no_power: refused([by(Member).gets(403, "M_FORBIDDEN", "power")]),
            unknown: refused([
                no_room(),
                with("event_id", "$none").gets(404, "M_NOT_FOUND", "no such event"),
                with("event_id", "{elsewhere}").gets(404, "M_NOT_FOUND", "no such event"),
            ]),
            too_large: refused([
                limit(MIB),
                body(r#"{"reason": "{x65536}"}"#).gets(413, "M_TOO_LARGE", "65,536 bytes"),
                with("txn_id", "{x1025}").gets(400, "M_INVALID_PARAM", "transaction"),
            ]),
        },
    ]
}

fn receipts() -> Vec<Row> {
    vec![
        Row {
            route: "POST rooms/{room_id}/receipt/{receipt_type}/{event_id}",
            good: by(Owner).body(r#"{"thread_id": "main"}"#),
            token: Needed,
            missing: never(NothingRequired),
            mistyped: refused([
                body(r#"{"thread_id": 7}"#).gets(400, "M_INVALID_PARAM", "thread_id"),
                body(r#"{"thread_id": ""}"#).gets(400, "M_INVALID_PARAM", "thread_id"),
                body(r#"{"thread_id": "there"}"#).gets(400, "M_INVALID_PARAM", "thread_id"),
                with("receipt_type", "m.fully_read").gets(400, "M_INVALID_PARAM", "thread_id"),
                with("receipt_type", "x.glanced").gets(400, "M_INVALID_PARAM", "x.glanced"),
            ]),
            not_member: refused([outsider()]),
            no_power: never(NeedsNoPower),
            unknown: refused([
                no_room(),
                with("event_id", "$none").gets(404, "M_NOT_FOUND", "no such event"),
            ]),
            too_large: refused([limit(MIB)]),
        },
        Row {
            route: "POST rooms/{room_id}/read_markers",
            good: by(Owner).body(
                r#"{"m.fully_read": "{event_id}", "m.read": "{event_id}",
                    "m.read.private": "{event_id}"}"#,
            ),
            token: Needed,
            missing: never(NothingRequired),
            mistyped: refused([
                mistyped("m.fully_read"),
                mistyped("m.read"),
                mistyped("m.read.private"),
                body(r#"{"m.read": "nonsense"}"#).gets(400, "M_BAD_JSON", "m.read: "),
            ]),
            not_member: refused([outsider()]),
            no_power: never(NeedsNoPower),
            unknown: refused([
                no_room(),
                with_body("m.fully_read", Some(r#""$none""#)).gets(
                    404,
                    "M_NOT_FOUND",
                    "no such event",
                ),
                with_body("m.read", Some(r#""$none""#)).gets(404, "M_NOT_FOUND", "no such event"),
            ]),
            too_large: refused([limit(MIB)]),
        },
    ]
}

fn ephemeral() -> Vec<Row> {
    vec![Row {
        route: "PUT rooms/{room_id}/typing/{user_id}",
        good: by(Owner).body(r#"{"typing": true, "timeout": 1000}"#),
        token: Needed,
        missing: refused([lacks("typing")]),
        mistyped: refused([mistyped("typing"), mistyped("timeout")]),
        not_member: refused([outsider()]),
        no_power: refused([with("user_id", "{member_id}").gets(
            403,
            "M_FORBIDDEN",
            "one's own account only",
        )]),
        unknown: refused([no_room()]),
        too_large: refused([limit(MIB)]),
    }]
}
