//! What is in a space: in which order, for whom, page by page.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    server::{Node, Server, User, on_both_engines},
    stage::encoded,
};

on_both_engines! {
    shared_postgres;
    a_space_comes_before_what_is_in_it_and_children_in_their_order,
    children_that_lead_nowhere_or_are_hidden_are_left_out,
    circles_and_rooms_named_twice_are_shown_once,
    depth_and_suggestions_bound_the_walk,
    pages_follow_each_other_and_survive_changes,
    a_token_is_good_for_its_request_and_for_an_hour,
    a_space_is_for_those_who_may_look_at_it,
    a_large_space_is_walked_through_by_pages,
}

fn path(room: &str, query: &str) -> String {
    format!("/_matrix/client/v1/rooms/{room}/hierarchy?{query}")
}

async fn walk(node: &Node, user: &User, room: &str, query: &str) -> Value {
    node.ok(&user.token, "GET", &path(room, query), Value::Null)
        .await
}

fn rooms(page: &Value) -> Vec<&str> {
    let rooms = page["rooms"].as_array().unwrap().iter();
    rooms
        .map(|room| room["room_id"].as_str().unwrap())
        .collect()
}

impl Node {
    async fn space(&self, user: &User) -> String {
        let body = json!({ "preset": "public_chat", "creation_content": { "type": "m.space" } });
        self.create(user, body).await
    }

    /// Puts a room into a space.
    async fn put_in(&self, user: &User, space: &str, child: &str, content: Value) {
        let mut whole = json!({ "via": ["localhost"] });
        whole
            .as_object_mut()
            .unwrap()
            .extend(content.as_object().unwrap().clone());
        self.set(user, space, ("m.space.child", child), whole).await;
    }
}

async fn a_space_comes_before_what_is_in_it_and_children_in_their_order(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let space = node.space(&alice).await;
    let mut made = Vec::new();
    for _ in 0..9 {
        made.push(node.public(&alice).await);
    }
    let inner = node.space(&alice).await;
    let orders = [
        json!({ "order": "b" }),
        json!({ "order": "a" }),
        json!({ "order": " " }),
        json!({ "order": "a" }),
        // None of these is an order: they stand behind, by time.
        json!({ "order": "" }),
        json!({ "order": "ä" }),
        json!({ "order": 5 }),
        json!({ "order": "x".repeat(51) }),
    ];
    for (room, content) in made.iter().zip(orders) {
        server.deployment.clock.advance(Duration::from_millis(5));
        node.put_in(&alice, &space, room, content).await;
    }
    node.put_in(&alice, &space, &inner, json!({ "order": "aa" }))
        .await;
    node.put_in(&alice, &inner, &made[8], json!({})).await;
    let page = walk(&node, &alice, &space, "").await;
    let order = [2, 1, 3, 8, 0, 4, 5, 6, 7].map(|index| made[index].as_str());
    let mut expected = vec![space.as_str()];
    expected.extend(&order[..3]);
    expected.push(&inner);
    expected.extend(&order[3..]);
    assert_eq!(rooms(&page), expected);
    assert_eq!(page.get("next_batch"), None);
    // The children stand in the same order beside their space, stripped, and nowhere else.
    let children = page["rooms"][0]["children_state"].as_array().unwrap();
    let keys: Vec<_> = children
        .iter()
        .map(|child| child["state_key"].as_str().unwrap())
        .collect();
    let direct: Vec<_> = expected[1..]
        .iter()
        .copied()
        .filter(|room| *room != made[8])
        .collect();
    assert_eq!(keys, direct);
    let child = children[0].as_object().unwrap();
    let fields: Vec<_> = child.keys().collect();
    assert_eq!(
        fields,
        ["content", "origin_server_ts", "sender", "state_key", "type"]
    );
    assert!(child["origin_server_ts"].is_i64());
    assert_eq!(page["rooms"][0]["room_type"], "m.space");
    assert_eq!(page["rooms"][1]["children_state"], json!([]));
    assert_eq!(page["rooms"][1]["num_joined_members"], 1);
}

