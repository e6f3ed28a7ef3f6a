//! Dehydrated devices.

use super::{
    MIB,
    row::{
        Row,
        Token::Needed,
        Who::{Owner, Stranger},
        Why::{NamesNothing, NotOfARoom, NothingRequired},
        bare, bare_act, by, lacks, limit, mistyped, never, refused, with, with_body,
    },
};

const NONE: (u16, &str, &str) = (404, "M_NOT_FOUND", "no dehydrated device");

pub(super) fn rows() -> Vec<Row> {
    let stranger = || refused([by(Stranger).gets(NONE.0, NONE.1, NONE.2)]);
    vec![
        keep(),
        Row {
            not_member: stranger(),
            ..bare(
                "GET /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device",
                Needed,
            )
        },
        Row {
            not_member: stranger(),
            ..bare_act(
                "DELETE /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device",
                Needed,
            )
        },
        Row {
            route: "POST /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/{device_id}/events",
            good: by(Owner)
                .with("device_id", "ASLEEP")
                .body(r#"{"next_batch": "0"}"#),
            token: Needed,
            missing: never(NothingRequired),
            mistyped: refused([
                mistyped("next_batch"),
                with_body("next_batch", Some(r#""nowhere""#)).gets(
                    400,
                    "M_INVALID_PARAM",
                    "next_batch",
                ),
            ]),
            not_member: stranger(),
            no_power: never(NotOfARoom),
            unknown: refused([with("device_id", "PHONE").gets(NONE.0, NONE.1, NONE.2)]),
            too_large: refused([limit(MIB)]),
        },
    ]
}

fn keep() -> Row {
    const GOOD: &str = r#"{
        "device_id": "DREAM",
        "initial_device_display_name": "Dream",
        "device_data": {
            "algorithm": "org.matrix.msc3814.v2", "device_pickle": "a", "nonce": "b"
        },
        "device_keys": {
            "user_id": "{user_id}", "device_id": "DREAM", "algorithms": [],
            "keys": {"ed25519:DREAM": "a", "curve25519:DREAM": "b"},
            "signatures": {"{user_id}": {"ed25519:DREAM": "c"}}, "dehydrated": true
        },
        "one_time_keys": {"signed_curve25519:NEW": {"key": "AAAA", "signatures": {}}},
        "fallback_keys": {"signed_curve25519:LAST": {"key": "AAAA", "signatures": {}}}
    }"#;
    Row {
        route: "PUT /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device",
        good: by(Owner).body(GOOD),
        token: Needed,
        missing: refused([
            lacks("device_id"),
            lacks("device_data"),
            lacks("device_keys"),
            lacks("device_data/algorithm"),
            with_body("device_keys/user_id", None).gets(400, "M_BAD_JSON", "user_id"),
        ]),
        mistyped: refused([
            mistyped("device_id"),
            mistyped("initial_device_display_name"),
            mistyped("device_data"),
            with_body("device_data/algorithm", Some("7")).gets(400, "M_BAD_JSON", "device_data"),
            mistyped("device_keys"),
            mistyped("one_time_keys"),
            mistyped("fallback_keys"),
            with_body("device_id", Some(r#""OTHER""#)).gets(400, "M_INVALID_PARAM", "device_id"),
        ]),
        not_member: refused([
            with_body("device_keys/user_id", Some(r#""{other_id}""#)).gets(
                400,
                "M_INVALID_PARAM",
                "user_id",
            ),
        ]),
        no_power: never(NotOfARoom),
        unknown: never(NamesNothing),
        too_large: refused([
            limit(MIB),
            with_body("device_data/device_pickle", Some(r#""{x131073}""#)).gets(
                413,
                "M_TOO_LARGE",
                "device_data is too large",
            ),
            with_body("initial_device_display_name", Some(r#""{x1025}""#)).gets(
                413,
                "M_TOO_LARGE",
                "initial_device_display_name",
            ),
        ]),
    }
}
