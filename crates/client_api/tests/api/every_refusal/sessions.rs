//! Signing in, staying in, signing out; one's devices.

use super::MIB;
use super::row::{
    Row,
    Token::{Needed, NotNeeded},
    Who::Owner,
    Why::{AnswersEmpty, NotOfARoom, NothingRequired, OnesOwn},
    bare, bare_act, body, by, lacks, limit, mistyped, never, refused, with, with_body,
};

pub(super) fn rows() -> Vec<Row> {
    let mut rows = vec![
        bare("GET login", NotNeeded),
        bare_act("POST logout", Needed),
        bare_act("POST logout/all", Needed),
    ];
    rows.extend(signing_in());
    rows.extend(devices());
    rows
}

fn signing_in() -> Vec<Row> {
    const PASSWORD: &str = r#"{
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": "owner"},
        "password": "correct horse",
        "device_id": "TABLET",
        "refresh_token": false
    }"#;
    vec![
        Row {
            route: "POST login",
            good: body(PASSWORD),
            token: NotNeeded,
            missing: refused([
                lacks("type"),
                lacks("identifier"),
                lacks("identifier/type"),
                lacks("identifier/user"),
                lacks("password"),
                body(r#"{"type": "m.login.token"}"#).gets(400, "M_BAD_JSON", "`token`"),
            ]),
            mistyped: refused([
                mistyped("type"),
                mistyped("identifier"),
                mistyped("identifier/user"),
                mistyped("password"),
                mistyped("device_id"),
                mistyped("refresh_token"),
                with_body("type", Some(r#""x.nonsense""#)).gets(400, "M_UNKNOWN", "x.nonsense"),
            ]),
            not_member: refused([with_body("password", Some(r#""a guess""#)).gets(
                403,
                "M_FORBIDDEN",
                "password",
            )]),
            no_power: never(NotOfARoom),
            unknown: refused([
                with_body("identifier/user", Some(r#""nobody""#)).gets(
                    403,
                    "M_FORBIDDEN",
                    "password",
                ),
                body(r#"{"type": "m.login.token", "token": "unknown"}"#).gets(
                    403,
                    "M_FORBIDDEN",
                    "token",
                ),
            ]),
            too_large: refused([limit(MIB)]),
        },
        Row {
            route: "POST refresh",
            good: body(r#"{"refresh_token": "unknown"}"#),
            token: NotNeeded,
            missing: refused([lacks("refresh_token")]),
            mistyped: refused([mistyped("refresh_token")]),
            not_member: never(NotOfARoom),
            no_power: never(NotOfARoom),
            unknown: refused([body(r#"{"refresh_token": "unknown"}"#).gets(
                401,
                "M_UNKNOWN_TOKEN",
                "refresh token",
            )]),
            too_large: refused([limit(MIB)]),
        },
    ]
}

fn devices() -> Vec<Row> {
    vec![
        bare("GET devices", Needed),
        Row {
            unknown: refused([with("device_id", "NONE").gets(
                404,
                "M_NOT_FOUND",
                "no such device",
            )]),
            ..bare("GET devices/{device_id}", Needed)
        },
        Row {
            route: "PUT devices/{device_id}",
            good: by(Owner).body(r#"{"display_name": "At work"}"#),
            token: Needed,
            missing: never(NothingRequired),
            mistyped: refused([mistyped("display_name")]),
            not_member: never(OnesOwn),
            no_power: never(OnesOwn),
            unknown: refused([
                with("device_id", "NONE").gets(404, "M_NOT_FOUND", "no such device"),
                with("device_id", "NONE")
                    .body("{}")
                    .gets(404, "M_NOT_FOUND", "no such device"),
            ]),
            too_large: refused([limit(MIB)]),
        },
        Row {
            route: "DELETE devices/{device_id}",
            good: by(Owner).body(r#"{"auth": {auth}}"#),
            token: Needed,
            missing: refused([with_body("auth", None).gets(401, "", "")]),
            mistyped: refused([mistyped("auth"), mistyped("auth/type")]),
            not_member: refused([with_body("auth", Some("{auth_of_another}")).gets(
                401,
                "M_FORBIDDEN",
                "password",
            )]),
            no_power: never(OnesOwn),
            unknown: never(AnswersEmpty),
            too_large: refused([limit(MIB)]),
        },
        Row {
            route: "POST delete_devices",
            good: by(Owner).body(r#"{"devices": ["LAPTOP"], "auth": {auth}}"#),
            token: Needed,
            missing: refused([lacks("devices"), with_body("auth", None).gets(401, "", "")]),
            mistyped: refused([
                mistyped("devices"),
                mistyped("auth"),
                with_body("devices", Some("[7]")).gets(400, "M_BAD_JSON", "devices[0]: "),
            ]),
            not_member: refused([with_body("auth", Some("{auth_of_another}")).gets(
                401,
                "M_FORBIDDEN",
                "password",
            )]),
            no_power: never(OnesOwn),
            unknown: never(AnswersEmpty),
            too_large: refused([limit(MIB)]),
        },
    ]
}
