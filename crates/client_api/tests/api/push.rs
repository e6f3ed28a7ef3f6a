//! What notifies people reaches their push gateways, in order and once.

pub(crate) mod gateway;
mod mails;

use std::time::Duration;

use outbox::Outbox;
use serde_json::{Value, json};
use testkit::{eventually, eventually_within};

use self::gateway::{Gateway, Mood};
use crate::{
    server::{Node, PASSWORD, Server, User, on_both_engines},
    stage::Room,
};

on_both_engines! {
    a_gateway_is_told_what_notifies_and_what_its_client_asked_to_be_passed_on,
    a_brief_gateway_is_told_no_more_than_which_event_and_how_much_is_unread,
    only_what_notifies_is_told,
    who_is_asked_into_a_room_is_told,
    what_was_said_before_a_pusher_was_made_is_not_told,
    what_was_read_or_redacted_meanwhile_is_not_told,
    who_reads_on_has_less_on_their_other_devices,
    a_gateway_that_is_away_is_told_all_in_order_when_it_is_back,
    a_gateway_that_talks_nonsense_is_tried_again_and_leads_nowhere,
    what_a_gateway_will_never_take_holds_up_nothing,
    one_gateway_that_is_away_holds_up_no_other,
    a_pusher_that_its_gateway_does_not_know_goes,
    a_pusher_goes_with_its_session,
    a_push_key_has_one_owner_unless_it_is_shared,
    a_pusher_that_is_set_again_keeps_what_waits,
    what_cannot_be_a_pusher_is_refused,
    a_node_that_starts_again_goes_on_where_it_stood,
}

impl Node {
    /// Sets a pusher whose key is the person's name.
    async fn push_to(&self, user: &User, gateway: &Gateway, more: Value) {
        let pusher = pusher(user.localpart(), &gateway.url(), more);
        self.call(user, "POST", "pushers/set", pusher).await;
    }

    async fn pushers(&self, user: &User) -> Vec<Value> {
        let told = self.get(user, "pushers").await;
        told["pushers"].as_array().unwrap().clone()
    }
}

fn pusher(key: &str, url: &str, more: Value) -> Value {
    let mut data = json!({ "url": url });
    let object = data.as_object_mut().unwrap();
    object.extend(more.as_object().unwrap().clone());
    json!({
        "kind": "http",
        "app_id": "org.example.app",
        "pushkey": key,
        "app_display_name": "Example",
        "device_display_name": "Phone",
        "lang": "en",
        "data": data,
    })
}

/// A node, two people in a room of theirs, and the gateway of the first.
async fn couple(server: &Server) -> (Node, User, User, Room, Gateway) {
    let node = server.node().await;
    let (ada, ben) = (node.someone("ada").await, node.someone("ben").await);
    let gateway = Gateway::open().await;
    node.push_to(&ada, &gateway, json!({})).await;
    let room = node.public(&ben).await;
    node.go(&ada, "join", &room).await;
    (node, ada, ben, room, gateway)
}

async fn a_gateway_is_told_what_notifies_and_what_its_client_asked_to_be_passed_on(server: Server) {
    let node = server.node().await;
    let (ada, ben) = (node.someone("ada").await, node.someone("ben").await);
    let gateway = Gateway::open().await;
    node.push_to(&ada, &gateway, json!({ "silent": [1, "é"] }))
        .await;
    let name = format!("profile/{}/displayname", ben.user_id);
    node.call(&ben, "PUT", &name, json!({ "displayname": "Ben" }))
        .await;
    let room = json!({
        "preset": "public_chat",
        "name": "Kitchen",
        "room_alias_name": format!("kitchen-{}", ben.localpart()),
    });
    let room = node.create(&ben, room).await;
    node.go(&ada, "join", &room).await;
    let carl = node.someone("carl").await;
    node.go(&carl, "join", &room).await;
    let content = json!({
        "msgtype": "m.text",
        "body": "soup?",
        "m.mentions": { "user_ids": [ada.user_id] },
    });
    let event = node
        .send(&ben, &room, "m.room.message", content.clone())
        .await;
    let told = gateway.took(1).await;
    let expected = json!({
        "event_id": event,
        "room_id": room,
        "type": "m.room.message",
        "sender": ben.user_id,
        "sender_display_name": "Ben",
        "room_name": "Kitchen",
        "room_alias": format!("#kitchen-{}:localhost", ben.localpart()),
        "prio": "high",
        "content": content,
        "counts": { "unread": 1 },
        "devices": [{
            "app_id": "org.example.app",
            "pushkey": ada.localpart(),
            "data": { "silent": [1, "é"] },
            "tweaks": { "sound": "default", "highlight": true },
        }],
    });
    assert_eq!(told, [expected]);
}

