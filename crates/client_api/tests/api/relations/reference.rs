//! Whatever people say of what others said, and whoever reads it: every path tells what a small
//! reference says, and nothing else.

use std::time::Duration;

use proptest::{
    prelude::{Just, Strategy, any, prop_oneof},
    test_runner::{Config, RngSeed, TestRunner},
};
use serde_json::{Value, json};

use super::{V1, chunk, related};
use crate::{
    server::{Node, Server, User},
    stage::{Room, count, events, joined},
    visibility::reference::{Reference, Told},
};

/// What somebody tries; some of it is refused.
#[derive(Clone, Copy, Debug)]
enum Act {
    Join(Who),
    Leave(Who),
    Visibility(&'static str),
    Say(Who),
    /// Says something that relates to what was said; `whole` as the relation wants it.
    Relate {
        who: Who,
        rel_type: &'static str,
        target: usize,
        whole: bool,
    },
    /// Somebody who may takes back what was said.
    Redact(usize),
    Wait,
}

/// The place of somebody among the players; the first one made the room and stays.
type Who = usize;

fn act() -> impl Strategy<Value = Act> {
    let visibility = prop_oneof![Just("shared"), Just("joined"), Just("world_readable")];
    let rel_type = prop_oneof![
        3 => Just("m.replace"),
        3 => Just("m.thread"),
        2 => Just("m.reference"),
        1 => Just("m.annotation"),
    ];
    let relate = (0..3usize, rel_type, any::<usize>(), any::<bool>());
    let relate = relate.prop_map(|(who, rel_type, target, whole)| Act::Relate {
        who,
        rel_type,
        target,
        whole,
    });
    prop_oneof![
        2 => (1..3usize).prop_map(Act::Join),
        2 => (1..3usize).prop_map(Act::Leave),
        2 => visibility.prop_map(Act::Visibility),
        2 => (0..3usize).prop_map(Act::Say),
        9 => relate,
        2 => any::<usize>().prop_map(Act::Redact),
        1 => Just(Act::Wait),
    ]
}

struct Stage {
    server: Server,
    node: Node,
    people: [User; 3],
}

struct Play<'a> {
    stage: &'a Stage,
    room: Room,
    /// The ids of what was said.
    said: Vec<String>,
}

impl<'a> Play<'a> {
    async fn begin(stage: &'a Stage) -> Self {
        let host = &stage.people[0];
        let room = stage.node.public(host).await;
        let said = vec![stage.node.say(host, &room, "x").await];
        Self { stage, room, said }
    }

    async fn perform(&mut self, act: Act) {
        let people = &self.stage.people;
        match act {
            Act::Join(who) => drop(self.tried(&people[who], "POST", "join", json!({})).await),
            Act::Leave(who) => drop(self.tried(&people[who], "POST", "leave", json!({})).await),
            Act::Visibility(visibility) => {
                let rest = "state/m.room.history_visibility/";
                let content = json!({ "history_visibility": visibility });
                self.tried(&people[0], "PUT", rest, content).await;
            }
            Act::Say(who) => self.send(who, json!({ "body": "x" })).await,
            Act::Relate {
                who,
                rel_type,
                target,
                whole,
            } => {
                let mut content = related(rel_type, self.any(target), "x");
                if !whole {
                    content.as_object_mut().unwrap().remove("m.new_content");
                }
                self.send(who, content).await;
            }
            Act::Redact(target) => {
                let rest = format!("redact/{}/{}", self.any(target), count());
                self.tried(&people[0], "PUT", &rest, json!({})).await;
            }
            Act::Wait => self
                .stage
                .server
                .deployment
                .clock
                .advance(Duration::from_millis(1)),
        }
    }

    /// Something that was said, for a number.
    fn any(&self, number: usize) -> &str {
        &self.said[number % self.said.len()]
    }

