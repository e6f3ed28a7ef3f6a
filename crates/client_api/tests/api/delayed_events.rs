//! Events that are sent later, as calls and scheduled messages use them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    server::{Node, Server, User, on_both_engines},
    stage::{count, events, joined, texts},
};

on_both_engines! {
    a_call_ends_when_its_client_is_silent,
    a_client_of_before_schedules_on_the_usual_paths,
    its_sender_alone_is_told_the_delay_id,
    a_delay_beyond_a_day_is_refused_as_clients_expect,
    too_many_are_refused_until_one_is_sent,
    what_failed_is_told,
    what_cannot_be_sent_early_waits_on,
    who_is_suspended_by_then_says_nothing,
    who_has_closed_their_account_says_nothing,
    what_waits_outlives_signing_out,
    it_is_advertised,
}

const BASE: &str = "/_matrix/client/unstable/org.matrix.msc4140";
const SECOND: Duration = Duration::from_secs(1);

impl Node {
    async fn schedule(&self, user: &User, room: &str, kind: &str, body: Value) -> String {
        let path = format!("{BASE}/rooms/{room}/delayed_event/{kind}/t{}", count());
        let scheduled = self.ok(&user.token, "PUT", &path, body).await;
        scheduled["delay_id"].as_str().unwrap().to_owned()
    }

    async fn whisper(&self, user: &User, room: &str, text: &str) -> String {
        let content = json!({ "msgtype": "m.text", "body": text });
        let body = json!({ "delay": 1000, "content": content });
        self.schedule(user, room, "m.room.message", body).await
    }

    /// What a delayed event's sender is told of it.
    async fn told(&self, user: &User, delay_id: &str) -> Value {
        let path = format!("{BASE}/delayed_events/{delay_id}");
        self.ok(&user.token, "GET", &path, Value::Null).await
    }

    /// Asks, without a token, for something to be done with a delayed event.
    async fn act(&self, delay_id: &str, action: &str) -> (u16, Value) {
        let path = format!("{BASE}/delayed_events/{delay_id}/{action}");
        let (status, answer) = self.ask("", "POST", &path, "{}").await;
        (status.as_u16(), answer)
    }

    async fn send_due(&self) {
        self.parts.rooms.send_due(&self.parts.log).await.unwrap();
    }

    async fn said(&self, user: &User, room: &str) -> Vec<String> {
        let answer = self.client(user).next().await;
        let said = texts(&joined(&answer, room)["timeline"]).into_iter();
        said.map(str::to_owned).collect()
    }
}

async fn a_call_ends_when_its_client_is_silent(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let (kind, key) = (
        "org.matrix.msc3401.call.member",
        format!("_{}_D", alice.user_id),
    );
    // The leaving is scheduled first, so that it is certain; joining does not undo it.
    let leave = json!({ "delay": 8000, "state_key": key, "content": {} });
    let delay_id = node.schedule(&alice, &room, kind, leave).await;
    node.set(
        &alice,
        &room,
        (kind, &key),
        json!({ "application": "m.call" }),
    )
    .await;
    let state = format!("rooms/{room}/state/{kind}/{key}");
    for _ in 0..5 {
        server.deployment.clock.advance(5 * SECOND);
        node.send_due().await;
        assert_eq!(node.act(&delay_id, "restart").await, (200, json!({})));
        assert_eq!(node.get(&alice, &state).await["application"], "m.call");
    }
    server.deployment.clock.advance(8 * SECOND);
    node.send_due().await;
    assert_eq!(node.get(&alice, &state).await, json!({}));
    // A client that was asleep schedules anew when there is nothing left to restart.
    let (status, answer) = node.act(&delay_id, "restart").await;
    assert_eq!((status, &answer["errcode"]), (404, &json!("M_NOT_FOUND")));
    let (status, answer) = node.act(&delay_id, "cancel").await;
    assert_eq!((status, &answer["errcode"]), (409, &json!("M_UNKNOWN")));
    assert_eq!(node.act(&delay_id, "send").await.0, 200);
}

