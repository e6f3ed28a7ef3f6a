//! Searching for messages: who finds what, in which order, and what becomes of it.

mod changing;
mod finding;
mod growing;
mod hostile;
mod pages;
mod reference;
mod seeing;
mod telling;

use serde_json::{Value, json};
use testkit::eventually;

use crate::{
    server::{Node, Server, User},
    stage::count,
};

impl Server {
    /// A node that keeps the index.
    async fn searched(&mut self) -> Node {
        self.deployment.keeps_index = true;
        self.node().await
    }
}

impl Node {
    /// Searches among room events.
    async fn search(&self, user: &User, criteria: Value) -> Value {
        self.search_from(user, criteria, None).await
    }

    async fn search_from(&self, user: &User, criteria: Value, from: Option<&str>) -> Value {
        let from = from.map_or(String::new(), |from| format!("?next_batch={from}"));
        let body = json!({ "search_categories": { "room_events": criteria } });
        let answer = self
            .call(user, "POST", &format!("search{from}"), body)
            .await;
        answer["search_categories"]["room_events"].clone()
    }

    /// The ids of what a term finds, the newest first.
    async fn finds(&self, user: &User, term: &str) -> Vec<String> {
        let criteria = json!({ "search_term": term, "order_by": "recent" });
        ids(&self.search(user, criteria).await)
    }

    /// Waits until everything that was said is in the index.
    async fn settle(&self, user: &User, room: &str) {
        let marker = format!("marker{}", count());
        let said = self.say(user, room, &marker).await;
        eventually("the index has come so far", || async {
            (self.finds(user, &marker).await == [said.as_str()]).then_some(())
        })
        .await;
    }
}

/// The ids of results, in their order.
fn ids(answer: &Value) -> Vec<String> {
    let results = answer["results"].as_array().unwrap().iter();
    results
        .map(|result| result["result"]["event_id"].as_str().unwrap().to_owned())
        .collect()
}

/// The content of an edit.
fn edit(event: &str, text: &str) -> Value {
    json!({
        "msgtype": "m.text",
        "body": format!("* {text}"),
        "m.new_content": { "msgtype": "m.text", "body": text },
        "m.relates_to": { "rel_type": "m.replace", "event_id": event },
    })
}
