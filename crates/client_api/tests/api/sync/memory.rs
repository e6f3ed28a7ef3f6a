//! Answers from memory: they tell what the database would, and do not ask it.

use std::time::Duration;

use proptest::{
    prelude::{Just, Strategy, any, prop_oneof},
    test_runner::{Config, RngSeed, TestRunner},
};
use serde_json::{Value, json};
use tokio::{runtime::Handle, task::block_in_place, time::timeout};

use crate::{
    server::{Node, Server, User},
    stage::{Client, PATIENCE, joined},
};

/// What happens: who does what in which room, and whether everybody looks afterwards.
#[derive(Clone, Debug)]
struct Act {
    /// Whether it is done at the other node, where there is one.
    elsewhere: bool,
    who: usize,
    room: usize,
    what: What,
    looks: bool,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Say,
    SayInThread,
    React,
    Edit,
    Redact,
    Read,
    ReadInPrivate,
    Name,
    Rename,
    Leave,
    Keep,
    Note,
    Ignore,
}

fn act() -> impl Strategy<Value = Act> {
    let what = prop_oneof![
        12 => Just(What::Say),
        2 => Just(What::SayInThread),
        2 => Just(What::React),
        1 => Just(What::Edit),
        1 => Just(What::Redact),
        2 => Just(What::Read),
        1 => Just(What::ReadInPrivate),
        1 => Just(What::Name),
        1 => Just(What::Rename),
        1 => Just(What::Leave),
        1 => Just(What::Keep),
        1 => Just(What::Note),
        1 => Just(What::Ignore),
    ];
    let where_and_when = (any::<bool>(), any::<bool>());
    let acts = (0..3_usize, 0..2_usize, what, where_and_when);
    acts.prop_map(|(who, room, what, (elsewhere, looks))| Act {
        elsewhere,
        who,
        room,
        what,
        looks,
    })
}

/// Three people in two rooms, each with another filter, and the last event of each room. A fourth
/// is there who waits all the time.
struct Play<'a> {
    nodes: [&'a Node; 2],
    people: &'a [User],
    rooms: Vec<String>,
    last: Vec<String>,
    clients: Vec<Client<'a>>,
}

