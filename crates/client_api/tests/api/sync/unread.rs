//! How much is unread.

use serde_json::{Value, json};

use crate::{
    server::{Node, Server, User, on_both_engines},
    stage::{Client, joined},
};

on_both_engines! {
    shared_postgres;
    messages_of_others_count_until_they_are_read,
    being_named_stands_out,
    a_muted_room_counts_nothing,
    an_encrypted_message_counts,
    one_is_told_that_one_has_read_elsewhere,
    threads_are_counted_apart_when_asked_for,
    what_was_said_in_a_thread_is_read_in_that_thread_alone,
    a_count_that_goes_on_is_one_that_begins_anew,
    a_threaded_receipt_names_an_event_of_its_thread,
}

async fn counts(client: &mut Client<'_>, room: &str) -> Option<(u64, u64)> {
    let answer = client.next().await;
    let counts = joined(&answer, room).get("unread_notifications")?;
    let count = |name: &str| counts[name].as_u64().unwrap();
    Some((count("notification_count"), count("highlight_count")))
}

/// A room of three, so that it is no direct chat, and the client of the third.
async fn of_three(node: &Node) -> (User, User, User, String) {
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let carol = node.someone("carol").await;
    let room = node.public(&alice).await;
    for person in [&bob, &carol] {
        node.go(person, "join", &room).await;
    }
    (alice, bob, carol, room)
}

async fn messages_of_others_count_until_they_are_read(server: Server) {
    let node = server.node().await;
    let (alice, bob, carol, room) = of_three(&node).await;
    let mut client = node.client(&carol).ready().await;
    let first = node.say(&alice, &room, "one").await;
    let second = node.say(&bob, &room, "two").await;
    assert_eq!(counts(&mut client, &room).await, Some((2, 0)));
    assert_eq!(counts(&mut node.client(&carol), &room).await, Some((2, 0)));
    node.read(&carol, &room, "m.read", &first, json!({})).await;
    assert_eq!(counts(&mut client, &room).await, Some((1, 0)));
    node.read(&carol, &room, "m.read.private", &second, json!({}))
        .await;
    assert_eq!(counts(&mut client, &room).await, Some((0, 0)));
    // A receipt never goes back.
    node.read(&carol, &room, "m.read", &first, json!({})).await;
    node.say(&alice, &room, "three").await;
    assert_eq!(counts(&mut client, &room).await, Some((1, 0)));
    // One who writes has read, and one's own words are no news.
    node.say(&carol, &room, "four").await;
    assert_eq!(counts(&mut client, &room).await, Some((0, 0)));
    assert_eq!(counts(&mut node.client(&carol), &room).await, Some((0, 0)));
    // What was said before one came is not unread.
    let dave = node.someone("dave").await;
    node.go(&dave, "join", &room).await;
    assert_eq!(counts(&mut node.client(&dave), &room).await, Some((0, 0)));
    let markers = format!("rooms/{room}/read_markers");
    let last = node.say(&alice, &room, "five").await;
    let both = json!({"m.fully_read": last, "m.read": last});
    node.call(&dave, "POST", &markers, both).await;
    assert_eq!(counts(&mut node.client(&dave), &room).await, Some((0, 0)));
}

async fn being_named_stands_out(server: Server) {
    let node = server.node().await;
    let (alice, _, carol, room) = of_three(&node).await;
    let mut client = node.client(&carol).ready().await;
    let named = |ids: Value| json!({"msgtype": "m.text", "body": "x", "m.mentions": ids});
    let by_id = named(json!({"user_ids": [carol.user_id]}));
    node.send(&alice, &room, "m.room.message", by_id).await;
    assert_eq!(counts(&mut client, &room).await, Some((1, 1)));
    let everybody = named(json!({"room": true}));
    node.send(&alice, &room, "m.room.message", everybody.clone())
        .await;
    assert_eq!(counts(&mut client, &room).await, Some((2, 2)));
    let another = named(json!({"user_ids": [alice.user_id]}));
    node.send(&alice, &room, "m.room.message", another).await;
    assert_eq!(counts(&mut client, &room).await, Some((3, 2)));
    // Not everybody may call everybody.
    let mut host = node.client(&alice).ready().await;
    node.send(&carol, &room, "m.room.message", everybody).await;
    assert_eq!(counts(&mut host, &room).await, Some((1, 0)));
}