async fn children_that_lead_nowhere_or_are_hidden_are_left_out(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let space = node.space(&alice).await;
    let (open, hidden) = (
        node.public(&alice).await,
        node.create(&alice, json!({})).await,
    );
    let removed = node.public(&alice).await;
    let secret = json!({ "creation_content": { "type": "m.space" } });
    let secret = node.create(&alice, secret).await;
    let inside = node.public(&alice).await;
    for (order, child) in [
        ("a", &open),
        ("b", &hidden),
        ("c", &secret),
        ("d", &removed),
    ] {
        node.put_in(&alice, &space, child, json!({ "order": order }))
            .await;
    }
    node.put_in(&alice, &secret, &inside, json!({})).await;
    for (key, content) in [
        (removed.as_str(), json!({})),
        ("!none:localhost", json!({ "via": [] })),
        ("!text:localhost", json!({ "via": "localhost" })),
        ("!numbers:localhost", json!({ "via": [1] })),
        ("no-room", json!({ "via": ["localhost"] })),
        ("!elsewhere:example.org", json!({ "via": ["example.org"] })),
    ] {
        node.set(&alice, &space, ("m.space.child", key), content)
            .await;
    }
    // A room that is no space has no children, whatever its state says.
    node.put_in(&alice, &open, &inside, json!({})).await;
    let bobs = walk(&node, &bob, &space, "").await;
    assert_eq!(rooms(&bobs), [&*space, &open]);
    assert_eq!(bobs["rooms"][1]["children_state"], json!([]));
    let children = bobs["rooms"][0]["children_state"].as_array().unwrap();
    assert_eq!(children.len(), 4, "{children:?}");
    assert_eq!(
        rooms(&walk(&node, &alice, &space, "").await),
        [&*space, &open, &hidden, &secret, &inside]
    );
    node.on(&alice, "invite", &secret, &bob).await;
    assert_eq!(
        rooms(&walk(&node, &bob, &space, "").await),
        [&*space, &open, &secret, &inside]
    );
    node.on(&alice, "ban", &open, &bob).await;
    assert_eq!(
        rooms(&walk(&node, &bob, &space, "").await),
        [&*space, &secret, &inside]
    );
}

async fn circles_and_rooms_named_twice_are_shown_once(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let (one, two, three) = (
        node.space(&alice).await,
        node.space(&alice).await,
        node.space(&alice).await,
    );
    let room = node.public(&alice).await;
    for (order, (space, child)) in [
        (&one, &one),
        (&one, &two),
        (&one, &three),
        (&two, &three),
        (&two, &room),
        (&three, &one),
        (&three, &room),
        (&three, &two),
    ]
    .into_iter()
    .enumerate()
    {
        node.put_in(&alice, space, child, json!({ "order": order.to_string() }))
            .await;
    }
    let expected = [&*one, &two, &three, &room];
    assert_eq!(rooms(&walk(&node, &alice, &one, "").await), expected);
    // Also when each is on a page of its own.
    let mut seen = Vec::new();
    let mut query = "limit=1".to_owned();
    for _ in 0..4 {
        let page = walk(&node, &alice, &one, &query).await;
        seen.extend(rooms(&page).into_iter().map(str::to_owned));
        let Some(next) = page["next_batch"].as_str() else {
            break;
        };
        query = format!("limit=1&from={}", encoded(next));
    }
    assert_eq!(seen, expected);
}

async fn depth_and_suggestions_bound_the_walk(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let mut chain = vec![node.space(&alice).await];
    for number in 0..18 {
        let inner = node.space(&alice).await;
        let content = json!({ "suggested": number < 2 });
        node.put_in(&alice, chain.last().unwrap(), &inner, content)
            .await;
        chain.push(inner);
    }
    let depth = async |query: &str| {
        let page = walk(&node, &alice, &chain[0], query).await;
        let found = rooms(&page);
        assert_eq!(
            found,
            chain[..found.len()]
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>()
        );
        found.len() - 1
    };
    assert_eq!(depth("max_depth=0").await, 0);
    assert_eq!(depth("max_depth=1").await, 1);
    assert_eq!(depth("max_depth=5").await, 5);
    assert_eq!(depth("").await, 16);
    assert_eq!(depth("max_depth=1000").await, 16);
    assert_eq!(depth("suggested_only=true").await, 2);
    assert_eq!(depth("suggested_only=false&max_depth=3").await, 3);
    let page = walk(&node, &alice, &chain[2], "suggested_only=true").await;
    assert_eq!(page["rooms"][0]["children_state"], json!([]));
}

