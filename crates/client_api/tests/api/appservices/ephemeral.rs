//! Typing, receipts, presence, and messages to devices.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::eventually;

use super::{
    AS_TOKEN, acting, registered,
    service::{Mood, Service},
};
use crate::{
    server::{Node, Server, User, on_both_engines},
    stage::{count, encoded},
};

on_both_engines! {
    a_service_that_wants_them_is_told_receipts,
    a_service_that_wants_them_is_told_typing_and_presence,
    a_service_that_wants_none_is_told_none,
    a_service_gets_the_messages_to_its_users_devices,
    a_message_to_a_device_waits_until_the_service_has_it,
    messages_wait_for_a_service_that_syncs,
    messages_to_people_are_theirs,
    a_service_that_wants_them_is_told_keys_and_changed_devices,
}

const EPHEMERAL: &str = "receive_ephemeral: true";
const ENCRYPTING: &str = "de.sorunome.msc2409.push_ephemeral: true\norg.matrix.msc3202: true";

async fn bridged(server: &mut Server, more: &str) -> (Service, Node) {
    let service = Service::open().await;
    server.deployment.appservices = registered(&[&service.registration(more)]);
    let node = server.node().await;
    (service, node)
}

async fn room_of(node: &Node) -> (User, String, User) {
    let ben = node.someone("ben").await;
    let room = node.public(&ben).await;
    let ghost = node.ghost(&format!("irc_ada{}", count())).await;
    let join = format!("join/{}", encoded(&room));
    node.as_ghost(&ghost, "POST", &join, json!({})).await;
    let ghost = User {
        user_id: ghost,
        token: String::new(),
    };
    (ben, room, ghost)
}

impl Service {
    /// In how many transactions somebody stands whose devices changed.
    fn times_changed(&self, user_id: &str) -> usize {
        let took = self.took();
        let lists = took
            .iter()
            .filter_map(|(_, body)| body["org.matrix.msc3202.device_lists"]["changed"].as_array());
        lists
            .filter(|changed| changed.contains(&json!(user_id)))
            .count()
    }

    /// Lets time pass until there is an event of a type among what is ephemeral.
    async fn felt(&self, server: &Server, kind: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let claim = format!("the bridge is told {kind}");
        self.until(&claim, |service| {
            server.deployment.clock.advance(Duration::from_millis(60));
            let told = service.told("ephemeral").into_iter();
            let mut told = told.filter(|event| event["type"] == kind);
            told.find(&fits)
        })
        .await
    }
}

async fn a_service_that_wants_them_is_told_receipts(mut server: Server) {
    let (service, node) = bridged(&mut server, EPHEMERAL).await;
    let (ben, room, _) = room_of(&node).await;
    let private = node.say(&ben, &room, "private").await;
    node.read(&ben, &room, "m.read.private", &private, json!({}))
        .await;
    let event = node.say(&ben, &room, "read").await;
    node.read(
        &ben,
        &room,
        "m.read",
        &event,
        json!({ "thread_id": "main" }),
    )
    .await;
    let told = service.felt(&server, "m.receipt", |_| true).await;
    assert_eq!(told["room_id"], room.as_str());
    let data = &told["content"][&event]["m.read"][&ben.user_id];
    assert!(data["ts"].is_u64(), "{told}");
    assert_eq!(data["thread_id"], "main");
    assert!(!told.to_string().contains(&private), "{told}");
    assert_eq!(
        service.told("ephemeral"),
        service.told("de.sorunome.msc2409.ephemeral")
    );
    // Of rooms that do not concern it, it hears nothing.
    let other = node.public(&ben).await;
    let unheard = node.say(&ben, &other, "elsewhere").await;
    node.read(&ben, &other, "m.read", &unheard, json!({})).await;
    let last = node.say(&ben, &room, "last").await;
    service.got(&last).await;
    let told = service.told("ephemeral");
    assert!(told.iter().all(|event| event["room_id"] != other.as_str()));
}

