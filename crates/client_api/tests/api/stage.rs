//! What people do in rooms, and clients that sync.

use std::{
    fmt::Write as _,
    future::Future,
    pin::pin,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::server::{Node, PASSWORD, User};

/// The id of a room.
pub(crate) type Room = String;

/// Names and transactions are used once in this process: tests may share a database.
static COUNT: AtomicU64 = AtomicU64::new(1);

/// A number that nobody else in this process has.
pub(crate) fn count() -> u64 {
    COUNT.fetch_add(1, Ordering::Relaxed)
}

/// How long something is watched that must not happen.
pub(crate) const A_WHILE: Duration = Duration::from_millis(60);

/// How long something may take that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

const CLIENT: &str = "/_matrix/client/v3";

impl User {
    /// The part of the id before the server.
    pub(crate) fn localpart(&self) -> &str {
        let name = self.user_id.strip_prefix('@').unwrap();
        name.split(':').next().unwrap()
    }
}

impl Node {
    /// Registers somebody whose name begins like this.
    pub(crate) async fn someone(&self, name: &str) -> User {
        self.join(&format!("{name}-{}", count())).await
    }

    /// Signs somebody in on another device.
    pub(crate) async fn on_device(&self, user: &User, device_id: &str) -> User {
        let body = json!({
            "type": "m.login.password",
            "identifier": { "type": "m.id.user", "user": user.user_id },
            "password": PASSWORD,
            "device_id": device_id,
        });
        let answer = self.ok("", "POST", &format!("{CLIENT}/login"), body).await;
        User {
            user_id: user.user_id.clone(),
            token: answer["access_token"].as_str().unwrap().to_owned(),
        }
    }

    /// Asks for something of the client-server API that must succeed.
    pub(crate) async fn call(&self, user: &User, method: &str, rest: &str, body: Value) -> Value {
        let path = format!("{CLIENT}/{rest}");
        self.ok(&user.token, method, &path, body).await
    }

    /// Reads something that must be there.
    pub(crate) async fn get(&self, user: &User, rest: &str) -> Value {
        self.call(user, "GET", rest, Value::Null).await
    }

    pub(crate) async fn create(&self, user: &User, body: Value) -> String {
        let made = self.call(user, "POST", "createRoom", body).await;
        made["room_id"].as_str().unwrap().to_owned()
    }

    /// A room that anybody may join.
    pub(crate) async fn public(&self, user: &User) -> String {
        self.create(user, json!({ "preset": "public_chat" })).await
    }

    pub(crate) async fn say(&self, user: &User, room: &str, text: &str) -> String {
        let content = json!({ "msgtype": "m.text", "body": text });
        self.send(user, room, "m.room.message", content).await
    }

    pub(crate) async fn send(&self, user: &User, room: &str, kind: &str, content: Value) -> String {
        let rest = format!("rooms/{room}/send/{kind}/t{}", count());
        event_id(&self.call(user, "PUT", &rest, content).await)
    }

    pub(crate) async fn set(
        &self,
        user: &User,
        room: &str,
        slot: (&str, &str),
        content: Value,
    ) -> String {
        let rest = format!("rooms/{room}/state/{}/{}", slot.0, slot.1);
        event_id(&self.call(user, "PUT", &rest, content).await)
    }

    pub(crate) async fn redact(&self, user: &User, room: &str, event: &str) -> String {
        let rest = format!("rooms/{room}/redact/{event}/t{}", count());
        event_id(&self.call(user, "PUT", &rest, json!({})).await)
    }

    /// Joins, leaves, knocks or forgets.
    pub(crate) async fn go(&self, user: &User, act: &str, room: &str) {
        let rest = match act {
            "knock" => format!("knock/{room}"),
            _ => format!("rooms/{room}/{act}"),
        };
        self.call(user, "POST", &rest, json!({})).await;
    }

    /// Invites, kicks, bans or unbans another.
    pub(crate) async fn on(&self, user: &User, act: &str, room: &str, other: &User) {
        let rest = format!("rooms/{room}/{act}");
        let body = json!({ "user_id": other.user_id });
        self.call(user, "POST", &rest, body).await;
    }

    /// Says that an event was read.
    pub(crate) async fn read(&self, user: &User, room: &str, kind: &str, event: &str, body: Value) {
        let rest = format!("rooms/{room}/receipt/{kind}/{event}");
        self.call(user, "POST", &rest, body).await;
    }

    /// Sets account data, of a room if one is named.
    pub(crate) async fn keep(&self, user: &User, room: Option<&str>, kind: &str, content: Value) {
        let room = room.map_or(String::new(), |room| format!("/rooms/{room}"));
        let rest = format!("user/{}{room}/account_data/{kind}", user.user_id);
        self.call(user, "PUT", &rest, content).await;
    }

    /// Sends a message to one device.
    pub(crate) async fn to_device(&self, user: &User, other: &User, device: &str, content: Value) {
        let rest = format!("sendToDevice/org.example.note/t{}", count());
        let body = json!({ "messages": { &other.user_id: { device: content } } });
        self.call(user, "PUT", &rest, body).await;
    }

    /// A client that has seen nothing yet.
    pub(crate) fn client<'a>(&'a self, user: &'a User) -> Client<'a> {
        Client {
            node: self,
            user,
            parameters: "&set_presence=offline".to_owned(),
            since: None,
        }
    }
}

/// Somebody's client, which remembers what it has seen.
#[derive(Clone)]
pub(crate) struct Client<'a> {
    node: &'a Node,
    user: &'a User,
    parameters: String,
    pub(crate) since: Option<String>,
}

