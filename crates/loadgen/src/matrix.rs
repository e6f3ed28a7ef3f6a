//! The few operations of the client-server API that a load is made of.

use anyhow::{Context, Result};
use hyper::Method;
use serde_json::{Value, json};
use url::Url;

use crate::http::Connection;

/// Somebody with an access token.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) user_id: String,
    pub(crate) device_id: String,
    pub(crate) token: String,
}

/// One person's connection.
pub(crate) struct Client {
    pub(crate) person: Person,
    pub(crate) connection: Connection,
}

impl Client {
    pub(crate) async fn new(url: &Url, person: &Person) -> Result<Self> {
        Ok(Self {
            person: person.clone(),
            connection: Connection::open(url).await?,
        })
    }

    /// Makes an account; registration must be open.
    pub(crate) async fn register(url: &Url, name: &str) -> Result<Self> {
        let mut connection = Connection::open(url).await?;
        let body = json!({
            "username": name,
            "password": "a password for a bench",
            "auth": { "type": "m.login.dummy" },
        });
        let path = "/_matrix/client/v3/register";
        let answer = connection.ask(Method::POST, path, None, &body).await?;
        let person = Person {
            user_id: text(&answer, "user_id")?,
            device_id: text(&answer, "device_id")?,
            token: text(&answer, "access_token")?,
        };
        Ok(Self { person, connection })
    }

    pub(crate) async fn ask(&mut self, method: Method, path: &str, body: &Value) -> Result<Value> {
        let token = Some(self.person.token.as_str());
        self.connection.ask(method, path, token, body).await
    }

    /// Makes a room that everybody may join.
    pub(crate) async fn create_room(&mut self, name: &str) -> Result<String> {
        let body = json!({ "preset": "public_chat", "name": name });
        let path = "/_matrix/client/v3/createRoom";
        let answer = self.ask(Method::POST, path, &body).await?;
        text(&answer, "room_id")
    }

    pub(crate) async fn join(&mut self, room: &str) -> Result<()> {
        let path = format!("/_matrix/client/v3/join/{}", escaped(room));
        self.ask(Method::POST, &path, &json!({})).await.map(drop)
    }

    pub(crate) async fn send(&mut self, room: &str, txn: &str, content: &Value) -> Result<String> {
        let room = escaped(room);
        let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/{txn}");
        let answer = self.ask(Method::PUT, &path, content).await?;
        text(&answer, "event_id")
    }

    /// Every message of a room, oldest first: event id and body.
    pub(crate) async fn timeline(&mut self, room: &str) -> Result<Vec<(String, String)>> {
        let room = escaped(room);
        let mut events = Vec::new();
        let mut from = String::new();
        loop {
            let path = format!("/_matrix/client/v3/rooms/{room}/messages?dir=b&limit=1000{from}");
            let page = self.ask(Method::GET, &path, &Value::Null).await?;
            for event in page["chunk"].as_array().context("a page without chunk")? {
                if event["type"] == "m.room.message" {
                    let body = event["content"]["body"].as_str().unwrap_or_default();
                    events.push((text(event, "event_id")?, body.to_owned()));
                }
            }
            match page["end"].as_str() {
                Some(end) => from = format!("&from={}", escaped(end)),
                None => break,
            }
        }
        events.reverse();
        Ok(events)
    }
}

/// A string that an answer must have.
pub(crate) fn text(answer: &Value, key: &str) -> Result<String> {
    let value = answer[key].as_str();
    Ok(value.with_context(|| format!("no {key}"))?.to_owned())
}

/// A value as one segment of a path or one value of a query.
pub(crate) fn escaped(value: &str) -> String {
    url::form_urlencoded::byte_serialize(value.as_bytes()).collect()
}
