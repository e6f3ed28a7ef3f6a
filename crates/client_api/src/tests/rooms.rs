//! Rooms as clients see them: making, joining, sending, reading.

mod aliases;
mod making;
mod members;
mod reading;
mod receipts;
mod refused;
mod sending;

use serde_json::{Value, json};

use super::{Answer, Face, request};

/// A server with alice, bob and carol.
struct Town {
    face: Face,
}

impl Town {
    fn new() -> Self {
        let face = Face::at_home();
        Self { face }
    }

    async fn ask(&self, who: &str, method: &str, path: impl AsRef<str>, body: Value) -> Answer {
        let path = format!("/_matrix/client/v3/{}", path.as_ref());
        let body = match &body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        self.face.ask(request(who, method, &path, body)).await
    }

    /// Asks for what must succeed.
    async fn ok(&self, who: &str, method: &str, path: impl AsRef<str>, body: Value) -> Value {
        let path = path.as_ref();
        let answer = self.ask(who, method, path, body).await;
        assert_eq!(answer.status, 200, "{who} {method} {path}: {answer:?}");
        answer.body
    }

    /// Asks for what must be refused.
    async fn refused(
        &self,
        who: &str,
        method: &str,
        path: impl AsRef<str>,
        body: Value,
    ) -> (u16, String) {
        let answer = self.ask(who, method, path, body).await;
        (answer.status.as_u16(), answer.errcode().to_owned())
    }

    async fn get(&self, who: &str, path: impl AsRef<str>) -> Value {
        self.ok(who, "GET", path, Value::Null).await
    }

    /// A room that alice makes.
    async fn room(&self, request: Value) -> String {
        let made = self.ok("alice", "POST", "createRoom", request).await;
        made["room_id"].as_str().unwrap().to_owned()
    }

    /// A room that alice makes and anybody may join.
    async fn public(&self) -> String {
        self.room(json!({ "preset": "public_chat" })).await
    }

    async fn join(&self, who: &str, room: &str) {
        self.ok(who, "POST", format!("rooms/{room}/join"), json!({}))
            .await;
    }

    async fn leave(&self, who: &str, room: &str) {
        self.ok(who, "POST", format!("rooms/{room}/leave"), json!({}))
            .await;
    }

    async fn say(&self, who: &str, room: &str, text: &str) -> String {
        let path = format!("rooms/{room}/send/m.room.message/{text}");
        let body = json!({ "msgtype": "m.text", "body": text });
        let sent = self.ok(who, "PUT", &path, body).await;
        sent["event_id"].as_str().unwrap().to_owned()
    }

    async fn set(&self, who: &str, room: &str, place: &str, content: Value) -> String {
        let sent = self
            .ok(who, "PUT", format!("rooms/{room}/state/{place}"), content)
            .await;
        sent["event_id"].as_str().unwrap().to_owned()
    }
}

/// The texts of messages in a list of events.
fn texts(events: &Value) -> Vec<&str> {
    let events = events.as_array().unwrap().iter();
    events
        .filter_map(|event| event["content"]["body"].as_str())
        .collect()
}