impl<'a> Play<'a> {
    async fn begin(nodes: [&'a Node; 2], people: &'a [User]) -> Self {
        let [node, _] = nodes;
        let (mut rooms, mut last) = (Vec::new(), Vec::new());
        for _ in 0..2 {
            let room = node.public(&people[0]).await;
            for other in &people[1..] {
                node.go(other, "join", &room).await;
            }
            last.push(node.say(&people[0], &room, "first").await);
            rooms.push(room);
        }
        let filters = [
            json!({}),
            json!({"room": {"state": {"lazy_load_members": true}}}),
            json!({"room": {"timeline": {"limit": 3, "unread_thread_notifications": true}}}),
        ];
        let mut clients = Vec::new();
        for (person, filter) in people.iter().zip(&filters) {
            clients.push(node.client(person).filtered(filter).ready().await);
        }
        Self {
            nodes,
            people,
            rooms,
            last,
            clients,
        }
    }

    async fn act(&mut self, act: &Act) {
        let node = self.nodes[usize::from(act.elsewhere)];
        let (who, room) = (&self.people[act.who], &self.rooms[act.room]);
        let last = self.last[act.room].clone();
        let event = match act.what {
            What::Say => Some(node.say(who, room, "soup").await),
            What::SayInThread => {
                let relation = json!({"rel_type": "m.thread", "event_id": last});
                let content = json!({"msgtype": "m.text", "body": "t", "m.relates_to": relation});
                node.send(who, room, "m.room.message", content).await;
                None
            }
            What::React => {
                let key = crate::stage::count().to_string();
                let relation = json!({"rel_type": "m.annotation", "event_id": last, "key": key});
                let content = json!({ "m.relates_to": relation });
                node.send(who, room, "m.reaction", content).await;
                None
            }
            What::Edit => {
                let new = json!({"msgtype": "m.text", "body": "new"});
                let relation = json!({"rel_type": "m.replace", "event_id": last});
                let content = json!({
                    "msgtype": "m.text", "body": "* new", "m.new_content": new,
                    "m.relates_to": relation,
                });
                node.send(who, room, "m.room.message", content).await;
                None
            }
            What::Redact => {
                let mine = node.say(who, room, "oh").await;
                Some(node.redact(who, room, &mine).await)
            }
            What::Read => {
                node.read(who, room, "m.read", &last, json!({})).await;
                None
            }
            What::ReadInPrivate => {
                let rest = ("m.read.private", json!({}));
                node.read(who, room, rest.0, &last, rest.1).await;
                None
            }
            What::Name => {
                let name = json!({"name": crate::stage::count().to_string()});
                Some(
                    node.set(&self.people[0], room, ("m.room.name", ""), name)
                        .await,
                )
            }
            What::Rename => {
                let rest = format!("profile/{}/displayname", who.user_id);
                let name = json!({"displayname": crate::stage::count().to_string()});
                node.call(who, "PUT", &rest, name).await;
                None
            }
            What::Leave => {
                // The first, who has made the rooms, stays: the others come back.
                let who = &self.people[1 + act.who % 2];
                node.go(who, "leave", room).await;
                node.go(who, "join", room).await;
                None
            }
            What::Keep => {
                let kept = json!({"n": crate::stage::count()});
                node.keep(who, Some(room), "org.example.kept", kept).await;
                None
            }
            What::Note => {
                let note = json!({"n": crate::stage::count()});
                node.to_device(who, &self.people[0], "PHONE", note).await;
                None
            }
            What::Ignore => {
                let other = &self.people[(act.who + 1) % 3].user_id;
                let ignored = match crate::stage::count() % 2 {
                    0 => json!({"ignored_users": {other.as_str(): {}}}),
                    _ => json!({"ignored_users": {}}),
                };
                node.keep(who, None, "m.ignored_user_list", ignored).await;
                None
            }
        };
        if let Some(event) = event {
            self.last[act.room] = event;
        }
    }

    /// Everybody is told the same, whether it is read for them or remembered.
    async fn look(&mut self) {
        for client in &mut self.clients {
            let mut reading = client.clone();
            reading.since = reading.since.as_deref().map(from_elsewhere);
            let read = reading.next().await;
            let remembered = client.next().await;
            assert_eq!(
                places(&read["next_batch"]),
                places(&remembered["next_batch"])
            );
            assert_eq!(comparable(read), comparable(remembered));
        }
    }
}

/// A token as if another node had made it: what only travels on the bus may be news then, so all
/// is read.
fn from_elsewhere(token: &str) -> String {
    let mut parts: Vec<&str> = token.split('_').collect();
    parts[5] = "1";
    parts.join("_")
}

/// The epoch, and how far the log and the messages to the device are told.
fn places(token: &Value) -> Vec<&str> {
    token.as_str().unwrap().split('_').take(5).collect()
}

/// What does not depend on the moment.
fn comparable(mut answer: Value) -> Value {
    fn forget_ages(value: &mut Value) {
        match value {
            Value::Object(object) => {
                object.remove("age");
                object.values_mut().for_each(forget_ages);
            }
            Value::Array(array) => array.iter_mut().for_each(forget_ages),
            _ => {}
        }
    }
    answer.as_object_mut().unwrap().remove("next_batch");
    forget_ages(&mut answer);
    answer
}

/// Waits for news, all the time.
async fn wait(node: &Node, person: &User) {
    let mut client = node.client(person).ready().await;
    loop {
        client.sync(Duration::from_secs(60)).await;
    }
}

async fn compare(nodes: [&Node; 2], cases: u32) {
    let config = Config {
        cases,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..Config::default()
    };
    let plays = proptest::collection::vec(act(), 10..60);
    let outcome = block_in_place(|| {
        TestRunner::new(config).run(&plays, |acts| {
            Handle::current().block_on(async {
                let mut people = Vec::new();
                for name in ["ada", "ben", "cy", "dee"] {
                    people.push(nodes[0].someone(name).await);
                }
                let playing = async {
                    let mut play = Play::begin(nodes, &people).await;
                    for act in &acts {
                        play.act(act).await;
                        if act.looks {
                            play.look().await;
                        }
                    }
                    play.look().await;
                };
                tokio::select! {
                    () = playing => {}
                    () = wait(nodes[0], &people[3]) => {}
                }
            });
            Ok(())
        })
    });
    outcome.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_remembered_is_what_would_be_read_sqlite() {
    let server = Server::sqlite();
    let node = server.node().await;
    compare([&node, &node], 24).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_remembered_is_what_would_be_read_postgres() {
    let server = Server::shared_postgres().await;
    let node = server.node().await;
    compare([&node, &node], 4).await;
}

/// What another node did is read once for all who wait, and remembered like what this one did.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_remembered_of_another_node_is_what_would_be_read() {
    let server = Server::shared_postgres().await;
    let (here, elsewhere) = (server.node().await, server.node().await);
    compare([&here, &elsewhere], 6).await;
}

/// All readers are taken: whatever asked the database would wait for ever.
#[tokio::test]
async fn who_waits_for_a_message_is_told_it_without_the_database() {
    let server = Server::sqlite();
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    node.say(&bob, &room, "one").await;
    let mut client = node.client(&alice).ready().await;
    client.next().await;
    let mut taken = Vec::new();
    let database = node.parts.log.database();
    while let Ok(snapshot) = timeout(Duration::from_millis(200), database.snapshot()).await {
        taken.push(snapshot.unwrap());
    }
    assert!(!taken.is_empty());
    let told = client.woken_by(node.say(&bob, &room, "two")).await;
    let said = &joined(&told, &room)["timeline"]["events"];
    assert_eq!(said[0]["content"]["body"], "two");
    assert_eq!(
        joined(&told, &room)["unread_notifications"]["notification_count"],
        2
    );
    let nothing = timeout(PATIENCE, client.next()).await.unwrap();
    assert!(nothing.get("rooms").is_none(), "{nothing}");
    drop(taken);
}
