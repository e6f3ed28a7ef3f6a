//! Making an account in each way, its password, its end.

use super::MIB;
use super::row::{
    Row,
    Token::{Needed, NotNeeded, Optional},
    Who::Owner,
    Why::{AnswersEmpty, AnyText, NamesNothing, NotOfARoom, OnesOwn, ToldAsSuch},
    bare, body, by, lacks, lacks_parameter, limit, mistyped, never, query, reads_no_body, refused,
    with_body,
};

pub(super) const SHARED_SECRET: &str = "a secret that tools know";

pub(super) fn rows() -> Vec<Row> {
    [
        registering(),
        with_the_shared_secret(),
        of_ones_own(),
        third_party_ids(),
        added_addresses(),
        addresses(),
        phones(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn registering() -> Vec<Row> {
    const NEW: &str = r#"{
        "username": "new", "password": "correct horse", "device_id": "TABLET",
        "inhibit_login": false, "auth": {"type": "m.login.dummy"}
    }"#;
    vec![
        Row {
            route: "POST register",
            good: body(NEW),
            token: NotNeeded,
            missing: refused([
                with_body("password", None).gets(400, "M_MISSING_PARAM", "password is missing"),
                with_body("auth", None).gets(401, "", ""),
            ]),
            mistyped: refused([
                mistyped("username"),
                mistyped("password"),
                mistyped("device_id"),
                mistyped("inhibit_login"),
                mistyped("auth"),
                with_body("username", Some(r#""Not one""#)).gets(
                    400,
                    "M_INVALID_USERNAME",
                    "user name",
                ),
                with_body("username", Some(r#""owner""#)).gets(400, "M_USER_IN_USE", "taken"),
                with_body("password", Some(r#""short""#)).gets(400, "M_WEAK_PASSWORD", "password"),
            ]),
            not_member: never(NotOfARoom),
            no_power: refused([query("kind=guest").gets(
                403,
                "M_GUEST_ACCESS_FORBIDDEN",
                "no guests",
            )]),
            unknown: never(NamesNothing),
            too_large: refused([limit(MIB)]),
        },
        Row {
            route: "GET register/available",
            good: query("username=new"),
            token: NotNeeded,
            missing: refused([lacks_parameter("username", "")]),
            mistyped: refused([
                query("username=Not%20one").gets(400, "M_INVALID_USERNAME", "user name"),
                query("username=owner").gets(400, "M_USER_IN_USE", "taken"),
            ]),
            not_member: never(NotOfARoom),
            no_power: never(NotOfARoom),
            unknown: never(NamesNothing),
            too_large: reads_no_body(),
        },
        Row {
            route: "GET /_matrix/identity/v2/pubkey/ephemeral/isvalid",
            good: query("public_key=abc"),
            token: NotNeeded,
            missing: refused([lacks_parameter("public_key", "")]),
            mistyped: never(AnyText),
            not_member: never(NotOfARoom),
            no_power: never(NotOfARoom),
            unknown: never(ToldAsSuch),
            too_large: reads_no_body(),
        },
        Row {
            route: "GET /_matrix/client/v1/register/m.login.registration_token/validity",
            good: query("token=abc"),
            token: NotNeeded,
            missing: refused([lacks_parameter("token", "")]),
            mistyped: never(AnyText),
            not_member: never(NotOfARoom),
            no_power: never(NotOfARoom),
            unknown: never(ToldAsSuch),
            too_large: reads_no_body(),
        },
    ]
}

fn third_party_ids() -> Vec<Row> {
    let removed = |route| Row {
        route,
        good: by(Owner).body(
            r#"{"medium": "email", "address": "o@example.org", "id_server": "id.example.org"}"#,
        ),
        token: Needed,
        missing: refused([lacks("medium"), lacks("address")]),
        mistyped: refused([
            mistyped("medium"),
            mistyped("address"),
            mistyped("id_server"),
        ]),
        not_member: never(OnesOwn),
        no_power: never(OnesOwn),
        unknown: never(AnswersEmpty),
        too_large: refused([limit(MIB)]),
    };
    const BINDING: &str = r#"{
        "client_secret": "secret", "sid": "1", "id_server": "id.example.org",
        "id_access_token": "token"
    }"#;
    vec![
        bare("GET account/3pid", Needed),
        removed("POST account/3pid/delete"),
        removed("POST account/3pid/unbind"),
        Row {
            route: "POST account/3pid/bind",
            good: by(Owner).body(BINDING),
            token: Needed,
            missing: refused([lacks("client_secret"), lacks("sid"), lacks("id_server")]),
            mistyped: refused([mistyped("client_secret"), mistyped("sid")]),
            not_member: never(OnesOwn),
            no_power: never(OnesOwn),
            unknown: refused([body(BINDING).gets(
                400,
                "M_SERVER_NOT_TRUSTED",
                "no identity server",
            )]),
            too_large: refused([limit(MIB)]),
        },
    ]
}

fn added_addresses() -> Vec<Row> {
    let of_another = || {
        let auth = with_body("auth", Some("{auth_of_another}"));
        refused([auth.gets(401, "M_FORBIDDEN", "password")])
    };
    let adding = Row {
        route: "POST account/3pid/add",
        good: by(Owner).body(r#"{"client_secret": "secret", "sid": "1", "auth": {auth}}"#),
        token: Needed,
        missing: refused([
            lacks("client_secret"),
            lacks("sid"),
            with_body("auth", None).gets(401, "", ""),
        ]),
        mistyped: refused([
            mistyped("client_secret"),
            mistyped("sid"),
            mistyped("auth"),
            with_body("sid", Some(r#""no id""#)).gets(400, "M_BAD_JSON", "sid"),
        ]),
        not_member: of_another(),
        no_power: never(OnesOwn),
        unknown: refused([with_body("sid", Some(r#""2""#)).gets(
            400,
            "M_THREEPID_AUTH_FAILED",
            "was not confirmed",
        )]),
        too_large: refused([limit(MIB)]),
    };
    let in_the_old_way = Row {
        route: "POST account/3pid",
        good: by(Owner).body(
            r#"{
                "three_pid_creds": {
                    "client_secret": "secret", "sid": "1", "id_server": "id.example.org",
                    "id_access_token": "token"
                },
                "auth": {auth}
            }"#,
        ),
        token: Needed,
        missing: refused([
            lacks("three_pid_creds"),
            with_body("three_pid_creds/client_secret", None).gets(
                400,
                "M_BAD_JSON",
                "missing field `client_secret`",
            ),
            with_body("three_pid_creds/sid", None).gets(400, "M_BAD_JSON", "missing field `sid`"),
            with_body("auth", None).gets(401, "", ""),
        ]),
        mistyped: refused([
            mistyped("three_pid_creds"),
            mistyped("three_pid_creds/client_secret"),
            mistyped("three_pid_creds/sid"),
            mistyped("auth"),
        ]),
        not_member: of_another(),
        no_power: never(OnesOwn),
        unknown: refused([with_body("three_pid_creds/sid", Some(r#""2""#)).gets(
            403,
            "M_THREEPID_AUTH_FAILED",
            "was not confirmed",
        )]),
        too_large: refused([limit(MIB)]),
    };
    vec![adding, in_the_old_way]
}

fn addresses() -> Vec<Row> {
    const ADDRESS: &str = r#"{
        "client_secret": "secret", "email": "o@example.org", "send_attempt": 1,
        "next_link": "https://app.example.org/"
    }"#;
    let routes = [
        "POST account/3pid/email/requestToken",
        "POST account/password/email/requestToken",
        "POST register/email/requestToken",
    ];
    let row = |route| Row {
        route,
        good: body(ADDRESS),
        token: NotNeeded,
        missing: refused([
            lacks("client_secret"),
            lacks("email"),
            lacks("send_attempt"),
        ]),
        mistyped: refused([
            mistyped("client_secret"),
            mistyped("email"),
            mistyped("send_attempt"),
            mistyped("next_link"),
            with_body("client_secret", Some(r#""no secret""#)).gets(
                400,
                "M_BAD_JSON",
                "client_secret",
            ),
            with_body("email", Some(r#""nobody""#)).gets(400, "M_INVALID_PARAM", "address"),
            with_body("next_link", Some(r#""javascript:alert(1)""#)).gets(
                400,
                "M_INVALID_PARAM",
                "next_link",
            ),
        ]),
        not_member: never(NotOfARoom),
        no_power: never(NotOfARoom),
        unknown: never(AnswersEmpty),
        too_large: refused([limit(MIB)]),
    };
    routes.map(row).into()
}

fn phones() -> Vec<Row> {
    const PHONE: &str = r#"{
        "client_secret": "secret", "country": "CH", "phone_number": "0781234567",
        "send_attempt": 1
    }"#;
    let row = |route, status, errcode| Row {
        route,
        good: body(PHONE),
        token: NotNeeded,
        missing: refused([
            lacks("client_secret"),
            lacks("country"),
            lacks("phone_number"),
            lacks("send_attempt"),
        ]),
        mistyped: refused([
            mistyped("client_secret"),
            mistyped("country"),
            mistyped("phone_number"),
            mistyped("send_attempt"),
        ]),
        not_member: never(NotOfARoom),
        no_power: never(NotOfARoom),
        unknown: refused([body(PHONE).gets(status, errcode, "phones")]),
        too_large: refused([limit(MIB)]),
    };
    vec![
        row(
            "POST account/3pid/msisdn/requestToken",
            400,
            "M_THREEPID_MEDIUM_NOT_SUPPORTED",
        ),
        row(
            "POST account/password/msisdn/requestToken",
            403,
            "M_THREEPID_DENIED",
        ),
        row(
            "POST register/msisdn/requestToken",
            403,
            "M_THREEPID_DENIED",
        ),
    ]
}

fn with_the_shared_secret() -> Vec<Row> {
    vec![
        bare("GET /_synapse/admin/v1/register", NotNeeded),
        Row {
            route: "POST /_synapse/admin/v1/register",
            good: body(
                r#"{
                    "nonce": "{nonce}", "username": "tool", "password": "correct horse",
                    "admin": false, "mac": "00"
                }"#,
            ),
            token: NotNeeded,
            missing: refused([
                lacks("nonce"),
                lacks("username"),
                lacks("password"),
                lacks("mac"),
            ]),
            mistyped: refused([
                mistyped("nonce"),
                mistyped("username"),
                mistyped("password"),
                mistyped("admin"),
                mistyped("mac"),
            ]),
            not_member: never(NotOfARoom),
            no_power: refused([body(
                r#"{"nonce": "{nonce}", "username": "tool", "password": "p", "mac": "00"}"#,
            )
            .gets(403, "M_FORBIDDEN", "MAC")]),
            unknown: refused([with_body("nonce", Some(r#""unknown""#)).gets(
                400,
                "M_INVALID_PARAM",
                "nonce",
            )]),
            too_large: refused([limit(MIB)]),
        },
    ]
}

fn of_ones_own() -> Vec<Row> {
    vec![
        bare("GET account/whoami", Needed),
        Row {
            route: "POST account/password",
            good: by(Owner).body(
                r#"{"new_password": "another horse", "logout_devices": true, "auth": {auth}}"#,
            ),
            token: Optional,
            missing: refused([
                lacks("new_password"),
                with_body("auth", None).gets(401, "", ""),
            ]),
            mistyped: refused([
                mistyped("new_password"),
                mistyped("logout_devices"),
                mistyped("auth"),
                with_body("new_password", Some(r#""short""#)).gets(
                    400,
                    "M_WEAK_PASSWORD",
                    "password",
                ),
            ]),
            not_member: refused([with_body("auth", Some("{auth_of_another}")).gets(
                401,
                "M_FORBIDDEN",
                "password",
            )]),
            no_power: never(OnesOwn),
            unknown: never(NamesNothing),
            too_large: refused([limit(MIB)]),
        },
        Row {
            route: "POST account/deactivate",
            good: by(Owner).body(r#"{"erase": true, "auth": {auth}}"#),
            token: Needed,
            missing: refused([with_body("auth", None).gets(401, "", "")]),
            mistyped: refused([mistyped("erase"), mistyped("auth"), mistyped("auth/type")]),
            not_member: refused([with_body("auth", Some("{auth_of_another}")).gets(
                401,
                "M_FORBIDDEN",
                "password",
            )]),
            no_power: never(OnesOwn),
            unknown: never(NamesNothing),
            too_large: refused([limit(MIB)]),
        },
        Row {
            route: "POST /_matrix/client/v1/login/get_token",
            good: by(Owner).body(r#"{"auth": {auth}}"#),
            token: Needed,
            missing: refused([with_body("auth", None).gets(401, "", "")]),
            mistyped: refused([mistyped("auth")]),
            not_member: refused([with_body("auth", Some("{auth_of_another}")).gets(
                401,
                "M_FORBIDDEN",
                "password",
            )]),
            no_power: never(OnesOwn),
            unknown: never(NamesNothing),
            too_large: refused([limit(MIB)]),
        },
    ]
}
