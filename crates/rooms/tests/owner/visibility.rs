//! Every way to read a room shows what a small reference says, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use model::filter::EventFilter;
use proptest::{
    prelude::{Just, Strategy, prop_oneof},
    test_runner::{Config, TestCaseError, TestRunner},
};
use rooms::{Direction, MemberChange, PageRequest, RoomsError, RoomsRefusal, StoredEvent};
use ruma::{OwnedEventId, RoomId, UserId};
use serde_json::{Value, json};

use crate::harness::{Bench, Node, alice, bob, carol, conformance, content};

/// What somebody tries; much of it is refused, which is part of the play.
#[derive(Clone, Debug)]
enum Act {
    Join(Who),
    Leave(Who),
    Invite(Who),
    Kick(Who),
    Ban(Who),
    Unban(Who),
    Forget(Who),
    Visibility(&'static str),
    Topic(u8),
    Say(Who),
}

#[derive(Clone, Copy, Debug)]
enum Who {
    Alice,
    Bob,
    Carol,
}

impl Who {
    fn id(self) -> &'static UserId {
        match self {
            Self::Alice => alice(),
            Self::Bob => bob(),
            Self::Carol => carol(),
        }
    }
}

fn who() -> impl Strategy<Value = Who> {
    prop_oneof![Just(Who::Bob), Just(Who::Carol)]
}

fn act() -> impl Strategy<Value = Act> {
    let visibility = prop_oneof![
        Just("shared"),
        Just("invited"),
        Just("joined"),
        Just("world_readable"),
        Just("org.example.odd"),
    ];
    prop_oneof![
        4 => who().prop_map(Act::Join),
        3 => who().prop_map(Act::Leave),
        3 => who().prop_map(Act::Invite),
        1 => who().prop_map(Act::Kick),
        1 => who().prop_map(Act::Ban),
        1 => who().prop_map(Act::Unban),
        1 => who().prop_map(Act::Forget),
        3 => visibility.prop_map(Act::Visibility),
        2 => (0..3u8).prop_map(Act::Topic),
        4 => prop_oneof![2 => Just(Who::Alice), 1 => who()].prop_map(Act::Say),
    ]
}

/// Does it; a refusal changes nothing.
async fn perform(node: &Node, room: &RoomId, act: &Act) {
    let kick = async |who: &Who, change| node.change(room, alice(), who.id(), change).await;
    let outcome: Result<(), RoomsError> = match act {
        Act::Join(who) => node.join(room, who.id()).await,
        Act::Leave(who) => node.leave(room, who.id()).await,
        Act::Invite(who) => node.invite(room, alice(), who.id()).await,
        Act::Kick(who) => kick(who, MemberChange::Kick).await,
        Act::Ban(who) => kick(who, MemberChange::Ban).await,
        Act::Unban(who) => kick(who, MemberChange::Unban).await,
        Act::Forget(who) => node.rooms.forget(&node.log, room, who.id()).await,
        Act::Visibility(visibility) => {
            let value = json!({ "history_visibility": visibility });
            let kind = "m.room.history_visibility";
            node.set(room, alice(), kind, "", value).await.map(drop)
        }
        Act::Topic(topic) => {
            let value = json!({ "topic": topic });
            node.set(room, alice(), "m.room.topic", "", value)
                .await
                .map(drop)
        }
        Act::Say(who) => node.say(room, who.id(), "x").await.map(drop),
    };
    if let Err(RoomsError::Store(error)) = outcome {
        panic!("{act:?}: {error}");
    }
}

/// An event as the reference knows it.
struct Told {
    event_id: OwnedEventId,
    slot: Option<(String, String)>,
    content: Value,
}

/// The specification's rules, told a second time and as slowly as they are written.
struct Reference {
    events: Vec<Told>,
}

impl Reference {
    fn of(timeline: &[StoredEvent]) -> Self {
        let told = |event: &StoredEvent| Told {
            event_id: event.pdu.event_id().to_owned(),
            slot: event
                .pdu
                .state_slot()
                .map(|(kind, key)| (kind.to_owned(), key.to_owned())),
            content: event.pdu.content_as().unwrap(),
        };
        Self {
            events: timeline.iter().map(told).collect(),
        }
    }

    /// What a place of the state says after this many events.
    fn text(&self, after: usize, kind: &str, key: &str, field: &str) -> Option<&str> {
        let is_it = |event: &&Told| {
            event
                .slot
                .as_ref()
                .is_some_and(|slot| slot.0 == kind && slot.1 == key)
        };
        self.events[..after]
            .iter()
            .rev()
            .find(is_it)?
            .content
            .get(field)?
            .as_str()
    }

