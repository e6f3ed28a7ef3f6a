//! What the operator tells: what carries calls, and whom to turn to.

use std::time::Duration;

use client_api::TurnServers;
use ruma::{
    api::client::discovery::discover_support::{Contact, ContactRole, Response},
    owned_user_id,
};
use serde_json::{Value, json};

use super::refusal;
use crate::server::{Server, on_both_engines};

const TURN: &str = "turn:turn.example.org?transport=udp";

/// TURN servers, for ten minutes.
pub(crate) fn turn_servers() -> TurnServers {
    TurnServers {
        uris: vec![TURN.to_owned()],
        secret: "north".to_owned().into(),
        lifetime: Duration::from_secs(600),
    }
}

const SUPPORT: &str = "/.well-known/matrix/support";

on_both_engines! {
    shared_postgres;
    each_person_gets_credentials_of_their_own_that_expire,
    it_is_told_where_calls_are_carried,
    it_is_told_whom_to_turn_to,
}

async fn each_person_gets_credentials_of_their_own_that_expire(mut server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let path = "/_matrix/client/v3/voip/turnServer";
    let refused = node.refused(&alice.token, "GET", path, "").await;
    assert_eq!(refused, refusal(404, "M_NOT_FOUND"));
    let refused = node.refused("", "GET", path, "").await;
    assert_eq!(refused, refusal(401, "M_MISSING_TOKEN"));
    node.parts.log.stop().await;
    server.deployment.turn = Some(turn_servers());
    let node = server.node().await;
    let bob = node.someone("bob").await;
    let given = node.get(&alice, "voip/turnServer").await;
    assert_eq!(
        (&given["uris"], &given["ttl"]),
        (&json!([TURN]), &json!(600))
    );
    let (until, name) = given["username"].as_str().unwrap().split_once(':').unwrap();
    assert_eq!(name, alice.user_id);
    let password = given["password"].clone();
    assert_ne!(
        password,
        node.get(&bob, "voip/turnServer").await["password"]
    );
    server.deployment.clock.advance(Duration::from_secs(60));
    let later = node.get(&alice, "voip/turnServer").await;
    assert_ne!(later["password"], password);
    let (later, _) = later["username"].as_str().unwrap().split_once(':').unwrap();
    let seconds = |text: &str| text.parse::<i64>().unwrap();
    assert_eq!(seconds(later) - seconds(until), 60);
}

async fn it_is_told_where_calls_are_carried(mut server: Server) {
    const PATH: &str = "/_matrix/client/unstable/org.matrix.msc4143/rtc/transports";
    const WELL_KNOWN: &str = "/.well-known/matrix/client";
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let told = node.ok(&alice.token, "GET", PATH, Value::Null).await;
    assert_eq!(told, json!({ "rtc_transports": [] }));
    let known = node.ok("", "GET", WELL_KNOWN, Value::Null).await;
    assert!(known.get("org.matrix.msc4143.rtc_foci").is_none());
    let refused = node.refused("", "GET", PATH, "").await;
    assert_eq!(refused, refusal(401, "M_MISSING_TOKEN"));
    node.parts.log.stop().await;
    let urls = [
        "https://first.example.org",
        "https://second.example.org/jwt",
    ];
    server.deployment.livekit_urls = urls.map(str::to_owned).into();
    let node = server.node().await;
    let transports = json!([
        { "type": "livekit", "livekit_service_url": urls[0] },
        { "type": "livekit", "livekit_service_url": urls[1] },
    ]);
    let told = node.ok(&alice.token, "GET", PATH, Value::Null).await;
    assert_eq!(told["rtc_transports"], transports);
    let known = node.ok("", "GET", WELL_KNOWN, Value::Null).await;
    assert_eq!(known["org.matrix.msc4143.rtc_foci"], transports);
    let versions = node.ok("", "GET", "/_matrix/client/versions", Value::Null);
    let features = versions.await["unstable_features"].clone();
    assert_eq!(features["org.matrix.msc4143"], true);
}

async fn it_is_told_whom_to_turn_to(mut server: Server) {
    let node = server.node().await;
    let refused = node.refused("", "GET", SUPPORT, "").await;
    assert_eq!(refused, refusal(404, "M_NOT_FOUND"));
    node.parts.log.stop().await;
    let email = "admin@localhost".to_owned();
    let mut administrator = Contact::with_email_address(ContactRole::Admin, email);
    administrator.matrix_id = Some(owned_user_id!("@admin:elsewhere.example"));
    server.deployment.support = Some(Response::with_contacts(vec![administrator]));
    let node = server.node().await;
    let told = node.ok("", "GET", SUPPORT, Value::Null).await;
    let contact = json!({
        "role": "m.role.admin",
        "email_address": "admin@localhost",
        "matrix_id": "@admin:elsewhere.example",
    });
    assert_eq!(told, json!({ "contacts": [contact] }));
}
