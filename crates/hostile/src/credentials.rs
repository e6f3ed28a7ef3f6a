//! What this deployment has signed or remembers: nobody makes it up, not even from a genuine one.

use std::cell::RefCell;

use accounts::By;
use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use crate::node::{Node, PASSWORD, Place, at_node};

thread_local! {
    static NODE: Place = const { RefCell::new(None) };
}

/// The first byte chooses a kind of credential, the next two a byte of a genuine one and what is
/// changed of it; the rest is the text that is presented, in which `<genuine>` stands for that.
///
/// Nothing panics, no answer is a failure of the server, and only the genuine is accepted: an
/// access token, a token to sign in with, one to refresh with, and a session of user-interactive
/// authentication.
pub fn credentials(data: &[u8]) {
    let [kind, place, change, text @ ..] = data else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let forgery = Forgery {
        place: *place,
        change: *change,
        text,
    };
    at_node(&NODE, |node| match kind % 4 {
        0 => access_token(node, &forgery),
        1 => login_token(node, &forgery),
        2 => refresh_token(node, &forgery),
        _ => session(node, &forgery),
    });
}

/// How a credential is made from a genuine one.
struct Forgery<'a> {
    place: u8,
    change: u8,
    text: &'a str,
}

impl Forgery<'_> {
    fn of(&self, genuine: &str) -> String {
        let mut bytes = genuine.as_bytes().to_vec();
        let place = usize::from(self.place) % bytes.len();
        // Seven bits, so that it stays a text.
        bytes[place] ^= self.change & 0x7f;
        let changed = String::from_utf8(bytes).unwrap();
        self.text.replace("<genuine>", &changed)
    }
}

fn access_token(node: &mut Node, forgery: &Forgery<'_>) {
    let presented = forgery.of(&node.token);
    let request = Request::get("/_matrix/client/v3/account/whoami")
        .header("Authorization", format!("Bearer {presented}"));
    let Ok(request) = request.body(Body::empty()) else {
        return;
    };
    let answer = node.ask(request);
    let is_genuine = presented.trim() == node.token;
    assert_eq!(
        answer.status,
        if is_genuine { 200 } else { 401 },
        "{presented:?}"
    );
}

fn login_token(node: &mut Node, forgery: &Forgery<'_>) {
    let user = node
        .owners()
        .accounts
        .account(ruma::user_id!("@alice:localhost"));
    let user = node.runtime().block_on(user).unwrap().unwrap().user;
    let making = node
        .owners()
        .accounts
        .make_login_token(user, By::command_line());
    let genuine = node.runtime().block_on(making).unwrap();
    let presented = forgery.of(&genuine);
    let body = json!({ "type": "m.login.token", "token": presented, "device_id": "PHONE2" });
    let status = anonymously(node, "login", &body);
    assert_eq!(
        status == 200,
        presented == genuine,
        "{presented:?}: {status}"
    );
}

fn refresh_token(node: &mut Node, forgery: &Forgery<'_>) {
    let body = json!({
        "type": "m.login.password", "identifier": { "type": "m.id.user", "user": "bob" },
        "password": PASSWORD, "device_id": "PHONE", "refresh_token": true,
    });
    let genuine = match node.refresh_token.clone() {
        Some(token) => token,
        None => node.ok("POST", "login", body)["refresh_token"]
            .as_str()
            .unwrap()
            .to_owned(),
    };
    let presented = forgery.of(&genuine);
    let status = anonymously(node, "refresh", &json!({ "refresh_token": presented }));
    assert_eq!(
        status == 200,
        presented == genuine,
        "{presented:?}: {status}"
    );
    node.refresh_token = (status != 200).then_some(genuine);
}

fn session(node: &mut Node, forgery: &Forgery<'_>) {
    let path = "/_matrix/client/v3/delete_devices";
    let ask = |node: &mut Node, body: Value| node.ask(node.request("POST", path, body.to_string()));
    let challenge = ask(node, json!({ "devices": [] })).json();
    let genuine = challenge["session"].as_str().unwrap().to_owned();
    let presented = forgery.of(&genuine);
    let proof = json!({
        "type": "m.login.password", "identifier": { "type": "m.id.user", "user": "alice" },
        "password": PASSWORD, "session": presented,
    });
    let answer = ask(node, json!({ "devices": [], "auth": proof }));
    let is_genuine = presented == genuine;
    assert_eq!(
        answer.status,
        if is_genuine { 200 } else { 401 },
        "{presented:?}"
    );
}

fn anonymously(node: &mut Node, path: &str, body: &Value) -> u16 {
    let request = Request::post(format!("/_matrix/client/v3/{path}"));
    let request = request.body(body.to_string().into()).unwrap();
    let status = node.ask(request).status.as_u16();
    assert!(status < 500, "{path}: {status}");
    status
}
