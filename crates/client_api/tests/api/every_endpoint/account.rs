//! Making an account in each way, its password, its end.

use accounts::{By, TokenTerms};
use aws_lc_rs::hmac;
use serde_json::{Value, json};

use super::walk::Walk;
use crate::server::{PASSWORD, User, password_of};

pub(super) const SHARED_SECRET: &str = "a secret that tools know";

pub(super) async fn story(walk: &Walk) {
    registering(walk).await;
    with_the_shared_secret(walk).await;
    let name = walk.name("anna");
    let anna = walk.join("anna").await;
    let new = "another horse";
    let body = json!({"new_password": new, "auth": password_of(&name)});
    walk.post(&anna, "account/password", body).await;
    let login = json!({"type": "m.login.password", "user": name, "password": new});
    let answer = walk.ok("", "POST", "login", login.clone()).await;
    assert_eq!(answer["user_id"], anna.user_id);

    let mut auth = password_of(&name);
    auth["password"] = json!(new);
    let answer = walk
        .post(&anna, "account/deactivate", json!({"auth": auth}))
        .await;
    assert_eq!(answer["id_server_unbind_result"], "success");
    assert!(!walk.node.knows(&anna.token).await);
    let path = "/_matrix/client/v3/login";
    let refused = walk
        .node
        .refused("", "POST", path, &login.to_string())
        .await;
    assert_eq!(refused.0, 403);
}

async fn registering(walk: &Walk) {
    let accounts = &walk.node.parts.accounts;
    let made = accounts.make_registration_token(TokenTerms::default(), By::command_line());
    let token = made.await.unwrap().token;
    let path = "/_matrix/client/v1/register/m.login.registration_token/validity";
    let path = format!("{path}?token={token}");
    let valid = walk.ok("", "GET", &path, Value::Null).await;
    assert_eq!(valid, json!({"valid": true}));

    let name = walk.name("ada");
    let available = format!("register/available?username={name}");
    let answer = walk.ok("", "GET", &available, Value::Null).await;
    assert_eq!(answer, json!({"available": true}));
    let body = json!({
        "username": name, "password": PASSWORD, "device_id": "PHONE",
        "auth": {"type": "m.login.dummy"},
    });
    let answer = walk.ok("", "POST", "register", body).await;
    let ada = User {
        user_id: answer["user_id"].as_str().unwrap().to_owned(),
        token: answer["access_token"].as_str().unwrap().to_owned(),
    };
    let whoami = walk.get(&ada, "account/whoami").await;
    assert_eq!(whoami["user_id"], ada.user_id);
    assert_eq!(whoami["device_id"], "PHONE");
    let none = walk.get(&ada, "account/3pid").await;
    assert_eq!(none, json!({"threepids": []}));
    let address = json!({"medium": "email", "address": "ada@example.org"});
    for act in ["delete", "unbind"] {
        let path = format!("account/3pid/{act}");
        let told = walk.post(&ada, &path, address.clone()).await;
        assert_eq!(told, json!({"id_server_unbind_result": "no-support"}));
    }
}

async fn with_the_shared_secret(walk: &Walk) {
    const PATH: &str = "/_synapse/admin/v1/register";
    let nonce = walk.ok("", "GET", PATH, Value::Null).await;
    let nonce = nonce["nonce"].as_str().unwrap();
    let name = walk.name("tool");
    let key = hmac::Key::new(
        hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        SHARED_SECRET.as_bytes(),
    );
    let signed = format!("{nonce}\0{name}\0{PASSWORD}\0notadmin");
    let mac = hmac::sign(&key, signed.as_bytes());
    let mac = mac.as_ref().iter().map(|byte| format!("{byte:02x}"));
    let body = json!({
        "nonce": nonce, "username": name, "password": PASSWORD, "admin": false,
        "mac": mac.collect::<String>(),
    });
    let made = walk.ok("", "POST", PATH, body).await;
    assert!(
        walk.node
            .knows(made["access_token"].as_str().unwrap())
            .await
    );
}
