//! Orders, pages and groups.

use serde_json::{Value, json};

use super::ids;
use crate::{
    server::{Node, Server, User, on_both_engines},
    stage::encoded,
};

on_both_engines! {
    postgres;
    pages_join_without_gap_or_repetition_in_either_order,
    what_fits_better_comes_first,
    what_is_said_meanwhile_moves_no_page,
    results_are_grouped_by_room_and_by_sender,
    a_group_is_read_on_by_itself,
    who_is_in_many_rooms_finds_what_is_in_each,
}

/// All pages, the ids of each.
async fn pages(node: &Node, user: &User, criteria: &Value) -> Vec<Vec<String>> {
    read_on(node, user, criteria, None).await
}

async fn read_on(
    node: &Node,
    user: &User,
    criteria: &Value,
    mut from: Option<String>,
) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    loop {
        let page = node
            .search_from(user, criteria.clone(), from.as_deref())
            .await;
        pages.push(ids(&page));
        match page.get("next_batch") {
            Some(next) => from = Some(encoded(next.as_str().unwrap())),
            None => return pages,
        }
        assert!(pages.len() < 100, "the pages end");
    }
}

async fn pages_join_without_gap_or_repetition_in_either_order(mut server: Server) {
    let node = server.searched().await;
    let alice = node.someone("alice").await;
    let rooms = [node.public(&alice).await, node.public(&alice).await];
    let mut said = Vec::new();
    for number in 0..23 {
        let text = format!("quarry {}", "stone ".repeat(number % 5));
        said.push(node.say(&alice, &rooms[number % 2], &text).await);
    }
    node.settle(&alice, &rooms[0]).await;
    let criteria = |order: &str, limit: usize| json!({ "search_term": "quarry", "order_by": order, "filter": { "limit": limit } });
    for limit in [1, 7, 23, 100] {
        let recent = pages(&node, &alice, &criteria("recent", limit)).await;
        assert!(recent.iter().all(|page| page.len() <= limit));
        assert_eq!(recent.len(), 23_usize.div_ceil(limit), "{limit}");
        let newest_first: Vec<_> = said.iter().rev().cloned().collect();
        assert_eq!(recent.concat(), newest_first, "{limit}");
        let mut ranked = pages(&node, &alice, &criteria("rank", limit))
            .await
            .concat();
        assert_eq!(ranked.len(), said.len());
        ranked.sort_unstable();
        let mut all = said.clone();
        all.sort_unstable();
        assert_eq!(ranked, all, "{limit}");
    }
    let first = node.search(&alice, criteria("recent", 10)).await;
    assert_eq!(first["count"], 23);
}

