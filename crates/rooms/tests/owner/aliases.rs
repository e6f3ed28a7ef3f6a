//! Aliases and the public directory: who may make and remove them.

use rooms::RoomsRefusal;
use ruma::{OwnedRoomAliasId, RoomId, UserId, owned_room_alias_id};
use serde_json::json;

use crate::harness::{Bench, Node, alice, assert_forbidden, bob, carol, conformance, refusal};

fn lobby() -> OwnedRoomAliasId {
    owned_room_alias_id!("#lobby:localhost")
}

async fn set(node: &Node, room: &RoomId, user: &UserId) -> Result<(), rooms::RoomsError> {
    node.rooms
        .set_alias(&node.log, lobby(), room, user.to_owned())
        .await
}

async fn remove(node: &Node, user: &UserId) -> Result<(), rooms::RoomsError> {
    node.rooms
        .remove_alias(&node.log, lobby(), Some(user.to_owned()))
        .await
}

conformance! {
    async fn an_alias_points_at_one_room(bench) {
        let node = bench.node().await;
        let (room, other) = (node.public().await, node.public().await);
        set(&node, &room, alice()).await.unwrap();
        assert!(matches!(refusal(set(&node, &other, alice()).await), RoomsRefusal::AliasTaken(_)));
        assert!(matches!(refusal(set(&node, &room, alice()).await), RoomsRefusal::AliasTaken(_)));
        assert_eq!(node.rooms.resolve_alias(&lobby()).await.unwrap(), room);
        assert_eq!(node.rooms.aliases_of(&room).await.unwrap(), [lobby()]);
        assert!(node.rooms.aliases_of(&other).await.unwrap().is_empty());
    }

    async fn two_who_want_an_alias_at_once_do_not_both_get_it(bench) {
        let node = bench.node().await;
        let (room, other) = (node.public().await, node.public().await);
        let (one, two) = tokio::join!(set(&node, &room, alice()), set(&node, &other, alice()));
        assert_eq!([one.is_ok(), two.is_ok()].iter().filter(|won| **won).count(), 1);
    }

    async fn aliases_are_removed_by_their_makers_and_by_moderators(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        for user in [bob(), carol()] {
            node.join(&room, user).await.unwrap();
        }
        for remover in [bob(), alice()] {
            set(&node, &room, bob()).await.unwrap();
            assert_forbidden(remove(&node, carol()).await);
            remove(&node, remover).await.unwrap();
            assert!(matches!(refusal(remove(&node, remover).await), RoomsRefusal::NoSuchAlias(_)));
            let gone = node.rooms.resolve_alias(&lobby()).await;
            assert!(matches!(refusal(gone), RoomsRefusal::NoSuchAlias(_)));
        }
    }

    async fn only_members_name_a_room_and_only_by_this_servers_names(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        assert_forbidden(set(&node, &room, bob()).await);
        let foreign = owned_room_alias_id!("#lobby:example.org");
        let outcome = node.rooms.set_alias(&node.log, foreign, &room, alice().to_owned()).await;
        assert!(matches!(refusal(outcome), RoomsRefusal::Invalid(_)));
    }

    async fn a_canonical_alias_points_at_its_room(bench) {
        let node = bench.node().await;
        let (room, other) = (node.public().await, node.public().await);
        let canonical = async |room: &RoomId, alias: serde_json::Value| {
            node.set(room, alice(), "m.room.canonical_alias", "", alias).await
        };
        let main = json!({ "alias": lobby() });
        let alternative = json!({ "alt_aliases": [lobby()] });
        for alias in [&main, &alternative] {
            let refusal = refusal(canonical(&room, alias.clone()).await);
            assert!(matches!(refusal, RoomsRefusal::BadAlias(_)), "{alias}");
        }
        let malformed = canonical(&room, json!({ "alias": "no alias" })).await;
        assert!(matches!(refusal(malformed), RoomsRefusal::Invalid(_)));
        set(&node, &room, alice()).await.unwrap();
        canonical(&room, main).await.unwrap();
        assert!(matches!(refusal(canonical(&other, alternative.clone()).await), RoomsRefusal::BadAlias(_)));
        // An alias that has gone does not stand in the way of other changes.
        remove(&node, alice()).await.unwrap();
        canonical(&room, alternative).await.unwrap();
        canonical(&room, json!({})).await.unwrap();
        assert!(canonical(&room, json!({ "alias": lobby() })).await.is_err());
    }

    async fn the_directory_shows_what_moderators_put_there(bench) {
        let node = bench.node().await;
        let room = node.public().await;
        node.join(&room, bob()).await.unwrap();
        let publish = async |published, user| {
            node.rooms.publish(&node.log, &room, published, user).await
        };
        assert_forbidden(publish(true, bob()).await);
        assert_forbidden(publish(true, carol()).await);
        publish(true, alice()).await.unwrap();
        assert!(node.rooms.room(&room).await.unwrap().published);
        let once = node.head().await;
        publish(true, alice()).await.unwrap();
        assert_eq!(node.head().await, once);
        publish(false, alice()).await.unwrap();
        assert!(!node.rooms.room(&room).await.unwrap().published);
    }
}