async fn a_muted_room_counts_nothing(server: Server) {
    let node = server.node().await;
    let (alice, _, carol, room) = of_three(&node).await;
    node.say(&alice, &room, "heard").await;
    let mut client = node.client(&carol);
    assert_eq!(counts(&mut client, &room).await, Some((1, 0)));
    let rule = json!({
        "conditions": [{"kind": "event_match", "key": "room_id", "pattern": room}],
        "actions": [],
    });
    let path = format!("pushrules/global/override/{room}");
    node.call(&carol, "PUT", &path, rule).await;
    node.say(&alice, &room, "unheard").await;
    assert_eq!(counts(&mut client, &room).await, Some((0, 0)));
    node.call(&carol, "DELETE", &path, Value::Null).await;
    node.say(&alice, &room, "heard again").await;
    assert_eq!(counts(&mut client, &room).await, Some((3, 0)));
}

async fn an_encrypted_message_counts(server: Server) {
    let node = server.node().await;
    let (alice, _, carol, room) = of_three(&node).await;
    let mut client = node.client(&carol).ready().await;
    let secret = json!({"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x",
        "sender_key": "k", "device_id": "PHONE", "session_id": "s"});
    node.send(&alice, &room, "m.room.encrypted", secret).await;
    assert_eq!(counts(&mut client, &room).await, Some((1, 0)));
    node.send(&alice, &room, "org.example.quiet", json!({}))
        .await;
    assert_eq!(counts(&mut client, &room).await, Some((1, 0)));
}

async fn one_is_told_that_one_has_read_elsewhere(server: Server) {
    let node = server.node().await;
    let (alice, _, carol, room) = of_three(&node).await;
    let said = node.say(&alice, &room, "one").await;
    let mut client = node.client(&carol).ready().await;
    let laptop = node.on_device(&carol, "LAPTOP").await;
    client.next().await;
    let read = node.read(&laptop, &room, "m.read.private", &said, json!({}));
    let answer = client.woken_by(read).await;
    let told = joined(&answer, &room);
    assert_eq!(told["unread_notifications"]["notification_count"], 0);
    let receipts = &told["ephemeral"]["events"][0]["content"][&said];
    assert!(receipts["m.read.private"][&carol.user_id].is_object());
}

async fn threads_are_counted_apart_when_asked_for(server: Server) {
    let node = server.node().await;
    let (alice, bob, carol, room) = of_three(&node).await;
    let root = node.say(&alice, &room, "root").await;
    let apart = json!({"room": {"timeline": {"unread_thread_notifications": true}}});
    let reply = json!({
        "msgtype": "m.text", "body": "reply", "m.mentions": {"user_ids": [carol.user_id]},
        "m.relates_to": {"rel_type": "m.thread", "event_id": root},
    });
    let reply = node.send(&bob, &room, "m.room.message", reply).await;
    assert_eq!(counts(&mut node.client(&carol), &room).await, Some((2, 1)));
    let told = async || {
        let answer = node.client(&carol).filtered(&apart).next().await;
        let told = joined(&answer, &room);
        let main = told["unread_notifications"]["notification_count"].as_u64();
        (
            main.unwrap(),
            told["unread_thread_notifications"][&root].clone(),
        )
    };
    let thread = json!({"notification_count": 1, "highlight_count": 1});
    assert_eq!(told().await, (1, thread));
    let of_thread = json!({"thread_id": root});
    node.read(&carol, &room, "m.read", &reply, of_thread).await;
    assert_eq!(told().await, (1, Value::Null));
    node.read(&carol, &room, "m.read", &reply, json!({})).await;
    assert_eq!(told().await, (0, Value::Null));
}

