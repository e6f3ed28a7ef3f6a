//! What one node does to a room that another has in memory: the other goes along without reading the
//! room anew, and ends where a reading would.

use std::collections::BTreeMap;

use model::entropy::Entropy as _;
use rooms::{EncryptionPolicy::Off, NewReceipt, StoredEvent};
use ruma::{OwnedEventId, RoomId, owned_room_alias_id};
use serde_json::json;
use store::{Following, LocalWrite, Pos};
use testkit::entropy::SeededEntropy;

use crate::harness::{Bench, Node, alice, assert_is_line, bob, carol};

/// A room as somebody who asks for it gets it.
type Seen = (BTreeMap<(String, String), String>, bool, Pos, Pos);

async fn seen(node: &Node, room: &RoomId) -> Seen {
    node.log.barrier().await.unwrap();
    let room = node.rooms.room(room).await.unwrap();
    let place = |key: &str, kind: &str| (kind.to_owned(), key.to_owned());
    let state = room.state.iter().map(|event| {
        let key = event.state_key().unwrap();
        (place(key, event.type_name()), event.json().to_string())
    });
    (
        state.collect(),
        room.published,
        room.last_pos(),
        room.state_pos(),
    )
}

/// Makes every event of a type unreadable in the database.
async fn damage(node: &Node, kind: &'static str) {
    let damage = "UPDATE events SET sealed = $1 WHERE type = $2";
    let write = LocalWrite::new().and(damage, vec![vec![0_u8; 40].into(), kind.into()]);
    node.log.write_local(write).await.unwrap();
}

#[tokio::test]
async fn a_room_that_grows_elsewhere_is_not_read_anew() {
    let bench = Bench::postgres().await;
    let (one, two) = (bench.node_with(Off, 1).await, bench.node_with(Off, 2).await);
    let room = one.public().await;
    seen(&two, &room).await;
    damage(&one, "m.room.power_levels").await;
    let mut before = one.say(&room, alice(), "hello").await.unwrap();
    for number in 0..10 {
        let node = if number % 2 == 0 { &two } else { &one };
        let said = node.say(&room, alice(), "hello").await.unwrap();
        let event = node.event(&room, &said).await;
        assert_eq!(
            event.pdu.prev_events().iter().collect::<Vec<_>>(),
            [&before]
        );
        before = said;
    }
    // Who has to read it cannot.
    let three = bench.node_with(Off, 3).await;
    three.say(&room, alice(), "hello").await.unwrap_err();
}

#[tokio::test]
async fn of_a_room_whose_state_changed_elsewhere_the_change_is_read() {
    let bench = Bench::postgres().await;
    let (one, two) = (bench.node_with(Off, 1).await, bench.node_with(Off, 2).await);
    let room = one.public().await;
    seen(&two, &room).await;
    damage(&one, "m.room.power_levels").await;
    one.join(&room, bob()).await.unwrap();
    one.say(&room, bob(), "here I am").await.unwrap();
    one.join(&room, carol()).await.unwrap();
    two.log.barrier().await.unwrap();
    two.say(&room, bob(), "hello").await.unwrap();
    two.say(&room, carol(), "hello").await.unwrap();
    assert_eq!(seen(&two, &room).await, seen(&one, &room).await);
}

/// After something that is more than another event, nothing is left of the room that was in memory.
#[tokio::test]
async fn a_room_of_which_state_was_redacted_elsewhere_is_read_anew() {
    let bench = Bench::postgres().await;
    let (one, two) = (bench.node_with(Off, 1).await, bench.node_with(Off, 2).await);
    let room = one.public().await;
    let secret = json!({ "topic": "secret" });
    let topic = one
        .set(&room, alice(), "m.room.topic", "", secret)
        .await
        .unwrap();
    seen(&two, &room).await;
    one.set(
        &room,
        alice(),
        "m.room.name",
        "",
        json!({ "name": "before" }),
    )
    .await
    .unwrap();
    redact(&one, &room, &topic).await;
    one.set(
        &room,
        alice(),
        "m.room.name",
        "",
        json!({ "name": "behind" }),
    )
    .await
    .unwrap();
    two.log.barrier().await.unwrap();
    assert_eq!(two.state(&room, "m.room.topic", "").await, json!({}));
    assert_eq!(seen(&two, &room).await, seen(&one, &room).await);
}