async fn what_fits_better_comes_first(mut server: Server) {
    let node = server.searched().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let best = node.say(&alice, &room, "amber").await;
    let twice = node
        .say(
            &alice,
            &room,
            "amber here, and some more amber there in the sea",
        )
        .await;
    let once = node
        .say(
            &alice,
            &room,
            "amber here, and some more of it there in the sea",
        )
        .await;
    let long = format!("amber {}", "and much else ".repeat(50));
    let long = node.say(&alice, &room, &long).await;
    node.settle(&alice, &room).await;
    // The best first is what is given when nobody says.
    let found = node.search(&alice, json!({ "search_term": "amber" })).await;
    assert_eq!(ids(&found), [&*best, &twice, &once, &long]);
    let ranks: Vec<f64> = found["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["rank"].as_f64().unwrap())
        .collect();
    assert!(ranks.is_sorted_by(|one, other| one > other), "{ranks:?}");
    assert!(ranks.iter().all(|rank| (0.0..=1.0).contains(rank)));
    assert_eq!(
        node.finds(&alice, "amber").await,
        [&*long, &once, &twice, &best]
    );
}

async fn what_is_said_meanwhile_moves_no_page(mut server: Server) {
    let node = server.searched().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let mut said = Vec::new();
    for _ in 0..6 {
        said.push(node.say(&alice, &room, "coal").await);
    }
    node.settle(&alice, &room).await;
    for order in ["recent", "rank"] {
        let criteria = json!({
            "search_term": "coal", "order_by": order, "filter": { "limit": 4 },
        });
        let first = node.search(&alice, criteria.clone()).await;
        let next = first["next_batch"].as_str().unwrap();
        node.say(&alice, &room, "coal").await;
        node.settle(&alice, &room).await;
        let second = node
            .search_from(&alice, criteria, Some(&encoded(next)))
            .await;
        let mut both = [ids(&first), ids(&second)].concat();
        // The second round begins with what the first one said.
        both.retain(|event| said.contains(event));
        both.sort_unstable();
        let mut wanted = said.clone();
        wanted.sort_unstable();
        assert_eq!(both, wanted, "{order}");
        assert_eq!(second["count"], first["count"], "{order}");
    }
}

async fn results_are_grouped_by_room_and_by_sender(mut server: Server) {
    let node = server.searched().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let (room, other) = (node.public(&alice).await, node.public(&alice).await);
    node.go(&bob, "join", &room).await;
    let first = node.say(&alice, &room, "chalk").await;
    let second = node.say(&alice, &other, "chalk").await;
    let third = node.say(&bob, &room, "chalk").await;
    node.settle(&alice, &room).await;
    let by = |keys: &[&str]| {
        let keys: Vec<Value> = keys.iter().map(|key| json!({ "key": key })).collect();
        json!({
            "search_term": "chalk", "order_by": "recent", "groupings": { "group_by": keys },
        })
    };
    let found = node.search(&alice, by(&["room_id", "sender"])).await;
    let wanted = json!({
        "room_id": {
            &room: { "order": 1, "results": [third, first] },
            &other: { "order": 2, "results": [second] },
        },
        "sender": {
            &bob.user_id: { "order": 1, "results": [third] },
            &alice.user_id: { "order": 2, "results": [second, first] },
        },
    });
    assert_eq!(found["groups"], wanted);
    assert_eq!(ids(&found), [&*third, &second, &first]);
    let found = node.search(&alice, by(&["sender"])).await;
    assert_eq!(found["groups"].as_object().unwrap().len(), 1);
    let found = node.search(&alice, by(&[])).await;
    assert!(found.get("groups").is_none());
}

async fn a_group_is_read_on_by_itself(mut server: Server) {
    let node = server.searched().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let (room, other) = (node.public(&alice).await, node.public(&alice).await);
    node.go(&bob, "join", &room).await;
    let (mut in_room, mut by_bob) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        in_room.push(node.say(&alice, &room, "loam").await);
        by_bob.push(node.say(&bob, &room, "loam").await);
        in_room.extend(by_bob.last().cloned());
        node.say(&alice, &other, "loam").await;
    }
    in_room.reverse();
    by_bob.reverse();
    node.settle(&alice, &room).await;
    for (key, value, wanted) in [
        ("room_id", &room, &in_room),
        ("sender", &bob.user_id, &by_bob),
    ] {
        let criteria = json!({
            "search_term": "loam",
            "order_by": "recent",
            "filter": { "limit": 3 },
            "groupings": { "group_by": [{ "key": key }] },
        });
        let first = node.search(&alice, criteria.clone()).await;
        let group = &first["groups"][key][value];
        let next = encoded(group["next_batch"].as_str().unwrap());
        let mut read: Vec<String> = serde_json::from_value(group["results"].clone()).unwrap();
        read.extend(read_on(&node, &alice, &criteria, Some(next)).await.concat());
        assert_eq!(read, *wanted, "{key}");
    }
}

async fn who_is_in_many_rooms_finds_what_is_in_each(mut server: Server) {
    let node = server.searched().await;
    let alice = node.someone("alice").await;
    let mut said = Vec::new();
    let mut rooms = Vec::new();
    for number in 0..20 {
        let room = node.public(&alice).await;
        let text = if number % 3 == 0 {
            "gravel and sand"
        } else {
            "gravel"
        };
        said.push((number, node.say(&alice, &room, text).await));
        rooms.push(room);
    }
    node.settle(&alice, &rooms[0]).await;
    let wanted: Vec<_> = said.iter().rev().map(|(_, event)| event.clone()).collect();
    let criteria = json!({
        "search_term": "gravel", "order_by": "recent", "filter": { "limit": 6 },
    });
    assert_eq!(pages(&node, &alice, &criteria).await.concat(), wanted);
    let both = said.iter().rev().filter(|(number, _)| number % 3 == 0);
    let both: Vec<_> = both.map(|(_, event)| event.clone()).collect();
    assert_eq!(node.finds(&alice, "sand gravel").await, both);
}
