//! Which mails are written, and how many.

use accounts::emails::{EMAIL_PROOF_LIFETIME, EMAILS_IN_AN_HOUR};
use http::Request;
use model::language::Language;
use serde_json::json;

use super::{SECRET, confirm, mails, request, with_mail};
use crate::server::{Server, on_both_engines};

on_both_engines! {
    the_same_attempt_sends_nothing_twice,
    an_address_gets_few_mails_in_an_hour,
    a_mail_speaks_the_language_of_who_asked,
    what_was_handed_on_is_forgotten,
}

async fn the_same_attempt_sends_nothing_twice(mut server: Server) {
    let node = with_mail(&mut server).await;
    let first = request(&node, "register", "ann@example.org", 1).await;
    for attempt in [1, 0, 1] {
        let again = request(&node, "register", "Ann@example.org", attempt).await;
        assert_eq!(again, first);
    }
    assert_eq!(mails(&node).await.len(), 1);
    confirm(&node).await;
    // Another mail of the same session leaves what was confirmed.
    let second = request(&node, "register", "ann@example.org", 7).await;
    assert_eq!(second, first);
    assert_eq!(mails(&node).await.len(), 2);
    let register = json!({
        "username": "ann", "password": "correct horse",
        "auth": {
            "type": "m.login.email.identity",
            "threepid_creds": {"sid": first["sid"], "client_secret": SECRET},
        },
    });
    node.ok("", "POST", "/_matrix/client/v3/register", register)
        .await;
    // Another client's session is another one.
    let path = "/_matrix/client/v3/register/email/requestToken";
    let body = json!({"client_secret": "b", "email": "bob@example.org", "send_attempt": 1});
    let bobs = node.ok("", "POST", path, body).await;
    assert_ne!(bobs["sid"], first["sid"]);
    for email in [
        "",
        "ann",
        "ann@",
        "a@b@c",
        "ann@example.org\r\nBcc: eve@example.org",
    ] {
        let body = json!({"client_secret": "b", "email": email, "send_attempt": 1});
        let refused = node.refused("", "POST", path, &body.to_string()).await;
        assert_eq!(refused, (400, "M_INVALID_PARAM".to_owned()), "{email}");
    }
}

async fn an_address_gets_few_mails_in_an_hour(mut server: Server) {
    let node = with_mail(&mut server).await;
    let many = async |kind: &str, email: &str| {
        let most = u64::try_from(EMAILS_IN_AN_HOUR).unwrap();
        for attempt in 1..=most {
            request(&node, kind, email, attempt).await;
        }
        let path = format!("/_matrix/client/v3/{kind}/email/requestToken");
        let body = json!({"client_secret": SECRET, "email": email, "send_attempt": most + 1});
        let (status, refused) = node.ask("", "POST", &path, body.to_string()).await;
        assert_eq!(status, 429, "{refused}");
        assert_eq!(refused["errcode"], "M_LIMIT_EXCEEDED");
        let wait = refused["retry_after_ms"].as_u64().unwrap();
        assert_eq!(u128::from(wait), EMAIL_PROOF_LIFETIME.as_millis());
        // An earlier attempt is answered as before.
        request(&node, kind, email, 1).await;
    };
    many("register", "ann@example.org").await;
    // Nobody has this one, and nobody notices.
    many("account/password", "eve@example.org").await;
    // Another address is not held up, nor is this one an hour later.
    request(&node, "register", "bob@example.org", 1).await;
    server.deployment.clock.advance(EMAIL_PROOF_LIFETIME);
    request(&node, "register", "ann@example.org", 1).await;
}

async fn a_mail_speaks_the_language_of_who_asked(mut server: Server) {
    let node = with_mail(&mut server).await;
    for (wanted, language) in [
        ("zh-CN,zh;q=0.9", Language::SimplifiedChinese),
        ("de,en;q=0.5", Language::English),
    ] {
        let body = json!({
            "client_secret": wanted.len().to_string(), "email": "ann@example.org",
            "send_attempt": 1,
        });
        let request = Request::builder()
            .method("POST")
            .uri("/_matrix/client/v3/register/email/requestToken")
            .header("Accept-Language", wanted)
            .body(body.to_string().into())
            .unwrap();
        let (parts, _) = node.answer(request).await;
        assert_eq!(parts.status, 200);
        let newest = mails(&node).await.pop().unwrap();
        assert_eq!(newest.language, Some(language));
    }
}

async fn what_was_handed_on_is_forgotten(mut server: Server) {
    let node = with_mail(&mut server).await;
    request(&node, "register", "ann@example.org", 1).await;
    request(&node, "register", "bob@example.org", 1).await;
    let waiting = mails(&node).await;
    let accounts = &node.parts.accounts;
    accounts.forget_mail(waiting[0].id).await.unwrap();
    let left = mails(&node).await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].id, waiting[1].id);
    // Its link works all the same.
    let accounts::emails::MailKind::Register(token) = &waiting[0].kind else {
        panic!("{waiting:?}");
    };
    assert!(accounts.confirm_email(token).await.unwrap().is_some());
}
