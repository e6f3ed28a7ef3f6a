//! A whole node to be asked: on SQLite, with two people, a room and what belongs to them.

use std::{
    cell::RefCell,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::Arc,
    thread::LocalKey,
    time::Duration,
};

use accounts::{By, NewDevice};
use axum::{Router, body::Body, extract::ConnectInfo};
use client_api::{ClientApi, Owners, Settings, address::TrustedProxies, routes};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use oauth::Pages;
use ruma::{RoomVersionId, owned_device_id, owned_server_name, user_id};
use serde_json::{Value, json};
use testkit::entropy::SeededEntropy;
use tokio::runtime::Runtime;
use tower::ServiceExt;

use crate::deployment::Deployment;

/// Everybody's password.
pub(crate) const PASSWORD: &str = "correct horse";

/// How long an answer may need nothing but time to pass before it is let pass.
const PATIENCE: Duration = Duration::from_millis(30);

/// How much time is let pass at once, and how often before an answer is given up.
const MOMENT: Duration = Duration::from_secs(30);
const MOMENTS: usize = 400;

/// After how many requests a node is made anew, so that what a finding needs is not long ago.
const MOST_REQUESTS: usize = 2_000;

/// After how many it gets a new room and all that: people leave, and things are deleted.
const REQUESTS_FOR_A_ROOM: usize = 100;

/// A picture, the smallest there is.
const PICTURE: &[u8] = b"GIF89a\x01\0\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";

/// A place for the node of one thread.
pub(crate) type Place = RefCell<Option<Node>>;

