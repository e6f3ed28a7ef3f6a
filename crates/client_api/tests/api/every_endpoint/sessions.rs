//! Signing in, staying in, signing out.

use serde_json::{Value, json};

use super::walk::Walk;
use crate::server::{PASSWORD, User, password_of};

pub(super) async fn story(walk: &Walk) {
    let name = walk.name("sam");
    let sam = walk.join("sam").await;
    let flows = walk.ok("", "GET", "login", Value::Null).await;
    let flows = flows["flows"].as_array().unwrap();
    assert!(flows.iter().any(|flow| flow["type"] == "m.login.password"));

    let body = json!({
        "type": "m.login.password", "user": name, "password": PASSWORD, "refresh_token": true,
    });
    let first = walk.ok("", "POST", "login", body).await;
    let body = json!({"refresh_token": first["refresh_token"]});
    let second = walk.ok("", "POST", "refresh", body).await;
    let laptop = signed_in(&sam, &second);
    assert_ne!(first["access_token"], second["access_token"]);
    assert!(walk.node.knows(&laptop.token).await);

    let body = json!({"auth": password_of(&name)});
    let path = "/_matrix/client/v1/login/get_token";
    let made = walk.post(&sam, path, body).await;
    let body = json!({"type": "m.login.token", "token": made["login_token"]});
    let tablet = signed_in(&sam, &walk.ok("", "POST", "login", body).await);
    assert!(walk.node.knows(&tablet.token).await);

    walk.post(&laptop, "logout", json!({})).await;
    assert!(!walk.node.knows(&laptop.token).await);
    assert!(walk.node.knows(&tablet.token).await);
    walk.post(&tablet, "logout/all", json!({})).await;
    assert!(!walk.node.knows(&tablet.token).await);
    assert!(!walk.node.knows(&sam.token).await);
}

fn signed_in(user: &User, answer: &Value) -> User {
    User {
        user_id: user.user_id.clone(),
        token: answer["access_token"].as_str().unwrap().to_owned(),
    }
}
