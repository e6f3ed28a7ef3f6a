//! The public directory: who is in it, in which order, page by page.

use serde_json::{Value, json};

use crate::server::{Node, Server, on_both_engines};

on_both_engines! {
    a_published_room_is_listed_with_what_it_shows,
    what_changed_in_a_room_is_listed_at_once,
    pages_follow_each_other_by_size_in_both_directions,
    a_search_finds_by_name_topic_and_alias_and_by_kind,
    strangers_list_and_callers_search_this_server_alone,
}

const PATH: &str = "/_matrix/client/v3/publicRooms";

async fn room(node: &Node, token: &str, request: Value) -> String {
    let mut published = json!({ "preset": "public_chat", "visibility": "public" });
    let request = request.as_object().unwrap().clone();
    published.as_object_mut().unwrap().extend(request);
    let made = node
        .ok(token, "POST", "/_matrix/client/v3/createRoom", published)
        .await;
    made["room_id"].as_str().unwrap().to_owned()
}

async fn enter(node: &Node, token: &str, room: &str) {
    let path = format!("/_matrix/client/v3/rooms/{room}/join");
    node.ok(token, "POST", &path, json!({})).await;
}

async fn list(node: &Node, query: &str) -> Value {
    let path = format!("{PATH}?{query}");
    node.ok("", "GET", &path, Value::Null).await
}

fn names(answer: &Value) -> Vec<&str> {
    let rooms = answer["chunk"].as_array().unwrap().iter();
    rooms.map(|room| room["name"].as_str().unwrap()).collect()
}

async fn a_published_room_is_listed_with_what_it_shows(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.join("alice").await, node.join("bob").await);
    let space = json!({
        "name": "The hall",
        "topic": "All things",
        "room_alias_name": "hall",
        "creation_content": { "type": "m.space" },
        "initial_state": [
            { "type": "m.room.avatar", "content": { "url": "mxc://localhost/hall" } },
            { "type": "m.room.guest_access", "content": { "guest_access": "forbidden" } },
            { "type": "m.room.history_visibility", "content": { "history_visibility": "world_readable" } },
            { "type": "m.room.join_rules", "content": { "join_rule": "knock" } },
        ],
    });
    let hall = room(&node, &alice.token, space).await;
    let bare = room(&node, &alice.token, json!({})).await;
    enter(&node, &bob.token, &bare).await;
    room(
        &node,
        &alice.token,
        json!({ "visibility": "private", "name": "Hidden" }),
    )
    .await;
    let listed = list(&node, "").await;
    let expected = json!({
        "chunk": [
            {
                "room_id": bare,
                "num_joined_members": 2,
                "guest_can_join": false,
                "world_readable": false,
            },
            {
                "room_id": hall,
                "name": "The hall",
                "topic": "All things",
                "canonical_alias": "#hall:localhost",
                "avatar_url": "mxc://localhost/hall",
                "join_rule": "knock",
                "num_joined_members": 1,
                "guest_can_join": false,
                "world_readable": true,
                "room_type": "m.space",
            },
        ],
        "total_room_count_estimate": 2,
    });
    assert_eq!(listed, expected);
    assert_eq!(node.ok(&bob.token, "POST", PATH, json!({})).await, expected);
}

async fn what_changed_in_a_room_is_listed_at_once(server: Server) {
    let node = server.node().await;
    let alice = node.join("alice").await;
    let room = room(&node, &alice.token, json!({ "name": "Old" })).await;
    assert_eq!(names(&list(&node, "").await), ["Old"]);
    let state = format!("/_matrix/client/v3/rooms/{room}/state/m.room.name");
    let renamed = node
        .ok(&alice.token, "PUT", &state, json!({ "name": "New" }))
        .await;
    assert_eq!(names(&list(&node, "").await), ["New"]);
    let event = renamed["event_id"].as_str().unwrap();
    let redact = format!("/_matrix/client/v3/rooms/{room}/redact/{event}/1");
    node.ok(&alice.token, "PUT", &redact, json!({})).await;
    assert_eq!(list(&node, "").await["chunk"][0].get("name"), None);
    let shown = format!("/_matrix/client/v3/directory/list/room/{room}");
    let hidden = json!({ "visibility": "private" });
    node.ok(&alice.token, "PUT", &shown, hidden).await;
    let empty = json!({ "chunk": [], "total_room_count_estimate": 0 });
    assert_eq!(list(&node, "").await, empty);
}

