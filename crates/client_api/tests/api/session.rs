//! Signing in and out, tokens, devices.

use std::time::Duration;

use serde_json::{Value, json};

use crate::server::{Node, PASSWORD, Server, on_both_engines, password_of};

on_both_engines! {
    one_signs_in_with_the_password_in_its_present_and_its_former_form,
    malformed_sign_ins_are_refused_as_the_specification_says,
    a_session_is_refreshed_and_its_expired_token_asks_for_it,
    a_login_token_signs_another_device_in,
    signing_out_ends_one_session_and_signing_out_everywhere_all,
    devices_are_listed_named_and_removed_by_their_owner_alone,
    the_keys_of_a_device_go_with_it,
}

const LOGIN: &str = "/_matrix/client/v3/login";
const DEVICES: &str = "/_matrix/client/v3/devices";

fn login(device_id: &str) -> Value {
    json!({
        "type": "m.login.password",
        "identifier": { "type": "m.id.user", "user": "alice" },
        "password": PASSWORD,
        "device_id": device_id,
        "initial_device_display_name": "Laptop",
    })
}

async fn token_of(node: &Node, device_id: &str) -> String {
    let answer = node.ok("", "POST", LOGIN, login(device_id)).await;
    answer["access_token"].as_str().unwrap().to_owned()
}

async fn one_signs_in_with_the_password_in_its_present_and_its_former_form(server: Server) {
    let node = server.node().await;
    node.join("alice").await;
    let flows = node.ok("", "GET", LOGIN, Value::Null).await;
    let flows: Vec<&str> = flows["flows"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|flow| flow["type"].as_str())
        .collect();
    assert_eq!(flows, ["m.login.password", "m.login.token"]);
    for who in [
        json!({"identifier": {"type": "m.id.user", "user": "alice"}}),
        json!({"identifier": {"type": "m.id.user", "user": "@alice:localhost"}}),
        json!({"user": "alice"}),
    ] {
        let mut body = json!({"type": "m.login.password", "password": PASSWORD});
        body.as_object_mut()
            .unwrap()
            .extend(who.as_object().unwrap().clone());
        let answer = node.ok("", "POST", LOGIN, body).await;
        assert_eq!(answer["user_id"], "@alice:localhost");
        assert_eq!(answer["device_id"].as_str().unwrap().len(), 10);
        assert!(answer.get("refresh_token").is_none());
        let token = answer["access_token"].as_str().unwrap();
        let whoami = node
            .ok(
                token,
                "GET",
                "/_matrix/client/v3/account/whoami",
                Value::Null,
            )
            .await;
        assert_eq!(whoami["device_id"], answer["device_id"]);
    }
}