async fn a_brief_gateway_is_told_no_more_than_which_event_and_how_much_is_unread(server: Server) {
    let node = server.node().await;
    let (ada, ben) = (node.someone("ada").await, node.someone("ben").await);
    let gateway = Gateway::open().await;
    node.push_to(&ada, &gateway, json!({ "format": "event_id_only" }))
        .await;
    let room = node.public(&ben).await;
    node.go(&ada, "join", &room).await;
    let carl = node.someone("carl").await;
    node.go(&carl, "join", &room).await;
    let event = node.say(&ben, &room, "soup").await;
    let told = gateway.took(1).await;
    let expected = json!({
        "event_id": event,
        "room_id": room,
        "prio": "low",
        "counts": { "unread": 1 },
        "devices": [{
            "app_id": "org.example.app",
            "pushkey": ada.localpart(),
            "data": { "format": "event_id_only" },
        }],
    });
    assert_eq!(told, [expected]);
}

async fn only_what_notifies_is_told(server: Server) {
    let (node, ada, ben, room, gateway) = couple(&server).await;
    // Her own words, a topic, a quiet room, somebody whom she ignores, and a reaction.
    let own = node.say(&ada, &room, "mine").await;
    node.set(
        &ben,
        &room,
        ("m.room.topic", ""),
        json!({ "topic": "soup" }),
    )
    .await;
    let reaction =
        json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": own, "key": "👍" } });
    node.send(&ben, &room, "m.reaction", reaction).await;
    let quiet = node.public(&ben).await;
    node.go(&ada, "join", &quiet).await;
    let rule = format!("pushrules/global/room/{quiet}");
    node.call(&ada, "PUT", &rule, json!({ "actions": [] }))
        .await;
    node.say(&ben, &quiet, "nobody hears this").await;
    let carl = node.someone("carl").await;
    node.go(&carl, "join", &room).await;
    let ignored = json!({ "ignored_users": { &carl.user_id: {} } });
    node.keep(&ada, None, "m.ignored_user_list", ignored).await;
    node.say(&carl, &room, "ignored").await;
    let heard = node.say(&ben, &room, "soup").await;
    gateway.took_events(&[heard]).await;
}

async fn who_is_asked_into_a_room_is_told(server: Server) {
    let node = server.node().await;
    let (ada, ben) = (node.someone("ada").await, node.someone("ben").await);
    let gateway = Gateway::open().await;
    node.push_to(&ada, &gateway, json!({})).await;
    let room = node
        .create(&ben, json!({ "preset": "private_chat", "name": "Den" }))
        .await;
    node.say(&ben, &room, "not for her yet").await;
    node.on(&ben, "invite", &room, &ada).await;
    let told = gateway.took(1).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["type"], "m.room.member");
    assert_eq!(told[0]["membership"], "invite");
    assert_eq!(told[0]["user_is_target"], true);
    assert_eq!(told[0]["room_name"], "Den");
    assert_eq!(told[0]["counts"]["unread"], 1);
}

async fn what_was_said_before_a_pusher_was_made_is_not_told(server: Server) {
    let node = server.node().await;
    let (ada, ben) = (node.someone("ada").await, node.someone("ben").await);
    let room = node.public(&ben).await;
    node.go(&ada, "join", &room).await;
    node.say(&ben, &room, "before").await;
    let gateway = Gateway::open().await;
    node.push_to(&ada, &gateway, json!({})).await;
    let after = node.say(&ben, &room, "after").await;
    gateway.took_events(&[after]).await;
    let told = gateway.took(1).await;
    assert_eq!(told[0]["counts"]["unread"], 2);
}

