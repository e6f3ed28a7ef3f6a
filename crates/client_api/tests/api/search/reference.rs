//! Whatever people say, change and may see: a search finds what somebody would find who reads all
//! that they can, line by line.

use std::time::Duration;

use proptest::{
    prelude::{Just, Strategy, any, prop_oneof},
    test_runner::{Config, RngSeed, TestRunner},
};
use serde_json::{Value, json};

use super::edit;
use crate::{
    server::{Node, Server, User},
    stage::{Room, count, encoded},
};

/// What somebody tries; some of it is refused.
#[derive(Clone, Debug)]
enum Act {
    Join(Who, Where),
    Leave(Who, Where),
    Kick(Who, Where),
    Invite(Who, Where),
    Visibility(&'static str, Where),
    Say(Who, Where, Vec<&'static str>),
    Edit(Who, usize, Vec<&'static str>),
    Topic(Where, Vec<&'static str>),
    /// Somebody who may takes back what was said.
    Redact(usize),
    Ignore(Who, Who),
    Wait,
    Settle,
}

/// The place of somebody among the players; the first one made the rooms and stays.
type Who = usize;

/// The place of a room.
type Where = usize;

const WORDS: [&str; 6] = ["meeting", "MEET", "tea", "会议", "议会", "开会议室"];

/// What is searched for, with the lower-case words and the parts that a text must have.
const TERMS: [(&str, &[&str], &[&str]); 9] = [
    ("meeting", &["meeting"], &[]),
    ("meet", &["meet"], &[]),
    ("Tea meeting", &["tea", "meeting"], &[]),
    ("会议", &[], &["会议"]),
    ("议会", &[], &["议会"]),
    ("议", &[], &["议"]),
    ("会议室", &[], &["会议室"]),
    ("tea 会议", &["tea"], &["会议"]),
    ("coffee", &["coffee"], &[]),
];

fn act() -> impl Strategy<Value = Act> {
    let visibility = prop_oneof![
        Just("shared"),
        Just("joined"),
        Just("invited"),
        Just("world_readable")
    ];
    let words = || proptest::collection::vec(proptest::sample::select(&WORDS[..]), 1..4);
    let place = || (1..3usize, 0..2usize);
    prop_oneof![
        3 => place().prop_map(|(who, room)| Act::Join(who, room)),
        2 => place().prop_map(|(who, room)| Act::Leave(who, room)),
        1 => place().prop_map(|(who, room)| Act::Kick(who, room)),
        1 => place().prop_map(|(who, room)| Act::Invite(who, room)),
        2 => (visibility, 0..2usize).prop_map(|(visibility, room)| Act::Visibility(visibility, room)),
        9 => (0..3usize, 0..2usize, words())
            .prop_map(|(who, room, words)| Act::Say(who, room, words)),
        5 => (0..3usize, any::<usize>(), words())
            .prop_map(|(who, target, words)| Act::Edit(who, target, words)),
        1 => (0..2usize, words()).prop_map(|(room, words)| Act::Topic(room, words)),
        2 => any::<usize>().prop_map(Act::Redact),
        1 => (0..3usize, 1..3usize).prop_map(|(who, other)| Act::Ignore(who, (who + other) % 3)),
        3 => Just(Act::Wait),
        1 => Just(Act::Settle),
    ]
}

struct Stage {
    server: Server,
    node: Node,
    people: [User; 3],
}

struct Play<'a> {
    stage: &'a Stage,
    rooms: [Room; 2],
    /// What was said, and where.
    said: Vec<(Where, String)>,
}

impl<'a> Play<'a> {
    async fn begin(stage: &'a Stage) -> Self {
        let (node, host) = (&stage.node, &stage.people[0]);
        for user in &stage.people {
            let nobody = json!({ "ignored_users": {} });
            node.keep(user, None, "m.ignored_user_list", nobody).await;
        }
        Self {
            stage,
            rooms: [node.public(host).await, node.public(host).await],
            said: Vec::new(),
        }
    }

    async fn perform(&mut self, act: Act) {
        let people = &self.stage.people;
        match act {
            Act::Join(who, room) => drop(self.tried(who, room, "POST", "join", json!({})).await),
            Act::Leave(who, room) => drop(self.tried(who, room, "POST", "leave", json!({})).await),
            Act::Kick(who, room) => {
                let whom = json!({ "user_id": people[who].user_id });
                self.tried(0, room, "POST", "kick", whom).await;
            }
            Act::Invite(who, room) => {
                let whom = json!({ "user_id": people[who].user_id });
                self.tried(0, room, "POST", "invite", whom).await;
            }
            Act::Visibility(visibility, room) => {
                let rest = "state/m.room.history_visibility/";
                let content = json!({ "history_visibility": visibility });
                self.tried(0, room, "PUT", rest, content).await;
            }
            Act::Say(who, room, words) => {
                let content = json!({ "msgtype": "m.text", "body": words.join(" ") });
                self.send(who, room, content).await;
            }
            Act::Edit(who, target, words) => {
                if let Some((room, target)) = self.any(target) {
                    self.send(who, room, edit(&target, &words.join(" "))).await;
                }
            }
            Act::Topic(room, words) => {
                let content = json!({ "topic": words.join(" ") });
                let sent = self.tried(0, room, "PUT", "state/m.room.topic/", content);
                self.note(room, &sent.await);
            }
            Act::Redact(target) => {
                if let Some((room, target)) = self.any(target) {
                    let rest = format!("redact/{target}/{}", count());
                    self.tried(0, room, "PUT", &rest, json!({})).await;
                }
            }
            Act::Ignore(who, whom) => {
                let ignored = json!({ "ignored_users": { &people[whom].user_id: {} } });
                let node = &self.stage.node;
                node.keep(&people[who], None, "m.ignored_user_list", ignored)
                    .await;
            }
            Act::Wait => {
                let clock = &self.stage.server.deployment.clock;
                clock.advance(Duration::from_millis(1));
            }
            Act::Settle => self.settle().await,
        }
    }

    async fn settle(&self) {
        let node = &self.stage.node;
        node.settle(&self.stage.people[0], &self.rooms[0]).await;
    }

    /// Something that was said, for a number.
    fn any(&self, number: usize) -> Option<(Where, String)> {
        let index = number.checked_rem(self.said.len())?;
        self.said.get(index).cloned()
    }

    async fn send(&mut self, who: Who, room: Where, content: Value) {
        let rest = format!("send/m.room.message/{}", count());
        let sent = self.tried(who, room, "PUT", &rest, content).await;
        self.note(room, &sent);
    }

    fn note(&mut self, room: Where, sent: &Value) {
        let event_id = sent["event_id"].as_str();
        self.said
            .extend(event_id.map(|event_id| (room, event_id.to_owned())));
    }

    /// Does it; a refusal changes nothing. A fault is none.
    async fn tried(&self, who: Who, room: Where, method: &str, rest: &str, body: Value) -> Value {
        let path = format!("/_matrix/client/v3/rooms/{}/{rest}", self.rooms[room]);
        let token = &self.stage.people[who].token;
        let answer = self.stage.node.ask(token, method, &path, body.to_string());
        let (status, answer) = answer.await;
        assert!(status.as_u16() < 500, "{method} {path}: {answer}");
        answer
    }

    async fn compare(&self) {
        for user in &self.stage.people {
            let mut shown = Vec::new();
            for room in &self.rooms {
                shown.extend(self.shown(user, room).await);
            }
            for (term, words, parts) in TERMS {
                let fits = |text: &String| {
                    let text = text.to_lowercase();
                    let has = |word: &&str| text.split(' ').any(|other| other == *word);
                    words.iter().all(has) && parts.iter().all(|part| text.contains(part))
                };
                let wanted = shown.iter().filter(|(_, text)| fits(text));
                let mut wanted: Vec<_> = wanted.map(|(event, _)| event.clone()).collect();
                wanted.sort_unstable();
                for order in ["recent", "rank"] {
                    let mut found = self.found(user, term, order).await;
                    found.sort_unstable();
                    assert_eq!(found, wanted, "{term} of {}: {shown:?}", user.user_id);
                }
            }
        }
    }

    /// What somebody reads in a room with which they have to do: each event with the text that is
    /// shown for it.
    async fn shown(&self, user: &User, room: &str) -> Vec<(String, String)> {
        let member = format!(
            "/_matrix/client/v3/rooms/{room}/state/m.room.member/{}",
            user.user_id
        );
        let host = &self.stage.people[0].token;
        if self.stage.node.ask(host, "GET", &member, "").await.0 != 200 {
            return Vec::new();
        }
        let path = format!("/_matrix/client/v3/rooms/{room}/messages?dir=b&limit=500");
        let (status, page) = self.stage.node.ask(&user.token, "GET", &path, "").await;
        if status != 200 {
            return Vec::new();
        }
        let mut shown = Vec::new();
        for event in page["chunk"].as_array().unwrap() {
            let content = &event["content"];
            let last = &event["unsigned"]["m.relations"]["m.replace"]["content"];
            let text = match event["type"].as_str().unwrap() {
                // It is shown in the place of another.
                "m.room.message" if content["m.relates_to"]["rel_type"] == "m.replace" => continue,
                "m.room.message" if last.is_object() => &last["m.new_content"]["body"],
                "m.room.message" => &content["body"],
                "m.room.topic" => &content["topic"],
                _ => continue,
            };
            let event_id = event["event_id"].as_str().unwrap();
            shown.extend(
                text.as_str()
                    .map(|text| (event_id.to_owned(), text.to_owned())),
            );
        }
        shown
    }

    /// All pages of a search, in one of these rooms.
    async fn found(&self, user: &User, term: &str, order: &str) -> Vec<String> {
        let criteria = json!({
            "search_term": term, "order_by": order,
            "filter": { "limit": 3, "rooms": self.rooms },
        });
        let (mut found, mut from) = (Vec::new(), None);
        loop {
            let node = &self.stage.node;
            let page = node
                .search_from(user, criteria.clone(), from.as_deref())
                .await;
            found.extend(super::ids(&page));
            match page.get("next_batch") {
                Some(next) => from = Some(encoded(next.as_str().unwrap())),
                None => return found,
            }
        }
    }
}

fn every_play(server: impl AsyncFnOnce() -> Server, cases: u32) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stage = runtime.block_on(async {
        let mut server = server().await;
        let node = server.searched().await;
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
    let plays = proptest::collection::vec(act(), 0..60);
    let outcome = TestRunner::new(config).run(&plays, |acts| {
        runtime.block_on(async {
            let mut play = Play::begin(&stage).await;
            for act in acts {
                play.perform(act).await;
            }
            play.settle().await;
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
fn a_search_finds_what_a_reader_would_find_on_sqlite() {
    every_play(async || Server::sqlite(), 24);
}

#[test]
fn a_search_finds_what_a_reader_would_find_on_postgres() {
    every_play(Server::postgres, 6);
}
