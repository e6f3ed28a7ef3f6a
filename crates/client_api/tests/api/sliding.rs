//! What a sliding sync tells, and when.

mod beside;
mod connections;
mod lists;
mod rooms;
mod story;
mod waiting;

use std::{future::Future, pin::pin, time::Duration};

use serde_json::{Map, Value, json};
use tokio::time::timeout;

use crate::{
    server::{Node, User},
    stage::{A_WHILE, PATIENCE},
};

const PATH: &str = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync";

/// Somebody's client, which remembers where it is.
#[derive(Clone)]
struct Window<'a> {
    node: &'a Node,
    user: &'a User,
    pub(crate) asks: Value,
    pub(crate) pos: Option<String>,
}

/// A list with its first rooms in view.
fn list(last: usize, timeline: u64) -> Value {
    json!({
        "ranges": [[0, last]],
        "required_state": [["m.room.create", ""], ["m.room.name", ""], ["m.room.member", "$ME"]],
        "timeline_limit": timeline,
    })
}

impl Node {
    /// A client that asks for this and has seen nothing yet.
    fn window<'a>(&'a self, user: &'a User, asks: Value) -> Window<'a> {
        Window {
            node: self,
            user,
            asks,
            pos: None,
        }
    }

    /// A client with a list of all rooms, and long timelines.
    fn everything<'a>(&'a self, user: &'a User) -> Window<'a> {
        self.window(user, json!({ "lists": { "all": list(99, 50) } }))
    }
}

impl<'a> Window<'a> {
    /// Has seen everything up to now.
    async fn ready(mut self) -> Self {
        self.next().await;
        self
    }

    /// Goes on at another node.
    fn at<'b>(self, node: &'b Node) -> Window<'b>
    where
        'a: 'b,
    {
        Window { node, ..self }
    }

    fn path(&self, wait: Duration) -> String {
        let pos = self.pos.as_deref();
        let pos = pos.map_or(String::new(), |pos| format!("&pos={pos}"));
        format!(
            "{PATH}?timeout={}&set_presence=offline{pos}",
            wait.as_millis()
        )
    }

    /// What is new, at once.
    async fn next(&mut self) -> Value {
        self.sync(Duration::ZERO).await
    }

    /// What is new, when there is something or the time is up.
    async fn sync(&mut self, wait: Duration) -> Value {
        let path = self.path(wait);
        let answer = self
            .node
            .ok(&self.user.token, "POST", &path, self.asks.clone());
        let answer = answer.await;
        self.pos = Some(answer["pos"].as_str().unwrap().to_owned());
        answer
    }

    /// The position is not known, and the client starts again.
    async fn is_lost(&mut self) {
        let path = self.path(Duration::ZERO);
        let node = self.node;
        let (status, body) = node
            .ask(&self.user.token, "POST", &path, self.asks.to_string())
            .await;
        assert_eq!(
            (status.as_u16(), &body["errcode"]),
            (400, &json!("M_UNKNOWN_POS"))
        );
        self.pos = None;
    }

    /// Waits for news, which must come when `cause` happens and not before.
    async fn woken_by<T>(&mut self, cause: impl Future<Output = T>) -> Value {
        let mut waiting = pin!(self.sync(Duration::from_secs(60)));
        let early = timeout(A_WHILE, &mut waiting).await;
        assert!(early.is_err(), "it does not wait: {early:?}");
        let both = async { tokio::join!(waiting, cause).0 };
        timeout(PATIENCE, both).await.expect("it is woken")
    }

    /// Waits for news, of which there must be none while `cause` happens.
    async fn not_woken_by<T>(&mut self, cause: impl Future<Output = T>) {
        let mut waiting = pin!(self.sync(Duration::from_secs(60)));
        tokio::select! {
            answer = &mut waiting => panic!("it is woken: {answer}"),
            _ = cause => {}
        }
        let answer = timeout(A_WHILE, waiting).await;
        assert!(answer.is_err(), "it is woken: {answer:?}");
    }
}

/// The rooms that an answer tells of.
fn told(answer: &Value) -> Vec<&str> {
    let rooms = answer["rooms"].as_object();
    rooms
        .into_iter()
        .flat_map(Map::keys)
        .map(String::as_str)
        .collect()
}

/// A list of events as the helpers of the stage take them.
fn listed(events: &Value) -> Value {
    json!({ "events": events })
}

/// The texts of the messages that are told of a room.
fn said(room: &Value) -> Vec<&str> {
    let events = room["timeline"].as_array().into_iter().flatten();
    events
        .filter_map(|event| event["content"]["body"].as_str())
        .collect()
}

/// The state that is told of a room, sorted: types and keys.
fn slots(room: &Value) -> Vec<(&str, &str)> {
    let events = room["required_state"].as_array().into_iter().flatten();
    let mut slots: Vec<_> = events
        .map(|event| {
            (
                event["type"].as_str().unwrap(),
                event["state_key"].as_str().unwrap(),
            )
        })
        .collect();
    slots.sort_unstable();
    slots
}
