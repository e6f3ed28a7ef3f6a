//! What stands behind links.

pub(crate) mod pages;
mod pictures;

use std::{sync::Arc, time::Duration};

use outbound::Policy;
use serde_json::{Value, json};
use testkit::eventually;

use self::pages::{Pages, here};
use crate::{
    server::{Node, Server, User, on_both_engines},
    stage::encoded,
};

on_both_engines! { shared_postgres;
    a_page_is_told_with_its_picture,
    what_a_page_does_not_say_is_left_out,
    where_previews_are_off_there_is_no_such_endpoint,
    nothing_inside_is_asked_unless_the_operator_allows_it,
    nobody_learns_why_there_is_no_preview,
    a_page_is_asked_once_for_all_who_want_to_know,
    a_page_is_asked_again_after_an_hour_and_one_that_failed_after_five_minutes,
}

const PREVIEW: &str = "/_matrix/client/v1/media/preview_url";

/// Asks for a preview, which must be there.
async fn told(node: &Node, who: &User, url: &str) -> Value {
    let path = format!("{PREVIEW}?url={}", encoded(url));
    node.ok(&who.token, "GET", &path, Value::Null).await
}

/// Asks for one that must not be there.
async fn refused(node: &Node, who: &User, url: &str) -> (u16, Value) {
    let path = format!("{PREVIEW}?url={}", encoded(url));
    let (status, answer) = node.ask(&who.token, "GET", &path, "").await;
    assert_ne!(status, 200, "{url}: {answer}");
    (status.as_u16(), answer)
}

/// A node that asks this machine, and somebody there.
async fn looking(server: &mut Server) -> (Node, User) {
    server.deployment.previews = Some(here());
    let node = server.node().await;
    let alice = node.someone("alice.links").await;
    (node, alice)
}

fn download(preview: &Value) -> String {
    let address = preview["og:image"].as_str().unwrap();
    let place = address.strip_prefix("mxc:/").unwrap();
    format!("/_matrix/client/v1/media/download{place}")
}

async fn a_page_is_told_with_its_picture(mut server: Server) {
    let (node, alice) = looking(&mut server).await;
    let pages = Pages::open().await;
    let preview = told(&node, &alice, &pages.url("/moved#part")).await;
    let size = preview["matrix:image:size"].as_u64().unwrap();
    let expected = json!({
        "og:title": "Minutes of the meeting",
        "og:description": "What was said",
        "og:site_name": "Office",
        "og:type": "article",
        "og:image": preview["og:image"],
        "og:image:type": "image/png",
        "og:image:width": 2,
        "og:image:height": 1,
        "matrix:image:size": size,
    });
    assert_eq!(preview, expected);
    // What is stored is a picture that was made anew, not the file of the page.
    let path = download(&preview);
    let request =
        http::Request::get(&path).header("Authorization", format!("Bearer {}", alice.token));
    let (parts, bytes) = node
        .answer(request.body(axum::body::Body::empty()).unwrap())
        .await;
    assert_eq!(parts.status, 200);
    assert_eq!(parts.headers["content-type"], "image/png");
    assert!(bytes.starts_with(b"\x89PNG") && bytes.len() as u64 == size);

    // A picture by itself is its own preview.
    let preview = told(&node, &alice, &pages.url("/table.gif")).await;
    assert_eq!(preview["og:image:type"], "image/png");
    assert_eq!(preview.get("og:title"), None);
    let preview = told(&node, &alice, &pages.url("/korean")).await;
    assert_eq!(preview, json!({ "og:title": "한글" }));
}

async fn what_a_page_does_not_say_is_left_out(mut server: Server) {
    let (node, alice) = looking(&mut server).await;
    let pages = Pages::open().await;
    for (path, preview) in [
        ("/nothing", json!({})),
        ("/song.ogg", json!({})),
        ("/drawing.svg", json!({})),
        // Its picture is a page, or is where nothing is fetched from.
        ("/broken-picture", json!({ "og:title": "A" })),
        ("/inside", json!({ "og:title": "A" })),
    ] {
        assert_eq!(
            told(&node, &alice, &pages.url(path)).await,
            preview,
            "{path}"
        );
    }
}

async fn where_previews_are_off_there_is_no_such_endpoint(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice.off").await;
    let pages = Pages::open().await;
    for path in [PREVIEW, "/_matrix/media/v3/preview_url"] {
        let path = format!("{path}?url={}", encoded(&pages.url("/minutes")));
        let refusal = node.refused(&alice.token, "GET", &path, "").await;
        assert_eq!(refusal, (404, "M_UNRECOGNIZED".to_owned()));
    }
    assert_eq!(pages.asked(), 0);
}

