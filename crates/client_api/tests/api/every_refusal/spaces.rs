//! Rooms seen from outside, what is in a space, and rooms that replace others.

use super::{
    MIB,
    row::{
        Row,
        Token::{Needed, Optional},
        Who::{Banned, Member, Owner, Stranger},
        Why::{NeedsNoPower, NothingRequired},
        bad_parameter, bare, body, by, lacks, limit, mistyped, never, no_room, outsider, query,
        refused, with,
    },
};

pub(super) fn rows() -> Vec<Row> {
    vec![
        summary("GET /_matrix/client/v1/room_summary/{room_id_or_alias}"),
        summary("GET /_matrix/client/unstable/im.nheko.summary/rooms/{room_id_or_alias}/summary"),
        summary("GET /_matrix/client/unstable/im.nheko.summary/summary/{room_id_or_alias}"),
        hierarchy(),
        upgrade(),
    ]
}

fn summary(route: &'static str) -> Row {
    Row {
        not_member: refused([
            by(Stranger).gets(404, "M_NOT_FOUND", "no such room"),
            by(Banned).gets(404, "M_NOT_FOUND", "no such room"),
        ]),
        no_power: never(NeedsNoPower),
        unknown: refused([
            with("room_id_or_alias", "!nowhere:localhost").gets(404, "M_NOT_FOUND", "no such room"),
            with("room_id_or_alias", "#nowhere:localhost").gets(
                404,
                "M_NOT_FOUND",
                "no such alias",
            ),
        ]),
        ..bare(route, Optional)
    }
}

fn hierarchy() -> Row {
    let hidden = "not allowed to view this room";
    Row {
        good: query("limit=2&max_depth=1&suggested_only=true"),
        missing: never(NothingRequired),
        mistyped: refused([
            bad_parameter("limit", "limit=many"),
            bad_parameter("limit", "limit=0"),
            bad_parameter("max_depth", "max_depth=-1"),
            bad_parameter("suggested_only", "suggested_only=maybe"),
            bad_parameter("from", "from=nowhere"),
        ]),
        not_member: refused([
            by(Stranger).gets(403, "M_FORBIDDEN", hidden),
            by(Banned).gets(403, "M_FORBIDDEN", hidden),
        ]),
        no_power: never(NeedsNoPower),
        unknown: refused([with("room_id", "!nowhere:localhost").gets(403, "M_FORBIDDEN", hidden)]),
        ..bare("GET /_matrix/client/v1/rooms/{room_id}/hierarchy", Needed)
    }
}

fn upgrade() -> Row {
    Row {
        route: "POST rooms/{room_id}/upgrade",
        good: by(Owner).body(r#"{"new_version": "11", "additional_creators": []}"#),
        token: Needed,
        missing: refused([lacks("new_version")]),
        mistyped: refused([
            mistyped("new_version"),
            mistyped("additional_creators"),
            body(r#"{"new_version": "12", "additional_creators": ["nobody"]}"#).gets(
                400,
                "M_BAD_JSON",
                "additional_creators[0]: ",
            ),
        ]),
        not_member: refused([outsider()]),
        no_power: refused([by(Member).gets(403, "M_FORBIDDEN", "power")]),
        unknown: refused([
            no_room(),
            body(r#"{"new_version": "x.unheard-of"}"#).gets(
                400,
                "M_UNSUPPORTED_ROOM_VERSION",
                "x.unheard-of",
            ),
        ]),
        too_large: refused([limit(MIB)]),
    }
}
