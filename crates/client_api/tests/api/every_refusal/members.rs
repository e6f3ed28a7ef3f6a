//! Every way in and out of a room.

use super::{
    MIB,
    row::{
        Row,
        Token::Needed,
        Who::{Banned, Member, Owner, Stranger},
        Why::{NeedsNoPower, NothingRequired},
        bad_parameter, bare, body, by, lacks, limit, mistyped, never, no_room, outsider, refused,
        with,
    },
};

pub(super) fn rows() -> Vec<Row> {
    [on_others(), entering(), going(), reading()]
        .into_iter()
        .flatten()
        .collect()
}

/// An invitation of an address about which another server would have to be asked.
const FOREIGN: &str = r#"{"id_server": "id.example.org", "id_access_token": "a",
    "medium": "email", "address": "a@example.org"}"#;

const PHONE: &str = r#"{"id_server": "localhost", "id_access_token": "a", "medium": "msisdn",
    "address": "447700900000"}"#;

fn on_others() -> Vec<Row> {
    let on = |route, whom: &'static str| Row {
        route,
        good: by(Owner).body(whom),
        token: Needed,
        missing: refused([lacks("user_id")]),
        mistyped: refused([
            mistyped("user_id"),
            mistyped("reason"),
            body(r#"{"user_id": "nobody"}"#).gets(400, "M_BAD_JSON", "user_id: "),
        ]),
        not_member: refused([outsider()]),
        no_power: refused([by(Member).gets(403, "M_FORBIDDEN", "power")]),
        unknown: refused([no_room()]),
        too_large: refused([
            limit(MIB),
            body(r#"{"user_id": "{stranger_id}", "reason": "{x65536}"}"#).gets(
                413,
                "M_TOO_LARGE",
                "65,536 bytes",
            ),
        ]),
    };
    let stranger = r#"{"user_id": "{stranger_id}", "reason": "why"}"#;
    let banned = r#"{"user_id": "{banned_id}", "reason": "why"}"#;
    let member = r#"{"user_id": "{member_id}", "reason": "why"}"#;
    vec![
        Row {
            unknown: refused([
                no_room(),
                body(r#"{"user_id": "@nobody:localhost"}"#).gets(404, "M_NOT_FOUND", "@nobody"),
                body(r#"{"user_id": "{banned_id}"}"#).gets(403, "M_FORBIDDEN", "banned"),
                body(r#"{"user_id": "{member_id}"}"#).gets(403, "M_FORBIDDEN", "joined or banned"),
            ]),
            mistyped: refused([
                mistyped("user_id"),
                mistyped("reason"),
                body(r#"{"user_id": "nobody"}"#).gets(400, "M_BAD_JSON", "user_id: "),
                body(FOREIGN).gets(400, "M_SERVER_NOT_TRUSTED", "id_server: "),
                body(PHONE).gets(400, "M_THREEPID_MEDIUM_NOT_SUPPORTED", "email"),
            ]),
            ..on("POST rooms/{room_id}/invite", stranger)
        },
        Row {
            no_power: refused([by(Member).body(r#"{"user_id": "{owner_id}"}"#).gets(
                403,
                "M_FORBIDDEN",
                "power",
            )]),
            unknown: refused([
                no_room(),
                body(r#"{"user_id": "@nobody:localhost"}"#).gets(403, "M_FORBIDDEN", "room"),
                body(stranger).gets(403, "M_FORBIDDEN", "room"),
            ]),
            too_large: refused([
                limit(MIB),
                body(r#"{"user_id": "{member_id}", "reason": "{x65536}"}"#).gets(
                    413,
                    "M_TOO_LARGE",
                    "65,536 bytes",
                ),
            ]),
            ..on("POST rooms/{room_id}/kick", member)
        },
        on("POST rooms/{room_id}/ban", stranger),
        Row {
            unknown: refused([no_room(), body(member).gets(403, "M_FORBIDDEN", "banned")]),
            too_large: refused([
                limit(MIB),
                body(r#"{"user_id": "{banned_id}", "reason": "{x65536}"}"#).gets(
                    413,
                    "M_TOO_LARGE",
                    "65,536 bytes",
                ),
            ]),
            ..on("POST rooms/{room_id}/unban", banned)
        },
    ]
}

fn entering() -> Vec<Row> {
    let enter = |route| Row {
        route,
        good: by(Stranger).body(r#"{"reason": "why"}"#),
        token: Needed,
        missing: never(NothingRequired),
        mistyped: refused([mistyped("reason")]),
        not_member: refused([
            by(Stranger).gets(403, "M_FORBIDDEN", "by invitation only"),
            by(Banned).gets(403, "M_FORBIDDEN", "banned"),
        ]),
        no_power: never(NeedsNoPower),
        unknown: refused([with("room_id", "!nowhere:localhost").gets(
            404,
            "M_NOT_FOUND",
            "no such room",
        )]),
        too_large: refused([limit(MIB)]),
    };
    let by_alias = || {
        refused([
            with("room_id_or_alias", "!nowhere:localhost").gets(404, "M_NOT_FOUND", "no such room"),
            with("room_id_or_alias", "#nowhere:localhost").gets(
                404,
                "M_NOT_FOUND",
                "no such alias",
            ),
        ])
    };
    vec![
        enter("POST rooms/{room_id}/join"),
        Row {
            unknown: by_alias(),
            ..enter("POST join/{room_id_or_alias}")
        },
        Row {
            not_member: refused([
                by(Stranger).gets(403, "M_FORBIDDEN", "knock"),
                by(Member).gets(403, "M_FORBIDDEN", "knock"),
            ]),
            unknown: by_alias(),
            ..enter("POST knock/{room_id_or_alias}")
        },
    ]
}

fn going() -> Vec<Row> {
    vec![
        Row {
            route: "POST rooms/{room_id}/leave",
            good: by(Member).body(r#"{"reason": "why"}"#),
            token: Needed,
            missing: never(NothingRequired),
            mistyped: refused([mistyped("reason")]),
            not_member: refused([by(Stranger).gets(404, "M_NOT_FOUND", "no such room")]),
            no_power: never(NeedsNoPower),
            unknown: refused([with("room_id", "!nowhere:localhost").gets(
                404,
                "M_NOT_FOUND",
                "no such room",
            )]),
            too_large: refused([
                limit(MIB),
                body(r#"{"reason": "{x65536}"}"#).gets(413, "M_TOO_LARGE", "65,536 bytes"),
            ]),
        },
        Row {
            not_member: refused([by(Stranger).gets(404, "M_NOT_FOUND", "no such room")]),
            // Whoever is in a room has to leave it first.
            no_power: refused([by(Member).gets(400, "M_UNKNOWN", "leave the room")]),
            unknown: refused([with("room_id", "!nowhere:localhost").gets(
                404,
                "M_NOT_FOUND",
                "no such room",
            )]),
            too_large: refused([limit(MIB)]),
            ..bare("POST rooms/{room_id}/forget", Needed)
        },
    ]
}

fn reading() -> Vec<Row> {
    vec![
        Row {
            missing: never(NothingRequired),
            mistyped: refused([
                bad_parameter("membership", "membership=away"),
                bad_parameter("not_membership", "not_membership=away"),
                bad_parameter("at", "at=nowhere"),
            ]),
            not_member: refused([outsider()]),
            no_power: never(NeedsNoPower),
            unknown: refused([no_room()]),
            ..bare("GET rooms/{room_id}/members", Needed)
        },
        Row {
            not_member: refused([outsider()]),
            no_power: never(NeedsNoPower),
            unknown: refused([no_room()]),
            ..bare("GET rooms/{room_id}/joined_members", Needed)
        },
    ]
}