/// A room, a thread in it, and somebody whose unread events are looked at.
struct Threaded<'a> {
    node: &'a Node,
    other: &'a User,
    reader: &'a User,
    room: &'a str,
    root: &'a str,
}

impl Threaded<'_> {
    async fn say(&self, user: &User, text: &str) -> String {
        self.node.say(user, self.room, text).await
    }

    /// Says something that relates to an event.
    async fn relate(&self, user: &User, rel_type: &str, event: &str) -> String {
        let content = json!({
            "msgtype": "m.text", "body": "x",
            "m.relates_to": {"rel_type": rel_type, "event_id": event},
        });
        self.node
            .send(user, self.room, "m.room.message", content)
            .await
    }

    async fn answer(&self) -> String {
        self.relate(self.other, "m.thread", self.root).await
    }

    /// Says that an event was read, in a thread unless it is empty.
    async fn read(&self, thread: &str, event: &str) {
        let body = match thread {
            "" => json!({}),
            thread => json!({"thread_id": thread}),
        };
        let (reader, room) = (self.reader, self.room);
        self.node.read(reader, room, "m.read", event, body).await;
    }

    /// What is unread outside of threads, and in the thread.
    async fn unread(&self) -> (u64, u64) {
        let apart = json!({"room": {"timeline": {"unread_thread_notifications": true}}});
        let mut client = self.node.client(self.reader).filtered(&apart);
        let answer = client.next().await;
        let told = joined(&answer, self.room);
        let count = |counts: &Value| counts["notification_count"].as_u64().unwrap_or(0);
        let threads = &told["unread_thread_notifications"];
        let others = threads.as_object().map_or(0, |threads| {
            threads.keys().filter(|root| *root != self.root).count()
        });
        assert_eq!(others, 0, "{threads}");
        (
            count(&told["unread_notifications"]),
            count(&threads[self.root]),
        )
    }

    /// The same, counted anew: other rules make another count.
    async fn unread_anew(&self) -> (u64, u64) {
        let rule = json!({
            "conditions": [{"kind": "event_match", "key": "room_id", "pattern": "!other"}],
            "actions": [],
        });
        let path = format!("pushrules/global/override/o{}", crate::stage::count());
        self.node.call(self.reader, "PUT", &path, rule).await;
        self.unread().await
    }
}

async fn what_was_said_in_a_thread_is_read_in_that_thread_alone(server: Server) {
    let node = server.node().await;
    let (alice, bob, carol, room) = of_three(&node).await;
    let root = node.say(&alice, &room, "root").await;
    let threaded = Threaded {
        node: &node,
        other: &bob,
        reader: &carol,
        room: &room,
        root: &root,
    };
    threaded.read("main", &root).await;
    let first = threaded.answer().await;
    let second = threaded.answer().await;
    let after = threaded.say(&alice, "after").await;
    assert_eq!(threaded.unread().await, (1, 2));
    // What is read outside of threads is not read in one.
    threaded.read("main", &after).await;
    assert_eq!(threaded.unread().await, (0, 2));
    assert_eq!(threaded.unread_anew().await, (0, 2));
    threaded.read(&root, &first).await;
    assert_eq!(threaded.unread().await, (0, 1));
    // What relates to something in a thread is in the thread, at a few steps too.
    let third = threaded.relate(&bob, "m.reference", &second).await;
    let fourth = threaded.relate(&bob, "m.reference", &third).await;
    assert_eq!(threaded.unread().await, (0, 3));
    // What relates to the root in another way is not.
    threaded.relate(&bob, "m.reference", &root).await;
    assert_eq!(threaded.unread().await, (1, 3));
    assert_eq!(threaded.unread_anew().await, (1, 3));
    threaded.read(&root, &third).await;
    assert_eq!(threaded.unread().await, (1, 1));
    // A receipt outside of the threads reads up to its event, wherever that was said.
    threaded.read("", &fourth).await;
    assert_eq!(threaded.unread().await, (1, 0));
    assert_eq!(threaded.unread_anew().await, (1, 0));
    // Who speaks has read what was said where they speak.
    threaded.answer().await;
    threaded.say(&carol, "my own").await;
    assert_eq!(threaded.unread().await, (0, 1));
    threaded.say(&alice, "again").await;
    threaded.relate(&carol, "m.thread", &root).await;
    assert_eq!(threaded.unread().await, (1, 0));
    assert_eq!(threaded.unread_anew().await, (1, 0));
}

