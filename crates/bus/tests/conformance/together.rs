//! What every engine promises.

use bus::{BACKLOG, Bus, Heard, Signal};
use testkit::servers::Nats;

use crate::{end, joined, next, node, options, signal, two_on, typing};

/// Two ends of one bus; on NATS with its server, and after both have joined.
struct Ends {
    one: Bus,
    other: Bus,
    _nats: Option<Nats>,
}

impl Ends {
    fn in_process() -> Self {
        let one = Bus::in_process(node(1));
        let other = one.beside(node(2));
        Self {
            one,
            other,
            _nats: None,
        }
    }

    async fn on_nats() -> Self {
        let nats = Nats::start().unwrap();
        let ([one, other], _) = two_on(&nats).await;
        Self {
            one,
            other,
            _nats: Some(nats),
        }
    }
}

async fn hears_the_others_in_order_and_never_itself(ends: Ends) {
    let Ends { one, other, .. } = &ends;
    let (mut at_one, mut at_other) = (one.subscribe(), other.subscribe());
    for user in 0..100 {
        one.publish(typing(user));
    }
    for user in 0..100 {
        let heard = signal(&mut at_other).await;
        assert_eq!(heard, (one.node_id(), typing(user)));
    }
    other.publish(Signal::Poke);
    let heard = signal(&mut at_one).await;
    assert_eq!(heard, (other.node_id(), Signal::Poke));
}

async fn hears_what_is_said_from_now_on(ends: Ends) {
    let Ends { one, other, .. } = &ends;
    let mut witness = other.subscribe();
    one.publish(Signal::Poke);
    assert_eq!(signal(&mut witness).await.1, Signal::Poke);
    let mut listener = other.subscribe();
    one.publish(typing(1));
    assert_eq!(signal(&mut listener).await.1, typing(1));
}

async fn is_told_what_it_missed_and_holds_nobody_up(ends: Ends) {
    let Ends { one, other, .. } = &ends;
    let (mut slow, mut witness) = (other.subscribe(), other.subscribe());
    let users = BACKLOG as i64 + 3;
    for user in 0..users {
        one.publish(typing(user));
        // The queue to NATS is bounded too, and is not what is tested here.
        if user % 256 == 255 || user == users - 1 {
            while signal(&mut witness).await.1 != typing(user) {}
        }
    }
    assert_eq!(next(&mut slow).await, Some(Heard::Missed(3)));
    assert_eq!(signal(&mut slow).await.1, typing(3));
}

async fn is_told_when_the_bus_has_ended(ends: Ends) {
    let Ends { one, other, _nats } = ends;
    let mut listener = one.subscribe();
    one.close().await;
    drop((one, other));
    assert_eq!(next(&mut listener).await, None);
}

mod a_node_hears_the_others_in_order_and_never_itself {
    use super::*;

    #[tokio::test]
    async fn in_process() {
        hears_the_others_in_order_and_never_itself(Ends::in_process()).await;
    }

    #[tokio::test]
    async fn on_nats() {
        hears_the_others_in_order_and_never_itself(Ends::on_nats().await).await;
    }
}

mod a_listener_hears_what_is_said_from_now_on {
    use super::*;

    #[tokio::test]
    async fn in_process() {
        hears_what_is_said_from_now_on(Ends::in_process()).await;
    }

    #[tokio::test]
    async fn on_nats() {
        hears_what_is_said_from_now_on(Ends::on_nats().await).await;
    }
}

mod a_slow_listener_is_told_what_it_missed_and_holds_nobody_up {
    use super::*;

    #[tokio::test]
    async fn in_process() {
        is_told_what_it_missed_and_holds_nobody_up(Ends::in_process()).await;
    }

    #[tokio::test]
    async fn on_nats() {
        is_told_what_it_missed_and_holds_nobody_up(Ends::on_nats().await).await;
    }
}

mod a_listener_is_told_when_the_bus_has_ended {
    use super::*;

    #[tokio::test]
    async fn in_process() {
        is_told_when_the_bus_has_ended(Ends::in_process()).await;
    }

    #[tokio::test]
    async fn on_nats() {
        is_told_when_the_bus_has_ended(Ends::on_nats().await).await;
    }
}

#[tokio::test]
async fn what_was_published_before_closing_is_heard() {
    let nats = Nats::start().unwrap();
    let ([one, _other], [_, mut at_other]) = two_on(&nats).await;
    for user in 0..1_000 {
        one.publish(typing(user));
    }
    one.close().await;
    for user in 0..1_000 {
        assert_eq!(signal(&mut at_other).await.1, typing(user));
    }
    // Nobody is there any longer, and nothing comes of it.
    one.publish(Signal::Poke);
}

#[tokio::test]
async fn a_bus_that_is_dropped_leaves_nats() {
    let nats = Nats::start().unwrap();
    let bus = end(1, &options(&nats));
    let mut listener = bus.subscribe();
    joined(&mut listener).await;
    drop(bus);
    assert_eq!(next(&mut listener).await, None);
}