async fn pages_follow_each_other_by_size_in_both_directions(server: Server) {
    let node = server.node().await;
    let mut people = Vec::new();
    for name in ["alice", "bob", "carol", "dave", "erin"] {
        people.push(node.join(name).await);
    }
    // Made in another order than that of their sizes.
    for size in [2, 5, 1, 4, 3] {
        let name = json!({ "name": size.to_string() });
        let room = room(&node, &people[0].token, name).await;
        for person in &people[1..size] {
            enter(&node, &person.token, &room).await;
        }
    }
    let first = list(&node, "limit=2").await;
    assert_eq!(names(&first), ["5", "4"]);
    assert_eq!(first["total_room_count_estimate"], 5);
    assert_eq!(first.get("prev_batch"), None);
    let page = async |token: &Value| {
        let token = token.as_str().unwrap();
        list(&node, &format!("limit=2&since={token}")).await
    };
    let second = page(&first["next_batch"]).await;
    assert_eq!(names(&second), ["3", "2"]);
    let third = page(&second["next_batch"]).await;
    assert_eq!(names(&third), ["1"]);
    assert_eq!(third.get("next_batch"), None);
    let back = page(&third["prev_batch"]).await;
    assert_eq!(names(&back), ["3", "2"]);
    let start = page(&back["prev_batch"]).await;
    assert_eq!(names(&start), ["5", "4"]);
    assert_eq!(start.get("prev_batch"), None);
    // A room that comes in between moves no other one to another page.
    room(&node, &people[0].token, json!({ "name": "new" })).await;
    assert_eq!(names(&page(&first["next_batch"]).await), ["3", "2"]);
    assert_eq!(names(&list(&node, "limit=0").await), ["5"]);
    assert_eq!(names(&list(&node, "limit=5000").await).len(), 6);
}

async fn a_search_finds_by_name_topic_and_alias_and_by_kind(server: Server) {
    let node = server.node().await;
    let alice = node.join("alice").await;
    for request in [
        json!({ "name": "Äpfel" }),
        json!({ "name": "B", "topic": "Where ÄPFEL grow" }),
        json!({ "name": "C", "room_alias_name": "apples" }),
        json!({ "name": "D", "creation_content": { "type": "m.space" } }),
        json!({ "name": "E", "creation_content": { "type": "org.example" } }),
    ] {
        room(&node, &alice.token, request).await;
    }
    let cases = [
        (json!({}), vec!["B", "C", "D", "E", "Äpfel"]),
        (
            json!({ "generic_search_term": "äPFEL" }),
            vec!["B", "Äpfel"],
        ),
        (json!({ "generic_search_term": "#APPLES:" }), vec!["C"]),
        (json!({ "generic_search_term": "pears" }), vec![]),
        (json!({ "room_types": ["m.space"] }), vec!["D"]),
        (json!({ "room_types": [null] }), vec!["B", "C", "Äpfel"]),
        (
            json!({ "room_types": ["org.example", "m.space"] }),
            vec!["D", "E"],
        ),
        (
            json!({ "room_types": [null], "generic_search_term": "apples" }),
            vec!["C"],
        ),
    ];
    for (filter, expected) in cases {
        let request = json!({ "filter": filter, "include_all_networks": true });
        let found = node.ok(&alice.token, "POST", PATH, request).await;
        let mut found_names = names(&found);
        found_names.sort_unstable();
        assert_eq!(found_names, expected, "{filter}");
        assert_eq!(found["total_room_count_estimate"], 5);
    }
    let bridged = json!({ "third_party_instance_id": "irc" });
    let bridged = node.ok(&alice.token, "POST", PATH, bridged).await;
    assert_eq!(
        bridged,
        json!({ "chunk": [], "total_room_count_estimate": 0 })
    );
}

async fn strangers_list_and_callers_search_this_server_alone(server: Server) {
    let node = server.node().await;
    let alice = node.join("alice").await;
    room(&node, &alice.token, json!({ "name": "A" })).await;
    assert_eq!(names(&list(&node, "server=localhost").await), ["A"]);
    let refused = node.refused("", "POST", PATH, "{}").await;
    assert_eq!(refused, (401, "M_MISSING_TOKEN".into()));
    for query in [
        "server=example.org",
        "server=//",
        "since=x",
        "since=d1_a_1",
        "limit=-1",
        "limit=many",
    ] {
        let path = format!("{PATH}?{query}");
        let refused = node.refused("", "GET", &path, "").await;
        assert_eq!(refused, (400, "M_INVALID_PARAM".into()), "{query}");
    }
    for (query, body, errcode) in [
        ("?server=example.org", "{}", "M_INVALID_PARAM"),
        ("", r#"{"since":"x"}"#, "M_INVALID_PARAM"),
        ("", r#"{"limit":"x"}"#, "M_BAD_JSON"),
        ("", r#"{"filter":{"room_types":[5]}}"#, "M_BAD_JSON"),
        (
            "",
            r#"{"include_all_networks":true,"third_party_instance_id":"irc"}"#,
            "M_BAD_JSON",
        ),
    ] {
        let path = format!("{PATH}{query}");
        let refused = node.refused(&alice.token, "POST", &path, body).await;
        assert_eq!(refused, (400, errcode.to_owned()), "{query} {body}");
    }
}

#[tokio::test]
async fn what_one_node_changed_another_lists_at_once() {
    let server = Server::postgres().await;
    let (one, two) = (server.node().await, server.node().await);
    let alice = one.join("alice").await;
    let room = room(&one, &alice.token, json!({ "name": "0" })).await;
    let state = format!("/_matrix/client/v3/rooms/{room}/state/m.room.name");
    for number in 1..10 {
        let name = number.to_string();
        assert_eq!(list(&two, "").await["chunk"][0]["room_id"], *room);
        one.ok(&alice.token, "PUT", &state, json!({ "name": name }))
            .await;
        assert_eq!(names(&list(&two, "").await), [name]);
    }
}
