//! Following threads, and no longer: by choice, and by what a client does by itself.

use serde_json::{Value, json};

use crate::{
    server::{Node, Server, User, on_both_engines},
    stage::{encoded, joined},
};

on_both_engines! {
    shared_postgres;
    a_thread_is_followed_and_left,
    what_a_person_chose_beats_what_a_client_does_by_itself,
    a_client_follows_for_an_event_of_the_thread_alone,
    who_may_not_see_a_thread_cannot_follow_it,
    changes_are_told_page_by_page_newest_first,
    ones_other_devices_are_woken,
    who_follows_threads_hears_of_those_alone,
}

const UNSTABLE: &str = "/_matrix/client/unstable";

fn path(room: &str, thread: &str) -> String {
    let thread = encoded(thread);
    format!("{UNSTABLE}/io.element.msc4306/rooms/{room}/thread/{thread}/subscription")
}

impl Node {
    /// Follows a thread, for an event if one is named.
    async fn follow(&self, user: &User, room: &str, thread: &str, cause: Option<&str>) {
        let body = cause.map_or(json!({}), |cause| json!({ "automatic": cause }));
        let told = self.ok(&user.token, "PUT", &path(room, thread), body).await;
        assert_eq!(told, json!({}));
    }

    /// The same, which must be refused.
    async fn follows_not(
        &self,
        user: &User,
        room: &str,
        thread: &str,
        body: Value,
    ) -> (u16, String) {
        let body = body.to_string();
        self.refused(&user.token, "PUT", &path(room, thread), &body)
            .await
    }

    async fn leave_thread(&self, user: &User, room: &str, thread: &str) {
        self.ok(&user.token, "DELETE", &path(room, thread), Value::Null)
            .await;
    }

    /// Whether somebody follows a thread, and if so whether their client did that by itself.
    async fn follows(&self, user: &User, room: &str, thread: &str) -> Option<bool> {
        let (status, answer) = self.ask(&user.token, "GET", &path(room, thread), "").await;
        match status.as_u16() {
            200 => Some(answer["automatic"].as_bool().unwrap()),
            404 => None,
            other => panic!("{other}: {answer}"),
        }
    }

    async fn followed(&self, user: &User, query: &str) -> Value {
        let path = format!("{UNSTABLE}/io.element.msc4308/thread_subscriptions?dir=b{query}");
        self.ok(&user.token, "GET", &path, Value::Null).await
    }
}

/// Two people, a room, and the first event of a thread.
async fn scene(node: &Node) -> (User, User, String, String) {
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let root = node.say(&alice, &room, "root").await;
    (alice, bob, room, root)
}

async fn a_thread_is_followed_and_left(server: Server) {
    let node = server.node().await;
    let (alice, bob, room, root) = scene(&node).await;
    assert_eq!(node.follows(&alice, &room, &root).await, None);
    node.follow(&alice, &room, &root, None).await;
    assert_eq!(node.follows(&alice, &room, &root).await, Some(false));
    assert_eq!(node.follows(&bob, &room, &root).await, None);
    let head = node.parts.log.applied();
    node.follow(&alice, &room, &root, None).await;
    assert_eq!(node.parts.log.applied(), head, "nothing changed");
    node.leave_thread(&alice, &room, &root).await;
    assert_eq!(node.follows(&alice, &room, &root).await, None);
    let head = node.parts.log.applied();
    node.leave_thread(&alice, &room, &root).await;
    assert_eq!(node.parts.log.applied(), head, "nothing changed");
    node.follow(&alice, &room, &root, None).await;
    assert_eq!(node.follows(&alice, &room, &root).await, Some(false));
}

async fn what_a_person_chose_beats_what_a_client_does_by_itself(server: Server) {
    let node = server.node().await;
    let (alice, bob, room, root) = scene(&node).await;
    let first = node.relate(&bob, &room, ("m.thread", &root), "first").await;
    node.follow(&alice, &room, &root, Some(&first)).await;
    assert_eq!(node.follows(&alice, &room, &root).await, Some(true));
    node.follow(&alice, &room, &root, None).await;
    assert_eq!(node.follows(&alice, &room, &root).await, Some(false));
    let second = node
        .relate(&bob, &room, ("m.thread", &root), "second")
        .await;
    node.follow(&alice, &room, &root, Some(&second)).await;
    assert_eq!(node.follows(&alice, &room, &root).await, Some(false));
    node.leave_thread(&alice, &room, &root).await;
    let conflict = "IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION".to_owned();
    for cause in [&first, &second] {
        let body = json!({ "automatic": cause });
        let refused = node.follows_not(&alice, &room, &root, body).await;
        assert_eq!(refused, (409, conflict.clone()));
    }
    assert_eq!(node.follows(&alice, &room, &root).await, None);
    // What is said after the leaving is another matter, and so is what a person wants.
    let third = node.relate(&bob, &room, ("m.thread", &root), "third").await;
    node.follow(&alice, &room, &root, Some(&third)).await;
    assert_eq!(node.follows(&alice, &room, &root).await, Some(true));
    node.leave_thread(&alice, &room, &root).await;
    node.follow(&alice, &room, &root, None).await;
    assert_eq!(node.follows(&alice, &room, &root).await, Some(false));
    // One may leave what one never followed, and is not drawn into it.
    node.leave_thread(&bob, &room, &root).await;
    let body = json!({ "automatic": third });
    assert_eq!(node.follows_not(&bob, &room, &root, body).await.0, 409);
}