async fn what_was_read_or_redacted_meanwhile_is_not_told(server: Server) {
    let (node, ada, ben, room, gateway) = couple(&server).await;
    gateway.is(Mood::Says(503));
    let read = node.say(&ben, &room, "read").await;
    let redacted = node.say(&ben, &room, "redacted").await;
    let kept = node.say(&ben, &room, "kept").await;
    asked(&gateway, 1).await;
    node.read(&ada, &room, "m.read", &read, json!({})).await;
    node.redact(&ben, &room, &redacted).await;
    gateway.is(Mood::Takes);
    until_taken(&server, &gateway, 1).await;
    gateway.took_events(&[kept]).await;
}

async fn who_reads_on_has_less_on_their_other_devices(server: Server) {
    let (node, ada, ben, room, gateway) = couple(&server).await;
    node.say(&ben, &room, "one").await;
    let last = node.say(&ben, &room, "two").await;
    let told = gateway.took(2).await;
    assert_eq!(told[1]["counts"]["unread"], 2, "{told:?}");
    node.read(&ada, &room, "m.read.private", &last, json!({}))
        .await;
    let told = gateway.took(3).await;
    let expected = json!({
        "counts": { "unread": 0 },
        "devices": [{
            "app_id": "org.example.app",
            "pushkey": ada.localpart(),
            "data": {},
        }],
    });
    assert_eq!(told[2], expected);
}

async fn a_gateway_that_is_away_is_told_all_in_order_when_it_is_back(server: Server) {
    let (node, _ada, ben, room, gateway) = couple(&server).await;
    gateway.is(Mood::Says(503));
    let mut said = Vec::new();
    for index in 0..40 {
        said.push(node.say(&ben, &room, &format!("{index}")).await);
    }
    asked(&gateway, 1).await;
    for _ in 0..60 {
        server.deployment.clock.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
    assert!(gateway.events().is_empty());
    gateway.is(Mood::Takes);
    until_taken(&server, &gateway, said.len()).await;
    gateway.took_events(&said).await;
}

async fn a_gateway_that_talks_nonsense_is_tried_again_and_leads_nowhere(server: Server) {
    let (node, _ada, ben, room, gateway) = couple(&server).await;
    let mut said = Vec::new();
    for mood in [
        Mood::Babbles,
        Mood::NeverEnds,
        Mood::LeadsInside,
        Mood::Says(429),
    ] {
        gateway.is(mood);
        let before = gateway.asked();
        said.push(node.say(&ben, &room, "soup").await);
        // It may be resting from the mood before.
        eventually("the gateway is asked", || async {
            server.deployment.clock.advance(Duration::from_secs(1_000));
            (gateway.asked() > before).then_some(())
        })
        .await;
    }
    gateway.is(Mood::Takes);
    until_taken(&server, &gateway, said.len()).await;
    gateway.took_events(&said).await;
}

async fn what_a_gateway_will_never_take_holds_up_nothing(server: Server) {
    let (node, _ada, ben, room, gateway) = couple(&server).await;
    gateway.is(Mood::Says(400));
    let never = node.say(&ben, &room, "never").await;
    asked(&gateway, 1).await;
    gateway.is(Mood::Takes);
    let next = node.say(&ben, &room, "next").await;
    gateway.took_events(std::slice::from_ref(&next)).await;
    let outbox = outbox(&server);
    let dead = outbox.dead(None, 10).await.unwrap();
    assert_eq!(dead.len(), 1);
    assert!(dead[0].fault.contains("400"), "{dead:?}");
    // An administrator has it tried again.
    assert_eq!(outbox.replay("push", None).await.unwrap(), 1);
    until_taken(&server, &gateway, 2).await;
    gateway.took_events(&[next, never]).await;
    assert!(outbox.dead(None, 10).await.unwrap().is_empty());
}

async fn one_gateway_that_is_away_holds_up_no_other(server: Server) {
    let (node, _ada, ben, room, gateway) = couple(&server).await;
    let carl = node.someone("carl").await;
    let other = Gateway::open().await;
    node.push_to(&carl, &other, json!({})).await;
    node.go(&carl, "join", &room).await;
    gateway.is(Mood::Says(500));
    let mut said = Vec::new();
    for _ in 0..5 {
        said.push(node.say(&ben, &room, "soup").await);
    }
    other.took_events(&said).await;
    assert!(gateway.events().is_empty());
}

async fn a_pusher_that_its_gateway_does_not_know_goes(server: Server) {
    let (node, ada, ben, room, gateway) = couple(&server).await;
    gateway.is(Mood::Rejects);
    node.say(&ben, &room, "soup").await;
    eventually("the pusher goes", || async {
        node.pushers(&ada).await.is_empty().then_some(())
    })
    .await;
    gateway.is(Mood::Takes);
    let (carl, other) = (node.someone("carl").await, Gateway::open().await);
    node.push_to(&carl, &other, json!({})).await;
    node.go(&carl, "join", &room).await;
    let said = node.say(&ben, &room, "more soup").await;
    other.took_events(&[said]).await;
    assert_eq!(gateway.asked(), 1);
}

async fn a_pusher_goes_with_its_session(server: Server) {
    let (node, ada, ben, room, gateway) = couple(&server).await;
    let tablet = node.on_device(&ada, "TABLET").await;
    let other = Gateway::open().await;
    let second = pusher("tablet", &other.url(), json!({}));
    node.call(&tablet, "POST", "pushers/set", second).await;
    assert_eq!(node.pushers(&tablet).await.len(), 2);
    node.call(&ada, "POST", "logout", json!({})).await;
    let left = node.pushers(&tablet).await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0]["pushkey"], "tablet");
    let said = node.say(&ben, &room, "soup").await;
    other.took_events(&[said]).await;
    assert_eq!(gateway.asked(), 0);
    // Another session under the same device id has none of it.
    let again = node.on_device(&ada, "TABLET").await;
    let new_password = json!({
        "new_password": "battery staple",
        "auth": {
            "type": "m.login.password",
            "identifier": { "type": "m.id.user", "user": ada.user_id },
            "password": PASSWORD,
        },
    });
    node.call(&again, "POST", "account/password", new_password)
        .await;
    assert_eq!(node.pushers(&again).await.len(), 0);
}

