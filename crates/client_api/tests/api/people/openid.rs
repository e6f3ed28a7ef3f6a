//! Proving to another service who one is.

use std::time::Duration;

use serde_json::{Value, json};

use super::refusal;
use crate::server::{Node, Server, User, on_both_engines, password_of};

const USERINFO: &str = "/_matrix/federation/v1/openid/userinfo";

on_both_engines! {
    shared_postgres;
    a_token_tells_whose_it_is_and_opens_nothing,
    a_token_ends_after_an_hour,
    who_may_not_act_is_nobody_to_others,
    what_is_no_token_is_refused,
}

async fn token(node: &Node, user: &User) -> String {
    let rest = format!("user/{}/openid/request_token", user.user_id);
    let made = node.call(user, "POST", &rest, json!({})).await;
    assert_eq!(made["token_type"], "Bearer");
    assert_eq!(made["matrix_server_name"], "localhost");
    assert_eq!(made["expires_in"], 3_600);
    made["access_token"].as_str().unwrap().to_owned()
}

async fn whose(node: &Node, token: &str) -> (u16, Value) {
    let path = format!("{USERINFO}?access_token={token}");
    let (status, answer) = node.ask("", "GET", &path, "").await;
    let shown = match status.as_u16() {
        200 => answer["sub"].clone(),
        _ => answer["errcode"].clone(),
    };
    (status.as_u16(), shown)
}

async fn a_token_tells_whose_it_is_and_opens_nothing(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let (one, other) = (token(&node, &alice).await, token(&node, &alice).await);
    assert_ne!(one, other);
    for token in [&one, &other, &one] {
        assert_eq!(whose(&node, token).await, (200, json!(alice.user_id)));
    }
    assert!(!node.knows(&one).await);
    // Nor is an access token one of these.
    let refused = whose(&node, &alice.token).await;
    assert_eq!(refused, (401, json!("M_UNKNOWN_TOKEN")));
    let path = format!("user/{}/openid/request_token", bob.user_id);
    let refused = node.refuses(&alice, "POST", &path, "{}").await;
    assert_eq!(refused, refusal(403, "M_FORBIDDEN"));
}

async fn a_token_ends_after_an_hour(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let token = token(&node, &alice).await;
    server.deployment.clock.advance(Duration::from_secs(3_599));
    assert_eq!(whose(&node, &token).await.0, 200);
    server.deployment.clock.advance(Duration::from_secs(1));
    assert_eq!(whose(&node, &token).await, (401, json!("M_UNKNOWN_TOKEN")));
}

async fn who_may_not_act_is_nobody_to_others(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let boss = node.administrator("boss").await;
    let token = token(&node, &alice).await;
    let lock = format!("/_matrix/client/v1/admin/lock/{}", alice.user_id);
    for (locked, status) in [(true, 401), (false, 200)] {
        node.ok(&boss.token, "PUT", &lock, json!({ "locked": locked }))
            .await;
        assert_eq!(whose(&node, &token).await.0, status);
    }
    let auth = json!({ "auth": password_of(&alice.user_id) });
    node.call(&alice, "POST", "account/deactivate", auth).await;
    assert_eq!(whose(&node, &token).await, (401, json!("M_UNKNOWN_TOKEN")));
}

async fn what_is_no_token_is_refused(server: Server) {
    let node = server.node().await;
    for token in ["", "x", "cnv_o_x", &"x".repeat(2_000)] {
        let refused = whose(&node, token).await;
        assert_eq!(refused, (401, json!("M_UNKNOWN_TOKEN")), "{token}");
    }
    let refused = node.refused("", "GET", USERINFO, "").await;
    assert_eq!(refused, refusal(401, "M_MISSING_TOKEN"));
}
