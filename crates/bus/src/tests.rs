//! What holds on the in-process bus.

use std::sync::atomic::{AtomicU8, Ordering};

use model::{entropy::Entropy, time::Timestamp};

use super::{BACKLOG, Bus, Heard, NodeId, Signal, Typing};

#[derive(Default)]
struct Counting(AtomicU8);

impl Entropy for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(self.0.fetch_add(1, Ordering::Relaxed));
    }
}

fn typing(user: i64) -> Signal {
    Signal::Typing(Typing {
        room: 1,
        user,
        until: Some(Timestamp::from_millis(30_000)),
    })
}

#[tokio::test]
async fn every_node_hears_every_signal_in_order_with_its_giver() {
    let entropy = Counting::default();
    let one = Bus::in_process(NodeId::generate(&entropy));
    let other = one.beside(NodeId::generate(&entropy));
    assert_ne!(one.node_id(), other.node_id());
    let mut listeners = [one.subscribe(), other.subscribe()];
    one.publish(typing(7));
    other.publish(Signal::Poke);
    for listener in &mut listeners {
        for (from, signal) in [(one.node_id(), typing(7)), (other.node_id(), Signal::Poke)] {
            let Some(Heard::Signal(heard)) = listener.next().await else {
                panic!("nothing was heard");
            };
            assert_eq!((heard.from, &heard.signal), (from, &signal));
        }
    }
}

#[tokio::test]
async fn publishing_to_nobody_is_no_failure() {
    let bus = Bus::in_process(NodeId::generate(&Counting::default()));
    bus.publish(Signal::Poke);
    let mut listener = bus.subscribe();
    bus.publish(typing(1));
    let Some(Heard::Signal(heard)) = listener.next().await else {
        panic!("nothing was heard");
    };
    assert_eq!(heard.signal, typing(1));
}

#[tokio::test]
async fn a_slow_listener_is_told_what_it_missed_and_holds_nobody_up() {
    let bus = Bus::in_process(NodeId::generate(&Counting::default()));
    let mut listener = bus.subscribe();
    for user in 0..BACKLOG as i64 + 3 {
        bus.publish(typing(user));
    }
    assert_eq!(listener.next().await, Some(Heard::Missed(3)));
    let Some(Heard::Signal(heard)) = listener.next().await else {
        panic!("nothing was heard");
    };
    assert_eq!(heard.signal, typing(3));
}

#[tokio::test]
async fn a_bus_that_has_ended_tells_so() {
    let bus = Bus::in_process(NodeId::generate(&Counting::default()));
    let mut listener = bus.subscribe();
    drop(bus);
    assert_eq!(listener.next().await, None);
}

#[test]
fn a_node_id_reads_back_as_it_is_written() {
    let entropy = Counting::default();
    for _ in 0..20 {
        let id = NodeId::generate(&entropy);
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    for text in [
        "",
        "+000000000000001",
        "000000000000001",
        "00000000000000001",
        "000000000000000g",
    ] {
        assert!(text.parse::<NodeId>().is_err(), "{text:?}");
    }
}
