//! What a service is asked: whether it is there, and whether it has a user or an alias.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    AS_TOKEN, bot, bridge, registered,
    service::{Mood, Service},
};
use crate::{
    server::{Node, Server, on_both_engines},
    stage::{count, encoded},
};

on_both_engines! {
    a_service_is_told_whether_it_can_be_reached,
    only_the_service_itself_asks_for_a_ping,
    a_ping_has_what_waits_tried_again_when_the_service_has_come_up,
    a_service_makes_a_user_when_somebody_asks_for_them,
    a_service_makes_a_room_when_somebody_asks_for_its_alias,
    a_service_is_not_asked_what_it_asks_itself,
}

const PING: &str = "/_matrix/client/v1/appservice/irc/ping";

async fn bridged(server: &mut Server) -> (Service, Node) {
    let service = Service::open().await;
    server.deployment.appservices = registered(&[&service.registration("")]);
    let node = server.node().await;
    (service, node)
}

async fn a_service_is_told_whether_it_can_be_reached(mut server: Server) {
    let (service, node) = bridged(&mut server).await;
    service.answers("ping", 200, json!({}));
    let body = json!({ "transaction_id": "abc" });
    let answer = node.ok(AS_TOKEN, "POST", PING, body).await;
    assert!(answer["duration_ms"].is_u64(), "{answer}");
    assert_eq!(service.asked(), ["POST ping"]);
    service.answers("ping", 401, json!({ "errcode": "M_FORBIDDEN" }));
    let (status, answer) = node.ask(AS_TOKEN, "POST", PING, "{}").await;
    assert_eq!(status, 502);
    assert_eq!(answer["errcode"], "M_BAD_STATUS");
    assert_eq!(answer["status"], 401);
    assert_eq!(answer["body"], r#"{"errcode":"M_FORBIDDEN"}"#);
    drop(service);
    let refused = node.refused(AS_TOKEN, "POST", PING, "{}").await;
    assert_eq!(refused, (502, "M_CONNECTION_FAILED".to_owned()));
}

async fn only_the_service_itself_asks_for_a_ping(mut server: Server) {
    server.deployment.appservices = registered(&[&bridge("")]);
    let node = server.node().await;
    let refused = node.refused(AS_TOKEN, "POST", PING, "{}").await;
    assert_eq!(refused, (400, "M_URL_NOT_SET".to_owned()));
    let ben = node.someone("ben").await;
    let refused = node.refused(&ben.token, "POST", PING, "{}").await;
    assert_eq!(refused, (403, "M_FORBIDDEN".to_owned()));
    let other = PING.replace("irc", "xmpp");
    let refused = node.refused(AS_TOKEN, "POST", &other, "{}").await;
    assert_eq!(refused, (403, "M_FORBIDDEN".to_owned()));
}

async fn a_ping_has_what_waits_tried_again_when_the_service_has_come_up(mut server: Server) {
    let (service, node) = bridged(&mut server).await;
    service.answers("ping", 200, json!({}));
    service.is(Mood::Says(503));
    let room = node.create(&bot(), json!({})).await;
    let event = node.say(&bot(), &room, "hello").await;
    // Until it is tried again late.
    let step = Duration::from_secs(1_000);
    service.tries(&server.deployment.clock, 3, step).await;
    service.is(Mood::Takes);
    let before = service.came().len();
    node.ok(AS_TOKEN, "POST", PING, json!({})).await;
    assert_eq!(service.came().len(), before, "it is still coming up");
    server.deployment.clock.advance(Duration::from_secs(5));
    service.got(&event).await;
}

async fn a_service_makes_a_user_when_somebody_asks_for_them(mut server: Server) {
    let (service, node) = bridged(&mut server).await;
    let ben = node.someone("ben").await;
    let name = format!("irc_late{}", count());
    let ghost = format!("@{name}:localhost");
    let profile = format!("/_matrix/client/v3/profile/{ghost}");
    let refused = node.refused("", "GET", &profile, "").await;
    assert_eq!(refused, (404, "M_NOT_FOUND".to_owned()));
    let asked = format!("GET users/{}", encoded(&ghost).replace("%5F", "_"));
    let asked_alike = service.asked()[0].replace("%40", "@").replace("%3A", ":");
    assert_eq!(asked_alike, asked.replace("%40", "@").replace("%3A", ":"));
    let path = service.asked()[0].replacen("GET ", "", 1);
    // It says that there is one, and has made it before.
    service.answers(&path, 200, json!({}));
    let refused = node.refused("", "GET", &profile, "").await;
    assert_eq!(refused.0, 404, "it said so and has not");
    let room = node.public(&ben).await;
    let invite = json!({ "user_id": ghost });
    node.ghost(&name).await;
    node.ok("", "GET", &profile, Value::Null).await;
    node.call(&ben, "POST", &format!("rooms/{room}/invite"), invite)
        .await;
    // Of what nobody claims nobody is asked.
    let before = service.asked().len();
    let other = "/_matrix/client/v3/profile/@nobody:localhost";
    assert_eq!(node.refused("", "GET", other, "").await.0, 404);
    assert_eq!(service.asked().len(), before);
    // Invitations ask too.
    let missing = format!("@irc_missing{}:localhost", count());
    let path = format!("/_matrix/client/v3/rooms/{room}/invite");
    let body = json!({ "user_id": missing }).to_string();
    assert_eq!(node.refused(&ben.token, "POST", &path, &body).await.0, 404);
    assert_eq!(service.asked().len(), before + 1);
}

async fn a_service_makes_a_room_when_somebody_asks_for_its_alias(mut server: Server) {
    let (service, node) = bridged(&mut server).await;
    let ben = node.someone("ben").await;
    let name = format!("irc_cats{}", count());
    let alias = encoded(&format!("#{name}:localhost"));
    let path = format!("/_matrix/client/v3/join/{alias}");
    let refused = node.refused(&ben.token, "POST", &path, "{}").await;
    assert_eq!(refused, (404, "M_NOT_FOUND".to_owned()));
    assert_eq!(service.asked().len(), 1, "{:?}", service.asked());
    assert!(service.asked()[0].starts_with("GET rooms/"));
    let resolve = format!("/_matrix/client/v3/directory/room/{alias}");
    assert_eq!(node.refused("", "GET", &resolve, "").await.0, 404);
    assert_eq!(service.asked().len(), 2);
    let create = json!({ "room_alias_name": name, "preset": "public_chat" });
    node.create(&bot(), create).await;
    node.ok(&ben.token, "POST", &path, json!({})).await;
    node.ok("", "GET", &resolve, Value::Null).await;
    assert_eq!(service.asked().len(), 2);
}

async fn a_service_is_not_asked_what_it_asks_itself(mut server: Server) {
    let (service, node) = bridged(&mut server).await;
    let alias = encoded("#irc_none:localhost");
    for path in [
        format!("directory/room/{alias}"),
        "profile/@irc_none:localhost".to_owned(),
    ] {
        let path = format!("/_matrix/client/v3/{path}");
        assert_eq!(node.refused(AS_TOKEN, "GET", &path, "").await.0, 404);
    }
    let join = format!("/_matrix/client/v3/join/{alias}");
    assert_eq!(node.refused(AS_TOKEN, "POST", &join, "{}").await.0, 404);
    assert!(service.asked().is_empty(), "{:?}", service.asked());
}