async fn a_client_of_before_schedules_on_the_usual_paths(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let delay = "org.matrix.msc4140.delay=15000";
    let message = format!("rooms/{room}/send/m.room.message/t1?{delay}");
    let content = json!({ "msgtype": "m.text", "body": "boo" });
    let first = node.call(&alice, "PUT", &message, content.clone()).await;
    let again = node.call(&alice, "PUT", &message, content.clone()).await;
    assert_eq!(first, again);
    assert!(first.get("event_id").is_none());
    // The same transaction without a delay is another request.
    let now = format!("rooms/{room}/send/m.room.message/t1");
    let sent = node.call(&alice, "PUT", &now, content).await;
    assert!(sent["event_id"].is_string());
    let state = format!("rooms/{room}/state/m.room.topic?{delay}");
    let topic = json!({ "topic": "later" });
    let second = node.call(&alice, "PUT", &state, topic.clone()).await;
    let third = node.call(&alice, "PUT", &state, topic).await;
    assert_ne!(second, third);
    let path = format!(
        "{BASE}/delayed_events/{}",
        third["delay_id"].as_str().unwrap()
    );
    let cancel = json!({ "action": "cancel" });
    assert_eq!(
        node.ok(&alice.token, "POST", &path, cancel).await,
        json!({})
    );
    let list = format!("{BASE}/delayed_events");
    let listed = node.ok(&alice.token, "GET", &list, Value::Null).await;
    let listed: Vec<&Value> = listed["delayed_events"]
        .as_array()
        .unwrap()
        .iter()
        .collect();
    let kinds: Vec<&Value> = listed.iter().map(|event| &event["type"]).collect();
    assert_eq!(kinds, ["m.room.message", "m.room.topic"]);
    assert!(listed[0].get("state_key").is_none());
    assert_eq!(listed[1]["state_key"], "");
    server.deployment.clock.advance(15 * SECOND);
    node.send_due().await;
    assert_eq!(node.said(&alice, &room).await, ["boo", "boo"]);
    let state = format!("rooms/{room}/state/m.room.topic");
    assert_eq!(node.get(&alice, &state).await["topic"], "later");
}

async fn its_sender_alone_is_told_the_delay_id(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let laptop = node.on_device(&alice, "LAPTOP").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let delay_id = node.whisper(&alice, &room, "boo").await;
    server.deployment.clock.advance(SECOND);
    node.send_due().await;
    for (user, told) in [
        (&alice, json!(delay_id)),
        (&laptop, json!(delay_id)),
        (&bob, Value::Null),
    ] {
        let answer = node.client(user).next().await;
        let last = events(&joined(&answer, &room)["timeline"]).last().unwrap();
        assert_eq!(last["content"]["body"], "boo");
        assert_eq!(last["unsigned"]["org.matrix.msc4140.delay_id"], told);
        assert!(last["unsigned"].get("transaction_id").is_none());
    }
}

async fn a_delay_beyond_a_day_is_refused_as_clients_expect(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let delay = "org.matrix.msc4140.delay=86400001";
    let path = format!("/_matrix/client/v3/rooms/{room}/state/m.room.topic?{delay}");
    let (status, answer) = node.ask(&alice.token, "PUT", &path, "{}").await;
    assert_eq!(status, 400);
    assert_eq!(answer["errcode"], "M_UNKNOWN");
    assert_eq!(answer["org.matrix.msc4140.errcode"], "M_MAX_DELAY_EXCEEDED");
    assert_eq!(answer["org.matrix.msc4140.max_delay"], 86_400_000);
    assert!(answer["error"].is_string());
}

