//! Who finds what: as in every other reading, what one may see.

use serde_json::json;

use super::ids;
use crate::server::{Server, on_both_engines};

on_both_engines! {
    postgres;
    each_finds_what_was_said_in_their_own_rooms,
    who_left_finds_what_they_saw_and_nothing_later,
    history_is_found_as_far_as_it_is_visible,
    who_is_only_asked_in_finds_what_the_invited_may_see,
    what_ignored_people_say_is_not_found,
    a_room_that_was_forgotten_is_not_searched,
    the_room_before_an_upgrade_is_searched_by_those_who_were_in_it,
    the_count_tells_nothing_of_what_may_not_be_seen,
}

async fn each_finds_what_was_said_in_their_own_rooms(mut server: Server) {
    let node = server.searched().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let eve = node.someone("eve").await;
    let private = json!({ "preset": "private_chat" });
    let ours = node.create(&alice, private.clone()).await;
    node.on(&alice, "invite", &ours, &bob).await;
    node.go(&bob, "join", &ours).await;
    let hers = node.create(&alice, private).await;
    let shared = node.say(&alice, &ours, "会议 meeting").await;
    let own = node.say(&alice, &hers, "会议 meeting").await;
    node.settle(&alice, &hers).await;
    for term in ["会议", "meeting", "meeting 会议"] {
        assert_eq!(node.finds(&alice, term).await, [&*own, &shared], "{term}");
        assert_eq!(node.finds(&bob, term).await, [&*shared], "{term}");
        assert_eq!(node.finds(&eve, term).await, [""; 0], "{term}");
    }
    let criteria = json!({ "search_term": "会议", "filter": { "rooms": [hers] } });
    assert_eq!(ids(&node.search(&bob, criteria).await), [""; 0]);
}

async fn who_left_finds_what_they_saw_and_nothing_later(mut server: Server) {
    let node = server.searched().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let seen = node.say(&alice, &room, "basalt").await;
    node.on(&alice, "kick", &room, &bob).await;
    let gone = node.say(&alice, &room, "basalt").await;
    node.settle(&alice, &room).await;
    assert_eq!(node.finds(&bob, "basalt").await, [&*seen]);
    node.on(&alice, "ban", &room, &bob).await;
    assert_eq!(node.finds(&bob, "basalt").await, [&*seen]);
    // What is shared is seen again by those who come back.
    node.on(&alice, "unban", &room, &bob).await;
    node.go(&bob, "join", &room).await;
    assert_eq!(node.finds(&bob, "basalt").await, [&*gone, &seen]);
}

async fn history_is_found_as_far_as_it_is_visible(mut server: Server) {
    let node = server.searched().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let room = node.public(&alice).await;
    let shared = node.say(&alice, &room, "marble one").await;
    let slot = ("m.room.history_visibility", "");
    let joined = json!({ "history_visibility": "joined" });
    node.set(&alice, &room, slot, joined).await;
    let hidden = node.say(&alice, &room, "marble two").await;
    node.go(&bob, "join", &room).await;
    let seen = node.say(&alice, &room, "marble three").await;
    node.settle(&alice, &room).await;
    assert_eq!(node.finds(&bob, "marble").await, [&*seen, &shared]);
    assert_eq!(
        node.finds(&alice, "marble").await,
        [&*seen, &hidden, &shared]
    );
    // What is decided later changes nothing of what was said before.
    let open = json!({ "history_visibility": "world_readable" });
    node.set(&alice, &room, slot, open).await;
    assert_eq!(node.finds(&bob, "marble").await, [&*seen, &shared]);
}

async fn who_is_only_asked_in_finds_what_the_invited_may_see(mut server: Server) {
    let node = server.searched().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let room = node
        .create(&alice, json!({ "preset": "private_chat" }))
        .await;
    node.say(&alice, &room, "slate before").await;
    let slot = ("m.room.history_visibility", "");
    let invited = json!({ "history_visibility": "invited" });
    node.set(&alice, &room, slot, invited).await;
    node.on(&alice, "invite", &room, &bob).await;
    let seen = node.say(&alice, &room, "slate").await;
    node.settle(&alice, &room).await;
    assert_eq!(node.finds(&bob, "slate").await, [&*seen]);
}

