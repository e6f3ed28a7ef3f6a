//! Events that relate to others: pages of them, threads, and what is told beside an event.

mod annotations;
mod bundles;
mod moments;
mod pages;
mod reference;
mod subscriptions;
mod threads;

use serde_json::{Value, json};

use crate::{
    server::{Node, User},
    stage::encoded,
};

const V1: &str = "/_matrix/client/v1/rooms";

impl Node {
    /// Says something that relates to an event.
    async fn relate(
        &self,
        user: &User,
        room: &str,
        (rel_type, event): (&str, &str),
        text: &str,
    ) -> String {
        let content = related(rel_type, event, text);
        self.send(user, room, "m.room.message", content).await
    }

    /// Reacts to an event.
    async fn react(&self, user: &User, room: &str, event: &str, key: &str) -> String {
        let content = reaction(event, key);
        self.send(user, room, "m.reaction", content).await
    }

    /// Reads something of a room that must be there.
    async fn of_room(&self, user: &User, room: &str, rest: &str) -> Value {
        let path = format!("{V1}/{room}/{rest}");
        self.ok(&user.token, "GET", &path, Value::Null).await
    }

    /// The same, which must be refused.
    async fn refused_of_room(&self, user: &User, room: &str, rest: &str) -> (u16, String) {
        let path = format!("{V1}/{room}/{rest}");
        self.refused(&user.token, "GET", &path, "").await
    }

    /// One event, as `/event` shows it.
    async fn event(&self, user: &User, room: &str, event: &str) -> Value {
        self.get(user, &format!("rooms/{room}/event/{event}")).await
    }

    /// What is told beside an event.
    async fn beside(&self, user: &User, room: &str, event: &str) -> Value {
        let event = self.event(user, room, event).await;
        event["unsigned"]["m.relations"].clone()
    }
}

/// The content of a message that relates to an event; an edit says something new.
fn related(rel_type: &str, event: &str, text: &str) -> Value {
    let mut content = json!({
        "msgtype": "m.text",
        "body": text,
        "m.relates_to": { "rel_type": rel_type, "event_id": event },
    });
    if rel_type == "m.replace" {
        content["m.new_content"] = json!({ "msgtype": "m.text", "body": text });
    }
    content
}

fn reaction(event: &str, key: &str) -> Value {
    json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": event, "key": key } })
}

/// The ids of a page, in its order.
fn chunk(page: &Value) -> Vec<&str> {
    let events = page["chunk"].as_array().unwrap().iter();
    events
        .map(|event| event["event_id"].as_str().unwrap())
        .collect()
}

/// A token of a page, as a parameter.
fn token<'a>(page: &'a Value, name: &str) -> Option<String> {
    let token: &'a Value = page.get(name)?;
    Some(encoded(token.as_str().unwrap()))
}