/// A snapshot may show what the node has not heard of yet.
#[tokio::test]
async fn a_redaction_that_a_node_has_not_heard_of_is_not_missed_by_reading_what_was_added() {
    let bench = Bench::postgres().await;
    let (one, two) = (bench.node_with(Off, 1).await, bench.node_with(Off, 2).await);
    let room = one.public().await;
    let name = async |name: &str| {
        let content = json!({ "name": name });
        let set = one.set(&room, alice(), "m.room.name", "", content);
        set.await.unwrap();
    };
    let secret = json!({ "topic": "secret" });
    let topic = one.set(&room, alice(), "m.room.topic", "", secret).await;
    let topic = topic.unwrap();
    for number in 0..5 {
        seen(&two, &room).await;
        name(&format!("heard of {number}")).await;
        two.log.barrier().await.unwrap();
        if number == 3 {
            redact(&one, &room, &topic).await;
        }
        name(&format!("not heard of {number}")).await;
        let read = two.state(&room, "m.room.topic", "").await;
        assert_eq!(read == json!({}), number >= 3, "{number}");
    }
}

/// The end of a timeline at a node that did not write it, and where the log stands.
async fn lately(node: &Node, room: &RoomId, after: Pos) -> (Option<Vec<StoredEvent>>, Pos) {
    let head = node.log.barrier().await.unwrap();
    let room = node.rooms.room(room).await.unwrap();
    (node.rooms.events_lately(&room, after, head), head)
}