async fn malformed_sign_ins_are_refused_as_the_specification_says(server: Server) {
    let node = server.node().await;
    node.join("alice").await;
    for (body, refusal) in [
        ("", (400, "M_BAD_JSON")),
        ("{", (400, "M_NOT_JSON")),
        ("[]", (400, "M_BAD_JSON")),
        ("{}", (400, "M_BAD_JSON")),
        (r#"{"type":7}"#, (400, "M_BAD_JSON")),
        (r#"{"type":"m.login.password"}"#, (400, "M_BAD_JSON")),
        (
            r#"{"type":"m.login.password","password":"x"}"#,
            (400, "M_BAD_JSON"),
        ),
        (r#"{"type":"m.login.magic"}"#, (400, "M_UNKNOWN")),
        (
            r#"{"type":"m.login.password","password":"wrong","identifier":{"type":"m.id.user","user":"alice"}}"#,
            (403, "M_FORBIDDEN"),
        ),
        (
            r#"{"type":"m.login.password","password":"wrong","identifier":{"type":"m.id.user","user":"nobody"}}"#,
            (403, "M_FORBIDDEN"),
        ),
        (
            r#"{"type":"m.login.password","password":"x","identifier":{"type":"m.id.thirdparty","medium":"email","address":"a@b"}}"#,
            (403, "M_FORBIDDEN"),
        ),
        (
            r#"{"type":"m.login.password","password":"x","identifier":{"type":"m.id.thirdparty","medium":"msisdn","address":"1555"}}"#,
            (400, "M_UNKNOWN"),
        ),
        (
            r#"{"type":"m.login.token","token":"cnv_l_wrong"}"#,
            (403, "M_FORBIDDEN"),
        ),
    ] {
        let refused = node.refused("", "POST", LOGIN, body).await;
        assert_eq!((refused.0, refused.1.as_str()), refusal, "{body}");
    }
    let long = json!({
        "type": "m.login.password", "user": "alice", "password": PASSWORD,
        "device_id": "x".repeat(256),
    });
    let refused = node.refused("", "POST", LOGIN, &long.to_string()).await;
    assert_eq!(refused, (400, "M_INVALID_PARAM".to_owned()));
    let refused = node.refused("cnv_a_foreign", "GET", DEVICES, "").await;
    assert_eq!(refused, (401, "M_UNKNOWN_TOKEN".to_owned()));
    assert_eq!(
        node.refused("", "GET", DEVICES, "").await.1,
        "M_MISSING_TOKEN"
    );
}

async fn a_session_is_refreshed_and_its_expired_token_asks_for_it(server: Server) {
    let node = server.node().await;
    node.join("alice").await;
    let mut body = login("LAPTOP");
    body["refresh_token"] = json!(true);
    let answer = node.ok("", "POST", LOGIN, body).await;
    assert_eq!(answer["expires_in_ms"], 300_000);
    server.deployment.clock.advance(Duration::from_secs(300));
    let token = answer["access_token"].as_str().unwrap();
    let (status, expired) = node.ask(token, "GET", DEVICES, "").await;
    assert_eq!(status, 401);
    assert_eq!(expired["soft_logout"], true);
    let refresh = "/_matrix/client/v3/refresh";
    let body = json!({"refresh_token": answer["refresh_token"]});
    let next = node.ok("", "POST", refresh, body.clone()).await;
    assert!(node.knows(next["access_token"].as_str().unwrap()).await);
    // It was used: whoever comes with it now ends the session.
    let refused = node.refused("", "POST", refresh, &body.to_string()).await;
    assert_eq!(refused, (401, "M_UNKNOWN_TOKEN".to_owned()));
    assert!(!node.knows(next["access_token"].as_str().unwrap()).await);
}

async fn a_login_token_signs_another_device_in(server: Server) {
    let node = server.node().await;
    let alice = node.join("alice").await;
    let path = "/_matrix/client/v1/login/get_token";
    let (status, challenge) = node.ask(&alice.token, "POST", path, "{}").await;
    assert_eq!(status, 401);
    let mut auth = password_of("alice");
    auth["session"] = challenge["session"].clone();
    let answer = node
        .ok(&alice.token, "POST", path, json!({"auth": auth}))
        .await;
    assert_eq!(answer["expires_in_ms"], 120_000);
    let body = json!({"type": "m.login.token", "token": answer["login_token"]});
    let signed_in = node.ok("", "POST", LOGIN, body.clone()).await;
    assert!(
        node.knows(signed_in["access_token"].as_str().unwrap())
            .await
    );
    let refused = node.refused("", "POST", LOGIN, &body.to_string()).await;
    assert_eq!(refused, (403, "M_FORBIDDEN".to_owned()));
}

async fn signing_out_ends_one_session_and_signing_out_everywhere_all(server: Server) {
    let node = server.node().await;
    let alice = node.join("alice").await;
    let laptop = token_of(&node, "LAPTOP").await;
    node.ok(&laptop, "POST", "/_matrix/client/v3/logout", Value::Null)
        .await;
    assert!(!node.knows(&laptop).await);
    assert!(node.knows(&alice.token).await);
    let laptop = token_of(&node, "LAPTOP").await;
    node.ok(&laptop, "POST", "/_matrix/client/v3/logout/all", json!({}))
        .await;
    assert!(!node.knows(&laptop).await);
    assert!(!node.knows(&alice.token).await);
}

async fn devices_are_listed_named_and_removed_by_their_owner_alone(server: Server) {
    let node = server.node().await;
    let alice = node.join("alice").await;
    let bob = node.join("bob").await;
    let laptop = token_of(&node, "LAPTOP").await;
    let of = |id: &str| format!("{DEVICES}/{id}");
    node.ok(
        &alice.token,
        "PUT",
        &of("LAPTOP"),
        json!({"display_name": "Work"}),
    )
    .await;
    let list = node.ok(&alice.token, "GET", DEVICES, Value::Null).await;
    let devices = list["devices"].as_array().unwrap();
    assert_eq!(devices.len(), 2);
    assert_eq!(devices[0]["display_name"], "Work");
    assert_eq!(devices[1]["last_seen_ip"], "192.0.2.1");
    for (token, method, id) in [
        (&alice.token, "GET", "NONE"),
        (&alice.token, "PUT", "NONE"),
        (&bob.token, "GET", "LAPTOP"),
        (&bob.token, "PUT", "LAPTOP"),
    ] {
        let refused = node
            .refused(token, method, &of(id), r#"{"display_name":"x"}"#)
            .await;
        assert_eq!(refused, (404, "M_NOT_FOUND".to_owned()), "{method} {id}");
    }
    let (status, challenge) = node.ask(&alice.token, "DELETE", &of("LAPTOP"), "{}").await;
    assert_eq!(status, 401);
    assert_eq!(
        challenge["flows"],
        json!([{"stages": ["m.login.password"]}])
    );
    let mut auth = password_of("alice");
    auth["password"] = json!("wrong horse");
    let body = json!({"auth": auth}).to_string();
    let (status, wrong) = node.ask(&alice.token, "DELETE", &of("LAPTOP"), body).await;
    assert_eq!(
        (status.as_u16(), &wrong["errcode"]),
        (401, &json!("M_FORBIDDEN"))
    );
    assert!(node.knows(&laptop).await);
    auth = password_of("alice");
    auth["session"] = challenge["session"].clone();
    let body = json!({"auth": auth});
    node.ok(&alice.token, "DELETE", &of("LAPTOP"), body).await;
    assert!(!node.knows(&laptop).await);
    let body = json!({"devices": ["PHONE", "NONE"], "auth": password_of("alice")});
    node.ok(
        &alice.token,
        "POST",
        "/_matrix/client/v3/delete_devices",
        body,
    )
    .await;
    assert!(!node.knows(&alice.token).await);
    assert!(node.knows(&bob.token).await);
}

async fn the_keys_of_a_device_go_with_it(server: Server) {
    let node = server.node().await;
    let alice = node.join("alice").await;
    let upload = "/_matrix/client/v3/keys/upload";
    let key = "A".repeat(43);
    let keys = json!({"one_time_keys": {"curve25519:AAAA": key}});
    let counts = |answer: Value| {
        answer["one_time_key_counts"]["curve25519"]
            .as_i64()
            .unwrap_or(0)
    };
    let logout = "/_matrix/client/v3/logout";
    let everywhere = "/_matrix/client/v3/logout/all";
    let delete = "/_matrix/client/v3/delete_devices";
    let device = json!({"devices": ["LAPTOP"], "auth": password_of("alice")});
    for (end, body) in [
        (logout, json!({})),
        (delete, device),
        (everywhere, json!({})),
    ] {
        let laptop = token_of(&node, "LAPTOP").await;
        let uploaded = node.ok(&laptop, "POST", upload, keys.clone()).await;
        assert_eq!(counts(uploaded), 1);
        let by = if end == delete { &alice.token } else { &laptop };
        node.ok(by, "POST", end, body).await;
        let laptop = token_of(&node, "LAPTOP").await;
        let left = node.ok(&laptop, "POST", upload, json!({})).await;
        assert_eq!(counts(left), 0, "{end}");
    }
}
