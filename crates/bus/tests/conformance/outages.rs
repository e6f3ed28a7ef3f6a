//! NATS that is not there yet, goes, comes back, or takes nothing.

use std::time::Duration;

use bus::{Heard, QUEUE, Signal};
use testkit::servers::Nats;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::{Instant, timeout},
};

use crate::{PATIENCE, end, joined, next, node, options, signal, two_on, typing};

/// Far more than is ever queued.
const MANY: i64 = 50 * QUEUE as i64;

#[tokio::test]
async fn nodes_that_start_without_nats_meet_when_it_is_there() {
    let mut nats = Nats::start().unwrap();
    nats.stop().unwrap();
    let one = end(1, &options(&nats));
    let other = one.beside(node(2));
    let mut listeners = [one.subscribe(), other.subscribe()];
    one.publish(typing(1));
    nats.restart().unwrap();
    for listener in &mut listeners {
        joined(listener).await;
    }
    one.publish(typing(2));
    while signal(&mut listeners[1]).await != (one.node_id(), typing(2)) {}
}

#[tokio::test]
async fn nodes_join_again_each_time_that_nats_comes_back() {
    let mut nats = Nats::start().unwrap();
    let ([one, other], [mut at_one, mut at_other]) = two_on(&nats).await;
    for round in 1..=3 {
        nats.stop().unwrap();
        one.publish(Signal::Poke);
        nats.restart().unwrap();
        joined(&mut at_one).await;
        joined(&mut at_other).await;
        other.publish(typing(round));
        assert_eq!(signal(&mut at_one).await, (other.node_id(), typing(round)));
    }
}

#[tokio::test]
async fn what_is_published_while_nats_is_away_is_dropped_and_nobody_waits() {
    let mut nats = Nats::start().unwrap();
    let ([one, _other], [mut at_one, mut at_other]) = two_on(&nats).await;
    nats.stop().unwrap();
    let began = Instant::now();
    for user in 0..MANY {
        one.publish(typing(user));
        if user % 1_024 == 0 {
            tokio::task::yield_now().await;
        }
    }
    assert!(began.elapsed() < PATIENCE);
    nats.restart().unwrap();
    joined(&mut at_one).await;
    joined(&mut at_other).await;
    one.publish(Signal::Poke);
    // Of what came before, no more than a queue of it is still there.
    let mut stale = 0;
    loop {
        match next(&mut at_other).await.expect("the bus goes on") {
            Heard::Signal(envelope) if envelope.signal == Signal::Poke => break,
            // Whoever listens too slowly to all of that is told so.
            Heard::Signal(_) | Heard::Missed(_) => stale += 1,
            Heard::Joined => {}
        }
    }
    assert!(stale <= QUEUE, "{stale}");
}

#[tokio::test]
async fn a_nats_that_takes_nothing_blocks_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut stuck = options(&Nats::start().unwrap());
    stuck.servers = vec![address.to_string()];
    let bus = end(1, &stuck);
    let mut heard = bus.subscribe();
    let (mut stream, _) = listener.accept().await.unwrap();
    let info = r#"INFO {"server_id":"x","version":"2.9.0","max_payload":1048576,"proto":1}"#;
    stream
        .write_all(format!("{info}\r\n").as_bytes())
        .await
        .unwrap();
    let mut hello = Vec::new();
    while !hello.ends_with(b"PING\r\n") {
        stream.read_buf(&mut hello).await.unwrap();
    }
    stream.write_all(b"PONG\r\n").await.unwrap();
    let mut question = Vec::new();
    while !question.ends_with(b"}\r\n") {
        stream.read_buf(&mut question).await.unwrap();
    }
    let question = String::from_utf8(question).unwrap();
    let (_, question) = question.split_once('{').unwrap();
    let message = format!("MSG x 1 {}\r\n{{{question}", question.len() - 1);
    stream.write_all(message.as_bytes()).await.unwrap();
    joined(&mut heard).await;
    let began = Instant::now();
    for user in 0..MANY {
        bus.publish(typing(user));
        if user % 1_024 == 0 {
            tokio::task::yield_now().await;
        }
    }
    assert!(began.elapsed() < PATIENCE);
    // It still hears, and leaves in time with a full queue.
    let poke = r#"{"v":1,"from":"00000000000000ff","kind":"poke"}"#;
    let message = format!("MSG x 1 {}\r\n{poke}\r\n", poke.len());
    stream.write_all(message.as_bytes()).await.unwrap();
    assert_eq!(signal(&mut heard).await.1, Signal::Poke);
    let closed = timeout(Duration::from_secs(5), bus.close()).await;
    assert!(closed.is_ok(), "it waits for a server that takes nothing");
    drop(bus);
    assert_eq!(next(&mut heard).await, None);
}

#[tokio::test]
async fn closing_waits_for_no_server_that_is_away() {
    let mut nats = Nats::start().unwrap();
    nats.stop().unwrap();
    let bus = end(1, &options(&nats));
    bus.publish(typing(1));
    let closed = timeout(Duration::from_secs(5), bus.close()).await;
    assert!(closed.is_ok());
}

#[tokio::test]
async fn another_server_of_the_list_is_taken_when_one_is_away() {
    let mut away = Nats::start().unwrap();
    let there = Nats::start().unwrap();
    away.stop().unwrap();
    let mut both = options(&away);
    both.servers.extend(options(&there).servers);
    let one = end(1, &both);
    let other = end(2, &options(&there));
    let (mut at_one, mut at_other) = (one.subscribe(), other.subscribe());
    joined(&mut at_one).await;
    joined(&mut at_other).await;
    one.publish(typing(1));
    assert_eq!(signal(&mut at_other).await, (one.node_id(), typing(1)));
}
