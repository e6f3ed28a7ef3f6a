//! Tokens that the server makes, and proofs of who somebody is.

use serde_json::{Value, json};
use testkit::server::TestServer;

use super::{V3, ask, name_of, text};
use crate::{
    kinds::SETUP_LINK,
    markers::{Markers, address},
    support::Client,
};

pub(super) async fn setup_link(server: &TestServer, markers: &mut Markers) {
    // It is printed once the server is ready.
    let token = testkit::eventually("the link is printed", || {
        let output = server.output();
        async move {
            let (_, link) = output.split_once("/_conclave/setup?token=")?;
            let end = link.find(char::is_whitespace)?;
            Some(link[..end].to_owned())
        }
    })
    .await;
    markers.add(SETUP_LINK, &token);
}

pub(super) async fn sessions(
    alice: &mut Client,
    password: &str,
    server: &TestServer,
    markers: &mut Markers,
) {
    guess(alice, server, markers).await;
    let token = login_token(alice, password, markers).await;
    markers.add("a used login token", &token);
    let mut second = Client::anonymous(server.address(), &[]);
    let login = json!({ "type": "m.login.token", "token": token, "refresh_token": true });
    let session = second.begin_session(&format!("{V3}/login"), &login).await;
    refresh(&mut second, text(&session, "refresh_token"), markers).await;
    let changed = markers.new_for("a changed password");
    let change = json!({
        "new_password": changed, "logout_devices": false, "auth": proof(alice, password),
    });
    ask(alice, "POST", "account/password", change).await;
    // Never used. A new password revokes those that were made before.
    login_token(alice, &changed, markers).await;
    sign_out(&second, markers).await;
    let path = format!("user/{}/openid/request_token", alice.user_id);
    let made = ask(alice, "POST", &path, json!({})).await;
    let token = text(&made, "access_token");
    markers.add("an OpenID token", token);
    let path = "/_matrix/federation/v1/openid/userinfo";
    let asking = format!("{path}?access_token={token}");
    let service = Client::anonymous(server.address(), &[]);
    service.ask("GET", &asking, &Value::Null).await.unwrap();
    // Older clients put it there.
    let old = Client::anonymous(server.address(), &[]);
    let path = format!("account/whoami?access_token={}", alice.token);
    ask(&old, "GET", &path, Value::Null).await;
}

pub(super) fn proof(who: &Client, password: &str) -> Value {
    json!({
        "type": "m.login.password", "password": password,
        "identifier": { "type": "m.id.user", "user": name_of(who) },
    })
}

/// A stranger behind a proxy tries a password; the audit record alone remembers from where.
async fn guess(alice: &Client, server: &TestServer, markers: &mut Markers) {
    let agent = markers.new_for("a stranger's User-Agent");
    let from = address();
    markers.add("a stranger's address", &from);
    let headers = [("User-Agent", &*agent), ("X-Forwarded-For", &*from)];
    let stranger = Client::anonymous(server.address(), &headers);
    let login = proof(alice, &markers.new_for("a wrong password"));
    let path = format!("{V3}/login");
    let (status, said) = stranger.refusal("POST", &path, &login).await.unwrap();
    assert_eq!(status, 403, "{said}");
}

/// Lets another device sign in, once it is proved that it is oneself who asks.
async fn login_token(alice: &Client, password: &str, markers: &mut Markers) -> String {
    const PATH: &str = "/_matrix/client/v1/login/get_token";
    let (status, challenge) = alice.refusal("POST", PATH, &json!({})).await.unwrap();
    assert_eq!(status, 401, "{challenge}");
    let session = text(&challenge, "session");
    markers.add("a session of user-interactive authentication", session);
    let mut auth = proof(alice, password);
    auth["session"] = session.into();
    let made = alice.ask("POST", PATH, &json!({ "auth": auth })).await;
    let token = text(&made.unwrap(), "login_token").to_owned();
    markers.add("a login token", &token);
    token
}

async fn refresh(who: &mut Client, token: &str, markers: &mut Markers) {
    markers.add("a refresh token", token);
    markers.add("an access token", &who.token);
    let next = json!({ "refresh_token": token });
    let next = ask(who, "POST", "refresh", next).await;
    for (kind, key) in [
        ("an access token after a refresh", "access_token"),
        ("a refresh token after a refresh", "refresh_token"),
    ] {
        markers.add(kind, text(&next, key));
    }
    text(&next, "access_token").clone_into(&mut who.token);
    ask(who, "GET", "account/whoami", Value::Null).await;
}

async fn sign_out(who: &Client, markers: &mut Markers) {
    markers.add("an access token that was signed out", &who.token);
    ask(who, "POST", "logout", json!({})).await;
}
