//! What clients asked before there was a sync.

use super::row::{
    Row,
    Token::Needed,
    Who::Stranger,
    Why::{ForOutsiders, NeedsNoPower, NothingRequired},
    bad_parameter, bare, by, never, query, refused, with,
};

pub(super) fn rows() -> Vec<Row> {
    let hidden = "may not look into it";
    vec![
        Row {
            good: query("limit=1&archived=true"),
            missing: never(NothingRequired),
            mistyped: refused([
                bad_parameter("limit", "limit=many"),
                bad_parameter("archived", "archived=maybe"),
            ]),
            ..bare("GET initialSync", Needed)
        },
        Row {
            not_member: refused([by(Stranger).gets(403, "M_FORBIDDEN", hidden)]),
            no_power: never(NeedsNoPower),
            unknown: refused([with("room_id", "!nowhere:localhost").gets(
                403,
                "M_FORBIDDEN",
                hidden,
            )]),
            ..bare("GET rooms/{room_id}/initialSync", Needed)
        },
        Row {
            good: query("timeout=0&room_id={room_id}"),
            missing: never(NothingRequired),
            mistyped: refused([
                bad_parameter("from", "from=nowhere"),
                bad_parameter("timeout", "timeout=soon"),
                bad_parameter("room_id", "room_id=nonsense"),
            ]),
            not_member: refused([by(Stranger).gets(403, "M_FORBIDDEN", hidden)]),
            no_power: never(NeedsNoPower),
            unknown: refused([query("room_id=!nowhere:localhost").gets(
                403,
                "M_FORBIDDEN",
                hidden,
            )]),
            ..bare("GET events", Needed)
        },
        Row {
            not_member: refused([by(Stranger).gets(404, "M_NOT_FOUND", "no such event")]),
            no_power: never(ForOutsiders),
            unknown: refused([with("event_id", "$none").gets(404, "M_NOT_FOUND", "no such event")]),
            ..bare("GET events/{event_id}", Needed)
        },
    ]
}