async fn what_ignored_people_say_is_not_found(mut server: Server) {
    let node = server.searched().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let theirs = node.say(&bob, &room, "flint").await;
    let own = node.say(&alice, &room, "flint").await;
    node.settle(&alice, &room).await;
    assert_eq!(node.finds(&alice, "flint").await, [&*own, &theirs]);
    let ignored = json!({ "ignored_users": { &bob.user_id: {} } });
    node.keep(&alice, None, "m.ignored_user_list", ignored)
        .await;
    assert_eq!(node.finds(&alice, "flint").await, [&*own]);
    assert_eq!(node.finds(&bob, "flint").await, [&*own, &theirs]);
    // Nor do they speak around what is found.
    let criteria = json!({ "search_term": "flint", "event_context": {} });
    let found = node.search(&alice, criteria).await;
    let context = &found["results"][0]["context"];
    let around = ["events_before", "events_after"].map(|side| context[side].as_array().unwrap());
    let mut said = around
        .into_iter()
        .flatten()
        .filter(|event| event.get("state_key").is_none());
    assert!(said.all(|event| event["sender"] == *alice.user_id));
    let nobody = json!({ "ignored_users": {} });
    node.keep(&alice, None, "m.ignored_user_list", nobody).await;
    assert_eq!(node.finds(&alice, "flint").await, [&*own, &theirs]);
}

async fn a_room_that_was_forgotten_is_not_searched(mut server: Server) {
    let node = server.searched().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let said = node.say(&alice, &room, "gypsum").await;
    node.settle(&alice, &room).await;
    node.go(&bob, "leave", &room).await;
    assert_eq!(node.finds(&bob, "gypsum").await, [&*said]);
    node.go(&bob, "forget", &room).await;
    assert_eq!(node.finds(&bob, "gypsum").await, [""; 0]);
    node.go(&bob, "join", &room).await;
    assert_eq!(node.finds(&bob, "gypsum").await, [&*said]);
}

async fn the_room_before_an_upgrade_is_searched_by_those_who_were_in_it(mut server: Server) {
    let node = server.searched().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let old = node.public(&alice).await;
    let before = node.say(&alice, &old, "onyx").await;
    let rest = format!("rooms/{old}/upgrade");
    let upgraded = node
        .call(&alice, "POST", &rest, json!({ "new_version": "11" }))
        .await;
    let new = upgraded["replacement_room"].as_str().unwrap();
    node.go(&bob, "join", new).await;
    let after = node.say(&alice, new, "onyx").await;
    node.settle(&alice, new).await;
    assert_eq!(node.finds(&alice, "onyx").await, [&*after, &before]);
    assert_eq!(node.finds(&bob, "onyx").await, [&*after]);
}

async fn the_count_tells_nothing_of_what_may_not_be_seen(mut server: Server) {
    let node = server.searched().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let room = node.public(&alice).await;
    let joined = json!({ "history_visibility": "joined" });
    node.set(&alice, &room, ("m.room.history_visibility", ""), joined)
        .await;
    for _ in 0..5 {
        node.say(&alice, &room, "pumice").await;
    }
    node.go(&bob, "join", &room).await;
    for _ in 0..3 {
        node.say(&alice, &room, "pumice").await;
    }
    node.settle(&alice, &room).await;
    for order in ["rank", "recent"] {
        let criteria = json!({
            "search_term": "pumice", "order_by": order, "filter": { "limit": 2 },
        });
        assert_eq!(node.search(&bob, criteria.clone()).await["count"], 3);
        assert_eq!(node.search(&alice, criteria).await["count"], 8);
    }
}