async fn a_client_follows_for_an_event_of_the_thread_alone(server: Server) {
    let node = server.node().await;
    let (alice, bob, room, root) = scene(&node).await;
    let answer = node
        .relate(&bob, &room, ("m.thread", &root), "answer")
        .await;
    let edit = node
        .relate(&bob, &room, ("m.replace", &answer), "edit")
        .await;
    let apart = node.say(&bob, &room, "apart").await;
    let secret = node.create(&bob, json!({})).await;
    let secret = node.say(&bob, &secret, "elsewhere").await;
    let not_in_thread = (400, "IO.ELEMENT.MSC4306.M_NOT_IN_THREAD".to_owned());
    for cause in [&*root, &apart, &secret, "$nothing"] {
        let body = json!({ "automatic": cause });
        let refused = node.follows_not(&alice, &room, &root, body).await;
        assert_eq!(refused, not_in_thread, "{cause}");
    }
    node.follow(&alice, &room, &root, Some(&edit)).await;
    assert_eq!(node.follows(&alice, &room, &root).await, Some(true));
    // A thread begins at an event that relates to nothing.
    let refused = node.follows_not(&alice, &room, &answer, json!({})).await;
    assert_eq!(refused, (400, "M_UNKNOWN".to_owned()));
}

async fn who_may_not_see_a_thread_cannot_follow_it(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let stranger = node.someone("stranger").await;
    let room = node.create(&alice, json!({})).await;
    let root = node.say(&alice, &room, "root").await;
    let absent = (404, "M_NOT_FOUND".to_owned());
    for (user, room, thread) in [
        (&stranger, &*room, &*root),
        (&alice, &room, "$nothing"),
        (&alice, "!nowhere:localhost", &root),
    ] {
        let refused = node.follows_not(user, room, thread, json!({})).await;
        assert_eq!(refused, absent, "{room} {thread}");
        for method in ["GET", "DELETE"] {
            let path = path(room, thread);
            let refused = node.refused(&user.token, method, &path, "");
            assert_eq!(refused.await, absent, "{method} {room} {thread}");
        }
    }
}

async fn changes_are_told_page_by_page_newest_first(server: Server) {
    let node = server.node().await;
    let (alice, bob, room, _) = scene(&node).await;
    assert_eq!(node.followed(&alice, "").await, json!({}));
    let mut roots = Vec::new();
    for _ in 0..5 {
        let root = node.say(&bob, &room, "root").await;
        node.follow(&alice, &room, &root, None).await;
        roots.push(root);
    }
    node.leave_thread(&alice, &room, &roots[1]).await;
    let told = node.followed(&alice, "").await;
    assert_eq!(told["subscribed"][&room].as_object().unwrap().len(), 4);
    let left = &told["unsubscribed"][&room];
    assert_eq!(left.as_object().unwrap().len(), 1);
    assert!(told.get("end").is_none());
    let stamp = |told: &Value| told["bump_stamp"].as_u64().unwrap();
    assert!(stamp(&left[&roots[1]]) > stamp(&told["subscribed"][&room][&roots[4]]));
    let (mut seen, mut from) = (Vec::new(), String::new());
    loop {
        let page = node.followed(&alice, &format!("&limit=2{from}")).await;
        let mut stamps: Vec<(u64, String)> = Vec::new();
        for kind in ["subscribed", "unsubscribed"] {
            let threads = page[kind][&room].as_object();
            let threads = threads.into_iter().flatten();
            stamps.extend(threads.map(|(root, told)| (stamp(told), root.clone())));
        }
        stamps.sort_unstable();
        assert!(stamps.len() <= 2);
        seen.extend(stamps.into_iter().rev().map(|(_, root)| root));
        match page.get("end") {
            Some(end) => from = format!("&from={}", encoded(end.as_str().unwrap())),
            None => break,
        }
    }
    let order = [1, 4, 3, 2, 0].map(|index: usize| roots[index].clone());
    assert_eq!(seen, order);
    // What changed since a sync is found from its token on.
    let since = node.client(&alice).ready().await.since.unwrap();
    let since = format!("&to={}", encoded(&since));
    assert_eq!(node.followed(&alice, &since).await, json!({}));
    node.leave_thread(&alice, &room, &roots[0]).await;
    let told = node.followed(&alice, &since).await;
    let left = told["unsubscribed"][&room].as_object().unwrap();
    assert_eq!(left.keys().collect::<Vec<_>>(), [&roots[0]]);
    assert!(told.get("subscribed").is_none());
    // Nobody else is told.
    assert_eq!(node.followed(&bob, "").await, json!({}));
}