async fn a_push_key_has_one_owner_unless_it_is_shared(server: Server) {
    let node = server.node().await;
    let (ada, ben) = (node.someone("ada").await, node.someone("ben").await);
    let gateway = Gateway::open().await;
    let key = ada.localpart();
    let mut shared = pusher(key, &gateway.url(), json!({}));
    node.call(&ada, "POST", "pushers/set", shared.clone()).await;
    shared["append"] = true.into();
    node.call(&ben, "POST", "pushers/set", shared.clone()).await;
    assert_eq!(node.pushers(&ada).await.len(), 1);
    assert_eq!(node.pushers(&ben).await.len(), 1);
    shared["append"] = false.into();
    node.call(&ben, "POST", "pushers/set", shared.clone()).await;
    assert_eq!(node.pushers(&ada).await.len(), 0);
    assert_eq!(node.pushers(&ben).await.len(), 1);
    // Another application's is another.
    shared["app_id"] = "org.example.other".into();
    node.call(&ada, "POST", "pushers/set", shared.clone()).await;
    assert_eq!(node.pushers(&ben).await.len(), 1);
    let gone = json!({ "kind": null, "app_id": "org.example.other", "pushkey": key });
    node.call(&ada, "POST", "pushers/set", gone.clone()).await;
    node.call(&ada, "POST", "pushers/set", gone).await;
    assert_eq!(node.pushers(&ada).await.len(), 0);
}

async fn a_pusher_that_is_set_again_keeps_what_waits(server: Server) {
    let (node, ada, ben, room, gateway) = couple(&server).await;
    gateway.is(Mood::Says(502));
    let said = node.say(&ben, &room, "soup").await;
    asked(&gateway, 1).await;
    // The client starts again, and its gateway has moved.
    let other = Gateway::open().await;
    node.push_to(&ada, &other, json!({ "badge": 1 })).await;
    assert_eq!(node.pushers(&ada).await[0]["data"]["badge"], 1);
    until_taken(&server, &other, 1).await;
    other.took_events(&[said]).await;
}