/// A node, and the names of what is on it.
pub(crate) struct Node {
    router: Router,
    owners: Owners,
    deployment: Deployment,
    runtime: Runtime,
    /// What Alice proves herself with.
    pub(crate) token: String,
    /// What Bob's session is refreshed with, once it was asked for.
    pub(crate) refresh_token: Option<String>,
    /// What allows the form that makes the first administrator.
    setup: String,
    names: Vec<(&'static str, String)>,
    asked: usize,
    /// Whether anything was asked for since that may have signed Alice out.
    has_changed: bool,
    furnished_at: usize,
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body as JSON, or null.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Runs something against the node of this thread, which is made when there is none.
///
/// A node that something was wrong with is not used again.
pub(crate) fn at_node(place: &'static LocalKey<Place>, ask: impl FnOnce(&mut Node)) {
    let standing = place.take().filter(|node| node.asked < MOST_REQUESTS);
    let mut node = standing.unwrap_or_else(Node::start);
    ask(&mut node);
    if !node.has_changed || node.goes_on() {
        place.set(Some(node));
    }
}

impl Node {
    fn start() -> Self {
        // Of one thread: requests come one by one, and need not be handed over.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let mut deployment = Deployment::sqlite();
        deployment.allow_unauthenticated_files = true;
        let owners = runtime.block_on(deployment.node());
        let settings = Settings {
            server_name: owned_server_name!("localhost"),
            public_url: "http://localhost:8008".to_owned(),
            trusted_proxies: TrustedProxies::new(Vec::new()),
            rate_limits_enabled: deployment.rate_limits,
            default_room_version: RoomVersionId::V12,
            allow_unauthenticated_files: deployment.allow_unauthenticated_files,
            support: deployment.support.clone(),
            turn: deployment.turn.clone(),
            livekit_urls: deployment.livekit_urls.clone(),
        };
        let api = ClientApi::new(
            settings,
            Arc::new(deployment.clock.clone()),
            Arc::new(SeededEntropy::new(9)),
            Arc::new(owners.accounts.clone()),
            owners.clone(),
        );
        let setup = runtime.block_on(owners.accounts.make_setup_link());
        let address_of = |peer: Option<IpAddr>, _: &HeaderMap| peer.unwrap();
        let pages = Pages::new(
            owners.accounts.clone(),
            owners.pushers.clone(),
            "http://localhost:8008",
            Arc::new(address_of),
        );
        let mut node = Self {
            router: routes::router(api).merge(oauth::router(pages)),
            setup: setup.unwrap().unwrap(),
            owners,
            deployment,
            runtime,
            token: String::new(),
            refresh_token: None,
            names: Vec::new(),
            asked: 0,
            has_changed: false,
            furnished_at: 0,
        };
        node.register();
        node.furnish();
        node
    }

    fn register(&mut self) {
        for name in ["alice", "bob"] {
            let body = json!({
                "username": name, "password": PASSWORD, "device_id": "PHONE",
                "auth": { "type": "m.login.dummy" },
            });
            let joined = self.ok("POST", "register", body);
            self.token = joined["access_token"].as_str().unwrap().to_owned();
        }
        assert!(self.sign_in());
    }

    /// Makes what requests name: a room with an event in it, a file, a filter, a backup.
    fn furnish(&mut self) {
        self.furnished_at = self.asked;
        let alias = format!("room{}", self.asked);
        let room = json!({
            "preset": "public_chat", "room_alias_name": alias, "visibility": "public",
            "invite": ["@bob:localhost"],
        });
        let room = named(&self.ok("POST", "createRoom", room), "room_id");
        let said = json!({ "msgtype": "m.text", "body": "hello" });
        let path = format!("rooms/{room}/send/m.room.message/1");
        let event = named(&self.ok("PUT", &path, said), "event_id");
        let filter = json!({ "room": { "timeline": { "limit": 5 } } });
        let path = "user/@alice:localhost/filter";
        let filter = named(&self.ok("POST", path, filter), "filter_id");
        let backup = json!({ "algorithm": "m.megolm_backup.v1.curve25519-aes-sha2", "auth_data": { "public_key": "YWJj", "signatures": {} } });
        let version = named(&self.ok("POST", "room_keys/version", backup), "version");
        let since = named(&self.ok("GET", "sync", Value::Null), "next_batch");
        let request = self.request("POST", "/_matrix/media/v3/upload?filename=a", PICTURE);
        let file = named(&self.ask(request).json(), "content_uri");
        let file = file.strip_prefix("mxc://localhost/").unwrap().to_owned();
        self.names = vec![
            ("<room>", room),
            ("<alias>", format!("#{alias}:localhost")),
            ("<event>", event),
            ("<filter>", filter),
            ("<since>", since),
            ("<file>", file),
            ("<version>", version),
            ("<setup>", self.setup.clone()),
        ];
    }

    /// Begins a session of Alice's without asking for a password; says whether that could be.
    fn sign_in(&mut self) -> bool {
        let device = NewDevice {
            device_id: Some(owned_device_id!("PHONE")),
            ..NewDevice::default()
        };
        let alice = user_id!("@alice:localhost");
        let accounts = &self.owners.accounts;
        let session = accounts.sign_in_trusted(alice, device, By::command_line());
        let Ok(session) = self.runtime.block_on(session) else {
            return false;
        };
        self.token = session.access_token;
        true
    }

    /// Whether the node goes on answering Alice, who may have been signed out or left her room.
    fn goes_on(&mut self) -> bool {
        let room = self.filled(b"<room>");
        let room = String::from_utf8_lossy(&room);
        let path = "state/m.room.member/@alice:localhost";
        let path = format!("/_matrix/client/v3/rooms/{room}/{path}");
        let answer = self.ask(self.request("GET", &path, ""));
        let is_signed_in = match answer.status.as_u16() {
            200 | 403 | 404 => true,
            401 => self.sign_in(),
            status => panic!("{path}: {status}"),
        };
        let is_there = answer.json()["membership"] == "join";
        let is_worn = self.asked - self.furnished_at > REQUESTS_FOR_A_ROOM;
        if is_signed_in && (is_worn || !is_there) {
            self.furnish();
        }
        self.has_changed = false;
        is_signed_in
    }

    /// A request of Alice's.
    pub(crate) fn request(&self, method: &str, path: &str, body: impl Into<Body>) -> Request<Body> {
        Request::builder()
            .method(method)
            .uri(path)
            .header("Authorization", format!("Bearer {}", self.token))
            .body(body.into())
            .unwrap()
    }

    /// Asks what must succeed.
    pub(crate) fn ok(&mut self, method: &str, path: &str, body: Value) -> Value {
        let path = format!("/_matrix/client/v3/{path}");
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let answer = self.ask(self.request(method, &path, body));
        let told = answer.json();
        assert_eq!(answer.status, 200, "{method} {path}: {told}");
        told
    }

    /// Sends a request and waits for its answer; time passes when nothing else happens.
    pub(crate) fn ask(&mut self, mut request: Request<Body>) -> Answer {
        self.asked += 1;
        self.has_changed |= request.method() != Method::GET;
        let peer = SocketAddr::from(([192, 0, 2, 1], 1));
        request.extensions_mut().insert(ConnectInfo(peer));
        let clock = &self.deployment.clock;
        let asking = self.router.clone().oneshot(request);
        let answering = async {
            let (parts, body) = asking.await.unwrap().into_parts();
            let body = body.collect().await;
            let body = body.map_or_else(|_| Vec::new(), |body| body.to_bytes().to_vec());
            (parts, body)
        };
        let (parts, body) = self.runtime.block_on(async {
            let mut answering = pin!(answering);
            for _ in 0..MOMENTS {
                match tokio::time::timeout(PATIENCE, &mut answering).await {
                    Ok(answer) => return answer,
                    Err(_) => clock.advance(MOMENT),
                }
            }
            panic!("no answer came");
        });
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// Puts the names of what is here in the place of `<room>`, `<event>` and so on.
    pub(crate) fn filled(&self, text: &[u8]) -> Vec<u8> {
        let mut filled = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some((first, after)) = rest.split_first() {
            let token = ("<token>", self.token.clone());
            let mut names = self.names.iter().chain([&token]);
            match names.find(|(name, _)| rest.starts_with(name.as_bytes())) {
                Some((name, value)) => {
                    filled.extend_from_slice(value.as_bytes());
                    rest = &rest[name.len()..];
                }
                None => {
                    filled.push(*first);
                    rest = after;
                }
            }
        }
        filled
    }

    /// The owners of the data.
    pub(crate) fn owners(&self) -> &Owners {
        &self.owners
    }

    /// Where the owners run.
    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }
}

fn named(answer: &Value, field: &str) -> String {
    answer[field].as_str().unwrap().to_owned()
}