async fn ones_other_devices_are_woken(server: Server) {
    let node = server.node().await;
    let (alice, _, room, root) = scene(&node).await;
    let mut batches = node.parts.log.subscribe();
    node.follow(&alice, &room, &root, None).await;
    let rooms = &node.parts.rooms;
    // Other tests may write into the same log.
    loop {
        let batch = batches.recv().await.unwrap();
        let snapshot = rooms.snapshot().await.unwrap();
        let (after, until) = (batch.last_pos.get() - 1, batch.last_pos.get());
        for user in batch.touched.users() {
            let told = rooms.thread_subscriptions_between(&snapshot, user, after, until, 9);
            let told = told.await.unwrap();
            if let [told] = &told[..]
                && told.thread == root
            {
                assert!(told.room_id == room && told.subscribed && !told.automatic);
                assert_eq!(
                    batch.touched.rooms().count(),
                    0,
                    "it is nobody else's business"
                );
                return;
            }
        }
    }
}

async fn who_follows_threads_hears_of_those_alone(server: Server) {
    let node = server.node().await;
    let (alice, bob, room, root) = scene(&node).await;
    let other = node.say(&alice, &room, "another root").await;
    let unread = async || {
        let answer = node.client(&alice).next().await;
        let counts = &joined(&answer, &room)["unread_notifications"];
        let listed = node.get(&alice, "notifications").await;
        let listed = listed["notifications"].as_array().unwrap().iter();
        let unread = listed.filter(|told| told["read"] == false).count() as u64;
        assert_eq!(counts["notification_count"], unread);
        unread
    };
    // Who never said which threads they follow hears of all.
    node.relate(&bob, &room, ("m.thread", &root), "one").await;
    node.relate(&bob, &room, ("m.thread", &other), "two").await;
    assert_eq!(unread().await, 2);
    node.follow(&alice, &room, &root, None).await;
    assert_eq!(unread().await, 1);
    node.relate(&bob, &room, ("m.thread", &other), "three")
        .await;
    node.say(&bob, &room, "outside of threads").await;
    assert_eq!(unread().await, 2);
    // Who is named hears of it, wherever that is.
    let named = json!({
        "msgtype": "m.text", "body": "x", "m.mentions": { "user_ids": [alice.user_id] },
        "m.relates_to": { "rel_type": "m.thread", "event_id": other },
    });
    node.send(&bob, &room, "m.room.message", named).await;
    assert_eq!(unread().await, 3);
    node.follow(&alice, &room, &other, None).await;
    assert_eq!(unread().await, 5);
    node.leave_thread(&alice, &room, &root).await;
    assert_eq!(unread().await, 4);
}

/// Two nodes on one database, which only PostgreSQL permits.
mod two {
    use super::*;

    #[tokio::test]
    async fn whichever_is_first_a_thread_that_was_left_stays_left() {
        let server = Server::shared_postgres().await;
        let (one, other) = (server.node().await, server.node().await);
        let (alice, bob, room, _) = scene(&one).await;
        for _ in 0..8 {
            let root = one.say(&bob, &room, "root").await;
            let cause = one.relate(&bob, &room, ("m.thread", &root), "x").await;
            let (path, body) = (path(&room, &root), json!({ "automatic": cause }));
            let leaving = one.leave_thread(&alice, &room, &root);
            let following = other.ask(&alice.token, "PUT", &path, body.to_string());
            let ((), (status, answer)) = tokio::join!(leaving, following);
            assert!(matches!(status.as_u16(), 200 | 409), "{status}: {answer}");
            for node in [&one, &other] {
                assert_eq!(node.follows(&alice, &room, &root).await, None);
            }
        }
    }
}
