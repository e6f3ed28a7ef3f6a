//! Events that are sent later: scheduled, looked at, restarted, sent and cancelled.

use super::{
    MIB,
    row::{
        Row,
        Token::{Needed, NotNeeded},
        Who::{Owner, Stranger},
        Why::{HasNoParts, NeedsNoPower, NotOfARoom},
        bare, bare_act, body, by, lacks, limit, mistyped, never, no_room, outsider, refused, with,
        with_body,
    },
};

pub(super) fn rows() -> Vec<Row> {
    vec![schedule(), look(), bare(LIST, Needed), act(), act_by_body()]
}

const LIST: &str = "GET /_matrix/client/unstable/org.matrix.msc4140/delayed_events";

fn schedule() -> Row {
    Row {
        route: "PUT /_matrix/client/unstable/org.matrix.msc4140/rooms/{room_id}/delayed_event/{event_type}/{txn_id}",
        good: by(Owner)
            .body(r#"{"delay": 1000, "state_key": "rose", "content": {"any": "thing"}}"#),
        token: Needed,
        missing: refused([lacks("delay"), lacks("content")]),
        mistyped: refused([
            mistyped("delay"),
            mistyped("state_key"),
            mistyped("content"),
            with_body("delay", Some("-1")).gets(400, "M_BAD_JSON", "delay"),
            with_body("delay", Some("0")).gets(400, "M_INVALID_PARAM", "delay"),
            with_body("delay", Some("86400001")).gets(400, "M_UNKNOWN", "86400 seconds"),
            with_body("content", Some(r#"{"any": 0.5}"#)).gets(
                400,
                "M_BAD_JSON",
                "numbers must be whole",
            ),
        ]),
        not_member: refused([outsider()]),
        // Power is asked for when the event is sent.
        no_power: never(NeedsNoPower),
        unknown: refused([no_room()]),
        too_large: refused([
            limit(MIB),
            with_body("content", Some(r#"{"any": "{x65536}"}"#)).gets(
                413,
                "M_TOO_LARGE",
                "65,536 bytes",
            ),
            with("event_type", "{x256}").gets(400, "M_INVALID_PARAM", "type of the event"),
            with_body("state_key", Some(r#""{x256}""#)).gets(
                400,
                "M_INVALID_PARAM",
                "state key of the event",
            ),
            with("txn_id", "{x1025}").gets(400, "M_INVALID_PARAM", "transaction"),
        ]),
    }
}

fn look() -> Row {
    Row {
        not_member: refused([by(Stranger).gets(404, "M_NOT_FOUND", "no such delayed event")]),
        unknown: refused([with("delay_id", "none").gets(
            404,
            "M_NOT_FOUND",
            "no such delayed event",
        )]),
        ..bare(
            "GET /_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delay_id}",
            Needed,
        )
    }
}

fn act() -> Row {
    Row {
        good: by(Owner).with("action", "restart"),
        missing: never(HasNoParts),
        mistyped: refused([with("action", "explode").gets(400, "M_INVALID_PARAM", "action")]),
        not_member: never(NotOfARoom),
        unknown: refused([
            with("delay_id", "none").gets(404, "M_NOT_FOUND", "no such delayed event"),
            with("delay_id", "none").with("action", "send").gets(
                404,
                "M_NOT_FOUND",
                "no such delayed event",
            ),
            with("delay_id", "{cancelled_id}").gets(409, "M_UNKNOWN", "cancelled already"),
        ]),
        ..bare_act(
            "POST /_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delay_id}/{action}",
            NotNeeded,
        )
    }
}

fn act_by_body() -> Row {
    Row {
        good: by(Owner).body(r#"{"action": "restart"}"#),
        missing: refused([lacks("action")]),
        mistyped: refused([
            mistyped("action"),
            body(r#"{"action": "explode"}"#).gets(400, "M_INVALID_PARAM", "action"),
        ]),
        unknown: refused([
            with("delay_id", "none").gets(404, "M_NOT_FOUND", "no such delayed event"),
            with("delay_id", "{cancelled_id}").gets(409, "M_UNKNOWN", "cancelled already"),
        ]),
        ..bare_act(
            "POST /_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delay_id}",
            Needed,
        )
    }
}
