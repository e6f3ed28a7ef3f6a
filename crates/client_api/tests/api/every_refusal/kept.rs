//! What is kept for people: profile, account data, tags, filters, presence.

use super::MIB;
use super::row::{
    Row,
    Token::{Needed, NotNeeded},
    Who::Owner,
    Why::{AnswersEmpty, AnyObject, MakesWhatItNames, NamesNothing, NothingRequired, OnesOwn},
    another, bare, body, by, lacks, limit, mistyped, never, refused, with, with_body,
};

pub(super) fn rows() -> Vec<Row> {
    [profile(), account_data(), tags(), filters(), presence()]
        .into_iter()
        .flatten()
        .collect()
}

fn profile() -> Vec<Row> {
    vec![
        Row {
            unknown: refused([with("user_id", "@nobody:localhost").gets(
                404,
                "M_NOT_FOUND",
                "no such user",
            )]),
            ..bare("GET profile/{user_id}", NotNeeded)
        },
        Row {
            unknown: refused([
                with("user_id", "@nobody:localhost").gets(404, "M_NOT_FOUND", "no such user"),
                with("field", "x.unset").gets(404, "M_NOT_FOUND", "profile"),
            ]),
            ..bare("GET profile/{user_id}/{field}", NotNeeded)
        },
        Row {
            route: "PUT profile/{user_id}/{field}",
            good: by(Owner).body(r#"{"displayname": "Me"}"#),
            token: Needed,
            missing: refused([body("{}").gets(400, "M_MISSING_PARAM", "displayname")]),
            mistyped: refused([
                mistyped("displayname"),
                with("field", "avatar_url")
                    .body(r#"{"avatar_url": 7}"#)
                    .gets(400, "M_BAD_JSON", "avatar_url"),
                with("field", "NOT ONE").body(r#"{"NOT ONE": 7}"#).gets(
                    400,
                    "M_INVALID_PARAM",
                    "field",
                ),
            ]),
            not_member: refused([another()]),
            no_power: never(OnesOwn),
            unknown: never(MakesWhatItNames),
            too_large: refused([
                limit(MIB),
                body(r#"{"displayname": "{x257}"}"#).gets(400, "M_INVALID_PARAM", "display name"),
                with("field", "{x256}").body(r#"{"{x256}": 1}"#).gets(
                    400,
                    "M_KEY_TOO_LARGE",
                    "255",
                ),
                with("field", "x.big")
                    .body(r#"{"x.big": "{x65536}"}"#)
                    .gets(400, "M_PROFILE_TOO_LARGE", "65536 bytes"),
            ]),
        },
        Row {
            not_member: refused([another()]),
            mistyped: refused([with("field", "NOT ONE").gets(400, "M_INVALID_PARAM", "field")]),
            unknown: never(AnswersEmpty),
            too_large: refused([limit(MIB)]),
            ..bare("DELETE profile/{user_id}/{field}", Needed)
        },
    ]
}

fn account_data() -> Vec<Row> {
    let read = |route| Row {
        not_member: refused([another()]),
        no_power: never(OnesOwn),
        unknown: refused([with("event_type", "x.unset").gets(404, "M_NOT_FOUND", "account data")]),
        ..bare(route, Needed)
    };
    let write = |route, ours: &'static str| Row {
        route,
        good: by(Owner).body(r#"{"any": "thing"}"#),
        token: Needed,
        missing: never(NothingRequired),
        mistyped: never(AnyObject),
        not_member: refused([another()]),
        no_power: refused([with("event_type", ours).gets(405, "M_BAD_JSON", ours)]),
        unknown: never(MakesWhatItNames),
        too_large: refused([
            limit(MIB),
            body(r#"{"any": "{x300000}"}"#).gets(413, "M_TOO_LARGE", "262144 bytes"),
            with("event_type", "{x256}").gets(400, "M_INVALID_PARAM", "type"),
        ]),
    };
    vec![
        read("GET user/{user_id}/account_data/{event_type}"),
        write(
            "PUT user/{user_id}/account_data/{event_type}",
            "m.push_rules",
        ),
        read("GET user/{user_id}/rooms/{room_id}/account_data/{event_type}"),
        write(
            "PUT user/{user_id}/rooms/{room_id}/account_data/{event_type}",
            "m.fully_read",
        ),
    ]
}

fn tags() -> Vec<Row> {
    vec![
        Row {
            not_member: refused([another()]),
            no_power: never(OnesOwn),
            unknown: never(AnswersEmpty),
            ..bare("GET user/{user_id}/rooms/{room_id}/tags", Needed)
        },
        Row {
            route: "PUT user/{user_id}/rooms/{room_id}/tags/{tag}",
            good: by(Owner).body(r#"{"order": 0.5}"#),
            token: Needed,
            missing: never(NothingRequired),
            mistyped: refused([mistyped("order")]),
            not_member: refused([another()]),
            no_power: never(OnesOwn),
            unknown: never(MakesWhatItNames),
            too_large: refused([
                limit(MIB),
                with("tag", "{x256}").gets(400, "M_INVALID_PARAM", "tag"),
            ]),
        },
        Row {
            not_member: refused([another()]),
            no_power: never(OnesOwn),
            unknown: never(AnswersEmpty),
            too_large: refused([limit(MIB)]),
            ..bare("DELETE user/{user_id}/rooms/{room_id}/tags/{tag}", Needed)
        },
    ]
}

fn filters() -> Vec<Row> {
    vec![
        Row {
            route: "POST user/{user_id}/filter",
            good: by(Owner).body(
                r#"{
                    "event_format": "client",
                    "presence": {"limit": 1, "senders": ["{user_id}"]},
                    "room": {"timeline": {"limit": 1, "types": ["x.note"]}, "include_leave": true}
                }"#,
            ),
            token: Needed,
            missing: never(NothingRequired),
            mistyped: refused([
                mistyped("event_format"),
                mistyped("presence"),
                mistyped("presence/limit"),
                mistyped("presence/senders"),
                mistyped("room"),
                mistyped("room/include_leave"),
                mistyped("room/timeline"),
                mistyped("room/timeline/limit"),
                mistyped("room/timeline/types"),
                body(r#"{"presence": {"senders": ["nobody"]}}"#).gets(
                    400,
                    "M_BAD_JSON",
                    "presence.senders[0]: ",
                ),
            ]),
            not_member: refused([another()]),
            no_power: never(OnesOwn),
            unknown: never(NamesNothing),
            too_large: refused([
                limit(MIB),
                body(r#"{"event_fields": ["{x70000}"]}"#).gets(413, "M_TOO_LARGE", "filter"),
            ]),
        },
        Row {
            not_member: refused([another()]),
            no_power: never(OnesOwn),
            unknown: refused([with("filter_id", "none").gets(404, "M_NOT_FOUND", "filter")]),
            ..bare("GET user/{user_id}/filter/{filter_id}", Needed)
        },
    ]
}

fn presence() -> Vec<Row> {
    vec![
        Row {
            not_member: refused([with("user_id", "{other_id}").gets(
                403,
                "M_FORBIDDEN",
                "share no room",
            )]),
            unknown: refused([with("user_id", "@nobody:localhost").gets(
                403,
                "M_FORBIDDEN",
                "share no room",
            )]),
            ..bare("GET presence/{user_id}/status", Needed)
        },
        Row {
            route: "PUT presence/{user_id}/status",
            good: by(Owner).body(r#"{"presence": "online", "status_msg": "here"}"#),
            token: Needed,
            missing: refused([lacks("presence")]),
            mistyped: refused([
                mistyped("presence"),
                mistyped("status_msg"),
                with_body("presence", Some(r#""asleep""#)).gets(400, "M_BAD_JSON", "presence: "),
            ]),
            not_member: refused([another()]),
            no_power: never(OnesOwn),
            unknown: never(NamesNothing),
            too_large: refused([
                limit(MIB),
                with_body("status_msg", Some(r#""{x2000}""#)).gets(
                    413,
                    "M_TOO_LARGE",
                    "status_msg",
                ),
            ]),
        },
    ]
}