impl<'a> Client<'a> {
    /// Syncs with a filter.
    pub(crate) fn filtered(mut self, filter: &Value) -> Self {
        write!(self.parameters, "&filter={}", encoded(&filter.to_string())).unwrap();
        self
    }

    /// Syncs with another parameter.
    pub(crate) fn with(mut self, parameter: &str) -> Self {
        write!(self.parameters, "&{parameter}").unwrap();
        self
    }

    /// Goes on at another node.
    pub(crate) fn at<'b>(self, node: &'b Node) -> Client<'b>
    where
        'a: 'b,
    {
        Client { node, ..self }
    }

    /// Has seen everything up to now.
    pub(crate) async fn ready(mut self) -> Self {
        self.next().await;
        self
    }

    /// What is new, at once.
    pub(crate) async fn next(&mut self) -> Value {
        self.sync(Duration::ZERO).await
    }

    /// What is new, when there is something or the time is up.
    pub(crate) async fn sync(&mut self, wait: Duration) -> Value {
        let path = self.path(wait);
        let answer = self.node.ok(&self.user.token, "GET", &path, Value::Null);
        let answer = answer.await;
        self.since = Some(answer["next_batch"].as_str().unwrap().to_owned());
        answer
    }

    /// What is asked for next.
    pub(crate) fn path(&self, wait: Duration) -> String {
        let since = self.since.as_deref();
        let since = since.map_or(String::new(), |since| format!("&since={since}"));
        let wait = wait.as_millis();
        format!("{CLIENT}/sync?timeout={wait}{}{since}", self.parameters)
    }

    /// Waits for news, which must come when `cause` happens and not before.
    pub(crate) async fn woken_by<T>(&mut self, cause: impl Future<Output = T>) -> Value {
        let mut waiting = pin!(self.sync(Duration::from_secs(60)));
        let early = timeout(A_WHILE, &mut waiting).await;
        assert!(early.is_err(), "it does not wait: {early:?}");
        let both = async { tokio::join!(waiting, cause).0 };
        timeout(PATIENCE, both).await.expect("it is woken")
    }

    /// Waits for news, of which there must be none while `cause` happens.
    pub(crate) async fn not_woken_by<T>(&mut self, cause: impl Future<Output = T>) {
        let mut waiting = pin!(self.sync(Duration::from_secs(60)));
        tokio::select! {
            answer = &mut waiting => panic!("it is woken: {answer}"),
            _ = cause => {}
        }
        let answer = timeout(A_WHILE, waiting).await;
        assert!(answer.is_err(), "it is woken: {answer:?}");
    }
}

/// Text as a part of a URL.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => out.push(byte.into()),
            _ => write!(out, "%{byte:02X}").unwrap(),
        }
    }
    out
}

fn event_id(answer: &Value) -> String {
    answer["event_id"].as_str().unwrap().to_owned()
}

/// A list of events, which may be absent.
pub(crate) fn events(list: &Value) -> &[Value] {
    list["events"].as_array().map_or(&[], Vec::as_slice)
}

/// The ids of a list of events.
pub(crate) fn ids(list: &Value) -> Vec<&str> {
    let ids = events(list).iter();
    ids.map(|event| event["event_id"].as_str().unwrap())
        .collect()
}

/// The texts of the messages among events.
pub(crate) fn texts(list: &Value) -> Vec<&str> {
    let texts = events(list).iter();
    texts
        .filter_map(|event| event["content"]["body"].as_str())
        .collect()
}

/// The types of events, sorted.
pub(crate) fn types(list: &Value) -> Vec<&str> {
    let types = events(list)
        .iter()
        .map(|event| event["type"].as_str().unwrap());
    let mut types: Vec<_> = types.collect();
    types.sort_unstable();
    types
}

/// The first event of a type.
pub(crate) fn of_type<'a>(list: &'a Value, kind: &str) -> Option<&'a Value> {
    events(list).iter().find(|event| event["type"] == kind)
}

/// The users whose member events are among events, sorted, with their membership.
pub(crate) fn members(list: &Value) -> Vec<(&str, &str)> {
    let members = events(list)
        .iter()
        .filter(|event| event["type"] == "m.room.member");
    let mut members: Vec<_> = members
        .map(|event| {
            let user = event["state_key"].as_str().unwrap();
            (user, event["content"]["membership"].as_str().unwrap())
        })
        .collect();
    members.sort_unstable();
    members
}

/// A room that the user is in.
pub(crate) fn joined<'a>(answer: &'a Value, room: &str) -> &'a Value {
    &answer["rooms"]["join"][room]
}

/// A room that the user left.
pub(crate) fn left<'a>(answer: &'a Value, room: &str) -> &'a Value {
    &answer["rooms"]["leave"][room]
}

/// Whether an answer tells nothing.
pub(crate) fn is_silent(answer: &Value) -> bool {
    let told = [
        "rooms",
        "presence",
        "account_data",
        "to_device",
        "device_lists",
    ];
    told.iter().all(|part| answer.get(part).is_none())
}
