//! Somebody who talks through one node, over HTTP.

use std::{net::SocketAddr, time::Duration};

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    http::{get_as, send_as},
    people::register,
};

/// Long for a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A person at a node, and how far their client has synced.
pub(crate) struct Person {
    address: SocketAddr,
    name: &'static str,
    token: String,
    since: Option<String>,
}

impl Person {
    /// Registers at this node.
    pub(crate) async fn register(address: SocketAddr, name: &'static str) -> Self {
        let token = register(address, name).await;
        Self {
            address,
            name,
            token,
            since: None,
        }
    }

    fn user_id(&self) -> String {
        format!("@{}:localhost", self.name)
    }

    async fn send(&self, method: &str, path: &str, body: Value) -> Value {
        let path = format!("/_matrix/client/v3/{path}");
        let answer = send_as(self.address, &self.token, method, &path, &body).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    /// Makes a room that anybody may join.
    pub(crate) async fn make_room(&self) -> String {
        let room = self.send("POST", "createRoom", json!({ "preset": "public_chat" }));
        room.await["room_id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn join(&self, room: &str) {
        self.send("POST", &format!("join/{room}"), json!({})).await;
    }

    pub(crate) async fn types(&self, room: &str, typing: bool) {
        let path = format!("rooms/{room}/typing/{}", self.user_id());
        let body = json!({ "typing": typing, "timeout": 120_000 });
        self.send("PUT", &path, body).await;
    }

    pub(crate) async fn is(&self, presence: &str, status: &str) {
        let path = format!("presence/{}/status", self.user_id());
        let body = json!({ "presence": presence, "status_msg": status });
        self.send("PUT", &path, body).await;
    }

    pub(crate) async fn says(&self, room: &str, text: &str) {
        let path = format!("rooms/{room}/send/m.room.message/{text}");
        let body = json!({ "msgtype": "m.text", "body": text });
        self.send("PUT", &path, body).await;
    }

    /// Syncs once, waiting so long for news. It does not tell that this person is there.
    pub(crate) async fn sync(&mut self, wait: Duration) -> Value {
        let mut path = format!(
            "/_matrix/client/v3/sync?set_presence=offline&timeout={}",
            wait.as_millis()
        );
        if let Some(since) = &self.since {
            path.push_str(&format!("&since={since}"));
        }
        let answer = get_as(self.address, &self.token, &path).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let answer: Value = serde_json::from_str(&answer.body).unwrap();
        self.since = answer["next_batch"].as_str().map(str::to_owned);
        answer
    }

    /// Syncs until an answer has what is sought.
    pub(crate) async fn sees(&mut self, claim: &str, mut sought: impl FnMut(&Value) -> bool) {
        let seeing = async { while !sought(&self.sync(Duration::from_secs(5)).await) {} };
        let seen = timeout(PATIENCE, seeing).await;
        seen.unwrap_or_else(|_| panic!("not within {PATIENCE:?}: {claim}"));
    }

    /// Syncs until these people type in a room.
    pub(crate) async fn sees_typing(&mut self, room: &str, who: &[&str]) {
        let typing = |answer: &Value| typing(answer, room) == Some(json!(who));
        self.sees(&format!("{who:?} type"), typing).await;
    }

    /// Syncs until a message is there.
    pub(crate) async fn reads(&mut self, room: &str, text: &str) {
        let read = |answer: &Value| {
            let events = &answer["rooms"]["join"][room]["timeline"]["events"];
            let mut events = events.as_array().into_iter().flatten();
            events.any(|event| event["content"]["body"] == text)
        };
        self.sees(text, read).await;
    }
}

/// Who types in a room, where a sync says so.
pub(crate) fn typing(answer: &Value, room: &str) -> Option<Value> {
    let events = &answer["rooms"]["join"][room]["ephemeral"]["events"];
    let mut events = events.as_array().into_iter().flatten();
    let event = events.find(|event| event["type"] == "m.typing");
    event.map(|event| event["content"]["user_ids"].clone())
}

/// Whether a sync says this of somebody.
pub(crate) fn shows_presence(answer: &Value, who: &str, presence: &str, status: &str) -> bool {
    let mut events = answer["presence"]["events"]
        .as_array()
        .into_iter()
        .flatten();
    events.any(|event| {
        event["sender"] == who
            && event["content"]["presence"] == presence
            && event["content"]["status_msg"] == status
    })
}