async fn a_service_that_wants_them_is_told_typing_and_presence(mut server: Server) {
    let (service, node) = bridged(&mut server, EPHEMERAL).await;
    let (ben, room, _) = room_of(&node).await;
    let warm = node.say(&ben, &room, "warm").await;
    service.got(&warm).await;
    let typing = format!("rooms/{room}/typing/{}", ben.user_id);
    let presence = format!("presence/{}/status", ben.user_id);
    let types = json!({ "typing": true, "timeout": 5_000 });
    node.call(&ben, "PUT", &typing, types).await;
    let is_there = json!({ "presence": "online", "status_msg": "at work" });
    node.call(&ben, "PUT", &presence, is_there).await;
    let told = service
        .felt(&server, "m.typing", |event| {
            event["content"]["user_ids"] == json!([ben.user_id])
        })
        .await;
    assert_eq!(told["room_id"], room.as_str());
    let told = service.felt(&server, "m.presence", |_| true).await;
    assert_eq!(told["sender"], ben.user_id.as_str());
    assert_eq!(told["content"]["presence"], "online");
    assert_eq!(told["content"]["status_msg"], "at work");
    // Time ends what nobody ends.
    service
        .felt(&server, "m.typing", |event| {
            event["content"]["user_ids"] == json!([])
        })
        .await;
}

async fn a_service_that_wants_none_is_told_none(mut server: Server) {
    let (service, node) = bridged(&mut server, "").await;
    let (ben, room, ghost) = room_of(&node).await;
    node.ghost_device(&ghost.user_id, "BRIDGE").await;
    let event = node.say(&ben, &room, "read").await;
    node.read(&ben, &room, "m.read", &event, json!({})).await;
    node.to_device(&ben, &ghost, "BRIDGE", json!({ "n": 1 }))
        .await;
    let last = node.say(&ben, &room, "last").await;
    service.got(&last).await;
    for (_, body) in service.took() {
        let keys: Vec<&String> = body.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["events"]);
    }
}

async fn a_service_gets_the_messages_to_its_users_devices(mut server: Server) {
    let (service, node) = bridged(&mut server, ENCRYPTING).await;
    let (ben, _, ghost) = room_of(&node).await;
    node.ghost_device(&ghost.user_id, "BRIDGE").await;
    for number in 0..3 {
        node.to_device(&ben, &ghost, "BRIDGE", json!({ "n": number }))
            .await;
    }
    let name = "de.sorunome.msc2409.to_device";
    service
        .until("the bridge gets the messages", |service| {
            (service.told(name).len() >= 3).then_some(())
        })
        .await;
    let expected: Vec<Value> = (0..3)
        .map(|number| {
            json!({
                "type": "org.example.note",
                "sender": ben.user_id,
                "content": { "n": number },
                "to_user_id": ghost.user_id,
                "to_device_id": "BRIDGE",
            })
        })
        .collect();
    assert_eq!(service.told(name), expected);
    // Once taken, they are gone.
    eventually("the queue is empty", || async {
        let sync = node.as_ghost(&ghost.user_id, "GET", "sync?device_id=BRIDGE", Value::Null);
        let sync = sync.await;
        let events = sync["to_device"]["events"].as_array();
        events.is_none_or(Vec::is_empty).then_some(())
    })
    .await;
}