    async fn send(&mut self, who: Who, content: Value) {
        let rest = format!("send/m.room.message/{}", count());
        let sent = self.tried(&self.stage.people[who], "PUT", &rest, content);
        let sent = sent.await;
        let event_id = sent["event_id"].as_str().map(str::to_owned);
        self.said.extend(event_id);
    }

    /// Does it; a refusal changes nothing. A fault is none.
    async fn tried(&self, user: &User, method: &str, rest: &str, body: Value) -> Value {
        let path = format!("/_matrix/client/v3/rooms/{}/{rest}", self.room);
        let body = body.to_string();
        let (status, answer) = self.stage.node.ask(&user.token, method, &path, body).await;
        assert!(status.as_u16() < 500, "{method} {path}: {answer}");
        answer
    }

    async fn compare(&self) {
        let Stage { node, people, .. } = self.stage;
        let reference = Reference::read(node, &people[0], &self.room).await;
        for user in people {
            let eye = Eye {
                reference: &reference,
                user: &user.user_id,
            };
            self.compare_events(user, eye).await;
            self.compare_threads(user, eye).await;
            self.compare_sync(user, eye).await;
        }
    }

    async fn compare_events(&self, user: &User, eye: Eye<'_>) {
        let node = &self.stage.node;
        for index in eye.shown() {
            let event_id = &eye.reference.events[index].event_id;
            let told = node.beside(user, &self.room, event_id).await;
            eye.expect(event_id, summary(&told), eye.beside(index));
            let rest = format!("relations/{event_id}?dir=f&limit=100");
            let page = node.of_room(user, &self.room, &rest).await;
            let wanted: Vec<_> = eye.children(index, None).map(Told::id).collect();
            eye.expect(event_id, json!(chunk(&page)), json!(wanted));
        }
    }

    async fn compare_threads(&self, user: &User, eye: Eye<'_>) {
        let path = format!("{V1}/{}/threads", self.room);
        let (status, page) = self.stage.node.ask(&user.token, "GET", &path, "").await;
        if status != 200 {
            assert!(eye.reference.own(eye.user).is_empty(), "{page}");
            return;
        }
        eye.expect("threads", json!(chunk(&page)), json!(eye.threads()));
    }

    /// A timeline that leaves something out tells what relates to what it shows.
    async fn compare_sync(&self, user: &User, eye: Eye<'_>) {
        let filter = json!({"room": {"rooms": [self.room], "timeline": {"limit": 5}}});
        let answer = self.stage.node.client(user).filtered(&filter).next().await;
        let timeline = &joined(&answer, &self.room)["timeline"];
        for event in events(timeline) {
            let event_id = event["event_id"].as_str().unwrap();
            let index = eye.reference.index_of(event_id).unwrap();
            let told = summary(&event["unsigned"]["m.relations"]);
            let wanted = match timeline["limited"] == true {
                true => eye.beside(index),
                false => Value::Null,
            };
            eye.expect(event_id, told, wanted);
        }
    }
}

/// The story as one person may see it.
#[derive(Clone, Copy)]
struct Eye<'a> {
    reference: &'a Reference,
    user: &'a str,
}

impl<'a> Eye<'a> {
    fn shown(self) -> Vec<usize> {
        self.reference.shown(self.user, false)
    }

