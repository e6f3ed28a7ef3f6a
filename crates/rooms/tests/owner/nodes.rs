//! Two nodes over one database: one line of events, one use of what is used once, true caches.

use rooms::EncryptionPolicy::Off;
use ruma::owned_room_alias_id;
use serde_json::json;
use testkit::eventually;

use crate::harness::{
    Bench, alice, assert_is_line, assert_joined_before_leaving, bob, restricted, txn,
};

#[tokio::test]
async fn two_nodes_that_send_into_one_room_make_one_line() {
    let bench = Bench::postgres().await;
    let (one, two) = (bench.node_with(Off, 1).await, bench.node_with(Off, 2).await);
    let room = one.public().await;
    two.log.barrier().await.unwrap();
    let send = |node: &'static str| {
        let (node, room) = (if node == "one" { &one } else { &two }, &room);
        async move {
            for number in 0..40 {
                node.say(room, alice(), &number.to_string()).await.unwrap();
            }
        }
    };
    tokio::join!(send("one"), send("two"), send("one"), send("two"));
    let line = one.timeline(&room).await;
    assert!(line.len() > 160);
    assert_is_line(&line);
}

#[tokio::test]
async fn a_transaction_retried_at_another_node_makes_one_event() {
    let bench = Bench::postgres().await;
    let (one, two) = (bench.node_with(Off, 1).await, bench.node_with(Off, 2).await);
    let room = one.public().await;
    two.log.barrier().await.unwrap();
    for number in 0..20 {
        let txn_id = number.to_string();
        let (first, second) = tokio::join!(
            one.say_as(&room, alice(), "x", txn("PHONE", &txn_id)),
            two.say_as(&room, alice(), "x", txn("PHONE", &txn_id)),
        );
        assert_eq!(first.unwrap(), second.unwrap());
    }
    let said = one.timeline(&room).await;
    let said = said
        .iter()
        .filter(|event| event.pdu.type_name() == "m.room.message");
    assert_eq!(said.count(), 20);
}

#[tokio::test]
async fn an_alias_wanted_at_two_nodes_is_given_once() {
    let bench = Bench::postgres().await;
    let (one, two) = (bench.node_with(Off, 1).await, bench.node_with(Off, 2).await);
    let (room, other) = (one.public().await, one.public().await);
    two.log.barrier().await.unwrap();
    for number in 0..10 {
        let alias = ruma::OwnedRoomAliasId::try_from(format!("#a{number}:localhost")).unwrap();
        let (first, second) = tokio::join!(
            one.rooms
                .set_alias(&one.log, alias.clone(), &room, alice().to_owned()),
            two.rooms
                .set_alias(&two.log, alias.clone(), &other, alice().to_owned()),
        );
        assert!(first.is_ok() != second.is_ok(), "{number}");
    }
    let alias = owned_room_alias_id!("#a0:localhost");
    let (at_one, at_two) = (
        one.rooms.resolve_alias(&alias),
        two.rooms.resolve_alias(&alias),
    );
    assert_eq!(at_one.await.unwrap(), at_two.await.unwrap());
}

#[tokio::test]
async fn leaving_at_one_node_and_joining_by_membership_at_another_happen_in_one_order() {
    let bench = Bench::postgres().await;
    let (one, two) = (bench.node_with(Off, 1).await, bench.node_with(Off, 2).await);
    let team = one.public().await;
    for number in 0..30 {
        let room = one.create(&restricted(&team)).await.unwrap();
        one.join(&team, bob()).await.unwrap();
        two.log.barrier().await.unwrap();
        // In memory, as it is where people are active.
        two.rooms.room(&team).await.unwrap();
        let came = if number % 2 == 0 {
            let (left, came) = tokio::join!(one.leave(&team, bob()), two.join(&room, bob()));
            left.unwrap();
            came
        } else {
            // What the second node still has in memory opens nothing.
            one.leave(&team, bob()).await.unwrap();
            let came = two.join(&room, bob()).await;
            assert!(came.is_err(), "{number}");
            came
        };
        one.log.barrier().await.unwrap();
        assert_joined_before_leaving(&one, &team, &room, came).await;
    }
}

#[tokio::test]
async fn what_one_node_changed_the_other_knows_behind_the_barrier() {
    let bench = Bench::postgres().await;
    let (one, two) = (bench.node_with(Off, 1).await, bench.node_with(Off, 2).await);
    let room = one.public().await;
    two.log.barrier().await.unwrap();
    two.rooms.room(&room).await.unwrap();
    for number in 0..20 {
        let (from, to) = if number % 2 == 0 {
            (&one, &two)
        } else {
            (&two, &one)
        };
        let topic = json!({ "topic": number.to_string() });
        from.set(&room, alice(), "m.room.topic", "", topic.clone())
            .await
            .unwrap();
        to.log.barrier().await.unwrap();
        assert_eq!(to.state(&room, "m.room.topic", "").await, topic);
    }
    one.join(&room, bob()).await.unwrap();
    two.log.barrier().await.unwrap();
    two.say(&room, bob(), "hello").await.unwrap();
}

#[tokio::test]
async fn a_node_that_nobody_asks_learns_of_changes_all_the_same() {
    let bench = Bench::postgres().await;
    let (one, two) = (bench.node_with(Off, 1).await, bench.node_with(Off, 2).await);
    let room = one.public().await;
    two.log.barrier().await.unwrap();
    two.rooms.room(&room).await.unwrap();
    one.join(&room, bob()).await.unwrap();
    eventually("the other node knows that bob came", async || {
        (two.membership(&room, bob()).await == "join").then_some(())
    })
    .await;
}