async fn pages_follow_each_other_and_survive_changes(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let space = node.space(&alice).await;
    let mut made = Vec::new();
    for number in 0..6 {
        let room = node.public(&alice).await;
        node.put_in(
            &alice,
            &space,
            &room,
            json!({ "order": number.to_string() }),
        )
        .await;
        made.push(room);
    }
    let page = async |from: Option<&Value>| {
        let from = from.map_or(String::new(), |from| {
            format!("&from={}", encoded(from.as_str().unwrap()))
        });
        walk(&node, &alice, &space, &format!("limit=3{from}")).await
    };
    let first = page(None).await;
    assert_eq!(rooms(&first), [&*space, &made[0], &made[1]]);
    let second = page(Some(&first["next_batch"])).await;
    assert_eq!(rooms(&second), [&*made[2], &made[3], &made[4]]);
    let third = page(Some(&second["next_batch"])).await;
    assert_eq!(rooms(&third), [&*made[5]]);
    assert_eq!(third.get("next_batch"), None);
    // The room that the page ended with goes, one comes before it, one behind, one moves away.
    node.set(&alice, &space, ("m.space.child", &made[1]), json!({}))
        .await;
    let (before, behind) = (node.public(&alice).await, node.public(&alice).await);
    node.put_in(&alice, &space, &before, json!({ "order": "00" }))
        .await;
    node.put_in(&alice, &space, &behind, json!({ "order": "22" }))
        .await;
    node.put_in(&alice, &space, &made[4], json!({ "order": "9" }))
        .await;
    let second = page(Some(&first["next_batch"])).await;
    assert_eq!(rooms(&second), [&*made[2], &behind, &made[3]]);
    let third = page(Some(&second["next_batch"])).await;
    assert_eq!(rooms(&third), [&*made[5], &made[4]]);
    // A page that ends exactly at the end says so.
    assert_eq!(
        walk(&node, &alice, &space, "limit=8")
            .await
            .get("next_batch"),
        None
    );
}

async fn a_token_is_good_for_its_request_and_for_an_hour(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let (space, other) = (node.space(&alice).await, node.space(&alice).await);
    let room = node.public(&alice).await;
    for within in [&space, &other] {
        node.put_in(&alice, within, &room, json!({ "suggested": true }))
            .await;
    }
    let first = walk(
        &node,
        &alice,
        &space,
        "limit=1&max_depth=3&suggested_only=true",
    )
    .await;
    let token = first["next_batch"].as_str().unwrap();
    let from = |token: &str| format!("from={}", encoded(token));
    let same = format!("max_depth=3&suggested_only=true&{}", from(token));
    assert_eq!(rooms(&walk(&node, &alice, &space, &same).await), [&*room]);
    // What is the same for all is not bound to one.
    assert_eq!(rooms(&walk(&node, &bob, &space, &same).await), [&*room]);
    let mut forged = token.to_owned();
    let middle = forged.len() / 2;
    let other_letter = if &forged[middle..=middle] == "A" {
        "B"
    } else {
        "A"
    };
    forged.replace_range(middle..=middle, other_letter);
    let cut = &token[..token.len() - 3];
    let invalid = (400, "M_INVALID_PARAM".to_owned());
    for (room, query) in [
        (&space, format!("max_depth=3&{}", from(token))),
        (&space, format!("suggested_only=true&{}", from(token))),
        (
            &space,
            format!("max_depth=4&suggested_only=true&{}", from(token)),
        ),
        (&other, same.clone()),
        (
            &space,
            format!("max_depth=3&suggested_only=true&{}", from(&forged)),
        ),
        (
            &space,
            format!("max_depth=3&suggested_only=true&{}", from(cut)),
        ),
        (&space, from("x")),
        (&space, from("h1.")),
        (&space, from("h1.e30.e30")),
        (&space, from("s1_1_1_1_1_1_1")),
        (&space, "limit=0".to_owned()),
        (&space, "limit=-1".to_owned()),
        (&space, "max_depth=-1".to_owned()),
        (&space, "suggested_only=maybe".to_owned()),
    ] {
        let refused = node
            .refused(&alice.token, "GET", &path(room, &query), "")
            .await;
        assert_eq!(refused, invalid, "{query}");
    }
    server
        .deployment
        .clock
        .advance(Duration::from_secs(60 * 60));
    let alice = node.on_device(&alice, "PHONE").await;
    assert_eq!(rooms(&walk(&node, &alice, &space, &same).await), [&*room]);
    server.deployment.clock.advance(Duration::from_secs(1));
    let refused = node
        .refused(&alice.token, "GET", &path(&space, &same), "")
        .await;
    assert_eq!(refused, invalid);
}