async fn a_message_to_a_device_waits_until_the_service_has_it(mut server: Server) {
    let (service, node) = bridged(&mut server, ENCRYPTING).await;
    let (ben, _, ghost) = room_of(&node).await;
    node.ghost_device(&ghost.user_id, "BRIDGE").await;
    service.is(Mood::Says(503));
    for number in 0..130 {
        node.to_device(&ben, &ghost, "BRIDGE", json!({ "n": number }))
            .await;
    }
    let day = Duration::from_secs(24 * 3_600);
    service.tries(&server.deployment.clock, 3, day).await;
    service.is(Mood::Takes);
    let name = "de.sorunome.msc2409.to_device";
    eventually("the bridge gets all messages", || async {
        service.lets_pass(&server.deployment.clock, Duration::from_secs(900));
        (service.told(name).len() >= 130).then_some(())
    })
    .await;
    let told = service.told(name);
    let numbers: Vec<u64> = told
        .iter()
        .map(|told| told["content"]["n"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, (0..130).collect::<Vec<u64>>());
}

async fn messages_wait_for_a_service_that_syncs(mut server: Server) {
    let (service, node) = bridged(&mut server, EPHEMERAL).await;
    let (ben, _, ghost) = room_of(&node).await;
    node.ghost_device(&ghost.user_id, "BRIDGE").await;
    node.to_device(&ben, &ghost, "BRIDGE", json!({ "n": 1 }))
        .await;
    let name = "de.sorunome.msc2409.to_device";
    service
        .until("the bridge gets the message", |service| {
            (!service.told(name).is_empty()).then_some(())
        })
        .await;
    let room = node.public(&ben).await;
    let join = format!("join/{}", encoded(&room));
    node.as_ghost(&ghost.user_id, "POST", &join, json!({}))
        .await;
    let last = node.say(&ben, &room, "last").await;
    service.got(&last).await;
    let sync = node.as_ghost(&ghost.user_id, "GET", "sync?device_id=BRIDGE", Value::Null);
    let sync = sync.await;
    assert_eq!(sync["to_device"]["events"][0]["content"]["n"], 1);
}

async fn messages_to_people_are_theirs(mut server: Server) {
    // It claims everybody, with others.
    let service = Service::open().await;
    let greedy = service
        .registration(ENCRYPTING)
        .replace("'@shared_.*'", "'@.*'");
    server.deployment.appservices = registered(&[&greedy]);
    let node = server.node().await;
    let (ben, room, _) = room_of(&node).await;
    let carl = node.someone("carl").await;
    node.to_device(&ben, &carl, "PHONE", json!({ "n": 1 }))
        .await;
    let last = node.say(&ben, &room, "last").await;
    service.got(&last).await;
    assert!(service.told("de.sorunome.msc2409.to_device").is_empty());
    let sync = node.get(&carl, "sync").await;
    assert_eq!(sync["to_device"]["events"][0]["content"]["n"], 1);
}

async fn a_service_that_wants_them_is_told_keys_and_changed_devices(mut server: Server) {
    let (service, node) = bridged(&mut server, ENCRYPTING).await;
    let (ben, _, ghost) = room_of(&node).await;
    node.ghost_device(&ghost.user_id, "BRIDGE").await;
    let key = |user: &str, device: &str| {
        json!({
            "device_keys": {
                "user_id": user, "device_id": device, "algorithms": ["m.olm.v1"],
                "keys": { format!("ed25519:{device}"): "abc" }, "signatures": {},
            },
            "one_time_keys": {
                "signed_curve25519:A": { "key": "one", "signatures": {} },
                "signed_curve25519:B": { "key": "two", "signatures": {} },
            },
        })
    };
    service
        .until("the bridge is told of whom it has met", |service| {
            (service.times_changed(&ben.user_id) == 1).then_some(())
        })
        .await;
    let path = acting("keys/upload?device_id=BRIDGE", &ghost.user_id);
    node.ok(AS_TOKEN, "POST", &path, key(&ghost.user_id, "BRIDGE"))
        .await;
    node.call(&ben, "POST", "keys/upload", key(&ben.user_id, "PHONE"))
        .await;
    for (user_id, times) in [(&ghost.user_id, 1), (&ben.user_id, 2)] {
        let claim = format!("the bridge is told that {user_id} has changed devices");
        service
            .until(&claim, |service| {
                (service.times_changed(user_id) >= times).then_some(())
            })
            .await;
    }
    let claim = json!({ "one_time_keys": { &ghost.user_id: { "BRIDGE": "signed_curve25519" } } });
    node.call(&ben, "POST", "keys/claim", claim).await;
    node.to_device(&ben, &ghost, "BRIDGE", json!({ "n": 1 }))
        .await;
    let counts = "org.matrix.msc3202.device_one_time_keys_count";
    let told = service
        .until("the bridge is told how many keys are left", |service| {
            let took = service.took().into_iter();
            let mut counted = took.filter(|(_, body)| {
                body["de.sorunome.msc2409.to_device"].is_array() && body[counts].is_object()
            });
            counted.next_back().map(|(_, body)| body)
        })
        .await;
    let place = |name: &str| told[name][&ghost.user_id]["BRIDGE"].clone();
    assert_eq!(place(counts), json!({ "signed_curve25519": 1 }));
    let unused = place("org.matrix.msc3202.device_unused_fallback_key_types");
    assert_eq!(unused, json!([]));
}
