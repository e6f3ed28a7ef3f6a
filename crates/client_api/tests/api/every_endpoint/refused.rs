//! What this server has not, and refuses by the specification's words: that is all it does there.

use serde_json::{Value, json};

use super::walk::Walk;

pub(super) async fn story(walk: &Walk) {
    let ralf = walk.join("ralf").await;
    let binding = json!({
        "client_secret": "secret", "sid": "1", "id_server": "id.example.org",
        "id_access_token": "token",
    });
    let refusal = (400, "M_SERVER_NOT_TRUSTED");
    let bind = ("POST", "account/3pid/bind");
    walk.denied(&ralf.token, bind, &binding, refusal).await;
    let phone = json!({
        "client_secret": "secret", "country": "CH", "phone_number": "0781234567",
        "send_attempt": 1,
    });
    for (path, status, errcode) in [
        ("account/3pid", 400, "M_THREEPID_MEDIUM_NOT_SUPPORTED"),
        ("account/password", 403, "M_THREEPID_DENIED"),
        ("register", 403, "M_THREEPID_DENIED"),
    ] {
        let path = format!("{path}/msisdn/requestToken");
        walk.denied("", ("POST", &path), &phone, (status, errcode))
            .await;
    }
    let judging = ("GET", "/.well-known/matrix/policy_server");
    walk.denied("", judging, &Value::Null, (404, "M_NOT_FOUND"))
        .await;
}