async fn a_space_is_for_those_who_may_look_at_it(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let body = json!({ "creation_content": { "type": "m.space" } });
    let space = node.create(&alice, body).await;
    let forbidden = (403, "M_FORBIDDEN".to_owned());
    for room in [&space, "!nowhere:localhost"] {
        let refused = node.refused(&bob.token, "GET", &path(room, ""), "").await;
        assert_eq!(refused, forbidden);
    }
    let refused = node.refused("", "GET", &path(&space, ""), "").await;
    assert_eq!(refused, (401, "M_MISSING_TOKEN".into()));
    node.on(&alice, "invite", &space, &bob).await;
    assert_eq!(rooms(&walk(&node, &bob, &space, "").await), [&*space]);
    node.on(&alice, "ban", &space, &bob).await;
    let refused = node.refused(&bob.token, "GET", &path(&space, ""), "").await;
    assert_eq!(refused, forbidden);
    let readable = json!({ "history_visibility": "world_readable" });
    node.set(&alice, &space, ("m.room.history_visibility", ""), readable)
        .await;
    assert_eq!(rooms(&walk(&node, &bob, &space, "").await), [&*space]);
    // A room that is no space is a tree of one.
    let room = node.public(&alice).await;
    assert_eq!(rooms(&walk(&node, &bob, &room, "").await), [&*room]);
}

async fn a_large_space_is_walked_through_by_pages(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let space = node.space(&alice).await;
    // Far more than a page looks at lead nowhere, and the two that lead somewhere stand last.
    let mut children = Vec::new();
    for number in 0..1_100 {
        let room = format!("!{number}:example.org");
        children.push((room, json!({ "via": ["example.org"], "order": "a" })));
    }
    for _ in 0..2 {
        let room = node.public(&alice).await;
        children.push((room, json!({ "via": ["localhost"], "order": "b" })));
    }
    for (room, content) in &children {
        node.set(&alice, &space, ("m.space.child", room), content.clone())
            .await;
    }
    let first = walk(&node, &alice, &space, "").await;
    assert_eq!(rooms(&first), [&*space]);
    let from = format!("from={}", encoded(first["next_batch"].as_str().unwrap()));
    let second = walk(&node, &alice, &space, &from).await;
    let last: Vec<_> = children[1_100..]
        .iter()
        .map(|(room, _)| room.as_str())
        .collect();
    let mut found = rooms(&second);
    found.sort_unstable();
    let mut expected = last;
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(second.get("next_batch"), None);
    // A node that knows none of it from before tells the same.
    node.parts.log.stop().await;
    drop(node);
    let node = server.node().await;
    assert_eq!(rooms(&walk(&node, &alice, &space, "").await), [&*space]);
    assert_eq!(walk(&node, &alice, &space, &from).await, second);
}
