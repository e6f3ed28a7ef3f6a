//! Who is there, and how one asks whichever node answers.

use std::{io, net::SocketAddr, time::Duration};

use serde_json::{Value, json};
use testkit::eventually_within;

use crate::support::Client;

/// Long enough for servers that recover on a machine with other work.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Everybody's.
const PASSWORD: &str = "correct horse battery";

/// After so long a client asks another node.
pub(crate) const GIVES_UP_AFTER: Duration = Duration::from_secs(2);

pub(crate) struct Scene {
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) people: Vec<Client>,
    pub(crate) room: String,
}

impl Scene {
    /// Two people in one room.
    pub(crate) async fn set(addresses: Vec<SocketAddr>) -> Self {
        let alice = register(addresses[0], "alice").await;
        let bob = register(addresses[addresses.len() - 1], "bob").await;
        let public = json!({ "preset": "public_chat" });
        let made = alice.ask("POST", "/_matrix/client/v3/createRoom", &public);
        let room = made.await.unwrap()["room_id"].as_str().unwrap().to_owned();
        let join = format!("/_matrix/client/v3/join/{room}");
        bob.ask("POST", &join, &json!({})).await.unwrap();
        Self {
            addresses,
            people: vec![alice, bob],
            room,
        }
    }

    /// The same people and room, asked at other addresses.
    pub(crate) fn moved_to(&self, addresses: Vec<SocketAddr>) -> Self {
        let people = self.people.iter().map(|person| person.at(addresses[0]));
        Self {
            people: people.collect(),
            room: self.room.clone(),
            addresses,
        }
    }

    pub(crate) fn nodes(&self) -> usize {
        self.addresses.len()
    }

    /// Somebody, at this node.
    pub(crate) fn at(&self, person: usize, node: usize) -> Client {
        self.people[person].at(self.addresses[node])
    }

    pub(crate) fn in_room(&self, rest: &str) -> String {
        format!("/_matrix/client/v3/rooms/{}/{rest}", self.room)
    }

    /// Says something at a node, and gives the event's id.
    pub(crate) async fn say(&self, node: usize, text: &str) -> String {
        let path = self.in_room(&format!("send/m.room.message/{text}"));
        let content = json!({ "msgtype": "m.text", "body": text });
        let said = eventually_within(PATIENCE, "it is said", || async {
            self.at(0, node).ask("PUT", &path, &content).await.ok()
        });
        said.await["event_id"].as_str().unwrap().to_owned()
    }
}

pub(crate) async fn register(address: SocketAddr, name: &str) -> Client {
    const PATH: &str = "/_matrix/client/v3/register";
    let mut client = Client::anonymous(address, &[]);
    let mut body = json!({ "username": name, "password": PASSWORD });
    let (_, challenge) = client.refusal("POST", PATH, &body).await.unwrap();
    body["auth"] = json!({ "type": "m.login.dummy", "session": challenge["session"] });
    client.begin_session(PATH, &body).await;
    client
}

/// A session of its own, to be ended.
pub(crate) async fn sign_in_again(scene: &Scene, node: usize) -> Client {
    Client::sign_in(scene.addresses[node], "alice", PASSWORD).await
}

impl Client {
    /// Asks who this is: the status of a refusal, 599 when nobody answered.
    pub(crate) async fn who(&self) -> Result<(), u16> {
        let path = "/_matrix/client/v3/account/whoami";
        match self.refusal("GET", path, &json!({})).await {
            Ok((200, _)) => Ok(()),
            Ok((401, said)) if said["errcode"] == "M_UNKNOWN_TOKEN" => Err(401),
            Ok((401, _)) => Err(400),
            Ok((status, _)) => Err(status),
            Err(_) => Err(599),
        }
    }

    /// The same, once the server does not fail.
    pub(crate) async fn settled(&self) -> Result<(), u16> {
        eventually_within(PATIENCE, "it is answered", || async {
            let told = self.who().await;
            (!told.is_err_and(|status| status >= 500)).then_some(told)
        })
        .await
    }
}

/// What a question came to.
#[derive(Debug)]
pub(crate) enum Reply {
    /// It succeeded.
    Done(Value),
    /// It was refused as a fault of who asked.
    Refused(String),
    /// Nobody can say: the server failed, or the connection was lost.
    Nothing,
    /// Nothing came for so long that who asked went away; the question may be heard yet.
    Abandoned,
}

/// Asks once.
pub(crate) async fn ask(client: &Client, method: &str, path: &str, body: &Value) -> Reply {
    let asking = client.ask(method, path, body);
    match tokio::time::timeout(GIVES_UP_AFTER, asking).await {
        Err(_) => Reply::Abandoned,
        Ok(Ok(answer)) => Reply::Done(answer),
        Ok(Err(error)) if is_blamed(&error) => Reply::Refused(error.to_string()),
        Ok(Err(_)) => Reply::Nothing,
    }
}

/// Whatever befalls servers is no fault of who asks: a client that is told so would give up, or
/// sign out.
pub(crate) fn is_blamed(error: &io::Error) -> bool {
    let said = error.to_string();
    said.starts_with("http/1.0 4") || said.starts_with("http/1.1 4")
}
