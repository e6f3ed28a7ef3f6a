//! Whatever happens, through whatever windows, and whichever answers are lost: in the end the
//! client has the end of every room, without a gap and without anything twice.

use std::collections::BTreeMap;

use proptest::{
    prelude::{Just, Strategy, any, prop_oneof},
    test_runner::{Config, RngSeed, TestRunner},
};
use serde_json::{Value, json};

use super::{Window, list};
use crate::server::{Node, Server, User};

/// How many rooms there are.
const ROOMS: usize = 4;

#[derive(Clone, Copy, Debug)]
enum Act {
    Say(usize),
    Topic(usize),
    Leave(usize),
    Join(usize),
    Sync(Look),
}

/// How the client asks.
#[derive(Clone, Copy, Debug)]
struct Look {
    first: usize,
    last: usize,
    timeline: u64,
    subscribed: Option<usize>,
    /// The answer does not come.
    is_lost: bool,
}

fn act() -> impl Strategy<Value = Act> {
    let room = || 0..ROOMS;
    let look = (room(), room(), 0..4_u64, any::<Option<u8>>(), any::<bool>());
    let look = look.prop_map(|(first, length, timeline, subscribed, is_lost)| Look {
        first,
        last: first + length,
        timeline,
        subscribed: subscribed.map(|room| usize::from(room) % ROOMS),
        is_lost,
    });
    prop_oneof![
        5 => room().prop_map(Act::Say),
        1 => room().prop_map(Act::Topic),
        1 => room().prop_map(Act::Leave),
        2 => room().prop_map(Act::Join),
        5 => look.prop_map(Act::Sync),
        1 => Just(Act::Say(0)),
    ]
}

/// What a client makes of what it is told.
#[derive(Default)]
struct Seen(BTreeMap<String, Timeline>);

#[derive(Default)]
struct Timeline {
    events: Vec<String>,
    topic: Option<String>,
}

impl Seen {
    fn take(&mut self, answer: &Value) {
        for (room, update) in answer["rooms"].as_object().unwrap() {
            let events = update["timeline"].as_array().into_iter().flatten();
            let events = events.map(|event| event["event_id"].as_str().unwrap().to_owned());
            let timeline = self.0.entry(room.clone()).or_default();
            if update["initial"] == true {
                *timeline = Timeline::default();
            }
            if update["limited"] == true || update["unstable_expanded_timeline"] == true {
                timeline.events.clear();
            }
            timeline.events.extend(events);
            for event in update["required_state"].as_array().into_iter().flatten() {
                if event["type"] == "m.room.topic" {
                    timeline.topic = event["content"]["topic"].as_str().map(str::to_owned);
                }
            }
        }
    }
}

struct Play<'a> {
    node: &'a Node,
    host: &'a User,
    guest: &'a User,
    rooms: Vec<String>,
    window: Window<'a>,
    seen: Seen,
    topics: u32,
}

impl Play<'_> {
    async fn perform(&mut self, act: Act) {
        let node = self.node;
        match act {
            Act::Say(room) => drop(node.say(self.host, &self.rooms[room], "x").await),
            Act::Topic(room) => {
                self.topics += 1;
                let content = json!({ "topic": self.topics.to_string() });
                let slot = ("m.room.topic", "");
                node.set(self.host, &self.rooms[room], slot, content).await;
            }
            Act::Leave(room) => self.go("leave", room).await,
            Act::Join(room) => self.go("join", room).await,
            Act::Sync(look) => self.look(look).await,
        }
    }

    /// Goes; a refusal changes nothing.
    async fn go(&self, act: &str, room: usize) {
        let path = format!("/_matrix/client/v3/rooms/{}/{act}", self.rooms[room]);
        self.node.ask(&self.guest.token, "POST", &path, "{}").await;
    }

    async fn look(&mut self, look: Look) {
        let topic = json!(["m.room.topic", ""]);
        let mut asked = list(0, look.timeline);
        asked["ranges"] = json!([[look.first, look.last]]);
        asked["required_state"]
            .as_array_mut()
            .unwrap()
            .push(topic.clone());
        self.window.asks = json!({ "lists": { "some": asked } });
        if let Some(room) = look.subscribed {
            self.window.asks["room_subscriptions"] = json!({ &self.rooms[room]: {
                "timeline_limit": 2, "required_state": [topic],
            }});
        }
        if look.is_lost {
            self.window.clone().next().await;
            return;
        }
        let answer = self.window.next().await;
        self.seen.take(&answer);
    }

    /// In the end the client looks at everything, and has it.
    async fn ends(&mut self) {
        let everything = Look {
            first: 0,
            last: 99,
            timeline: 3,
            subscribed: None,
            is_lost: false,
        };
        self.look(everything).await;
        self.window.asks["lists"]["some"]["timeline_limit"] = json!(3);
        let again = self.window.next().await;
        assert_eq!(again["rooms"], json!({}), "everything was told");
        let joined = self.node.get(self.guest, "joined_rooms").await;
        for room in joined["joined_rooms"].as_array().unwrap() {
            let room = room.as_str().unwrap();
            let rest = format!("rooms/{room}/messages?dir=b&limit=500");
            let page = self.node.get(self.guest, &rest).await;
            let chunk = page["chunk"].as_array().unwrap().iter().rev();
            let all: Vec<&str> = chunk
                .map(|event| event["event_id"].as_str().unwrap())
                .collect();
            let seen = &self.seen.0[room];
            assert!(
                all.ends_with(&seen.events.iter().map(String::as_str).collect::<Vec<_>>()),
                "{room}: {all:?} should end with {:?}",
                seen.events
            );
            assert!(
                seen.events.len() >= all.len().min(3),
                "{room}: {:?}",
                seen.events
            );
            let topic = format!("rooms/{room}/state/m.room.topic/");
            let path = format!("/_matrix/client/v3/{topic}");
            let (_, topic) = self.node.ask(&self.guest.token, "GET", &path, "").await;
            assert_eq!(seen.topic.as_deref(), topic["topic"].as_str(), "{room}");
        }
    }
}

#[test]
fn a_client_has_the_end_of_every_room() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = Server::sqlite();
    let node = runtime.block_on(server.node());
    let host = runtime.block_on(node.someone("host"));
    let config = Config {
        cases: 60,
        rng_seed: RngSeed::Fixed(9),
        failure_persistence: None,
        ..Config::default()
    };
    let stories = proptest::collection::vec(act(), 1..40);
    let played = TestRunner::new(config).run(&stories, |story| {
        runtime.block_on(async {
            let guest = node.someone("guest").await;
            let mut rooms = Vec::new();
            for _ in 0..ROOMS {
                rooms.push(node.public(&host).await);
            }
            for room in &rooms[1..] {
                node.go(&guest, "join", room).await;
            }
            let mut play = Play {
                node: &node,
                host: &host,
                guest: &guest,
                rooms,
                window: node.window(&guest, json!({})),
                seen: Seen::default(),
                topics: 0,
            };
            for act in story {
                play.perform(act).await;
            }
            play.ends().await;
        });
        Ok(())
    });
    played.unwrap();
}
