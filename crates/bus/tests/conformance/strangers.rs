//! Who else is on the same NATS: other deployments, other releases, and whoever says nonsense.

use std::time::Duration;

use async_nats::Client;
use bus::{Heard, Signal};
use testkit::servers::Nats;
use tokio::time::timeout;

use crate::{PATIENCE, end, joined, options, signal, two_on, typing};

/// The subject of [`options`], whose deployment is sixteen times 7.
const SUBJECT: &str = "conclave.07070707070707070707070707070707.signals";

/// How much the process may grow under a storm: the bounds of all queues together are below it.
const GROWTH_KIB: u64 = 96 * 1024;

async fn stranger(nats: &Nats) -> Client {
    async_nats::connect(nats.url()).await.unwrap()
}

async fn say(stranger: &Client, message: impl Into<Vec<u8>>) {
    let message: Vec<u8> = message.into();
    stranger.publish(SUBJECT, message.into()).await.unwrap();
}

/// The memory of this process that is in use.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.unwrap().split_whitespace().nth(1).unwrap();
    number.parse().unwrap()
}

#[tokio::test]
async fn two_deployments_on_one_nats_do_not_hear_each_other() {
    let nats = Nats::start().unwrap();
    let ([one, other], [_, mut at_other]) = two_on(&nats).await;
    let mut elsewhere = options(&nats);
    elsewhere.deployment = [8; 16];
    let stranger = end(3, &elsewhere);
    let mut at_stranger = stranger.subscribe();
    joined(&mut at_stranger).await;
    let neighbour = stranger.beside(crate::node(4));
    let mut at_neighbour = neighbour.subscribe();
    joined(&mut at_neighbour).await;
    stranger.publish(typing(13));
    one.publish(typing(1));
    // What arrives where it should proves that the other had time to arrive too.
    assert_eq!(signal(&mut at_neighbour).await.1, typing(13));
    assert_eq!(signal(&mut at_other).await.1, typing(1));
    other.publish(typing(2));
    neighbour.publish(typing(14));
    assert_eq!(signal(&mut at_stranger).await.1, typing(14));
}

#[tokio::test]
async fn nonsense_and_other_releases_are_ignored_and_what_follows_is_heard() {
    let nats = Nats::start().unwrap();
    let ([one, other], [_, mut at_other]) = two_on(&nats).await;
    let stranger = stranger(&nats).await;
    let from = "00000000000000ff";
    for nonsense in [
        "",
        "\u{0}\u{0}",
        "{",
        "[[[[",
        r#"{"v":2,"from":"?","kind":"poke"}"#,
    ] {
        say(&stranger, nonsense).await;
    }
    say(
        &stranger,
        format!(r#"{{"v":1,"from":"{from}","kind":"call"}}"#),
    )
    .await;
    say(&stranger, vec![b'x'; 1_000_000]).await;
    say(&stranger, [0xff, 0xfe, 0x00]).await;
    let of_its_own = other.node_id();
    say(
        &stranger,
        format!(r#"{{"v":1,"from":"{of_its_own}","kind":"poke"}}"#),
    )
    .await;
    let more = format!(r#"{{"v":1,"from":"{from}","kind":"poke","more":1}}"#);
    say(&stranger, more).await;
    stranger.flush().await.unwrap();
    assert_eq!(
        signal(&mut at_other).await,
        (from.parse().unwrap(), Signal::Poke)
    );
    one.publish(typing(1));
    assert_eq!(signal(&mut at_other).await, (one.node_id(), typing(1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_takes_bounded_memory_and_the_bus_works_afterwards() {
    let nats = Nats::start().unwrap();
    let ([one, _other], [_, mut at_other]) = two_on(&nats).await;
    let stranger = stranger(&nats).await;
    // Nobody reads meanwhile, and nobody has to.
    say(&stranger, vec![b'x'; 1_000_000]).await;
    stranger.flush().await.unwrap();
    let before = resident_kib();
    let valid = r#"{"v":1,"from":"00000000000000ff","kind":"typing","room":1,"user":1,"until":9}"#;
    for round in 0..200_000 {
        match round % 200 {
            0 => say(&stranger, vec![b'x'; 1_000_000]).await,
            1..100 => say(&stranger, vec![b'{'; 512]).await,
            _ => say(&stranger, valid).await,
        }
    }
    stranger.flush().await.unwrap();
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < GROWTH_KIB, "it grew by {grown} KiB");
    let works_again = async {
        loop {
            one.publish(typing(77));
            let waiting = Duration::from_millis(500);
            while let Ok(heard) = timeout(waiting, at_other.next()).await {
                match heard.expect("the bus goes on") {
                    Heard::Signal(heard) if heard.signal == typing(77) => return,
                    _ => {}
                }
            }
        }
    };
    timeout(PATIENCE, works_again).await.unwrap();
}