    fn visibility(&self, after: usize) -> &str {
        match self.text(after, "m.room.history_visibility", "", "history_visibility") {
            Some(known @ ("joined" | "invited" | "world_readable")) => known,
            _ => "shared",
        }
    }

    fn membership(&self, after: usize, user: &UserId) -> &str {
        let said = self.text(after, "m.room.member", user.as_str(), "membership");
        said.unwrap_or("leave")
    }

    fn shows(&self, index: usize, user: &UserId, forgotten: bool) -> bool {
        let end = self.events.len();
        let joins_later = (index + 1..end).any(|index| self.membership(index + 1, user) == "join");
        let allows = |visibility: &str, membership: &str| match visibility {
            "world_readable" => true,
            _ if forgotten => false,
            _ if membership == "join" => true,
            "invited" => membership == "invite",
            "joined" => false,
            _ => joins_later,
        };
        let (visibility, membership) = (self.visibility(index), self.membership(index, user));
        let is = |kind: &str, key: &str| {
            self.events[index]
                .slot
                .as_ref()
                .is_some_and(|slot| slot.0 == kind && slot.1 == key)
        };
        allows(visibility, membership)
            || is("m.room.history_visibility", "") && allows(self.visibility(index + 1), membership)
            || is("m.room.member", user.as_str())
                && allows(visibility, self.membership(index + 1, user))
    }

    /// The state that a user may read: now, or as it stood when they last left.
    fn readable_state(&self, user: &UserId, forgotten: bool) -> Option<BTreeSet<OwnedEventId>> {
        let end = self.events.len();
        if self.visibility(end) == "world_readable" {
            return Some(self.state(end));
        }
        let joined = (0..=end)
            .rev()
            .find(|after| self.membership(*after, user) == "join");
        let joined = joined.filter(|_| !forgotten)?;
        Some(self.state((joined + 1).min(end)))
    }

    fn state(&self, after: usize) -> BTreeSet<OwnedEventId> {
        let mut state = BTreeMap::new();
        for event in &self.events[..after] {
            if let Some(slot) = &event.slot {
                state.insert(slot, event.event_id.clone());
            }
        }
        state.into_values().collect()
    }
}

/// All pages in one direction, a few events at a time.
async fn pages(
    node: &Node,
    room: &RoomId,
    user: &UserId,
    direction: Direction,
) -> Vec<OwnedEventId> {
    let room = node.rooms.room(room).await.unwrap();
    let snapshot = node.rooms.snapshot().await.unwrap();
    let history = node.rooms.history(&snapshot, &room, user).await.unwrap();
    let filter = EventFilter::default();
    let mut from = match direction {
        Direction::Forward => 0,
        Direction::Backward => snapshot.head().get() + 1,
    };
    let mut read = Vec::new();
    loop {
        let request = PageRequest {
            from,
            to: None,
            direction,
            limit: 3,
            filter: &filter,
            ignored: &BTreeSet::new(),
            unbroken: false,
        };
        let page = node
            .rooms
            .page(&snapshot, &room, &history, &request)
            .await
            .unwrap();
        assert!(page.events.len() <= 3);
        read.extend(
            page.events
                .iter()
                .map(|event| event.pdu.event_id().to_owned()),
        );
        match page.next {
            Some(next) => from = next,
            None => return read,
        }
    }
}

async fn is_forgotten(node: &Node, room: &RoomId, user: &UserId) -> bool {
    let snapshot = node.rooms.snapshot().await.unwrap();
    let room = node.rooms.room(room).await.unwrap().room;
    let Some(user) = node
        .database
        .names()
        .user(&snapshot, user.as_str())
        .await
        .unwrap()
    else {
        return false;
    };
    let stands = node.rooms.memberships(&snapshot, user).await.unwrap();
    stands
        .iter()
        .any(|membership| membership.room == room && membership.forgotten)
}

