//! What a node learns of typing and presence, and what it tells others.

use std::{collections::BTreeSet, time::Duration};

use model::time::Timestamp;

use super::{
    EphemeralState, MOST_PRESENCES, MOST_ROOMS, MOST_TYPISTS, PRESENCE_LASTS, Presence, Source,
    TELL_EVERY,
};
use crate::token::Ephemeral;

const NOW: Timestamp = Timestamp::from_millis(1_000_000);
const WHILE: Option<Duration> = Some(Duration::from_secs(10));

#[test]
fn a_client_learns_of_typing_once_and_of_its_end() {
    let state = EphemeralState::new(7);
    let before = state.now();
    assert!(state.set_typing(1, 42, WHILE, NOW, Source::Here));
    assert_eq!(state.typing(1, Some(before), NOW), Some(vec![42]));
    let seen = state.now();
    assert!(
        !state.set_typing(1, 42, WHILE, NOW, Source::Here),
        "going on is no news"
    );
    assert_eq!(state.typing(1, Some(seen), NOW), None);
    let stopped = state.expire_typing(NOW.plus(Duration::from_secs(11)));
    assert_eq!(stopped, vec![1]);
    assert_eq!(state.typing(1, Some(seen), NOW), Some(vec![]));
}

#[test]
fn a_foreign_count_gets_the_current_state_in_full() {
    let state = EphemeralState::new(7);
    state.set_typing(1, 42, WHILE, NOW, Source::Here);
    let foreign = Ephemeral {
        node: 8,
        seq: 1_000,
    };
    assert_eq!(state.typing(1, Some(foreign), NOW), Some(vec![42]));
    assert_eq!(state.typing(2, Some(foreign), NOW), None);
    // Somebody who has stopped meanwhile may be typing for all that it knows.
    state.set_typing(1, 42, None, NOW, Source::Here);
    assert_eq!(state.typing(1, Some(foreign), NOW), Some(vec![]));
    let rooms = state.typing_rooms([1, 2].into_iter(), Some(foreign), NOW);
    assert_eq!(rooms, [1]);
    let later = NOW.plus(Duration::from_secs(121));
    assert_eq!(state.typing(1, Some(foreign), later), None);
    assert_eq!(state.typing(1, None, NOW), None);
}

#[test]
fn silence_makes_offline() {
    let state = EphemeralState::new(7);
    let online = Presence {
        state: "online".to_owned(),
        status: None,
        active_at: NOW,
    };
    assert!(state.set_presence(5, online).is_news);
    let seen = state.now();
    let later = NOW.plus(Duration::from_secs(301));
    assert_eq!(state.expire_presence(later), vec![5]);
    let told = state.presence_since(Some(seen), &BTreeSet::new(), later);
    assert_eq!(told[&5].state, "offline");
}

fn presence(state: &str, active_at: Timestamp) -> Presence {
    Presence {
        state: state.to_owned(),
        status: None,
        active_at,
    }
}

#[test]
fn a_node_speaks_for_the_users_of_its_own_clients_only() {
    let state = EphemeralState::new(7);
    state.set_typing(1, 42, WHILE, NOW, Source::Here);
    state.set_typing(1, 43, WHILE, NOW, Source::Elsewhere);
    let until = NOW.plus(Duration::from_secs(10));
    assert_eq!(state.typing_here(NOW), vec![(1, 42, until)]);
    assert!(state.typing_here(until).is_empty());
    state.set_presence(42, presence("online", NOW));
    state.hear_presence(43, presence("online", NOW));
    assert_eq!(state.present_here(NOW), vec![42]);
    assert_eq!(state.presence_here(43), None);
    // The user goes on at another node, which speaks for them from now on.
    state.hear_presence(42, presence("online", NOW));
    state.set_typing(1, 42, WHILE, NOW, Source::Elsewhere);
    assert!(state.present_here(NOW).is_empty());
    assert!(state.typing_here(NOW).is_empty());
}

#[test]
fn of_two_nodes_that_were_apart_the_later_act_counts() {
    let state = EphemeralState::new(7);
    let later = NOW.plus(Duration::from_secs(5));
    state.set_presence(5, presence("offline", later));
    assert!(!state.hear_presence(5, presence("online", NOW)));
    assert_eq!(state.presence(5, later).unwrap().state, "offline");
    assert!(state.hear_presence(5, presence("unavailable", later)));
    assert_eq!(state.presence(5, later).unwrap().state, "unavailable");
}

#[test]
fn a_presence_that_goes_on_is_told_again_before_it_runs_out() {
    let state = EphemeralState::new(7);
    assert!(state.set_presence(5, presence("online", NOW)).tell);
    let soon = NOW.plus(Duration::from_secs(1));
    assert!(!state.set_presence(5, presence("online", soon)).tell);
    let news = state.set_presence(5, presence("unavailable", soon));
    assert!(news.tell && news.is_news);
    let later = soon.plus(TELL_EVERY);
    let again = state.set_presence(5, presence("unavailable", later));
    assert!(again.tell && !again.is_news);
    assert!(TELL_EVERY < PRESENCE_LASTS);
}

#[test]
fn a_bus_that_talks_nonsense_fills_no_memory_and_displaces_nobody() {
    let state = EphemeralState::new(7);
    let before = state.now();
    state.set_presence(-1, presence("online", NOW));
    state.set_typing(-1, -1, WHILE, NOW, Source::Here);
    for room in 0..MOST_ROOMS as i64 + 1_000 {
        state.set_typing(room, room, WHILE, NOW, Source::Elsewhere);
        state.set_typing(room, room, None, NOW, Source::Elsewhere);
        state.hear_presence(room, presence("online", NOW));
    }
    for user in 0..2 * MOST_TYPISTS as i64 {
        state.set_typing(user % 100, user, WHILE, NOW, Source::Elsewhere);
    }
    {
        let inner = state.inner.lock();
        assert_eq!(inner.typists, MOST_TYPISTS);
        assert!(inner.typing_changed.len() <= MOST_ROOMS);
        assert_eq!(inner.presence.len(), MOST_PRESENCES);
    }
    // What clients here say still counts, and what was forgotten is told once as it is.
    assert!(state.set_typing(-2, -2, WHILE, NOW, Source::Here));
    assert_eq!(state.typing(-1, Some(before), NOW), Some(vec![-1]));
    assert_eq!(state.typing(-3, Some(before), NOW), Some(vec![]));
    assert_eq!(state.typing(-3, Some(state.now()), NOW), None);
    assert_eq!(state.typing(-3, None::<Ephemeral>, NOW), None);
    // It runs out.
    let later = NOW.plus(3 * PRESENCE_LASTS);
    state.expire_typing(later);
    state.expire_presence(later);
    let inner = state.inner.lock();
    assert_eq!((inner.typists, inner.typing.len()), (0, 0));
    assert_eq!(inner.presence.len(), 1);
}
