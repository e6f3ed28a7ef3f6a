//! Backups of room keys, at each level.

use super::{
    MIB,
    row::{
        Case, Row,
        Token::Needed,
        Who::{Owner, Stranger},
        Why::{AnyText, NamesNothing, NotOfARoom, OnesOwn},
        bare, body, by, lacks, lacks_parameter, limit, mistyped, never, query, refused, with,
        with_body,
    },
};

/// Clients put thousands of keys at once.
const KEYS: usize = 16 * MIB;

const ALGORITHM: &str = r#"{
    "algorithm": "m.megolm_backup.v1.curve25519-aes-sha2",
    "auth_data": {"public_key": "YWJj", "signatures": {}}
}"#;

/// One key, as the innermost level has it.
const KEY: &str = r#"{
    "first_message_index": 0, "forwarded_count": 0, "is_verified": true,
    "session_data": {"ephemeral": "YQ", "ciphertext": "Yg", "mac": "Yw"}
}"#;

pub(super) fn rows() -> Vec<Row> {
    [versions(), one_session(), one_room(), all_rooms()]
        .into_iter()
        .flatten()
        .collect()
}

fn versions() -> Vec<Row> {
    let unknown = || refused([with("version", "9").gets(404, "M_NOT_FOUND", "backup version")]);
    vec![
        Row {
            unknown: refused([by(Stranger).gets(404, "M_NOT_FOUND", "backup version")]),
            ..bare("GET room_keys/version", Needed)
        },
        Row {
            unknown: unknown(),
            ..bare("GET room_keys/version/{version}", Needed)
        },
        Row {
            route: "POST room_keys/version",
            good: by(Owner).body(ALGORITHM),
            token: Needed,
            missing: refused([lacks("algorithm"), lacks("auth_data")]),
            mistyped: refused([mistyped("algorithm"), mistyped("auth_data")]),
            not_member: never(NotOfARoom),
            no_power: never(NotOfARoom),
            unknown: never(NamesNothing),
            too_large: refused([limit(MIB)]),
        },
        Row {
            route: "PUT room_keys/version/{version}",
            good: by(Owner).body(ALGORITHM),
            token: Needed,
            missing: refused([lacks("algorithm"), lacks("auth_data")]),
            mistyped: refused([
                mistyped("algorithm"),
                mistyped("auth_data"),
                with_body("algorithm", Some(r#""x.other""#)).gets(
                    400,
                    "M_INVALID_PARAM",
                    "algorithm",
                ),
                with_body("version", Some(r#""9""#)).gets(400, "M_INVALID_PARAM", "version"),
            ]),
            not_member: never(NotOfARoom),
            no_power: never(NotOfARoom),
            unknown: unknown(),
            too_large: refused([limit(MIB)]),
        },
        Row {
            unknown: unknown(),
            too_large: refused([limit(MIB)]),
            ..bare("DELETE room_keys/version/{version}", Needed)
        },
    ]
}

/// Reading and deleting at any level.
fn read(route: &'static str) -> Row {
    Row {
        good: query("version=2"),
        missing: refused([lacks_parameter("version", "")]),
        mistyped: never(AnyText),
        not_member: never(OnesOwn),
        no_power: never(OnesOwn),
        unknown: refused([query("version=9").gets(404, "M_NOT_FOUND", "backup version")]),
        ..bare(route, Needed)
    }
}

fn delete(route: &'static str) -> Row {
    Row {
        too_large: refused([limit(MIB)]),
        ..read(route)
    }
}

fn put(route: &'static str, good: String) -> Row {
    Row {
        route,
        good: by(Owner).query("version=2").body(good),
        token: Needed,
        // What these are is told by each level.
        missing: refused([]),
        mistyped: refused([]),
        not_member: never(OnesOwn),
        // Another version is the current one.
        no_power: refused([query("version=1").gets(
            403,
            "M_WRONG_ROOM_KEYS_VERSION",
            "current key backup is version 2",
        )]),
        unknown: refused([
            query("version=9").gets(403, "M_WRONG_ROOM_KEYS_VERSION", "is version 2"),
            by(Stranger).gets(404, "M_NOT_FOUND", "backup version"),
        ]),
        too_large: refused([limit(KEYS)]),
    }
}

/// The key lacks a member that must be there.
fn key_lacks(member: &'static str) -> Case {
    let sentence = format!("session s: missing field `{member}`");
    with_body(member, None).gets(400, "M_BAD_JSON", sentence)
}

fn one_session() -> Vec<Row> {
    vec![
        Row {
            unknown: refused([
                query("version=9").gets(404, "M_NOT_FOUND", "backup version"),
                with("session_id", "none").gets(404, "M_NOT_FOUND", "no such key"),
            ]),
            ..read("GET room_keys/keys/{room_id}/{session_id}")
        },
        Row {
            missing: refused([
                lacks_parameter("version", ""),
                key_lacks("first_message_index"),
                key_lacks("forwarded_count"),
                key_lacks("is_verified"),
                key_lacks("session_data"),
            ]),
            mistyped: refused([
                mistyped("first_message_index"),
                mistyped("forwarded_count"),
                mistyped("is_verified"),
                mistyped("session_data"),
            ]),
            too_large: refused([limit(MIB)]),
            ..put("PUT room_keys/keys/{room_id}/{session_id}", KEY.to_owned())
        },
        delete("DELETE room_keys/keys/{room_id}/{session_id}"),
    ]
}

fn one_room() -> Vec<Row> {
    vec![
        read("GET room_keys/keys/{room_id}"),
        Row {
            missing: refused([lacks_parameter("version", ""), lacks("sessions")]),
            mistyped: refused([
                mistyped("sessions"),
                body(r#"{"sessions": {"s": 7}}"#).gets(
                    400,
                    "M_BAD_JSON",
                    "session s: a key is an object",
                ),
            ]),
            ..put(
                "PUT room_keys/keys/{room_id}",
                format!(r#"{{"sessions": {{"s": {KEY}}}}}"#),
            )
        },
        delete("DELETE room_keys/keys/{room_id}"),
    ]
}

fn all_rooms() -> Vec<Row> {
    vec![
        read("GET room_keys/keys"),
        Row {
            missing: refused([lacks_parameter("version", ""), lacks("rooms")]),
            mistyped: refused([
                mistyped("rooms"),
                body(r#"{"rooms": {"nowhere": {"sessions": {}}}}"#).gets(
                    400,
                    "M_BAD_JSON",
                    "rooms",
                ),
                body(r#"{"rooms": {"{room_id}": {"sessions": 7}}}"#).gets(
                    400,
                    "M_BAD_JSON",
                    "rooms.{room_id}.sessions: ",
                ),
            ]),
            ..put(
                "PUT room_keys/keys",
                format!(r#"{{"rooms": {{"{{room_id}}": {{"sessions": {{"s": {KEY}}}}}}}}}"#),
            )
        },
        delete("DELETE room_keys/keys"),
    ]
}
