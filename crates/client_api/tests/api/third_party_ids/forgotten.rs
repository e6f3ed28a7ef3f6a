//! A new password for who has forgotten theirs.

use accounts::emails::MailKind;
use serde_json::{Value, json};

use super::{PASSWORD_PATH, SECRET, add, confirm, give, mails, prove, request, with_mail};
use crate::server::{Node, PASSWORD, Server, on_both_engines};

on_both_engines! {
    a_forgotten_password_is_replaced_by_mail_once,
    sessions_may_stay_when_a_password_is_replaced,
    an_address_that_was_taken_away_replaces_no_password,
    nobody_learns_whether_an_address_is_known,
}

const NEW: &str = "another horse";

fn body(sid: &str, secret: &str, session: Option<&Value>) -> Value {
    let mut auth = json!({
        "type": "m.login.email.identity",
        "threepid_creds": {"sid": sid, "client_secret": secret},
    });
    if let Some(session) = session {
        auth["session"] = session.clone();
    }
    json!({"new_password": NEW, "auth": auth})
}

async fn signs_in(node: &Node, password: &str) -> bool {
    let login = json!({"type": "m.login.password", "user": "ann", "password": password});
    let path = "/_matrix/client/v3/login";
    node.ask("", "POST", path, login.to_string()).await.0 == 200
}

async fn a_forgotten_password_is_replaced_by_mail_once(mut server: Server) {
    let node = with_mail(&mut server).await;
    let ann = node.join("ann").await;
    give(&node, &ann, "ann", "ann@example.org").await;
    let wanted = json!({"new_password": NEW}).to_string();
    let (status, challenge) = node.ask("", "POST", PASSWORD_PATH, wanted).await;
    assert_eq!(status, 401);
    let flows = json!([{"stages": ["m.login.email.identity"]}]);
    assert_eq!(challenge["flows"], flows);
    let asked = request(&node, "account/password", "ann@example.org", 1).await;
    let sid = asked["sid"].as_str().unwrap();
    let session = Some(&challenge["session"]);
    let refused = async |sid: &str, secret: &str| {
        let body = body(sid, secret, session).to_string();
        let (status, answer) = node.ask("", "POST", PASSWORD_PATH, body).await;
        assert_eq!(status, 401, "{answer}");
        assert_eq!(answer["errcode"], "M_THREEPID_AUTH_FAILED");
        assert_eq!(answer["flows"], flows);
    };
    refused(sid, SECRET).await;
    let newest = mails(&node).await.pop().unwrap();
    let MailKind::ResetPassword(_, user_id) = &newest.kind else {
        panic!("{newest:?}");
    };
    assert_eq!(user_id.as_str(), ann.user_id);
    confirm(&node).await;
    refused(sid, "another").await;
    refused("unknown", SECRET).await;
    // A password that is too weak uses nothing up.
    let mut weak = body(sid, SECRET, session);
    weak["new_password"] = json!("short");
    let weak = node
        .refused("", "POST", PASSWORD_PATH, &weak.to_string())
        .await;
    assert_eq!(weak, (400, "M_WEAK_PASSWORD".to_owned()));
    node.ok("", "POST", PASSWORD_PATH, body(sid, SECRET, session))
        .await;
    assert!(!node.knows(&ann.token).await);
    assert!(!signs_in(&node, PASSWORD).await);
    assert!(signs_in(&node, NEW).await);
    refused(sid, SECRET).await;
    // Its owner is written to of it.
    let newest = mails(&node).await.pop().unwrap();
    assert!(
        matches!(newest.kind, MailKind::PasswordChanged(_)),
        "{newest:?}"
    );
    assert_eq!(newest.to.as_str(), "ann@example.org");
}

async fn sessions_may_stay_when_a_password_is_replaced(mut server: Server) {
    let node = with_mail(&mut server).await;
    let ann = node.join("ann").await;
    give(&node, &ann, "ann", "ann@example.org").await;
    let sid = prove(&node, "account/password", "ann@example.org").await;
    let mut body = body(&sid, SECRET, None);
    body["logout_devices"] = json!(false);
    node.ok("", "POST", PASSWORD_PATH, body).await;
    assert!(node.knows(&ann.token).await);
    assert!(signs_in(&node, NEW).await);
}

async fn an_address_that_was_taken_away_replaces_no_password(mut server: Server) {
    let node = with_mail(&mut server).await;
    let ann = node.join("ann").await;
    give(&node, &ann, "ann", "ann@example.org").await;
    let sid = prove(&node, "account/password", "ann@example.org").await;
    let path = "/_matrix/client/v3/account/3pid/delete";
    let address = json!({"medium": "email", "address": "ann@example.org"});
    node.ok(&ann.token, "POST", path, address).await;
    let body = body(&sid, SECRET, None).to_string();
    let refused = node.refused("", "POST", PASSWORD_PATH, &body).await;
    assert_eq!(refused, (401, "M_THREEPID_AUTH_FAILED".to_owned()));
    assert!(signs_in(&node, PASSWORD).await);
    assert!(node.knows(&ann.token).await);
}

async fn nobody_learns_whether_an_address_is_known(mut server: Server) {
    let node = with_mail(&mut server).await;
    let ann = node.join("ann").await;
    give(&node, &ann, "ann", "ann@example.org").await;
    let before = mails(&node).await.len();
    for kind in ["account/password", "account/3pid", "register"] {
        let known = request(&node, kind, "ann@example.org", 1).await;
        let unknown = request(&node, kind, "eve@example.org", 1).await;
        let length = |answer: &Value| answer["sid"].as_str().unwrap().len();
        assert_eq!(length(&known), length(&unknown), "{kind}");
        let keys = |answer: &Value| answer.as_object().unwrap().keys().cloned().collect();
        let keys: [Vec<String>; 2] = [keys(&known), keys(&unknown)];
        assert_eq!(keys[0], keys[1]);
    }
    let mails = mails(&node).await;
    let kinds: Vec<(String, String)> = mails[before..]
        .iter()
        .map(|mail| (mail.to.as_str().to_owned(), format!("{:?}", mail.kind)))
        .collect();
    let expected = [
        ("ann@example.org", "ResetPassword"),
        ("eve@example.org", "Nothing"),
        ("ann@example.org", "AddressInUse"),
        ("eve@example.org", "AddAddress"),
        ("ann@example.org", "AddressInUse"),
        ("eve@example.org", "Register"),
    ];
    let expected = expected.map(|(to, kind)| (to.to_owned(), kind.to_owned()));
    assert_eq!(kinds, expected);
    // What was asked for an address of somebody else's proves nothing.
    let bob = node.join("bob").await;
    let asked = request(&node, "account/3pid", "ann@example.org", 2).await;
    let sid = asked["sid"].as_str().unwrap();
    assert_eq!(add(&node, &bob, "bob", sid).await.0, 400);
}
