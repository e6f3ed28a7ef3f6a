//! A bridge: its users, its networks, and whether it is there.

use serde_json::{Value, json};

use super::walk::Walk;
use crate::{
    appservices::{AS_TOKEN, bot, registered, service::Service},
    server::Server,
    stage::encoded,
};

/// A bridge that is there, and that the server knows.
pub(super) async fn bridge(server: &mut Server) -> Service {
    let bridge = Service::open().await;
    let registration = bridge.registration("protocols: [irc]");
    server.deployment.appservices = registered(&[&registration]);
    bridge
}

pub(super) async fn story(walk: &Walk, bridge: &Service) {
    let kind = "m.login.application_service";
    let name = walk.name("irc_ada");
    let body = json!({"type": kind, "username": name, "inhibit_login": true});
    let ghost = walk.ok(AS_TOKEN, "POST", "register", body).await;
    let ghost = ghost["user_id"].as_str().unwrap();
    let path = format!("account/whoami?user_id={}", encoded(ghost));
    let told = walk.ok(AS_TOKEN, "GET", &path, Value::Null).await;
    assert_eq!(told["user_id"], ghost);
    let body = json!({"type": kind, "identifier": {"type": "m.id.user", "user": ghost}});
    let made = walk.ok(AS_TOKEN, "POST", "login", body).await;
    assert!(
        walk.node
            .knows(made["access_token"].as_str().unwrap())
            .await
    );

    bridge.answers("ping", 200, json!({}));
    let ping = "/_matrix/client/v1/appservice/irc/ping";
    let pong = walk.post(&bot(), ping, json!({})).await;
    assert!(pong["duration_ms"].is_u64());

    let bob = walk.join("bob.bridged").await;
    bridge.answers("thirdparty/protocol/irc", 200, protocol());
    let told = walk.get(&bob, "thirdparty/protocols").await;
    assert_eq!(told["irc"]["instances"][0]["instance_id"], "irc|libera");
    let one = walk.get(&bob, "thirdparty/protocol/irc").await;
    assert_eq!(told["irc"], one);
    let place = json!([{"alias": "#irc_cats:localhost", "protocol": "irc", "fields": {}}]);
    let person = json!([{"userid": "@irc_ada:localhost", "protocol": "irc", "fields": {}}]);
    for (path, answer) in [
        ("location/irc?channel=cats", &place),
        ("location?alias=%23irc_cats%3Alocalhost", &place),
        ("user/irc?nickname=ada", &person),
        ("user?userid=%40irc_ada%3Alocalhost", &person),
    ] {
        bridge.answers(&format!("thirdparty/{path}"), 200, answer.clone());
        let told = walk.get(&bob, &format!("thirdparty/{path}")).await;
        assert_eq!(told, *answer, "{path}");
    }

    let room = walk.room(&bot(), json!({"preset": "public_chat"})).await;
    let path = format!("directory/list/appservice/libera/{room}");
    walk.put(&bot(), &path, json!({"visibility": "public"}))
        .await;
    let of_network = json!({"third_party_instance_id": "irc|libera"});
    let listed = walk.post(&bob, "publicRooms", of_network).await;
    let listed = listed["chunk"].as_array().unwrap();
    assert!(
        listed
            .iter()
            .any(|listed| listed["room_id"] == room.as_str())
    );
}

fn protocol() -> Value {
    json!({
        "user_fields": ["nickname"],
        "location_fields": ["channel"],
        "icon": "mxc://localhost/icon",
        "field_types": {
            "nickname": {"regexp": ".*", "placeholder": "ada"},
            "channel": {"regexp": ".*", "placeholder": "#cats"},
        },
        "instances": [{"desc": "Libera", "network_id": "libera", "fields": {}}],
    })
}
