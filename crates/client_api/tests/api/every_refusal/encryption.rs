//! Device keys, cross-signing, one-time keys, messages to devices.

use super::{
    MIB,
    row::{
        Row,
        Token::Needed,
        Who::Owner,
        Why::{AnswersEmpty, NamesNothing, NotOfARoom, NothingRequired, OnesOwn},
        bad_parameter, bare, body, by, lacks, lacks_parameter, limit, mistyped, never, query,
        refused, with_body,
    },
};

/// A room key for each of hundreds of devices.
const TO_DEVICE: usize = 4 * MIB;

pub(super) fn rows() -> Vec<Row> {
    vec![
        changes(),
        upload(),
        query_keys(),
        claim(),
        signing(),
        signatures(),
        to_device(),
    ]
}

fn changes() -> Row {
    Row {
        good: query("from={since}&to={since}"),
        missing: refused([
            lacks_parameter("from", "to={since}"),
            lacks_parameter("to", "from={since}"),
        ]),
        mistyped: refused([
            bad_parameter("from", "from=nowhere&to={since}"),
            bad_parameter("to", "from={since}&to=nowhere"),
        ]),
        ..bare("GET keys/changes", Needed)
    }
}

fn upload() -> Row {
    const GOOD: &str = r#"{
        "device_keys": {
            "user_id": "{user_id}", "device_id": "PHONE", "algorithms": [],
            "keys": {"ed25519:PHONE": "a", "curve25519:PHONE": "b"},
            "signatures": {"{user_id}": {"ed25519:PHONE": "c"}}
        },
        "one_time_keys": {"signed_curve25519:NEW": {"key": "AAAA", "signatures": {}}},
        "fallback_keys": {"signed_curve25519:LAST": {"key": "AAAA", "signatures": {}}}
    }"#;
    Row {
        route: "POST keys/upload",
        good: by(Owner).body(GOOD),
        token: Needed,
        missing: refused([
            with_body("device_keys/user_id", None).gets(400, "M_BAD_JSON", "user_id"),
            with_body("device_keys/device_id", None).gets(400, "M_BAD_JSON", "device_id"),
            with_body("device_keys/algorithms", None).gets(400, "M_BAD_JSON", "device_keys"),
            with_body("device_keys/keys", None).gets(400, "M_BAD_JSON", "device_keys"),
            with_body("device_keys/signatures", None).gets(400, "M_BAD_JSON", "device_keys"),
        ]),
        mistyped: refused([
            with_body("device_keys", Some("7")).gets(400, "M_BAD_JSON", "device_keys"),
            mistyped("one_time_keys"),
            mistyped("fallback_keys"),
            with_body("one_time_keys", Some(r#"{"signed_curve25519:NEW": 7}"#)).gets(
                400,
                "M_BAD_JSON",
                "one_time_keys",
            ),
            with_body(
                "one_time_keys",
                Some(r#"{"signed_curve25519:A": {"key": "BBBB", "signatures": {}}}"#),
            )
            .gets(400, "M_INVALID_PARAM", "signed_curve25519:A"),
        ]),
        not_member: refused([
            with_body("device_keys/user_id", Some(r#""{other_id}""#)).gets(
                400,
                "M_INVALID_PARAM",
                "user_id",
            ),
            with_body("device_keys/device_id", Some(r#""OTHER""#)).gets(
                400,
                "M_INVALID_PARAM",
                "device_id",
            ),
        ]),
        no_power: never(OnesOwn),
        unknown: never(NamesNothing),
        too_large: refused([
            limit(MIB),
            with_body(
                "one_time_keys",
                Some(r#"{"signed_curve25519:BIG": {"key": "{x70000}"}}"#),
            )
            .gets(413, "M_TOO_LARGE", "one_time_keys"),
        ]),
    }
}

fn query_keys() -> Row {
    Row {
        route: "POST keys/query",
        good: by(Owner).body(r#"{"timeout": 10, "device_keys": {"{other_id}": ["PHONE"]}}"#),
        token: Needed,
        missing: refused([lacks("device_keys")]),
        mistyped: refused([
            mistyped("timeout"),
            mistyped("device_keys"),
            body(r#"{"device_keys": {"{other_id}": "PHONE"}}"#).gets(
                400,
                "M_BAD_JSON",
                "device_keys.{other_id}: ",
            ),
            body(r#"{"device_keys": {"nobody": []}}"#).gets(400, "M_BAD_JSON", "device_keys"),
        ]),
        not_member: never(NotOfARoom),
        no_power: never(NotOfARoom),
        unknown: never(AnswersEmpty),
        too_large: refused([limit(MIB)]),
    }
}

fn claim() -> Row {
    Row {
        route: "POST keys/claim",
        good: by(Owner).body(
            r#"{
                "timeout": 10,
                "one_time_keys": {"{other_id}": {"PHONE": "signed_curve25519"}}
            }"#,
        ),
        token: Needed,
        missing: refused([lacks("one_time_keys")]),
        mistyped: refused([
            mistyped("timeout"),
            mistyped("one_time_keys"),
            body(r#"{"one_time_keys": {"{other_id}": {"PHONE": 7}}}"#).gets(
                400,
                "M_BAD_JSON",
                "one_time_keys.{other_id}.PHONE: ",
            ),
            body(r#"{"one_time_keys": {"nobody": {}}}"#).gets(400, "M_BAD_JSON", "one_time_keys"),
        ]),
        not_member: never(NotOfARoom),
        no_power: never(NotOfARoom),
        unknown: never(AnswersEmpty),
        too_large: refused([limit(MIB)]),
    }
}

fn signing() -> Row {
    const KEY: &str = r#"{
        "master_key": {
            "user_id": "{user_id}", "usage": ["master"], "keys": {"ed25519:{key}": "{key}"}
        }
    }"#;
    Row {
        route: "POST keys/device_signing/upload",
        good: by(Owner).body(KEY),
        token: Needed,
        missing: refused([
            with_body("master_key/user_id", None).gets(400, "M_BAD_JSON", "master_key"),
            with_body("master_key/usage", None).gets(400, "M_BAD_JSON", "master_key"),
            with_body("master_key/keys", None).gets(400, "M_BAD_JSON", "master_key"),
            body(
                r#"{"self_signing_key": {
                    "user_id": "{user_id}", "usage": ["self_signing"],
                    "keys": {"ed25519:{key}": "{key}"}
                }}"#,
            )
            .gets(400, "M_MISSING_PARAM", "master key"),
        ]),
        mistyped: refused([
            with_body("master_key", Some("7")).gets(400, "M_BAD_JSON", "master_key"),
            with_body("master_key/keys", Some("7")).gets(400, "M_BAD_JSON", "master_key"),
            with_body("master_key/keys", Some(r#"{"ed25519:a": "a"}"#)).gets(
                400,
                "M_BAD_JSON",
                "master_key",
            ),
            body(r#"{"auth": 7}"#).gets(400, "M_BAD_JSON", "auth: "),
        ]),
        not_member: refused([
            with_body("master_key/user_id", Some(r#""{other_id}""#)).gets(
                400,
                "M_INVALID_PARAM",
                "another user",
            ),
        ]),
        no_power: never(OnesOwn),
        unknown: never(NamesNothing),
        too_large: refused([limit(MIB)]),
    }
}

fn signatures() -> Row {
    Row {
        route: "POST keys/signatures/upload",
        good: by(Owner).body(r#"{"{user_id}": {"PHONE": {}}}"#),
        token: Needed,
        missing: never(NothingRequired),
        mistyped: refused([
            body(r#"{"{user_id}": 7}"#).gets(400, "M_BAD_JSON", "{user_id}: "),
            body(r#"{"nobody": {}}"#).gets(400, "M_BAD_JSON", "nobody"),
        ]),
        not_member: never(OnesOwn),
        no_power: never(OnesOwn),
        unknown: never(NamesNothing),
        too_large: refused([limit(MIB)]),
    }
}

fn to_device() -> Row {
    Row {
        route: "PUT sendToDevice/{event_type}/{txn_id}",
        good: by(Owner).body(r#"{"messages": {"{other_id}": {"PHONE": {"n": 1}}}}"#),
        token: Needed,
        missing: refused([lacks("messages")]),
        mistyped: refused([
            mistyped("messages"),
            body(r#"{"messages": {"{other_id}": 7}}"#).gets(
                400,
                "M_BAD_JSON",
                "messages.{other_id}: ",
            ),
            body(r#"{"messages": {"nobody": {}}}"#).gets(400, "M_BAD_JSON", "messages"),
            body(r#"{"messages": {"{other_id}": {"PHONE": 7}}}"#).gets(
                400,
                "M_BAD_JSON",
                "messages.{other_id}.PHONE",
            ),
        ]),
        not_member: never(NotOfARoom),
        no_power: never(NotOfARoom),
        unknown: never(AnswersEmpty),
        too_large: refused([
            limit(TO_DEVICE),
            body(r#"{"messages": {"{other_id}": {"PHONE": {"n": "{x70000}"}}}}"#).gets(
                413,
                "M_TOO_LARGE",
                "64 KiB",
            ),
        ]),
    }
}