async fn nothing_inside_is_asked_unless_the_operator_allows_it(mut server: Server) {
    server.deployment.previews = Some(Policy::default());
    let node = server.node().await;
    let alice = node.someone("alice.outside").await;
    let pages = Pages::open().await;
    let port = pages.url("").rsplit_once(':').unwrap().1.to_owned();
    for host in [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
    ] {
        let url = format!("http://{host}:{port}/minutes");
        let (status, answer) = refused(&node, &alice, &url).await;
        assert_eq!(
            (status, &answer["errcode"]),
            (404, &json!("M_NOT_FOUND")),
            "{url}"
        );
    }
    assert_eq!(pages.asked(), 0);
}

async fn nobody_learns_why_there_is_no_preview(mut server: Server) {
    let (node, alice) = looking(&mut server).await;
    let pages = Pages::open().await;
    let closed = Pages::open().await;
    let closed_url = closed.url("/minutes");
    drop(closed);
    let mut answers = Vec::new();
    for url in [
        "http://169.254.169.254/latest/meta-data".to_owned(),
        pages.url("/leading-inside"),
        pages.url("/absent"),
    ] {
        answers.push(refused(&node, &alice, &url).await);
    }
    // The site has gone away, or is about to: either way it is asked for what it does not have.
    answers.push(refused(&node, &alice, &closed_url.replace("/minutes", "/absent")).await);
    for (status, answer) in &answers {
        assert_eq!((*status, answer), (404, &answers[0].1));
    }
    assert_eq!(answers[0].1["errcode"], "M_NOT_FOUND");
    for url in [
        "minutes",
        "mailto:alice@pages.test",
        "http://me:pass@pages.test/",
    ] {
        let (status, answer) = refused(&node, &alice, url).await;
        assert_eq!(
            (status, &answer["errcode"]),
            (400, &json!("M_INVALID_PARAM")),
            "{url}"
        );
    }
    let long = pages.url(&format!("/{}", "x".repeat(previews::MAX_ADDRESS_BYTES)));
    assert_eq!(refused(&node, &alice, &long).await.0, 400);
}

async fn a_page_is_asked_once_for_all_who_want_to_know(mut server: Server) {
    let (node, alice) = looking(&mut server).await;
    let bob = node.someone("bob.links").await;
    let (node, pages) = (Arc::new(node), Pages::open().await);
    let url = pages.url("/gated");
    let ask = |token: &str| {
        let (node, token) = (Arc::clone(&node), token.to_owned());
        let path = format!("{PREVIEW}?url={}", encoded(&url));
        tokio::spawn(async move { node.ask(&token, "GET", &path, "").await })
    };
    let first = ask(&alice.token);
    eventually("the page is asked", || {
        let is_asked = pages.asked() == 1;
        async move { is_asked.then_some(()) }
    })
    .await;
    let mut others: Vec<_> = (0..8).map(|_| ask(&bob.token)).collect();
    others.push(first);
    pages.let_through();
    for other in others {
        let (status, preview) = other.await.unwrap();
        assert_eq!(
            (status.as_u16(), preview),
            (200, json!({ "og:title": "At last" }))
        );
    }
    assert_eq!(pages.asked(), 1);
}

async fn a_page_is_asked_again_after_an_hour_and_one_that_failed_after_five_minutes(
    mut server: Server,
) {
    let (node, alice) = looking(&mut server).await;
    let pages = Pages::open().await;
    let clock = server.deployment.clock.clone();
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    told(&node, &alice, &pages.url("/nothing")).await;
    refused(&node, &alice, &pages.url("/absent")).await;
    assert_eq!(pages.asked(), 2);
    clock.advance(minutes(4));
    refused(&node, &alice, &pages.url("/absent")).await;
    told(&node, &alice, &pages.url("/nothing#elsewhere")).await;
    assert_eq!(pages.asked(), 2);
    clock.advance(minutes(1));
    refused(&node, &alice, &pages.url("/absent")).await;
    assert_eq!(pages.asked(), 3);
    clock.advance(minutes(54));
    told(&node, &alice, &pages.url("/nothing")).await;
    assert_eq!(pages.asked(), 3);
    clock.advance(minutes(1));
    told(&node, &alice, &pages.url("/nothing")).await;
    assert_eq!(pages.asked(), 4);
}
