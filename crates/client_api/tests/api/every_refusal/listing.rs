//! Finding a room: by its alias, and in the directory.

use super::{
    MIB,
    row::{
        Row,
        Token::{Needed, NotNeeded},
        Who::{Member, Owner, Stranger},
        Why::{ForOutsiders, NeedsNoPower, NotOfARoom, NothingRequired},
        bad_parameter, bare, body, by, lacks, limit, mistyped, never, no_room, outsider, refused,
        with, with_body,
    },
};

pub(super) fn rows() -> Vec<Row> {
    [aliases(), visibility(), directory()]
        .into_iter()
        .flatten()
        .collect()
}

fn aliases() -> Vec<Row> {
    vec![
        Row {
            unknown: refused([with("room_alias", "#nowhere:localhost").gets(
                404,
                "M_NOT_FOUND",
                "no such alias",
            )]),
            ..bare("GET directory/room/{room_alias}", NotNeeded)
        },
        Row {
            route: "PUT directory/room/{room_alias}",
            good: by(Owner)
                .with("room_alias", "#new:localhost")
                .body(r#"{"room_id": "{room_id}"}"#),
            token: Needed,
            missing: refused([lacks("room_id")]),
            mistyped: refused([
                mistyped("room_id"),
                body(r#"{"room_id": "nowhere"}"#).gets(400, "M_BAD_JSON", "room_id: "),
                with("room_alias", "#new:elsewhere.test").gets(
                    400,
                    "M_INVALID_PARAM",
                    ":localhost",
                ),
                with("room_alias", "#plaza:localhost").gets(409, "M_UNKNOWN", "#plaza:localhost"),
            ]),
            not_member: refused([outsider()]),
            no_power: never(NeedsNoPower),
            unknown: refused([body(r#"{"room_id": "!nowhere:localhost"}"#).gets(
                403,
                "M_FORBIDDEN",
                "you are not in this room",
            )]),
            too_large: refused([
                limit(MIB),
                with("room_alias", "#{x250}:localhost").gets(400, "M_INVALID_PARAM", "room_alias"),
            ]),
        },
        Row {
            not_member: refused([by(Stranger).gets(403, "M_FORBIDDEN", "alias")]),
            no_power: refused([by(Member).gets(403, "M_FORBIDDEN", "alias")]),
            unknown: refused([with("room_alias", "#nowhere:localhost").gets(
                404,
                "M_NOT_FOUND",
                "no such alias",
            )]),
            too_large: refused([limit(MIB)]),
            ..bare("DELETE directory/room/{room_alias}", Needed)
        },
        Row {
            not_member: refused([outsider()]),
            no_power: never(NeedsNoPower),
            unknown: refused([no_room()]),
            ..bare("GET rooms/{room_id}/aliases", Needed)
        },
    ]
}

fn visibility() -> Vec<Row> {
    vec![
        Row {
            not_member: never(ForOutsiders),
            no_power: never(NeedsNoPower),
            unknown: refused([with("room_id", "!nowhere:localhost").gets(
                404,
                "M_NOT_FOUND",
                "no such room",
            )]),
            ..bare("GET directory/list/room/{room_id}", NotNeeded)
        },
        Row {
            route: "PUT directory/list/room/{room_id}",
            good: by(Owner).body(r#"{"visibility": "public"}"#),
            token: Needed,
            missing: never(NothingRequired),
            mistyped: refused([
                mistyped("visibility"),
                body(r#"{"visibility": "hidden"}"#).gets(400, "M_BAD_JSON", "visibility: "),
            ]),
            not_member: refused([by(Stranger).gets(403, "M_FORBIDDEN", "room")]),
            no_power: refused([by(Member).gets(403, "M_FORBIDDEN", "power")]),
            unknown: refused([with("room_id", "!nowhere:localhost").gets(
                404,
                "M_NOT_FOUND",
                "no such room",
            )]),
            too_large: refused([limit(MIB)]),
        },
    ]
}

fn directory() -> Vec<Row> {
    vec![
        Row {
            missing: never(NothingRequired),
            mistyped: refused([
                bad_parameter("limit", "limit=many"),
                bad_parameter("since", "since=nowhere"),
            ]),
            unknown: refused([bad_parameter("server", "server=elsewhere.test")]),
            ..bare("GET publicRooms", NotNeeded)
        },
        Row {
            route: "POST publicRooms",
            good: by(Owner).body(
                r#"{
                    "limit": 1, "filter": {"generic_search_term": "x", "room_types": [null]},
                    "include_all_networks": false
                }"#,
            ),
            token: Needed,
            missing: never(NothingRequired),
            mistyped: refused([
                mistyped("limit"),
                mistyped("filter"),
                mistyped("filter/generic_search_term"),
                mistyped("filter/room_types"),
                with_body("filter/room_types", Some("[7]")).gets(
                    400,
                    "M_BAD_JSON",
                    "filter.room_types[0]: ",
                ),
                body(r#"{"since": 7}"#).gets(400, "M_BAD_JSON", "since: "),
                body(r#"{"since": "nowhere"}"#).gets(400, "M_INVALID_PARAM", "since"),
            ]),
            not_member: never(NotOfARoom),
            no_power: never(NotOfARoom),
            unknown: refused([bad_parameter("server", "server=elsewhere.test")]),
            too_large: refused([limit(MIB)]),
        },
    ]
}
