//! Rate limits as clients meet them.

use std::time::Duration;

use axum::body::Body;
use http::Request;

use super::{Answer, Face, bare, from_peer, request};

const INVITE: &str = "/_matrix/client/v3/rooms/!r:localhost/invite";
const LOGIN: &str = "/_matrix/client/v3/login";

/// Asks until it is refused, at most `most` times; how often it was served, and the refusal.
async fn until_refused(
    face: &Face,
    most: usize,
    ask: impl Fn() -> Request<Body>,
) -> (usize, Option<Answer>) {
    for served in 0..most {
        let answer = face.ask(ask()).await;
        if answer.status == 429 {
            return (served, Some(answer));
        }
    }
    (most, None)
}

fn invite_as(token: &'static str) -> impl Fn() -> Request<Body> {
    move || request(token, "POST", INVITE, r#"{"user_id":"@c:localhost"}"#)
}

fn login_from(peer: &'static str) -> impl Fn() -> Request<Body> {
    move || from_peer(bare("GET", LOGIN), peer)
}

#[tokio::test]
async fn a_user_who_floods_is_told_when_to_come_back_and_may() {
    let face = Face::new(true).await;
    let (served, refusal) = until_refused(&face, 100, invite_as("alice")).await;
    let refusal = refusal.unwrap();
    assert_eq!(served, 30);
    assert_eq!(refusal.errcode(), "M_LIMIT_EXCEEDED");
    assert_eq!(refusal.body["retry_after_ms"], 1000);
    assert_eq!(refusal.headers["retry-after"], "1");

    face.clock.advance(Duration::from_millis(999));
    assert_eq!(face.ask(invite_as("alice")()).await.status, 429);
    face.clock.advance(Duration::from_millis(1));
    assert_eq!(face.ask(invite_as("alice")()).await.status, 200);
}

#[tokio::test]
async fn one_users_flood_stops_neither_others_nor_other_endpoints() {
    let face = Face::new(true).await;
    until_refused(&face, 100, invite_as("alice")).await;
    assert_eq!(face.ask(invite_as("bob")()).await.status, 200);
    let leave = "/_matrix/client/v3/rooms/!r:localhost/leave";
    assert_eq!(face.call("POST", leave, "").await.status, 200);
}

#[tokio::test]
async fn strangers_are_limited_by_address() {
    let face = Face::new(true).await;
    let (served, refusal) = until_refused(&face, 100, login_from("192.0.2.1:1000")).await;
    assert_eq!(served, 30);
    assert!(refusal.is_some());
    // Another port is the same client, another address is not.
    assert_eq!(face.ask(login_from("192.0.2.1:2000")()).await.status, 429);
    assert_eq!(face.ask(login_from("192.0.2.2:1000")()).await.status, 200);
}

#[tokio::test]
async fn only_a_trusted_proxy_may_name_the_client() {
    let face = Face::new(true).await;
    let forwarded = |peer: &'static str, client: &'static str| {
        let mut request = login_from(peer)();
        request
            .headers_mut()
            .insert("x-forwarded-for", client.parse().unwrap());
        request
    };
    until_refused(&face, 100, || forwarded("10.0.0.1:1", "192.0.2.1")).await;
    assert_eq!(
        face.ask(forwarded("10.0.0.1:1", "192.0.2.1")).await.status,
        429
    );
    assert_eq!(
        face.ask(forwarded("10.0.0.1:1", "192.0.2.2")).await.status,
        200
    );

    until_refused(&face, 100, || forwarded("198.51.100.1:1", "192.0.2.3")).await;
    assert_eq!(
        face.ask(forwarded("198.51.100.1:1", "192.0.2.4"))
            .await
            .status,
        429
    );
}

#[tokio::test]
async fn guessing_tokens_is_limited() {
    let face = Face::new(true).await;
    let leave = "/_matrix/client/v3/rooms/!r:localhost/leave";
    let guess = || from_peer(request("forged", "POST", leave, ""), "192.0.2.1:1000");
    let (served, refusal) = until_refused(&face, 1000, guess).await;
    assert_eq!(served, 300);
    assert!(refusal.is_some());
    let honest = from_peer(request("alice", "POST", leave, ""), "192.0.2.1:1000");
    assert_eq!(face.ask(honest).await.status, 200);
}

#[tokio::test]
async fn limits_that_are_off_refuse_nobody() {
    let face = Face::new(false).await;
    let (served, _) = until_refused(&face, 1000, login_from("192.0.2.1:1000")).await;
    assert_eq!(served, 1000);
}
