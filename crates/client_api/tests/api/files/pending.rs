//! Addresses that are given out before their content.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::eventually;

use super::client::{DOWNLOAD, Got, UPLOAD, get, place, send};
use crate::server::{Node, Server, User, on_both_engines};

on_both_engines! { shared_postgres;
    content_comes_later_under_the_address_that_was_given_out,
    an_address_takes_content_once_and_of_its_owner,
    an_address_that_is_not_used_in_a_day_is_gone,
    unused_addresses_are_few,
    a_download_waits_for_what_is_on_its_way,
}

const DAY: Duration = Duration::from_secs(86_400);

async fn create(node: &Node, who: &User) -> Got {
    send(node, who, "POST", "/_matrix/media/v1/create", &[], "{}").await
}

async fn put(node: &Node, who: &User, place: &str, content: &str) -> Got {
    let path = format!("{UPLOAD}{place}?filename=a.txt");
    let kind = [("Content-Type", "text/plain")];
    send(node, who, "PUT", &path, &kind, content.to_owned()).await
}

async fn content_comes_later_under_the_address_that_was_given_out(server: Server) {
    let node = server.node().await;
    let alice = node.join("alice.later").await;
    let created = create(&node, &alice).await;
    assert_eq!(created.status, 200, "{created:?}");
    let expires = created.json()["unused_expires_at"].as_i64().unwrap();
    let clock: &dyn model::time::Clock = &server.deployment.clock;
    assert_eq!(expires, clock.now().plus(DAY).as_millis());
    let place = place(&created);
    let path = format!("{DOWNLOAD}{place}");
    let early = get(&node, &alice, &format!("{path}?timeout_ms=0"), &[]).await;
    assert_eq!(early.refusal(), (504, "M_NOT_YET_UPLOADED".to_owned()));
    let done = put(&node, &alice, &place, "here").await;
    assert_eq!((done.status.as_u16(), done.json()), (200, json!({})));
    let got = get(&node, &alice, &path, &[]).await;
    assert_eq!((got.status.as_u16(), &got.bytes[..]), (200, &b"here"[..]));
    assert_eq!(got.header("content-disposition"), "inline; filename=a.txt");
}

async fn an_address_takes_content_once_and_of_its_owner(server: Server) {
    let node = server.node().await;
    let alice = node.join("alice.once").await;
    let bob = node.join("bob.once").await;
    let place = place(&create(&node, &alice).await);
    let others = put(&node, &bob, &place, "x").await;
    assert_eq!(others.refusal(), (403, "M_FORBIDDEN".to_owned()));
    assert_eq!(put(&node, &alice, &place, "one").await.status, 200);
    let again = put(&node, &alice, &place, "two").await;
    let expected = (409, "M_CANNOT_OVERWRITE_MEDIA".to_owned());
    assert_eq!(again.refusal(), expected);
    let others = put(&node, &bob, &place, "x").await;
    assert_eq!(others.refusal(), (403, "M_FORBIDDEN".to_owned()));
    let got = get(&node, &bob, &format!("{DOWNLOAD}{place}"), &[]).await;
    assert_eq!(got.bytes, b"one");
    let unknown = format!("/localhost/{}", "u".repeat(32));
    for place in [
        &unknown,
        "/localhost/short",
        &place.replace("localhost", "elsewhere.example"),
    ] {
        let refused = put(&node, &alice, place, "x").await;
        assert_eq!(
            refused.refusal(),
            (404, "M_NOT_FOUND".to_owned()),
            "{place}"
        );
    }
}

async fn an_address_that_is_not_used_in_a_day_is_gone(server: Server) {
    let node = server.node().await;
    let alice = node.join("alice.gone").await;
    let place = place(&create(&node, &alice).await);
    server.deployment.clock.advance(DAY);
    let alice = again(&node, "alice.gone").await;
    let late = put(&node, &alice, &place, "x").await;
    assert_eq!(late.refusal(), (404, "M_NOT_FOUND".to_owned()));
    let got = get(&node, &alice, &format!("{DOWNLOAD}{place}"), &[]).await;
    assert_eq!(got.refusal(), (404, "M_NOT_FOUND".to_owned()));
}

/// Signs in anew: tokens do not live for a day.
async fn again(node: &Node, name: &str) -> User {
    let body = json!({
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": name},
        "password": crate::server::PASSWORD,
    });
    let path = "/_matrix/client/v3/login";
    let answer = node.ok("", "POST", path, body).await;
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    User {
        user_id: text("user_id"),
        token: text("access_token"),
    }
}

async fn unused_addresses_are_few(server: Server) {
    let node = server.node().await;
    let alice = node.join("alice.few").await;
    let first = create(&node, &alice).await;
    for _ in 1..media::MAX_PENDING {
        assert_eq!(create(&node, &alice).await.status, 200);
    }
    let refused = create(&node, &alice).await;
    assert_eq!(refused.refusal(), (429, "M_LIMIT_EXCEEDED".to_owned()));
    assert!(refused.json()["retry_after_ms"].as_u64().unwrap() > 0);
    assert_ne!(refused.header("retry-after"), "");
    put(&node, &alice, &place(&first), "x").await;
    assert_eq!(create(&node, &alice).await.status, 200);
}

async fn a_download_waits_for_what_is_on_its_way(server: Server) {
    let node = server.node().await;
    let alice = node.join("alice.waits").await;
    let place = place(&create(&node, &alice).await);
    let path = format!("{DOWNLOAD}{place}?timeout_ms=30000");
    let waiting = get(&node, &alice, &path, &[]);
    let uploading = async {
        eventually("the download waits", || {
            let sleeps = server.deployment.clock.sleepers() > 0;
            async move { sleeps.then_some(()) }
        })
        .await;
        put(&node, &alice, &place, "here").await
    };
    let (got, done) = tokio::join!(waiting, uploading);
    assert_eq!(done.status, 200);
    assert_eq!((got.status.as_u16(), &got.bytes[..]), (200, &b"here"[..]));
    assert_eq!(got.json(), Value::Null);
}