/// Reads what the batches behind a position added, as it is done for those who wait.
async fn read_added(node: &Node, following: &mut Following, until: Pos) {
    while following.given() < until {
        for batch in following.next(1).await.unwrap() {
            node.rooms.read_added(&batch, |_| true).await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_another_node_said_is_read_once_and_remembered() {
    let bench = Bench::postgres().await;
    let (one, two) = (bench.node_with(Off, 1).await, bench.node_with(Off, 2).await);
    let room = one.public().await;
    seen(&two, &room).await;
    let begun = two.log.applied();
    let mut following = two.log.follow(begun);
    let mut said = vec![one.say(&room, alice(), "one").await.unwrap()];
    // Nobody has read it yet.
    let (known, head) = lately(&two, &room, begun).await;
    assert!(known.is_none());
    read_added(&two, &mut following, head).await;
    damage(&one, "m.room.message").await;
    // What this node says itself stands behind it.
    said.push(two.say(&room, alice(), "two").await.unwrap());
    let (known, _) = lately(&two, &room, begun).await;
    let known: Vec<_> = known.unwrap().iter().map(id).collect();
    assert_eq!(known, said);
    // Of three more only the last is looked at: those before are read with it.
    for text in ["three", "four", "five"] {
        said.push(one.say(&room, alice(), text).await.unwrap());
    }
    let (known, head) = lately(&two, &room, begun).await;
    assert!(known.is_none());
    let mut behind = two.log.follow(Pos::new(head.get() - 1));
    read_added(&two, &mut behind, head).await;
    let (known, _) = lately(&two, &room, begun).await;
    assert_eq!(known.unwrap().iter().map(id).collect::<Vec<_>>(), said);
}

/// What was said elsewhere and was not read stands before what was said here: memory begins anew.
#[tokio::test]
async fn what_was_never_read_is_not_left_out_of_what_is_remembered() {
    let bench = Bench::postgres().await;
    let (one, two) = (bench.node_with(Off, 1).await, bench.node_with(Off, 2).await);
    let room = one.public().await;
    two.log.barrier().await.unwrap();
    two.say(&room, alice(), "here").await.unwrap();
    let begun = two.log.applied();
    for _ in 0..3 {
        one.say(&room, alice(), "not read").await.unwrap();
        two.log.barrier().await.unwrap();
        let before = two.log.applied();
        let here = two.say(&room, alice(), "here").await.unwrap();
        let last = one.say(&room, alice(), "read").await.unwrap();
        let (_, head) = lately(&two, &room, before).await;
        let mut following = two.log.follow(Pos::new(head.get() - 1));
        read_added(&two, &mut following, head).await;
        let (known, _) = lately(&two, &room, begun).await;
        assert!(known.is_none());
        let (known, _) = lately(&two, &room, before).await;
        assert_eq!(
            known.unwrap().iter().map(id).collect::<Vec<_>>(),
            [here, last]
        );
    }
}

fn id(event: &StoredEvent) -> OwnedEventId {
    event.pdu.event_id().to_owned()
}

async fn redact(node: &Node, room: &RoomId, target: &OwnedEventId) {
    let redacting = node
        .rooms
        .redact(&node.log, room, alice(), target, None, None);
    redacting.await.unwrap();
}

/// Two nodes that do whatever can be done to a room, in turns and at random.
struct Walk {
    random: SeededEntropy,
    said: Vec<OwnedEventId>,
    set: Vec<OwnedEventId>,
    /// How often the end of the timeline was remembered.
    remembered: usize,
}

impl Walk {
    /// What is remembered of the end of the timeline is what is there.
    async fn compare(&mut self, node: &Node, room: &RoomId, after: Pos) {
        let (known, head) = lately(node, room, after).await;
        let Some(known) = known else {
            return;
        };
        self.remembered += 1;
        let room = node.rooms.room(room).await.unwrap();
        let snapshot = node.rooms.snapshot().await.unwrap();
        let (from, to) = (after.get(), head.get());
        let there = node.rooms.newest(&snapshot, &room, from, to, 1_000).await;
        let whole = |event: &StoredEvent| (event.pos, event.pdu.json().to_string());
        let there: Vec<_> = there.unwrap().0.iter().map(whole).collect();
        assert_eq!(known.iter().map(whole).collect::<Vec<_>>(), there);
    }

    fn below(&self, bound: u8) -> u8 {
        let mut byte = [0];
        self.random.fill(&mut byte);
        byte[0] % bound
    }

    async fn step(&mut self, node: &Node, room: &RoomId, number: usize) {
        let text = number.to_string();
        match self.below(9) {
            0..3 => self
                .said
                .push(node.say(room, alice(), &text).await.unwrap()),
            3 => {
                let topic = json!({ "topic": text });
                let set = node.set(room, alice(), "m.room.topic", "", topic).await;
                self.set.push(set.unwrap());
            }
            4 => {
                if node.membership(room, bob()).await == "join" {
                    node.leave(room, bob()).await.unwrap();
                } else {
                    node.join(room, bob()).await.unwrap();
                }
            }
            5 => {
                let from = if self.below(2) == 0 {
                    &mut self.said
                } else {
                    &mut self.set
                };
                if let Some(target) = from.pop() {
                    redact(node, room, &target).await;
                }
            }
            6 => {
                let published = self.below(2) == 0;
                let publishing = node.rooms.publish(&node.log, room, published, alice());
                publishing.await.unwrap();
            }
            7 => {
                if let Some(said) = self.said.last() {
                    let receipt = NewReceipt {
                        room_id: room.to_owned(),
                        user_id: alice().to_owned(),
                        kind: "m.read".to_owned(),
                        thread: String::new(),
                        event_id: said.clone(),
                        at: model::time::Timestamp::from_millis(0),
                    };
                    node.rooms.read_up_to(&node.log, receipt).await.unwrap();
                }
            }
            _ => {
                let alias = owned_room_alias_id!("#walk:localhost");
                let setting = node
                    .rooms
                    .set_alias(&node.log, alias, room, alice().to_owned());
                // The second time it is taken.
                drop(setting.await);
            }
        }
    }
}

#[tokio::test]
async fn whatever_happens_to_a_room_at_two_nodes_both_end_where_a_reading_does() {
    for seed in 1..=4 {
        let bench = Bench::postgres().await;
        let nodes = [bench.node_with(Off, 1).await, bench.node_with(Off, 2).await];
        let room = nodes[0].public().await;
        let mut walk = Walk {
            random: SeededEntropy::new(seed),
            said: Vec::new(),
            set: Vec::new(),
            remembered: 0,
        };
        let mut following = nodes
            .each_ref()
            .map(|node| node.log.follow(node.log.applied()));
        for round in 0..6 {
            for number in 0..12 {
                let acting = usize::from(walk.below(2));
                nodes[acting].log.barrier().await.unwrap();
                walk.step(&nodes[acting], &room, number).await;
                // Somebody waits at both nodes, of whom one is sometimes late.
                for (node, following) in nodes.iter().zip(&mut following) {
                    let head = node.log.barrier().await.unwrap();
                    if walk.below(4) > 0 {
                        read_added(node, following, head).await;
                    }
                    let after = Pos::new((head.get() - i64::from(walk.below(6))).max(0));
                    walk.compare(node, &room, after).await;
                }
                // Sometimes several changes are followed before somebody asks.
                if walk.below(3) == 0 {
                    let [one, two] = [seen(&nodes[0], &room).await, seen(&nodes[1], &room).await];
                    assert_eq!(one, two, "seed {seed}, round {round}, step {number}");
                }
            }
            let fresh = seen(&bench.node_with(Off, 3).await, &room).await;
            for node in &nodes {
                assert_eq!(seen(node, &room).await, fresh, "seed {seed}, round {round}");
            }
        }
        assert_is_line(&nodes[0].timeline(&room).await);
        assert!(walk.remembered > 20, "seed {seed}: {}", walk.remembered);
    }
}
