//! Making a room, and its state.

use super::{
    MIB,
    row::{
        Row,
        Token::Needed,
        Who::{Member, Owner},
        Why::{AnyObject, NeedsNoPower, NotOfARoom, NothingRequired},
        bad_parameter, bare, body, by, limit, mistyped, never, no_room, outsider, refused, with,
        with_body,
    },
};

pub(super) fn rows() -> Vec<Row> {
    let mut rows = vec![
        create(),
        bare("GET joined_rooms", Needed),
        Row {
            not_member: refused([outsider()]),
            no_power: never(NeedsNoPower),
            unknown: refused([no_room()]),
            ..bare("GET rooms/{room_id}/state", Needed)
        },
    ];
    // An empty state key may be left out, with or without its slash.
    rows.extend([
        read("GET rooms/{room_id}/state/{event_type}"),
        read("GET rooms/{room_id}/state/{event_type}/"),
        read("GET rooms/{room_id}/state/{event_type}/{state_key}"),
        write("PUT rooms/{room_id}/state/{event_type}"),
        write("PUT rooms/{room_id}/state/{event_type}/"),
        Row {
            mistyped: refused([
                with("event_type", "m.room.member")
                    .with("state_key", "{member_id}")
                    .gets(400, "M_INVALID_PARAM", "`membership`"),
                bad_parameter("org.matrix.msc4140.delay", "org.matrix.msc4140.delay=soon"),
                // Such a key is for its user alone.
                with("state_key", "{member_id}").gets(403, "M_FORBIDDEN", "state_key"),
            ]),
            ..write("PUT rooms/{room_id}/state/{event_type}/{state_key}")
        },
    ]);
    rows
}

fn create() -> Row {
    const GOOD: &str = r#"{
        "name": "Garden", "topic": "Roses", "preset": "private_chat", "visibility": "private",
        "room_version": "12", "room_alias_name": "garden", "is_direct": false,
        "invite": ["{member_id}"], "creation_content": {"x.a": 1},
        "initial_state": [{"type": "x.note", "state_key": "", "content": {}}],
        "power_level_content_override": {"invite": 50}
    }"#;
    Row {
        route: "POST createRoom",
        good: by(Owner).body(GOOD),
        token: Needed,
        missing: refused([
            with_body("initial_state", Some(r#"[{"content": {}}]"#)).gets(
                400,
                "M_BAD_JSON",
                "initial_state[0]: missing field `type`",
            ),
            with_body("initial_state", Some(r#"[{"type": "x.note"}]"#)).gets(
                400,
                "M_BAD_JSON",
                "initial_state[0]: missing field `content`",
            ),
        ]),
        mistyped: refused([
            mistyped("name"),
            mistyped("topic"),
            mistyped("preset"),
            mistyped("visibility"),
            mistyped("room_version"),
            mistyped("room_alias_name"),
            mistyped("is_direct"),
            mistyped("invite"),
            mistyped("creation_content"),
            mistyped("initial_state"),
            mistyped("power_level_content_override"),
            with_body("invite", Some(r#"["nobody"]"#)).gets(400, "M_BAD_JSON", "invite[0]: "),
            with_body("initial_state", Some(r#"[{"type": 7, "content": {}}]"#)).gets(
                400,
                "M_BAD_JSON",
                "initial_state[0]: ",
            ),
            with_body("initial_state", Some(r#"[{"type": "x", "content": 7}]"#)).gets(
                400,
                "M_BAD_JSON",
                "initial_state[0].content: ",
            ),
            with_body("preset", Some(r#""open""#)).gets(400, "M_BAD_JSON", "preset: "),
            with_body("visibility", Some(r#""hidden""#)).gets(400, "M_BAD_JSON", "visibility: "),
            with_body("room_version", Some(r#""0""#)).gets(
                400,
                "M_UNSUPPORTED_ROOM_VERSION",
                "room version 0",
            ),
            with_body("room_alias_name", Some(r#""plaza""#)).gets(
                400,
                "M_ROOM_IN_USE",
                "#plaza:localhost",
            ),
            with_body("power_level_content_override", Some(r#"{"users": 7}"#)).gets(
                400,
                "M_INVALID_ROOM_STATE",
                "users",
            ),
        ]),
        not_member: never(NotOfARoom),
        no_power: never(NotOfARoom),
        unknown: refused([with_body("invite", Some(r#"["@nobody:localhost"]"#)).gets(
            404,
            "M_NOT_FOUND",
            "@nobody:localhost",
        )]),
        too_large: refused([
            limit(MIB),
            with_body("topic", Some(r#""{x70000}""#)).gets(413, "M_TOO_LARGE", "65,536 bytes"),
        ]),
    }
}

fn read(route: &'static str) -> Row {
    Row {
        missing: never(NothingRequired),
        mistyped: refused([with("event_type", "m.room.create")
            .with("state_key", "")
            .query("format=short")
            .gets(400, "M_INVALID_PARAM", "format")]),
        not_member: refused([outsider()]),
        no_power: never(NeedsNoPower),
        unknown: refused([
            no_room(),
            with("event_type", "x.unset").gets(404, "M_NOT_FOUND", "no such state"),
        ]),
        ..bare(route, Needed)
    }
}

fn write(route: &'static str) -> Row {
    Row {
        route,
        good: by(Owner).body(r#"{"any": "thing"}"#),
        token: Needed,
        missing: never(NothingRequired),
        mistyped: never(AnyObject),
        not_member: refused([outsider()]),
        no_power: refused([by(Member).gets(403, "M_FORBIDDEN", "power")]),
        unknown: refused([no_room()]),
        too_large: refused([
            limit(MIB),
            body(r#"{"any": "{x65536}"}"#).gets(413, "M_TOO_LARGE", "65,536 bytes"),
            with("event_type", "{x256}").gets(400, "M_INVALID_PARAM", "type of the event"),
        ]),
    }
}
