//! People who follow the room, each time at another node with the token of the one before.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use testkit::eventually_within;
use tokio::task::JoinSet;

use crate::{
    form::{Chance, pause},
    load::Shared,
    scene::{PATIENCE, Reply, Scene, ask},
    support::Client,
};

/// So much of a room as a client wants of one answer.
const FILTER: &str = "filter=%7B%22room%22%3A%7B%22timeline%22%3A%7B%22limit%22%3A100%7D%7D%7D";

/// Every so many answers their token is kept.
const KEPT: usize = 5;

/// What somebody was told, in order.
#[derive(Debug)]
pub(crate) struct Followed {
    pub(crate) events: Vec<String>,
    /// Tokens, and how much was told before each.
    pub(crate) tokens: Vec<(String, usize)>,
    pub(crate) answers: usize,
}

pub(crate) struct Followers {
    tasks: JoinSet<Follower>,
}

impl Followers {
    /// As many as there are nodes.
    pub(crate) async fn start(scene: &Arc<Scene>, shared: &Arc<Shared>, seed: u64) -> Self {
        let mut tasks = JoinSet::new();
        for node in 0..scene.nodes() {
            let chance = Chance::new(seed ^ (1_000 + node as u64));
            let mut follower = Follower::begin(scene, node, chance).await;
            let shared = Arc::clone(shared);
            tasks.spawn(async move {
                while !shared.is_stopped() {
                    shared.rest().await;
                    follower.hear(Duration::from_secs(1)).await;
                }
                follower
            });
        }
        Self { tasks }
    }

    /// Everybody hears the rest.
    pub(crate) async fn finish(self, scene: &Scene) -> Vec<Followed> {
        let mut all = Vec::new();
        for mut follower in self.tasks.join_all().await {
            follower.catch_up(scene).await;
            all.push(follower.followed);
        }
        all
    }
}

struct Follower {
    scene: Arc<Scene>,
    chance: Chance,
    node: usize,
    since: String,
    followed: Followed,
}

impl Follower {
    async fn begin(scene: &Arc<Scene>, node: usize, chance: Chance) -> Self {
        let path = format!("/_matrix/client/v3/sync?timeout=0&{FILTER}");
        let client = scene.at(1, node);
        let first = eventually_within(PATIENCE, "a first sync", || async {
            client.ask("GET", &path, &Value::Null).await.ok()
        });
        let since = first.await["next_batch"].as_str().unwrap().to_owned();
        Self {
            scene: Arc::clone(scene),
            chance,
            node,
            followed: Followed {
                events: Vec::new(),
                tokens: vec![(since.clone(), 0)],
                answers: 0,
            },
            since,
        }
    }

    /// One sync, at whichever node; says how many events it told, none when it failed.
    async fn hear(&mut self, timeout: Duration) -> Option<usize> {
        let client = self.scene.at(1, self.node);
        self.node = self.chance.other_than(self.node, self.scene.nodes());
        let heard = step(&client, &self.scene.room, &self.since, timeout).await;
        let Some((next, events)) = heard else {
            pause(Duration::from_millis(20)).await;
            return None;
        };
        let told = events.len();
        self.followed.events.extend(events);
        self.followed.answers += 1;
        if self.followed.answers.is_multiple_of(KEPT) {
            let token = (next.clone(), self.followed.events.len());
            self.followed.tokens.push(token);
        }
        self.since = next;
        Some(told)
    }

    /// Asks without waiting until nothing more comes: a sync tells all that was acknowledged
    /// before it.
    async fn catch_up(&mut self, scene: &Scene) {
        let mut failures = 0;
        loop {
            match self.hear(Duration::ZERO).await {
                Some(0) => return,
                Some(_) => {}
                None => failures += 1,
            }
            assert!(failures < 1_000, "no node of {} syncs", scene.nodes());
        }
    }
}

/// What a sync tells of a room's messages since a token, and the token behind them.
pub(crate) async fn step(
    client: &Client,
    room: &str,
    since: &str,
    timeout: Duration,
) -> Option<(String, Vec<String>)> {
    let timeout_ms = timeout.as_millis();
    let path = format!("/_matrix/client/v3/sync?since={since}&timeout={timeout_ms}&{FILTER}");
    let Reply::Done(answer) = ask(client, "GET", &path, &Value::Null).await else {
        return None;
    };
    let next = answer["next_batch"].as_str().unwrap().to_owned();
    let timeline = &answer["rooms"]["join"][room]["timeline"];
    let mut events = messages(&timeline["events"]);
    if timeline["limited"] == true {
        let gap = gap(client, room, timeline["prev_batch"].as_str()?, since).await?;
        events.splice(0..0, gap);
    }
    Some((next, events))
}

/// What a limited sync has left out.
async fn gap(client: &Client, room: &str, prev_batch: &str, since: &str) -> Option<Vec<String>> {
    let mut missing = Vec::new();
    let mut from = prev_batch.to_owned();
    loop {
        let path = format!(
            "/_matrix/client/v3/rooms/{room}/messages?dir=b&limit=500&from={from}&to={since}"
        );
        let Reply::Done(page) = ask(client, "GET", &path, &Value::Null).await else {
            return None;
        };
        missing.extend(messages(&page["chunk"]));
        match page["end"].as_str() {
            Some(end) if !page["chunk"].as_array()?.is_empty() => from = end.to_owned(),
            _ => break,
        }
    }
    // They came newest first.
    missing.reverse();
    Some(missing)
}

/// The ids of the messages among events.
pub(crate) fn messages(events: &Value) -> Vec<String> {
    let events = events.as_array().map(Vec::as_slice).unwrap_or_default();
    let messages = events
        .iter()
        .filter(|event| event["type"] == "m.room.message");
    let ids = messages.map(|event| event["event_id"].as_str().unwrap().to_owned());
    ids.collect()
}
