//! Receipts only move forward.

use model::time::Clock;
use rooms::{NewReceipt, RoomsRefusal};
use ruma::{EventId, RoomId, UserId, event_id};

use crate::harness::{Bench, Node, alice, assert_forbidden, bob, conformance, refusal};

async fn read(
    bench: &Bench,
    node: &Node,
    (room, user): (&RoomId, &UserId),
    (kind, thread): (&str, &str),
    event_id: &EventId,
) -> Result<(), rooms::RoomsError> {
    let receipt = NewReceipt {
        room_id: room.to_owned(),
        user_id: user.to_owned(),
        kind: kind.to_owned(),
        thread: thread.to_owned(),
        event_id: event_id.to_owned(),
        at: bench.clock.now(),
    };
    node.rooms.read_up_to(&node.log, receipt).await.map(drop)
}

conformance! {
    async fn a_receipt_never_moves_back(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        let first = node.say(&room, alice(), "1").await.unwrap();
        let second = node.say(&room, alice(), "2").await.unwrap();
        let whose = (&*room, alice());
        for (kind, thread) in [("m.read", ""), ("m.read", "main"), ("m.read.private", "")] {
            read(&bench, &node, whose, (kind, thread), &second).await.unwrap();
            let once = node.head().await;
            for earlier in [&second, &first] {
                read(&bench, &node, whose, (kind, thread), earlier).await.unwrap();
            }
            assert_eq!(node.head().await, once, "{kind} {thread}");
        }
        let found = node.rooms.room(&room).await.unwrap();
        let snapshot = node.rooms.snapshot().await.unwrap();
        let head = snapshot.head().get();
        let given = node.rooms.receipts_between(&snapshot, found.room, 0, head).await.unwrap();
        assert_eq!(given.len(), 3);
        assert!(given.iter().all(|receipt| receipt.event_id == second));
    }

    async fn receipts_given_at_once_end_at_the_newest(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        let mut said = Vec::new();
        for number in 0..8 {
            said.push(node.say(&room, alice(), &number.to_string()).await.unwrap());
        }
        let (bench, node, room) = (&bench, &node, &*room);
        let reads = said.iter().rev().map(|event_id| async move {
            read(bench, node, (room, alice()), ("m.read", ""), event_id).await
        });
        futures_util::future::try_join_all(reads).await.unwrap();
        let found = node.rooms.room(room).await.unwrap();
        let snapshot = node.rooms.snapshot().await.unwrap();
        let user = node.database.names().user(&snapshot, alice().as_str()).await.unwrap();
        let own = node.rooms.own_receipts(&snapshot, found.room, user.unwrap()).await.unwrap();
        assert_eq!(own.len(), 1);
        assert_eq!(Some(&own[0].event_id), said.last());
    }

    async fn only_members_read_and_only_what_is_there(bench) {
        let node = bench.node().await;
        let (room, other) = (node.public().await, node.public().await);
        let said = node.say(&room, alice(), "1").await.unwrap();
        assert_forbidden(read(&bench, &node, (&*room, bob()), ("m.read", ""), &said).await);
        for (room, nowhere) in [(&room, event_id!("$nowhere")), (&other, &*said)] {
            let outcome = read(&bench, &node, (&**room, alice()), ("m.read", ""), nowhere).await;
            assert!(matches!(refusal(outcome), RoomsRefusal::NoSuchEvent));
        }
    }
}
