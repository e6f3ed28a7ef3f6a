//! A client that notes which endpoints answered it.

use std::{collections::BTreeMap, sync::Mutex};

use client_api::{endpoint::Route, routes};
use serde_json::{Value, json};

use crate::{
    server::{Node, User},
    stage::encoded,
};

/// Which paths a client asks where there are two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Generation {
    /// Those of today.
    V3,
    /// Those of before version 1.1, where they exist.
    R0,
}

/// A node, and what of it was seen to work.
pub(super) struct Walk {
    pub(super) node: Node,
    pub(super) generation: Generation,
    inventory: Vec<Route>,
    /// The story that is being played.
    story: Mutex<&'static str>,
    /// What was seen to work, and in which story.
    seen: Mutex<BTreeMap<Route, &'static str>>,
}

impl Walk {
    pub(super) fn through(node: Node) -> Self {
        Self {
            node,
            generation: Generation::V3,
            inventory: routes::inventory(),
            story: Mutex::default(),
            seen: Mutex::default(),
        }
    }

    /// Plays a story, of which the name is kept.
    pub(super) async fn play(&self, name: &'static str, story: impl AsyncFn(&Self)) {
        *self.story.lock().unwrap() = name;
        story(self).await;
    }

    /// A user name that this part of the walk has for itself.
    pub(super) fn name(&self, name: &str) -> String {
        match self.generation {
            Generation::V3 => name.to_owned(),
            Generation::R0 => format!("{name}.r0"),
        }
    }

    /// Registers somebody.
    pub(super) async fn join(&self, name: &str) -> User {
        self.node.join(&self.name(name)).await
    }

    /// A new room of somebody's.
    pub(super) async fn room(&self, owner: &User, body: Value) -> String {
        let made = self.post(owner, "createRoom", body).await;
        made["room_id"].as_str().unwrap().to_owned()
    }

    /// Sends a message, and gives its id.
    pub(super) async fn say(&self, who: &User, room: &str, text: &str) -> String {
        let path = format!("rooms/{room}/send/m.room.message/{}", encoded(text));
        let body = json!({"msgtype": "m.text", "body": text});
        let sent = self.put(who, &path, body).await;
        sent["event_id"].as_str().unwrap().to_owned()
    }

    pub(super) async fn get(&self, who: &User, path: &str) -> Value {
        self.ok(&who.token, "GET", path, Value::Null).await
    }

    pub(super) async fn put(&self, who: &User, path: &str, body: Value) -> Value {
        self.ok(&who.token, "PUT", path, body).await
    }

    pub(super) async fn post(&self, who: &User, path: &str, body: Value) -> Value {
        self.ok(&who.token, "POST", path, body).await
    }

    pub(super) async fn delete(&self, who: &User, path: &str, body: Value) -> Value {
        self.ok(&who.token, "DELETE", path, body).await
    }

    /// Asks what must succeed. What does not begin with a slash stands below the client API.
    pub(super) async fn ok(&self, token: &str, method: &str, path: &str, body: Value) -> Value {
        let (path, route) = self.addressed(method, path);
        let answer = self.node.ok(token, method, &path, body).await;
        let story = *self.story.lock().unwrap();
        self.seen.lock().unwrap().entry(route).or_insert(story);
        answer
    }

    /// Asks what must be refused with 404, because it is gone.
    pub(super) async fn gone(&self, who: &User, path: &str) {
        let (path, _) = self.addressed("GET", path);
        let refused = self.node.refused(&who.token, "GET", &path, "").await;
        assert_eq!(refused.0, 404, "GET {path}: {}", refused.1);
    }

    /// Asks what is refused to everybody, because this server has no such thing: no more can be
    /// seen of it.
    pub(super) async fn denied(
        &self,
        token: &str,
        (method, path): (&str, &str),
        body: &Value,
        (status, errcode): (u16, &str),
    ) {
        let (path, route) = self.addressed(method, path);
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let refused = self.node.refused(token, method, &path, &body);
        assert_eq!(refused.await, (status, errcode.to_owned()), "{path}");
        let story = *self.story.lock().unwrap();
        self.seen.lock().unwrap().entry(route).or_insert(story);
    }

    /// What exists and has not answered, one a line.
    pub(super) fn missed(&self) -> String {
        let seen = self.seen.lock().unwrap();
        let missed = self
            .inventory
            .iter()
            .filter(|route| !seen.contains_key(*route));
        let lines: Vec<String> = missed.map(ToString::to_string).collect();
        lines.join("\n")
    }

    /// Every endpoint that was seen to work, and the story that showed it.
    pub(super) fn stories(&self) -> Vec<(Route, &'static str)> {
        let seen = self.seen.lock().unwrap();
        let stories = seen.iter().map(|(route, story)| (route.clone(), *story));
        stories.collect()
    }

    fn addressed(&self, method: &str, path: &str) -> (String, Route) {
        let path = match path.starts_with('/') {
            true => path.to_owned(),
            false => format!("/_matrix/client/v3/{path}"),
        };
        if self.generation == Generation::R0 {
            let old = path.replacen("/v3/", "/r0/", 1);
            if let Some(route) = self.route(method, &old) {
                return (old, route);
            }
        }
        let route = self.route(method, &path);
        let route = route.unwrap_or_else(|| panic!("there is no endpoint {method} {path}"));
        (path, route)
    }

    /// The endpoint at a path: the one that has most of it in its own words.
    fn route(&self, method: &str, path: &str) -> Option<Route> {
        let path = path.split('?').next().unwrap_or(path);
        let routes = self.inventory.iter().filter(|route| route.method == method);
        let fitting = routes.filter(|route| fits(&route.path, path));
        let literal = |route: &&Route| {
            let segments = route.path.split('/');
            segments.filter(|part| !part.starts_with('{')).count()
        };
        fitting.max_by_key(literal).cloned()
    }
}

fn fits(template: &str, path: &str) -> bool {
    let fits = |(part, given): (&str, &str)| match part.starts_with('{') {
        true => !given.is_empty(),
        false => part == given,
    };
    template.split('/').count() == path.split('/').count()
        && template.split('/').zip(path.split('/')).all(fits)
}
