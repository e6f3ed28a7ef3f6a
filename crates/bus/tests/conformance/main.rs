//! What holds on the bus, whichever engine carries it, and what NATS may do to it.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of tests panics as a test does"
)]

mod access;
mod outages;
mod strangers;
mod together;

use std::time::Duration;

use bus::{Bus, Heard, NatsOptions, NodeId, Signal, Subscription, Typing};
use model::time::Timestamp;
use testkit::{entropy::SeededEntropy, servers::Nats};

/// Long for a loaded machine, short for a person.
const PATIENCE: Duration = Duration::from_secs(20);

/// A node whose number no other has.
fn node(number: u64) -> NodeId {
    NodeId::generate(&SeededEntropy::new(number))
}

fn typing(user: i64) -> Signal {
    Signal::Typing(Typing {
        room: 1,
        user,
        until: Some(Timestamp::from_millis(30_000)),
    })
}

fn options(nats: &Nats) -> NatsOptions {
    NatsOptions {
        servers: vec![nats.url().strip_prefix("nats://").unwrap().to_owned()],
        credentials: None,
        tls: false,
        ca_file: None,
        identity: None,
        deployment: [7; 16],
    }
}

fn end(number: u64, options: &NatsOptions) -> Bus {
    Bus::nats(node(number), options.clone()).unwrap()
}

/// What is heard next, in time.
async fn next(listener: &mut Subscription) -> Option<Heard> {
    let heard = tokio::time::timeout(PATIENCE, listener.next()).await;
    heard.expect("something is heard in time")
}

/// Hears on until the node has joined.
async fn joined(listener: &mut Subscription) {
    while next(listener).await.expect("the bus goes on") != Heard::Joined {}
}

/// The next signal, which nothing may precede but nodes that come, and who gave it.
async fn signal(listener: &mut Subscription) -> (NodeId, Signal) {
    loop {
        match next(listener).await {
            Some(Heard::Signal(envelope)) if envelope.signal == Signal::Ask => {}
            Some(Heard::Signal(envelope)) => return (envelope.from, envelope.signal.clone()),
            Some(Heard::Joined) => {}
            other => panic!("no signal but {other:?}"),
        }
    }
}

/// Two nodes that have joined one NATS, and what each hears.
async fn two_on(nats: &Nats) -> ([Bus; 2], [Subscription; 2]) {
    let one = end(1, &options(nats));
    let other = one.beside(node(2));
    let mut listeners = [one.subscribe(), other.subscribe()];
    for listener in &mut listeners {
        joined(listener).await;
    }
    // Whatever they asked while they joined is heard by now: NATS keeps each one's order.
    for (speaker, listener) in [(&other, 0), (&one, 1)] {
        speaker.publish(Signal::Poke);
        while signal(&mut listeners[listener]).await != (speaker.node_id(), Signal::Poke) {}
    }
    ([one, other], listeners)
}
