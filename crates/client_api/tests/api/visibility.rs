//! Every path over HTTP shows of a room what a small reference says, and nothing else.

mod looking;
mod reading;
pub(crate) mod reference;

use http::StatusCode;
use proptest::{
    prelude::{Just, Strategy, prop_oneof},
    test_runner::{Config, RngSeed, TestRunner},
};
use serde_json::{Value, json};

use self::{looking::Watcher, reference::Reference};
use crate::{
    server::{Node, Server, User},
    stage::Room,
};

/// What somebody tries; much of it is refused, which is part of the play.
#[derive(Clone, Copy, Debug)]
enum Act {
    Join(Who),
    Leave(Who),
    Knock(Who),
    Forget(Who),
    Invite(Who),
    Kick(Who),
    Ban(Who),
    Unban(Who),
    Visibility(&'static str),
    Rule(&'static str),
    Topic(u8),
    Say(Who),
    /// A client of theirs syncs.
    Look(Who),
}

/// The place of somebody among the players; the first one made the room and stays.
type Who = usize;

fn guest() -> impl Strategy<Value = Who> {
    1..3usize
}

fn act() -> impl Strategy<Value = Act> {
    let visibility = prop_oneof![
        Just("shared"),
        Just("invited"),
        Just("joined"),
        Just("world_readable"),
        Just("org.example.odd"),
    ];
    prop_oneof![
        4 => guest().prop_map(Act::Join),
        3 => guest().prop_map(Act::Leave),
        1 => guest().prop_map(Act::Knock),
        1 => guest().prop_map(Act::Forget),
        3 => guest().prop_map(Act::Invite),
        1 => guest().prop_map(Act::Kick),
        1 => guest().prop_map(Act::Ban),
        1 => guest().prop_map(Act::Unban),
        3 => visibility.prop_map(Act::Visibility),
        1 => prop_oneof![Just("public"), Just("knock"), Just("invite")].prop_map(Act::Rule),
        2 => (0..3u8).prop_map(Act::Topic),
        4 => (0..3usize).prop_map(Act::Say),
        3 => (0..3usize).prop_map(Act::Look),
    ]
}

/// People, and one room after another.
struct Stage {
    node: Node,
    people: [User; 3],
}

/// One play: its room, and what everybody's client has seen of it.
struct Play<'a> {
    node: &'a Node,
    people: &'a [User; 3],
    room: Room,
    watchers: Vec<Watcher<'a>>,
    /// The member event at which somebody forgot the room.
    forgotten: [Option<String>; 3],
}

impl<'a> Play<'a> {
    async fn begin(stage: &'a Stage) -> Self {
        let Stage { node, people } = stage;
        let room = node.public(&people[0]).await;
        let watchers = people
            .iter()
            .map(|person| Watcher::new(node, person, &room));
        Self {
            node,
            people,
            watchers: watchers.collect(),
            room,
            forgotten: [None, None, None],
        }
    }

    /// Does it; a refusal changes nothing. A fault is none.
    async fn perform(&mut self, act: Act) {
        let host = &self.people[0];
        let on = |act: &str, who: Who| {
            let body = json!({ "user_id": self.people[who].user_id });
            (host, "POST", act.to_owned(), body)
        };
        let set = |kind: &str, content| (host, "PUT", format!("state/{kind}/"), content);
        let go = |who: Who, act: &str| (&self.people[who], "POST", act.to_owned(), json!({}));
        let (user, method, rest, body) = match act {
            Act::Join(who) => go(who, "join"),
            Act::Leave(who) => go(who, "leave"),
            Act::Forget(who) => return self.forget(who).await,
            Act::Look(who) => return self.look(who).await,
            Act::Knock(who) => {
                let path = format!("/_matrix/client/v3/knock/{}", self.room);
                self.tried(&self.people[who], "POST", &path, json!({}))
                    .await;
                return;
            }
            Act::Invite(who) => on("invite", who),
            Act::Kick(who) => on("kick", who),
            Act::Ban(who) => on("ban", who),
            Act::Unban(who) => on("unban", who),
            Act::Visibility(visibility) => set(
                "m.room.history_visibility",
                json!({ "history_visibility": visibility }),
            ),
            Act::Rule(rule) => set("m.room.join_rules", json!({ "join_rule": rule })),
            Act::Topic(topic) => set("m.room.topic", json!({ "topic": topic.to_string() })),
            Act::Say(who) => {
                let transaction = format!("send/m.room.message/{}", crate::stage::count());
                let content = json!({ "msgtype": "m.text", "body": "x" });
                (&self.people[who], "PUT", transaction, content)
            }
        };
        let path = format!("/_matrix/client/v3/rooms/{}/{rest}", self.room);
        self.tried(user, method, &path, body).await;
    }

    async fn tried(&self, user: &User, method: &str, path: &str, body: Value) -> bool {
        let answer = self.node.ask(&user.token, method, path, body.to_string());
        let (status, answer) = answer.await;
        assert!(status.as_u16() < 500, "{method} {path}: {answer}");
        status == StatusCode::OK
    }

    async fn forget(&mut self, who: Who) {
        let path = format!("/_matrix/client/v3/rooms/{}/forget", self.room);
        if self
            .tried(&self.people[who], "POST", &path, json!({}))
            .await
        {
            let reference = self.reference().await;
            self.forgotten[who] = reference.last_member_event(&self.people[who].user_id);
        }
    }

    async fn look(&mut self, who: Who) {
        let reference = self.reference().await;
        let forgotten = self.has_forgotten(&reference, who);
        self.watchers[who].look(&reference, forgotten).await;
    }

    fn has_forgotten(&self, reference: &Reference, who: Who) -> bool {
        let last = reference.last_member_event(&self.people[who].user_id);
        last.is_some() && last == self.forgotten[who]
    }

    /// All that happened, as its host sees it, who sees everything.
    async fn reference(&self) -> Reference {
        Reference::read(self.node, &self.people[0], &self.room).await
    }

    async fn compare(&mut self) {
        let reference = self.reference().await;
        for who in 0..self.people.len() {
            self.look(who).await;
            let forgotten = self.has_forgotten(&reference, who);
            let person = &self.people[who];
            looking::first_look(self.node, person, &reference, forgotten).await;
            let reading = reading::Reading {
                node: self.node,
                user: person,
                reference: &reference,
                forgotten,
            };
            reading.check().await;
        }
    }
}

/// How many plays of chance are played instead of the same few: the long form.
const PLAYS: &str = "CONCLAVE_TEST_PLAYS";

fn every_play(server: impl AsyncFnOnce() -> Server, cases: u32) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (_server, stage) = runtime.block_on(async {
        let server = server().await;
        let node = server.node().await;
        let people = [
            node.someone("alice").await,
            node.someone("bob").await,
            node.someone("carol").await,
        ];
        (server, Stage { node, people })
    });
    let long = std::env::var_os(PLAYS).map(|plays| plays.to_str().unwrap().parse().unwrap());
    let config = Config {
        cases: long.unwrap_or(cases),
        failure_persistence: None,
        rng_seed: long.map_or(RngSeed::Fixed(1), |_: u32| RngSeed::Random),
        ..Config::default()
    };
    let plays = proptest::collection::vec(act(), 0..26);
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
fn clients_see_what_the_reference_shows_on_sqlite() {
    every_play(async || Server::sqlite(), 24);
}

#[test]
fn clients_see_what_the_reference_shows_on_postgres() {
    every_play(Server::shared_postgres, 6);
}