    /// What relates to an event, oldest first.
    fn children(
        self,
        index: usize,
        rel_type: Option<&'static str>,
    ) -> impl Iterator<Item = &'a Told> {
        let parent = &self.reference.events[index].event_id;
        let told = self.shown().into_iter();
        let told = told.map(|index| &self.reference.events[index]);
        told.filter(move |event| {
            let relation = &event.content["m.relates_to"];
            let wanted = rel_type.is_none_or(|rel_type| relation["rel_type"] == rel_type);
            wanted && relation["event_id"] == parent.as_str()
        })
    }

    /// What is told beside an event, in short.
    fn beside(self, index: usize) -> Value {
        let event = &self.reference.events[index];
        if event.slot.is_some() {
            return Value::Null;
        }
        let mut beside = json!({});
        if !event.is_redacted && event.rel_type() != Some("m.replace") {
            let edits = self.children(index, Some("m.replace")).filter(|edit| {
                let new_content = &edit.content["m.new_content"];
                edit.sender == event.sender && edit.kind == event.kind && new_content.is_object()
            });
            let last = edits.max_by_key(|edit| (edit.sent_at, &edit.event_id));
            if let Some(last) = last {
                beside["m.replace"] = json!(last.event_id);
            }
        }
        let thread: Vec<_> = self.children(index, Some("m.thread")).collect();
        if let Some(last) = thread.last().filter(|_| event.rel_type().is_none()) {
            let own = |event: &Told| event.sender == self.user;
            let latest = self.reference.index_of(&last.event_id).unwrap();
            beside["m.thread"] = json!({
                "count": thread.len(),
                "participated": own(event) || thread.iter().any(|event| own(event)),
                "latest": last.event_id,
                "beside": self.beside(latest),
            });
        }
        let references: Vec<_> = self
            .children(index, Some("m.reference"))
            .map(Told::id)
            .collect();
        if !references.is_empty() {
            beside["m.reference"] = json!(references);
        }
        match beside == json!({}) {
            true => Value::Null,
            false => beside,
        }
    }

    /// The roots of threads, by what was said last in each.
    fn threads(self) -> Vec<&'a str> {
        let mut threads = Vec::new();
        for index in self.shown() {
            let root = &self.reference.events[index];
            let last = self.children(index, Some("m.thread")).last();
            if let Some(last) = last.filter(|_| root.rel_type().is_none()) {
                threads.push((self.reference.index_of(&last.event_id), root.id()));
            }
        }
        threads.sort_unstable_by(|one, other| other.cmp(one));
        threads.into_iter().map(|(_, root)| root).collect()
    }

    fn expect(self, what: &str, told: Value, wanted: Value) {
        if told != wanted {
            let what = format!("{what} is told with {told} instead of {wanted}");
            self.reference.fail(self.user, &what);
        }
    }
}

impl Told {
    fn id(&self) -> &str {
        &self.event_id
    }

    fn rel_type(&self) -> Option<&str> {
        self.content["m.relates_to"]["rel_type"].as_str()
    }
}

/// What is told beside an event, in short.
fn summary(told: &Value) -> Value {
    if told.is_null() {
        return Value::Null;
    }
    let mut short = json!({});
    for (kind, told) in told.as_object().unwrap() {
        short[kind] = match kind.as_str() {
            "m.replace" => told["event_id"].clone(),
            "m.thread" => json!({
                "count": told["count"],
                "participated": told["current_user_participated"],
                "latest": told["latest_event"]["event_id"],
                "beside": summary(&told["latest_event"]["unsigned"]["m.relations"]),
            }),
            _ => {
                let chunk = told["chunk"].as_array().unwrap().iter();
                chunk.map(|event| event["event_id"].clone()).collect()
            }
        };
    }
    short
}

fn every_play(server: impl AsyncFnOnce() -> Server, cases: u32) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stage = runtime.block_on(async {
        let server = server().await;
        let node = server.node().await;
        let people = [
            node.someone("alice").await,
            node.someone("bob").await,
            node.someone("carol").await,
        ];
        Stage {
            server,
            node,
            people,
        }
    });
    let config = Config {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..Config::default()
    };
    let plays = proptest::collection::vec(act(), 0..40);
    let outcome = TestRunner::new(config).run(&plays, |acts| {
        runtime.block_on(async {
            let mut play = Play::begin(&stage).await;
            for act in acts {
                play.perform(act).await;
            }
            play.compare().await;
        });
        Ok(())
    });
    runtime.block_on(stage.node.parts.log.stop());
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[test]
fn readers_are_told_what_the_reference_says_on_sqlite() {
    every_play(async || Server::sqlite(), 32);
}

#[test]
fn readers_are_told_what_the_reference_says_on_postgres() {
    every_play(Server::shared_postgres, 8);
}
