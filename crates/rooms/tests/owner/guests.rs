//! Guests come into rooms that let them in, and leave those that do no more.

use rooms::{EncryptionPolicy::Off, RoomsRefusal, note_guest};
use ruma::{OwnedUserId, RoomId};
use serde_json::{Value, json};
use store::Intent;
use testkit::eventually;

use crate::harness::{Bench, Node, alice, bob, carol, conformance, refusal};

const ACCESS: &str = "m.room.guest_access";

impl Node {
    async fn note(&self, user: &ruma::UserId, is_guest: bool) {
        let mut intent = Intent::new();
        note_guest(&mut intent, user, is_guest);
        self.log.commit(intent).await.unwrap();
    }

    async fn guests(&self, count: usize) -> Vec<OwnedUserId> {
        let mut guests = Vec::new();
        for number in 0..count {
            let guest = OwnedUserId::try_from(format!("@guest{number}:localhost")).unwrap();
            self.note(&guest, true).await;
            guests.push(guest);
        }
        guests
    }

    async fn open_to_guests(&self, room: &RoomId, access: &str) {
        let content = json!({ "guest_access": access });
        self.set(room, alice(), ACCESS, "", content).await.unwrap();
    }

    /// Those of these users who are in a room.
    async fn inside(&self, room: &RoomId, users: &[OwnedUserId]) -> usize {
        let mut inside = 0;
        for user in users {
            inside += usize::from(self.membership(room, user).await == "join");
        }
        inside
    }
}

async fn set_member(
    node: &Node,
    room: &RoomId,
    (sender, target): (&ruma::UserId, &ruma::UserId),
    content: Value,
) -> Result<ruma::OwnedEventId, rooms::RoomsError> {
    node.set(room, sender, "m.room.member", target.as_str(), content)
        .await
}

conformance! {
    async fn a_guest_comes_in_where_guests_may_in_every_way(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        node.note(bob(), true).await;
        let join = json!({ "membership": "join" });
        let refused = refusal(node.join(&room, bob()).await);
        assert!(matches!(refused, RoomsRefusal::NoGuests), "{refused:?}");
        let refused = set_member(&node, &room, (bob(), bob()), join.clone()).await;
        assert!(matches!(refusal(refused), RoomsRefusal::NoGuests));
        node.open_to_guests(&room, "can_join").await;
        set_member(&node, &room, (bob(), bob()), join).await.unwrap();
        for (target, membership) in [(carol(), "invite"), (alice(), "leave"), (carol(), "ban")] {
            let content = json!({ "membership": membership });
            let refused = set_member(&node, &room, (bob(), target), content).await;
            assert!(matches!(refusal(refused), RoomsRefusal::ByGuest), "{membership}");
        }
        node.say(&room, bob(), "hello").await.unwrap();
        node.leave(&room, bob()).await.unwrap();
        node.open_to_guests(&room, "forbidden").await;
        node.note(bob(), false).await;
        node.join(&room, bob()).await.unwrap();
    }

    async fn guests_leave_in_the_change_that_closes_their_room(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        node.open_to_guests(&room, "can_join").await;
        let guests = node.guests(3).await;
        for guest in &guests {
            node.join(&room, guest).await.unwrap();
        }
        node.join(&room, bob()).await.unwrap();
        let before = node.head().await.get();
        node.open_to_guests(&room, "forbidden").await;
        assert_eq!(node.inside(&room, &guests).await, 0);
        assert_eq!(node.membership(&room, bob()).await, "join");
        // The four events are one batch.
        let after = [before.into()];
        let rows = node.database.query("SELECT first_pos FROM log WHERE last_pos > $1", &after);
        assert_eq!(rows.await.unwrap().len(), 1);
        assert_eq!(node.head().await.get(), before + 4);
        // Nobody is sent away twice, and saying it again changes nothing.
        node.open_to_guests(&room, "forbidden").await;
        node.rooms.send_guests_out(&node.log).await.unwrap();
        assert_eq!(node.head().await.get(), before + 4);
    }

    async fn more_guests_than_one_change_takes_leave_all_the_same(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        node.open_to_guests(&room, "can_join").await;
        let guests = node.guests(230).await;
        for guest in &guests {
            node.join(&room, guest).await.unwrap();
        }
        node.open_to_guests(&room, "forbidden").await;
        assert_eq!(node.inside(&room, &guests).await, 0);
    }

    async fn guests_leave_a_room_that_a_redaction_closes(bench) {
        let node = bench.node().await;
        let (room, other) = (node.public().await, node.public().await);
        for room in [&room, &other] {
            node.open_to_guests(room, "can_join").await;
        }
        let guests = node.guests(2).await;
        for guest in &guests {
            node.join(&room, guest).await.unwrap();
            node.join(&other, guest).await.unwrap();
        }
        let (rooms, log) = (node.rooms.clone(), node.log.clone());
        let looking = tokio::spawn(async move { rooms.send_guests_out_regularly(&log).await });
        eventually("the first look is over", async || {
            (bench.clock.sleepers() > 0).then_some(())
        })
        .await;
        let says = node.timeline(&room).await;
        let says = says.iter().rev().find(|event| event.pdu.type_name() == ACCESS);
        let says = says.unwrap().pdu.event_id().to_owned();
        node.rooms
            .redact(&node.log, &room, alice(), &says, None, None)
            .await
            .unwrap();
        eventually("the guests are gone", async || {
            (node.inside(&room, &guests).await == 0).then_some(())
        })
        .await;
        assert_eq!(node.inside(&other, &guests).await, 2);
        looking.abort();
    }
}

#[tokio::test]
async fn no_guest_is_in_a_room_that_was_closed_at_another_node_meanwhile() {
    let bench = Bench::postgres().await;
    let (one, two) = (bench.node_with(Off, 1).await, bench.node_with(Off, 2).await);
    let guests = one.guests(8).await;
    for number in 0..15 {
        let room = one.public().await;
        one.open_to_guests(&room, "can_join").await;
        two.log.barrier().await.unwrap();
        two.rooms.room(&room).await.unwrap();
        let coming = guests.iter().map(|guest| two.join(&room, guest));
        let coming = futures_util::future::join_all(coming);
        let (came, ()) = tokio::join!(coming, one.open_to_guests(&room, "forbidden"));
        for refused in came.into_iter().filter(Result::is_err) {
            assert!(matches!(refusal(refused), RoomsRefusal::NoGuests));
        }
        one.log.barrier().await.unwrap();
        assert_eq!(one.inside(&room, &guests).await, 0, "{number}");
    }
}
