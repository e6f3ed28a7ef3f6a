//! What an address is good for: signing in, and making an account.

use accounts::RegistrationMode;
use serde_json::{Value, json};

use super::{SECRET, addresses, give, prove, with_mail};
use crate::server::{PASSWORD, Server, User, on_both_engines};

on_both_engines! {
    one_signs_in_with_an_address,
    one_registers_with_an_address_where_anybody_registers,
    where_a_token_is_needed_an_address_is_none,
}

const REGISTER: &str = "/_matrix/client/v3/register";

async fn one_signs_in_with_an_address(mut server: Server) {
    let node = with_mail(&mut server).await;
    let ann = node.join("ann").await;
    give(&node, &ann, "ann", "ann@example.org").await;
    let path = "/_matrix/client/v3/login";
    let by = |address: &str, password: &str| {
        json!({
            "type": "m.login.password", "password": password,
            "identifier": {"type": "m.id.thirdparty", "medium": "email", "address": address},
        })
    };
    let answer = node
        .ok("", "POST", path, by("ANN@example.org", PASSWORD))
        .await;
    assert_eq!(answer["user_id"], ann.user_id);
    let old = json!({
        "type": "m.login.password", "password": PASSWORD,
        "medium": "email", "address": "ann@example.org",
    });
    let answer = node.ok("", "POST", path, old).await;
    assert_eq!(answer["user_id"], ann.user_id);
    for body in [
        by("ann@example.org", "wrong password"),
        by("eve@example.org", PASSWORD),
        by("ann", PASSWORD),
        by("@ann:localhost", PASSWORD),
        by("", PASSWORD),
    ] {
        let refused = node.refused("", "POST", path, &body.to_string()).await;
        assert_eq!(refused, (403, "M_FORBIDDEN".to_owned()), "{body}");
    }
    let mut phone = by("447700900000", PASSWORD);
    phone["identifier"]["medium"] = json!("msisdn");
    let refused = node.refused("", "POST", path, &phone.to_string()).await;
    assert_eq!(refused, (400, "M_UNKNOWN".to_owned()));
}

fn registering(name: &str, sid: &str) -> Value {
    json!({
        "username": name, "password": PASSWORD,
        "auth": {
            "type": "m.login.email.identity",
            "threepid_creds": {"sid": sid, "client_secret": SECRET},
        },
    })
}

async fn one_registers_with_an_address_where_anybody_registers(mut server: Server) {
    let node = with_mail(&mut server).await;
    let (_, challenge) = node.ask("", "POST", REGISTER, "{}").await;
    let flows = challenge["flows"].as_array().unwrap();
    assert!(flows.contains(&json!({"stages": ["m.login.email.identity"]})));
    let sid = prove(&node, "register", "ann@example.org").await;
    let made = node
        .ok("", "POST", REGISTER, registering("ann", &sid))
        .await;
    let ann = User {
        user_id: made["user_id"].as_str().unwrap().to_owned(),
        token: made["access_token"].as_str().unwrap().to_owned(),
    };
    assert_eq!(addresses(&node, &ann).await, ["ann@example.org"]);
    let again = registering("eve", &sid).to_string();
    let (status, refused) = node.ask("", "POST", REGISTER, again).await;
    assert_eq!(status, 401);
    assert_eq!(refused["errcode"], "M_THREEPID_AUTH_FAILED");
    // Who has proved an address that somebody else took meanwhile makes no account.
    let sid = prove(&node, "register", "bob@example.org").await;
    give(&node, &ann, "ann", "bob@example.org").await;
    let late = registering("bob", &sid).to_string();
    let refused = node.refused("", "POST", REGISTER, &late).await;
    assert_eq!(refused, (400, "M_THREEPID_IN_USE".to_owned()));
    let available = "/_matrix/client/v3/register/available?username=bob";
    node.ok("", "GET", available, Value::Null).await;
}

async fn where_a_token_is_needed_an_address_is_none(mut server: Server) {
    server.deployment.registration = RegistrationMode::Token;
    let node = with_mail(&mut server).await;
    let (_, challenge) = node.ask("", "POST", REGISTER, "{}").await;
    let flows = json!([{"stages": ["m.login.registration_token"]}]);
    assert_eq!(challenge["flows"], flows);
    let sid = prove(&node, "register", "ann@example.org").await;
    let body = registering("ann", &sid).to_string();
    let (status, _) = node.ask("", "POST", REGISTER, body).await;
    assert_eq!(status, 401);
}