async fn what_cannot_be_a_pusher_is_refused(server: Server) {
    let node = server.node().await;
    let ada = node.someone("ada").await;
    let inside = |url: &str| pusher("key", url, json!({}));
    let mut strange = inside("https://push.example.org/_matrix/push/v1/notify");
    strange["kind"] = "pigeon".into();
    let mut mail = strange.clone();
    mail["kind"] = "email".into();
    let mut long = strange.clone();
    long["kind"] = "http".into();
    long["pushkey"] = "k".repeat(513).into();
    let bad = [
        inside("https://push.example.org/elsewhere"),
        inside("ftp://push.example.org/_matrix/push/v1/notify"),
        inside("https://me:secret@push.example.org/_matrix/push/v1/notify"),
        inside("https://push.example.org:25/_matrix/push/v1/notify"),
        inside("no address"),
        strange,
        mail,
        long,
    ];
    for bad in bad {
        let path = "/_matrix/client/v3/pushers/set";
        let refused = node
            .refused(&ada.token, "POST", path, &bad.to_string())
            .await;
        assert_eq!(refused, (400, "M_INVALID_PARAM".to_owned()), "{bad}");
    }
    assert!(node.pushers(&ada).await.is_empty());
}

async fn a_node_that_starts_again_goes_on_where_it_stood(server: Server) {
    let (node, ada, ben, room, gateway) = couple(&server).await;
    gateway.is(Mood::Says(503));
    let mut said = Vec::new();
    for _ in 0..10 {
        said.push(node.say(&ben, &room, "soup").await);
    }
    asked(&gateway, 1).await;
    node.parts.log.stop().await;
    drop(node);
    gateway.is(Mood::Takes);
    let node = server.node().await;
    let ben = User { ..ben };
    said.push(node.say(&ben, &room, "at another node").await);
    until_taken(&server, &gateway, said.len()).await;
    gateway.took_events(&said).await;
    assert_eq!(node.pushers(&ada).await.len(), 1);
}

/// Two nodes on one database, which only PostgreSQL permits.
mod two {
    use super::*;

    #[tokio::test]
    async fn each_event_is_told_once_whichever_node_took_it() {
        let server = Server::postgres().await;
        let (one, _ada, ben, room, gateway) = couple(&server).await;
        let two = server.node().await;
        let mut said = Vec::new();
        for index in 0..10 {
            let node = if index % 2 == 0 { &one } else { &two };
            said.push(node.say(&ben, &room, "soup").await);
        }
        gateway.took_events(&said).await;
        assert_eq!(gateway.asked(), said.len());
    }

    #[tokio::test]
    async fn when_the_node_that_tells_stops_the_other_goes_on_at_once() {
        let server = Server::postgres().await;
        let (one, _ada, ben, room, gateway) = couple(&server).await;
        let two = server.node().await;
        gateway.is(Mood::Says(503));
        let mut said = vec![two.say(&ben, &room, "soup").await];
        asked(&gateway, 1).await;
        one.parts.log.stop().await;
        gateway.is(Mood::Takes);
        said.push(two.say(&ben, &room, "more soup").await);
        // The other looks every second whether the work is free.
        until_taken(&server, &gateway, said.len()).await;
        gateway.took_events(&said).await;
    }
}

/// Waits until the gateway was asked so often, whatever it answered.
async fn asked(gateway: &Gateway, times: usize) {
    eventually("the gateway is asked", || async {
        (gateway.asked() >= times).then_some(())
    })
    .await;
}

/// Lets time pass until the gateway has taken so many events: no faster than that it can answer, on
/// a loaded machine too, before it is given up.
async fn until_taken(server: &Server, gateway: &Gateway, count: usize) {
    let mut looked = 0;
    eventually_within(Duration::from_secs(30), "what waits is told", || {
        looked += 1;
        if looked % 4 == 0 {
            server.deployment.clock.advance(Duration::from_secs(1));
        }
        let taken = gateway.events().len() >= count;
        async move { taken.then_some(()) }
    })
    .await;
}

fn outbox(server: &Server) -> Outbox {
    server.deployment.outbox.lock().clone().unwrap()
}
