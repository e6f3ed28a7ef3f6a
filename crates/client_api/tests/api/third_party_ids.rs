//! Addresses of mail that stand for an account: proving, adding, finding, taking away.

use accounts::emails::{EmailLink, MailKind, WaitingMail};
use serde_json::{Value, json};
use store::Pos;

use crate::server::{Node, PASSWORD, Server, User, on_both_engines, password_of};

mod adding;
mod forgotten;
pub(crate) mod inviting;
mod mails;
mod names;
mod races;

pub(crate) const ADD: &str = "/_matrix/client/v3/account/3pid/add";
pub(crate) const PASSWORD_PATH: &str = "/_matrix/client/v3/account/password";

/// What a client alone knows of its sessions here.
pub(crate) const SECRET: &str = "a.client_secret=1-";

/// A deployment that sends mail.
pub(crate) async fn with_mail(server: &mut Server) -> Node {
    server.deployment.mail = true;
    server.node().await
}

/// Asks for a mail; `kind` is the part of the path before `email/requestToken`.
pub(crate) async fn request(node: &Node, kind: &str, email: &str, attempt: u64) -> Value {
    let path = format!("/_matrix/client/v3/{kind}/email/requestToken");
    let body = json!({"client_secret": SECRET, "email": email, "send_attempt": attempt});
    node.ok("", "POST", &path, body).await
}

/// All mails that wait, the oldest first.
pub(crate) async fn mails(node: &Node) -> Vec<WaitingMail> {
    let accounts = &node.parts.accounts;
    let written = accounts.mails_written(Pos::START, Pos::new(i64::MAX)).await;
    let mut mails = Vec::new();
    for (reader, pos) in written.unwrap() {
        mails.push(accounts.mail_for(&reader, pos).await.unwrap().unwrap());
    }
    mails
}

/// The secret in the link of the newest mail.
pub(crate) async fn newest_token(node: &Node) -> String {
    let newest = mails(node).await.pop().unwrap();
    match &newest.kind {
        MailKind::AddAddress(token)
        | MailKind::Register(token)
        | MailKind::ResetPassword(token, _) => String::clone(token),
        other => panic!("{other:?} has no link"),
    }
}

/// Opens the link of the newest mail, and confirms.
pub(crate) async fn confirm(node: &Node) {
    let token = newest_token(node).await;
    let accounts = &node.parts.accounts;
    let link = accounts.email_link(&token).await.unwrap();
    assert!(matches!(link, EmailLink::Usable(_)));
    assert!(accounts.confirm_email(&token).await.unwrap().is_some());
}

/// Proves an address for a purpose, and gives the session's id.
pub(crate) async fn prove(node: &Node, kind: &str, email: &str) -> String {
    let asked = request(node, kind, email, 1).await;
    confirm(node).await;
    asked["sid"].as_str().unwrap().to_owned()
}

/// Adds a proved address.
pub(crate) async fn add(node: &Node, who: &User, name: &str, sid: &str) -> (u16, Value) {
    let body = json!({"sid": sid, "client_secret": SECRET, "auth": password_of(name)});
    let (status, answer) = node.ask(&who.token, "POST", ADD, body.to_string()).await;
    (status.as_u16(), answer)
}

/// Gives somebody an address.
pub(crate) async fn give(node: &Node, who: &User, name: &str, email: &str) {
    let sid = prove(node, "account/3pid", email).await;
    let (status, answer) = add(node, who, name, &sid).await;
    assert_eq!(status, 200, "{answer}");
}

/// The addresses of somebody.
pub(crate) async fn addresses(node: &Node, who: &User) -> Vec<String> {
    let path = "/_matrix/client/v3/account/3pid";
    let listed = node.ok(&who.token, "GET", path, Value::Null).await;
    let listed = listed["threepids"].as_array().unwrap();
    let listed = listed.iter().map(|one| {
        assert_eq!(one["medium"], "email");
        one["address"].as_str().unwrap().to_owned()
    });
    listed.collect()
}

on_both_engines! {
    without_mail_nothing_is_proved,
    only_pages_are_led_to,
}

async fn without_mail_nothing_is_proved(server: Server) {
    let node = server.node().await;
    let ann = node.join("ann").await;
    let body = json!({"client_secret": SECRET, "email": "a@example.org", "send_attempt": 1});
    for (kind, refusal) in [
        ("account/3pid", (400, "M_THREEPID_MEDIUM_NOT_SUPPORTED")),
        ("account/password", (403, "M_THREEPID_DENIED")),
        ("register", (403, "M_THREEPID_DENIED")),
    ] {
        let path = format!("/_matrix/client/v3/{kind}/email/requestToken");
        let refused = node.refused("", "POST", &path, &body.to_string()).await;
        assert_eq!((refused.0, &*refused.1), refusal, "{kind}");
    }
    let path = "/_matrix/client/v3/capabilities";
    let told = node.ok(&ann.token, "GET", path, Value::Null).await;
    assert_eq!(told["capabilities"]["m.3pid_changes"]["enabled"], false);
    let body = json!({"new_password": "another horse"}).to_string();
    let refused = node.refused("", "POST", PASSWORD_PATH, &body).await;
    assert_eq!(refused, (401, "M_MISSING_TOKEN".to_owned()));
    let path = "/_matrix/client/v3/register";
    let (_, challenge) = node.ask("", "POST", path, "{}").await;
    assert!(!challenge.to_string().contains("m.login.email.identity"));
}

async fn only_pages_are_led_to(mut server: Server) {
    let node = with_mail(&mut server).await;
    let path = "/_matrix/client/v3/register/email/requestToken";
    let body = |link: &str| {
        json!({
            "client_secret": SECRET, "email": "a@example.org", "send_attempt": 1,
            "next_link": link,
        })
    };
    for link in [
        "javascript:alert(1)",
        "element://x",
        "/x",
        "data:text/html,x",
    ] {
        let refused = node
            .refused("", "POST", path, &body(link).to_string())
            .await;
        assert_eq!(refused, (400, "M_INVALID_PARAM".to_owned()), "{link}");
    }
    let long = format!("https://example.org/{}", "x".repeat(3_000));
    let refused = node
        .refused("", "POST", path, &body(&long).to_string())
        .await;
    assert_eq!(refused, (400, "M_INVALID_PARAM".to_owned()));
    assert!(mails(&node).await.is_empty());
    let link = "https://app.example.org/#/go-on";
    node.ok("", "POST", path, body(link)).await;
    let token = newest_token(&node).await;
    // Looking at the link tells nobody where it leads, and confirms nothing.
    let accounts = &node.parts.accounts;
    for _ in 0..2 {
        accounts.email_link(&token).await.unwrap();
    }
    let body = json!({
        "username": "ann", "password": PASSWORD,
        "auth": {
            "type": "m.login.email.identity",
            "threepid_creds": {"sid": "x", "client_secret": SECRET},
        },
    });
    let register = "/_matrix/client/v3/register";
    let (status, _) = node.ask("", "POST", register, body.to_string()).await;
    assert_eq!(status, 401);
    let confirmed = accounts.confirm_email(&token).await.unwrap().unwrap();
    assert_eq!(confirmed.next_link.as_deref(), Some(link));
}
