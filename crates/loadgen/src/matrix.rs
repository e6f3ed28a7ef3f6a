//! The few operations of the client-server API that a load is made of.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use hyper::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use crate::http::{Answer, Connection};

/// Somebody with an access token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Person {
    pub(crate) user_id: String,
    pub(crate) device_id: String,
    pub(crate) token: String,
}

/// What somebody does over a connection that others may use too.
impl Person {
    /// Makes an account; registration must be open.
    pub(crate) async fn register(connection: &mut Connection, name: &str) -> Result<Self> {
        let body = json!({
            "username": name,
            "password": "a password for a bench",
            "auth": { "type": "m.login.dummy" },
        });
        let path = "/_matrix/client/v3/register";
        let answer = connection.ask(Method::POST, path, None, &body).await?;
        Ok(Self {
            user_id: text(&answer, "user_id")?,
            device_id: text(&answer, "device_id")?,
            token: text(&answer, "access_token")?,
        })
    }

    pub(crate) async fn ask(
        &self,
        connection: &mut Connection,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<Value> {
        let token = Some(self.token.as_str());
        connection.ask(method, path, token, body).await
    }

    /// Makes a room that everybody may join.
    pub(crate) async fn create_room(
        &self,
        connection: &mut Connection,
        name: &str,
    ) -> Result<String> {
        let body = json!({ "preset": "public_chat", "name": name });
        let path = "/_matrix/client/v3/createRoom";
        let answer = self.ask(connection, Method::POST, path, &body).await?;
        text(&answer, "room_id")
    }

    pub(crate) async fn join(&self, connection: &mut Connection, room: &str) -> Result<()> {
        let path = format!("/_matrix/client/v3/join/{}", escaped(room));
        let body = json!({});
        let answer = self.ask(connection, Method::POST, &path, &body).await;
        answer.map(drop)
    }

    /// Sends a message and gives its event id.
    pub(crate) async fn send(
        &self,
        connection: &mut Connection,
        room: &str,
        txn: &str,
        content: &Value,
    ) -> Result<String> {
        let room = escaped(room);
        let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/{txn}");
        let answer = self.ask(connection, Method::PUT, &path, content).await?;
        text(&answer, "event_id")
    }

    /// Who is in a room.
    pub(crate) async fn joined_members(
        &self,
        connection: &mut Connection,
        room: &str,
    ) -> Result<Vec<String>> {
        let room = escaped(room);
        let path = format!("/_matrix/client/v3/rooms/{room}/joined_members");
        let nothing = Value::Null;
        let answer = self.ask(connection, Method::GET, &path, &nothing).await?;
        let joined = answer["joined"].as_object().context("no joined")?;
        Ok(joined.keys().cloned().collect())
    }
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
        let person = Person::register(&mut connection, name).await?;
        Ok(Self { person, connection })
    }

    pub(crate) async fn ask(&mut self, method: Method, path: &str, body: &Value) -> Result<Value> {
        let connection = &mut self.connection;
        self.person.ask(connection, method, path, body).await
    }

    /// Asks, and measures how long the answer takes.
    pub(crate) async fn timed(
        &mut self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<Answer> {
        let token = Some(self.person.token.as_str());
        self.connection.timed(method, path, token, body).await
    }

    pub(crate) async fn create_room(&mut self, name: &str) -> Result<String> {
        self.person.create_room(&mut self.connection, name).await
    }

    pub(crate) async fn join(&mut self, room: &str) -> Result<()> {
        self.person.join(&mut self.connection, room).await
    }

    pub(crate) async fn send(&mut self, room: &str, txn: &str, content: &Value) -> Result<String> {
        let connection = &mut self.connection;
        self.person.send(connection, room, txn, content).await
    }

    /// A room's history, from its end to its beginning, in pages of so many events.
    pub(crate) fn pages(&mut self, room: &str, page: usize) -> Pages<'_> {
        let room = escaped(room);
        Pages {
            client: self,
            path: format!("/_matrix/client/v3/rooms/{room}/messages?dir=b&limit={page}"),
            from: Some(String::new()),
        }
    }

    /// Every message of a room, oldest first: event id and body.
    pub(crate) async fn timeline(&mut self, room: &str) -> Result<Vec<(String, String)>> {
        let mut events = Vec::new();
        let mut pages = self.pages(room, 1_000);
        while let Some(page) = pages.next().await? {
            for event in &page.events {
                if event["type"] == "m.room.message" {
                    let body = event["content"]["body"].as_str().unwrap_or_default();
                    events.push((text(event, "event_id")?, body.to_owned()));
                }
            }
        }
        events.reverse();
        Ok(events)
    }
}

/// The pages of a history.
pub(crate) struct Pages<'a> {
    client: &'a mut Client,
    path: String,
    /// What is added to the path for the next page, if there is one.
    from: Option<String>,
}

/// Some events, newest first.
pub(crate) struct Page {
    pub(crate) events: Vec<Value>,
    pub(crate) took: Duration,
}

impl Pages<'_> {
    pub(crate) async fn next(&mut self) -> Result<Option<Page>> {
        let Some(from) = self.from.take() else {
            return Ok(None);
        };
        let path = format!("{}{from}", self.path);
        let answer = self.client.timed(Method::GET, &path, &Value::Null).await?;
        let mut page = answer.json()?;
        let end = page["end"].as_str();
        self.from = end.map(|end| format!("&from={}", escaped(end)));
        let Value::Array(events) = page["chunk"].take() else {
            bail!("a page without chunk");
        };
        Ok(Some(Page {
            events,
            took: answer.took,
        }))
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

/// The content of a message: a text, filled up to a length.
pub(crate) fn message(text: &str, body_bytes: usize) -> Value {
    let filling = "x".repeat(body_bytes.saturating_sub(text.len() + 1));
    json!({ "msgtype": "m.text", "body": format!("{text} {filling}") })
}
