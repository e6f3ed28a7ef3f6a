//! What this suite asks of the server, and reads back.

use std::collections::HashMap;

use serde_json::Value;

use crate::support::Client;

impl Client {
    pub(crate) async fn download(&self, file: &str) -> Vec<u8> {
        let path = file.strip_prefix("mxc://").unwrap();
        let path = format!("/_matrix/client/v1/media/download/{path}");
        self.send("GET", &path, "", &[]).await.unwrap()
    }

    /// Every message of a room, oldest first: event id and body.
    pub(crate) async fn timeline(&self, room: &str) -> Vec<(String, String)> {
        let mut events = Vec::new();
        let mut from = String::new();
        loop {
            let path = format!("/_matrix/client/v3/rooms/{room}/messages?dir=f&limit=1000{from}");
            let page = self.ask("GET", &path, &Value::Null).await.unwrap();
            for event in page["chunk"].as_array().unwrap() {
                let body = event["content"]["body"].as_str().unwrap_or_default();
                events.push((
                    event["event_id"].as_str().unwrap().to_owned(),
                    body.to_owned(),
                ));
            }
            match page["end"].as_str() {
                Some(end) => from = format!("&from={end}"),
                None => return events,
            }
        }
    }

    /// What was sent to this device, in order; it asks until nothing more comes.
    pub(crate) async fn sent_to_device(&self) -> Vec<String> {
        let mut bodies = Vec::new();
        let mut since = String::new();
        loop {
            let path = format!("/_matrix/client/v3/sync?timeout=0{since}");
            let answer = self.ask("GET", &path, &Value::Null).await.unwrap();
            let events = answer["to_device"]["events"].as_array();
            let bodies_of = |events: &Vec<Value>| -> Vec<String> {
                let body = |event: &Value| event["content"]["body"].as_str().unwrap().to_owned();
                events.iter().map(body).collect()
            };
            match events.map(bodies_of) {
                Some(more) if !more.is_empty() => bodies.extend(more),
                _ => return bodies,
            }
            since = format!("&since={}", answer["next_batch"].as_str().unwrap());
        }
    }

    /// How far this person has read: by thread, the event.
    pub(crate) async fn receipts(&self, room: &str) -> HashMap<String, String> {
        let path = "/_matrix/client/v3/sync?timeout=0";
        let answer = self.ask("GET", path, &Value::Null).await.unwrap();
        let events = &answer["rooms"]["join"][room]["ephemeral"]["events"];
        let receipts = events.as_array().unwrap().iter();
        let receipts = receipts.filter(|event| event["type"] == "m.receipt");
        let mut read = HashMap::new();
        for (event_id, kinds) in receipts.flat_map(|event| event["content"].as_object().unwrap()) {
            let receipt = &kinds["m.read"][&self.user_id];
            if let Some(thread) = receipt["thread_id"].as_str() {
                read.insert(thread.to_owned(), event_id.clone());
            }
        }
        read
    }

    pub(crate) fn counter(&self, writer: usize) -> String {
        format!(
            "/_matrix/client/v3/user/{}/account_data/org.example.count.{writer}",
            self.user_id
        )
    }

    pub(crate) async fn account_data(&self, writer: usize) -> u64 {
        let stands = self
            .ask("GET", &self.counter(writer), &Value::Null)
            .await
            .unwrap();
        stands["count"].as_u64().unwrap()
    }
}
