//! Addresses of mail: proving, adding, and taking away.

use serde_json::json;

use super::walk::Walk;
use crate::{
    server::{PASSWORD, password_of},
    stage::encoded,
    third_party_ids::{SECRET, confirm, inviting::unknown},
};

pub(super) async fn story(walk: &Walk) {
    let (name, maud) = (walk.name("maud"), walk.join("maud").await);
    for (number, path) in ["account/3pid/add", "account/3pid"].into_iter().enumerate() {
        let email = format!("{number}.{name}@example.org");
        let sid = proved(walk, "account/3pid", &email).await;
        let auth = password_of(&name);
        let body = match path {
            "account/3pid" => json!({
                "auth": auth,
                "three_pid_creds": {
                    "sid": sid, "client_secret": SECRET,
                    "id_server": "id.example.org", "id_access_token": "token",
                },
            }),
            _ => json!({"auth": auth, "sid": sid, "client_secret": SECRET}),
        };
        walk.post(&maud, path, body).await;
        let listed = walk.get(&maud, "account/3pid").await;
        let listed = listed["threepids"].as_array().unwrap();
        assert_eq!(listed.len(), number + 1);
        assert!(listed.iter().any(|listed| listed["address"] == email));
    }
    let email = format!("0.{name}@example.org");
    let sid = proved(walk, "account/password", &email).await;
    let auth = |sid: &str| {
        json!({
            "type": "m.login.email.identity",
            "threepid_creds": {"sid": sid, "client_secret": SECRET},
        })
    };
    let new = json!({"new_password": PASSWORD, "logout_devices": false, "auth": auth(&sid)});
    walk.ok("", "POST", "account/password", new).await;
    for number in 0..2 {
        let address = format!("{number}.{name}@example.org");
        let body = json!({"medium": "email", "address": address});
        walk.post(&maud, "account/3pid/delete", body).await;
    }
    let listed = walk.get(&maud, "account/3pid").await;
    assert_eq!(listed, json!({"threepids": []}));

    let room = walk.room(&maud, json!({})).await;
    let path = format!("rooms/{room}/invite");
    let address = json!({
        "id_server": "localhost", "id_access_token": "token", "medium": "email",
        "address": email,
    });
    walk.post(&maud, &path, address).await;
    let [invited] = &unknown(&walk.node, &maud, &room).await[..] else {
        panic!("nobody is invited");
    };
    let key = encoded(invited["content"]["public_key"].as_str().unwrap());
    let path = format!("/_matrix/identity/v2/pubkey/ephemeral/isvalid?public_key={key}");
    let answer = walk.ok("", "GET", &path, json!(null)).await;
    assert_eq!(answer, json!({"valid": true}));

    let sid = proved(walk, "register", &email).await;
    let new = walk.name("maya");
    let body = json!({"username": new, "password": PASSWORD, "auth": auth(&sid)});
    walk.ok("", "POST", "register", body).await;
}

/// Proves an address, and gives the session's id.
async fn proved(walk: &Walk, kind: &str, email: &str) -> String {
    let path = format!("{kind}/email/requestToken");
    let body = json!({"client_secret": SECRET, "email": email, "send_attempt": 1});
    let asked = walk.ok("", "POST", &path, body).await;
    confirm(&walk.node).await;
    asked["sid"].as_str().unwrap().to_owned()
}
