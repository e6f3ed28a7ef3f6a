//! How much is read, and for how long.

use outbound::FetchError;
use testkit::eventually;

use crate::site::{Client, DEADLINE, LEFT, Names, Reply, Site, page};

/// Lets the deadline pass once the client waits for the server.
async fn overslept(client: &Client, site: &Site) {
    eventually("the server was asked", || {
        let is_asked = !site.asked().is_empty();
        async move { is_asked.then_some(()) }
    })
    .await;
    client.clock.advance(DEADLINE);
}

#[tokio::test]
async fn a_head_that_does_not_come_is_given_up() {
    let site = Site::start([("/", Reply::Stalled(b"HTTP/1.1 200 OK\r\n".to_vec()))]).await;
    let client = Client::lenient(Names::default());
    let url = site.url("/");
    let (refusal, ()) = tokio::join!(client.refusal(&url), overslept(&client, &site));
    assert!(matches!(refusal, FetchError::TooSlow), "{refusal}");
}

#[tokio::test]
async fn a_body_that_does_not_end_is_given_up_when_the_time_of_the_whole_is_over() {
    let beginning = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbeginning";
    let site = Site::start([("/", Reply::Stalled(beginning.to_vec()))]).await;
    let client = Client::lenient(Names::default());
    let answer = client.get(&site.url("/")).await.unwrap();
    client.clock.advance(DEADLINE / 2);
    let (read, ()) = tokio::join!(answer.read(1_000), overslept(&client, &site));
    assert!(matches!(read, Err(FetchError::TooSlow)));
}

#[tokio::test]
async fn a_body_is_read_up_to_the_bound_and_no_further() {
    // It never ends, and says nothing of its length.
    let endless = [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &[b'x'; 50_000]].concat();
    let replies = [
        ("/long", page(&"x".repeat(50_000))),
        ("/endless", Reply::Stalled(endless)),
    ];
    let site = Site::start(replies).await;
    let client = Client::lenient(Names::default());
    for path in ["/long", "/endless"] {
        let answer = client.get(&site.url(path)).await.unwrap();
        let body = answer.read(20_000).await.unwrap();
        assert_eq!((body.bytes.len(), body.is_whole), (20_000, false), "{path}");
    }
    let answer = client.get(&site.url("/long")).await.unwrap();
    let body = answer.read(50_000).await.unwrap();
    assert_eq!((body.bytes.len(), body.is_whole), (50_000, true));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_body() {
    let broken = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbeginning";
    let site = Site::start([("/", Reply::Whole(broken.to_vec()))]).await;
    let client = Client::lenient(Names::default());
    let read = client.get(&site.url("/")).await.unwrap().read(1_000).await;
    assert!(matches!(read, Err(FetchError::Unreadable(_))));
}

#[tokio::test]
async fn a_head_without_end_and_what_is_no_answer_are_refused() {
    let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(200_000));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(5_000));
    let replies = [
        ("/endless", Reply::Stalled(endless.into())),
        ("/many", Reply::Stalled(many.into())),
        ("/other", Reply::Whole(b"SSH-2.0-OpenSSH_9.7\r\n".to_vec())),
        ("/nothing", Reply::Whole(Vec::new())),
    ];
    let site = Site::start(replies).await;
    let client = Client::lenient(Names::default());
    for path in ["/endless", "/many", "/other", "/nothing"] {
        let refusal = client.refusal(&site.url(path)).await;
        assert!(matches!(refusal, FetchError::Unreadable(_)), "{refusal}");
    }
}

#[tokio::test]
async fn a_compressed_answer_is_refused() {
    let packed = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b";
    let plain = b"HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\nContent-Length: 1\r\n\r\nx";
    let replies = [
        ("/packed", Reply::Whole(packed.to_vec())),
        ("/plain", Reply::Whole(plain.to_vec())),
    ];
    let site = Site::start(replies).await;
    let client = Client::lenient(Names::default());
    let refusal = client.refusal(&site.url("/packed")).await;
    assert!(matches!(refusal, FetchError::Compressed), "{refusal}");
    assert_eq!(client.text(&site.url("/plain")).await, "x");
}

#[tokio::test]
async fn who_gives_up_ends_the_connection() {
    let beginning = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbeginning";
    let site = Site::start([("/", Reply::Stalled(beginning.to_vec()))]).await;
    let client = Client::lenient(Names::default());
    let answer = client.get(&site.url("/")).await.unwrap();
    assert_eq!(site.asked().len(), 1);
    drop(answer);
    eventually("the server sees that nobody listens", || {
        let has_left = site.asked().last().is_some_and(|last| last == LEFT);
        async move { has_left.then_some(()) }
    })
    .await;
}