async fn a_count_that_goes_on_is_one_that_begins_anew(server: Server) {
    let node = server.node().await;
    let (_, bob, carol, room) = of_three(&node).await;
    let root = node.say(&carol, &room, "root").await;
    let threaded = Threaded {
        node: &node,
        other: &bob,
        reader: &carol,
        room: &room,
        root: &root,
    };
    let (mut main, mut thread) = (Vec::new(), Vec::new());
    // Longer than what is read at once.
    for round in 0..40 {
        for _ in 0..3 {
            main.push(threaded.say(&bob, "x").await);
        }
        thread.push(threaded.answer().await);
        match round % 10 {
            3 => {
                threaded.read("main", main.last().unwrap()).await;
                main.clear();
            }
            7 => {
                let half = thread.len() / 2;
                threaded.read(&root, &thread[half]).await;
                thread.drain(..=half);
            }
            _ => {}
        }
        if round % 4 == 0 {
            let wanted = (main.len() as u64, thread.len() as u64);
            assert_eq!(threaded.unread().await, wanted, "{round}");
        }
    }
    let wanted = (main.len() as u64, thread.len() as u64);
    assert_eq!(threaded.unread().await, wanted);
    assert_eq!(threaded.unread_anew().await, wanted);
    threaded.read("main", main.last().unwrap()).await;
    assert_eq!(threaded.unread_anew().await, (0, wanted.1));
}

async fn a_threaded_receipt_names_an_event_of_its_thread(server: Server) {
    let node = server.node().await;
    let (alice, bob, carol, room) = of_three(&node).await;
    let root = node.say(&alice, &room, "root").await;
    let threaded = Threaded {
        node: &node,
        other: &bob,
        reader: &carol,
        room: &room,
        root: &root,
    };
    let answer = threaded.answer().await;
    let edit = threaded.relate(&bob, "m.replace", &answer).await;
    let of_root = threaded.relate(&alice, "m.reference", &root).await;
    let apart = threaded.say(&alice, "apart").await;
    let gone = threaded.answer().await;
    node.redact(&bob, &room, &gone).await;
    let refused = async |thread: &str, event: &str| {
        let path = format!("/_matrix/client/v3/rooms/{room}/receipt/m.read/{event}");
        let body = json!({"thread_id": thread}).to_string();
        node.refused(&carol.token, "POST", &path, &body).await
    };
    let invalid = (400, "M_INVALID_PARAM".to_owned());
    for (thread, event) in [
        (&*root, &apart),
        (&apart, &answer),
        ("main", &answer),
        ("main", &edit),
        ("", &apart),
        ("nonsense", &apart),
    ] {
        assert_eq!(refused(thread, event).await, invalid, "{thread} {event}");
    }
    for (thread, event) in [
        (&*root, &root),
        (&root, &of_root),
        (&root, &answer),
        (&root, &edit),
        ("main", &root),
        ("main", &of_root),
        ("main", &apart),
        // What was redacted has lost its place.
        (&root, &gone),
    ] {
        threaded.read(thread, event).await;
    }
    assert_eq!(refused("main", "$nothing").await.0, 404);
}
