//! Rooms that are replaced by rooms of another version.

mod powers;
mod races;
mod refused;
mod taking_over;

use serde_json::{Value, json};

use crate::{
    server::{Node, User},
    stage::encoded,
};

impl Node {
    /// Replaces a room that may be replaced.
    async fn upgrade(&self, user: &User, room: &str, version: &str) -> String {
        let body = json!({ "new_version": version });
        self.upgrade_with(user, room, body).await
    }

    async fn upgrade_with(&self, user: &User, room: &str, body: Value) -> String {
        let rest = format!("rooms/{room}/upgrade");
        let made = self.call(user, "POST", &rest, body).await;
        made["replacement_room"].as_str().unwrap().to_owned()
    }

    /// Asks for an upgrade that must be refused.
    async fn no_upgrade(&self, user: &User, room: &str, body: Value) -> (u16, String) {
        let path = format!("/_matrix/client/v3/rooms/{room}/upgrade");
        self.refused(&user.token, "POST", &path, &body.to_string())
            .await
    }

    /// A room of a version.
    async fn versioned(&self, user: &User, version: &str, mut body: Value) -> String {
        body["room_version"] = version.into();
        self.create(user, body).await
    }

    /// The content of a piece of state; null when there is none.
    async fn state(&self, user: &User, room: &str, kind: &str, key: &str) -> Value {
        let path = format!(
            "/_matrix/client/v3/rooms/{room}/state/{kind}/{}",
            encoded(key)
        );
        match self.ask(&user.token, "GET", &path, "").await {
            (status, content) if status == 200 => content,
            (status, answer) => {
                assert_eq!(status, 404, "{answer}");
                Value::Null
            }
        }
    }
}