async fn compare(node: &Node, room: &RoomId, acts: &[Act]) -> Result<(), TestCaseError> {
    let timeline = node.timeline(room).await;
    let reference = Reference::of(&timeline);
    for user in [alice(), bob(), carol()] {
        let forgotten = is_forgotten(node, room, user).await;
        let fail = |what: &str| {
            let story: Vec<_> = reference
                .events
                .iter()
                .map(|e| (&e.slot, &e.content))
                .collect();
            TestCaseError::fail(format!("{what} for {user}: {acts:?}\n{story:#?}"))
        };
        let shown: Vec<_> = (0..reference.events.len())
            .filter(|index| reference.shows(*index, user, forgotten))
            .map(|index| reference.events[index].event_id.clone())
            .collect();
        if pages(node, room, user, Direction::Forward).await != shown {
            return Err(fail("pages forward"));
        }
        let mut backward = pages(node, room, user, Direction::Backward).await;
        backward.reverse();
        if backward != shown {
            return Err(fail("pages backward"));
        }
        for event in &reference.events {
            let seen = node.rooms.visible_event(room, &event.event_id, user).await;
            if seen.is_ok() != shown.contains(&event.event_id) {
                return Err(fail("one event"));
            }
        }
        let state = match node.rooms.readable_state(room, user).await {
            Ok(state) => Some(
                state
                    .iter()
                    .map(|event| event.event_id().to_owned())
                    .collect(),
            ),
            Err(RoomsError::Refused(RoomsRefusal::Forbidden(_))) => None,
            Err(error) => panic!("{error}"),
        };
        if state != reference.readable_state(user, forgotten) {
            return Err(fail("the state"));
        }
        let topic = node
            .rooms
            .readable_state_event(room, user, "m.room.topic", "")
            .await
            .ok();
        let topic = topic.map(|event| event.event_id().to_owned());
        let allowed = state.unwrap_or_default();
        if topic.is_some_and(|topic| !allowed.contains(&topic)) {
            return Err(fail("one place of the state"));
        }
    }
    Ok(())
}

fn every_story(bench: impl AsyncFnOnce() -> Bench, cases: u32) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (_bench, node) = runtime.block_on(async {
        let bench = bench().await;
        let node = bench.node().await;
        (bench, node)
    });
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let stories = proptest::collection::vec(act(), 0..28);
    let outcome = TestRunner::new(config).run(&stories, |acts| {
        runtime.block_on(async {
            let room = node.public().await;
            for act in &acts {
                perform(&node, &room, act).await;
            }
            compare(&node, &room, &acts).await
        })
    });
    runtime.block_on(node.log.stop());
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[test]
fn readers_see_what_the_reference_shows_on_sqlite() {
    every_story(async || Bench::sqlite(), 48);
}

#[test]
fn readers_see_what_the_reference_shows_on_postgres() {
    every_story(Bench::postgres, 16);
}

conformance! {
    async fn a_long_room_is_read_in_pages_without_a_gap(bench) {
        let node = bench.node().await;
        let room_id = node.public().await;
        let says = (0..300).map(|number| {
            let (node, room) = (&node, &room_id);
            async move {
                let kind = if number % 100 == 7 { "org.example.rare" } else { "m.room.message" };
                node.rooms.send(&node.log, room, alice(), kind.into(), content(json!({})), rooms::SendRequest::default()).await
            }
        });
        futures_util::future::try_join_all(says).await.unwrap();
        let timeline = node.timeline(&room_id).await;
        let room = node.rooms.room(&room_id).await.unwrap();
        let snapshot = node.rooms.snapshot().await.unwrap();
        let history = node.rooms.history(&snapshot, &room, alice()).await.unwrap();
        let end = snapshot.head().get() + 1;
        let all = EventFilter::default();
        let rare = EventFilter::parse(r#"{"types":["org.example.rare"]}"#).unwrap();
        let page = async |from, to, direction, limit, filter: &EventFilter| {
            let ignored = &BTreeSet::new();
            let request =
                PageRequest { from, to, direction, limit, filter, ignored, unbroken: false };
            node.rooms.page(&snapshot, &room, &history, &request).await.unwrap()
        };
        let whole = page(end, None, Direction::Backward, 1_000, &all).await;
        assert_eq!(whole.events.len(), timeline.len());
        assert_eq!(whole.next, None);
        let found = page(end, None, Direction::Backward, 10, &rare).await;
        assert_eq!((found.events.len(), found.next), (3, None));
        let first = page(0, None, Direction::Forward, 1, &rare).await;
        assert_eq!(first.events.len(), 1);
        let rest = page(first.next.unwrap(), None, Direction::Forward, 10, &rare).await;
        assert_eq!(rest.events.len(), 2);
        // A boundary stands before the event that it names, whichever way one reads.
        let at = timeline[150].ord;
        let before = page(at, None, Direction::Backward, 1, &all).await;
        assert_eq!(before.events[0].ord, timeline[149].ord);
        let after = page(at, None, Direction::Forward, 1, &all).await;
        assert_eq!(after.events[0].ord, at);
        let between = page(end, Some(at), Direction::Backward, 1_000, &all).await;
        assert_eq!(between.events.last().unwrap().ord, at);
        let upto = page(0, Some(at), Direction::Forward, 1_000, &all).await;
        assert_eq!(upto.events.last().unwrap().ord, timeline[149].ord);
        assert_eq!(page(end, None, Direction::Backward, 0, &all).await.events.len(), 1);
    }
}