async fn too_many_are_refused_until_one_is_sent(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    for _ in 0..100 {
        node.whisper(&alice, &room, "boo").await;
    }
    let path = format!("{BASE}/rooms/{room}/delayed_event/x.note/one-more");
    let body = json!({ "delay": 5000, "content": {} }).to_string();
    let (status, answer) = node.ask(&alice.token, "PUT", &path, body.clone()).await;
    assert_eq!(status, 429);
    assert_eq!(answer["errcode"], "M_LIMIT_EXCEEDED");
    assert_eq!(answer["retry_after_ms"], 1000);
    server.deployment.clock.advance(SECOND);
    node.send_due().await;
    let (status, answer) = node.ask(&alice.token, "PUT", &path, body).await;
    assert_eq!(status, 200, "{answer}");
}

async fn what_failed_is_told(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let body = json!({ "delay": 1000, "state_key": "", "content": { "topic": "mine" } });
    let delay_id = node.schedule(&bob, &room, "m.room.topic", body).await;
    let told = node.told(&bob, &delay_id).await;
    assert!(told.get("error").is_none() && told.get("finalised_ts").is_none());
    server.deployment.clock.advance(SECOND);
    node.send_due().await;
    let told = node.told(&bob, &delay_id).await;
    assert_eq!(told["error"]["errcode"], "M_FORBIDDEN");
    assert!(told["finalised_ts"].is_u64());
    assert!(told.get("event_id").is_none());
    assert_eq!(told["content"]["topic"], "mine");
}

async fn what_cannot_be_sent_early_waits_on(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let body = json!({ "delay": 1000, "state_key": "", "content": { "topic": "mine" } });
    let delay_id = node.schedule(&bob, &room, "m.room.topic", body).await;
    let (status, answer) = node.act(&delay_id, "send").await;
    assert_eq!((status, &answer["errcode"]), (403, &json!("M_FORBIDDEN")));
    let powers = json!({ "users": { &bob.user_id: 50 } });
    node.set(&alice, &room, ("m.room.power_levels", ""), powers)
        .await;
    assert_eq!(node.act(&delay_id, "send").await, (200, json!({})));
    let topic = format!("rooms/{room}/state/m.room.topic");
    assert_eq!(node.get(&bob, &topic).await["topic"], "mine");
}

async fn who_is_suspended_by_then_says_nothing(server: Server) {
    let node = server.node().await;
    let boss = node.administrator(&format!("boss-{}", count())).await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let delay_id = node.whisper(&alice, &room, "spam").await;
    let path = format!("/_matrix/client/v1/admin/suspend/{}", alice.user_id);
    node.ok(&boss.token, "PUT", &path, json!({ "suspended": true }))
        .await;
    let (status, answer) = node.act(&delay_id, "send").await;
    assert_eq!(
        (status, &answer["errcode"]),
        (403, &json!("M_USER_SUSPENDED"))
    );
    server.deployment.clock.advance(SECOND);
    node.send_due().await;
    assert_eq!(node.said(&alice, &room).await, [""; 0]);
    let told = node.told(&alice, &delay_id).await;
    assert_eq!(told["error"]["errcode"], "M_FORBIDDEN");
}

async fn who_has_closed_their_account_says_nothing(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let delay_id = node.whisper(&bob, &room, "boo").await;
    let auth = crate::server::password_of(bob.localpart());
    let body = json!({ "auth": auth });
    node.call(&bob, "POST", "account/deactivate", body).await;
    assert_eq!(node.act(&delay_id, "send").await.0, 404);
    server.deployment.clock.advance(SECOND);
    node.send_due().await;
    assert_eq!(node.said(&alice, &room).await, [""; 0]);
}

async fn what_waits_outlives_signing_out(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    node.whisper(&bob, &room, "I am gone").await;
    node.call(&bob, "POST", "logout", json!({})).await;
    server.deployment.clock.advance(SECOND);
    node.send_due().await;
    assert_eq!(node.said(&alice, &room).await, ["I am gone"]);
}

async fn it_is_advertised(server: Server) {
    let node = server.node().await;
    let path = "/_matrix/client/versions";
    let versions = node.ok("", "GET", path, Value::Null).await;
    assert_eq!(versions["unstable_features"]["org.matrix.msc4140"], true);
}
