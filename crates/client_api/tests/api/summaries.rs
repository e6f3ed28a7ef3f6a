//! Rooms seen from outside: what of them, and by whom.

use serde_json::{Value, json};

use crate::{
    server::{Node, Server, User, on_both_engines},
    stage::encoded,
};

on_both_engines! {
    shared_postgres;
    a_summary_says_what_the_room_is_like,
    a_summary_is_for_those_who_could_come_in_or_read,
    who_knocks_is_shown_what_they_knock_at,
    what_is_no_room_is_not_found,
    what_changed_is_in_the_summary_at_once,
    unstable_paths_have_the_unstable_fields_too,
    a_node_that_has_just_begun_knows_no_less,
}

const STABLE: &str = "/_matrix/client/v1/room_summary";

/// The answer for somebody, or for a stranger.
async fn look(node: &Node, user: Option<&User>, room: &str) -> (u16, Value) {
    let token = user.map_or("", |user| &user.token);
    let path = format!("{STABLE}/{}", encoded(room));
    let (status, answer) = node.ask(token, "GET", &path, "").await;
    (status.as_u16(), answer)
}

async fn a_summary_says_what_the_room_is_like(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let name = format!("hall-{}", alice.localpart());
    let team = node.public(&alice).await;
    let allow = json!([{ "type": "m.room_membership", "room_id": team }]);
    let body = json!({
        "name": "The hall",
        "topic": "All things",
        "room_version": "11",
        "room_alias_name": name,
        "creation_content": { "type": "m.space" },
        "initial_state": [
            { "type": "m.room.avatar", "content": { "url": "mxc://localhost/hall" } },
            { "type": "m.room.guest_access", "content": { "guest_access": "can_join" } },
            { "type": "m.room.history_visibility", "content": { "history_visibility": "world_readable" } },
            { "type": "m.room.join_rules", "content": { "join_rule": "knock_restricted", "allow": allow } },
            { "type": "m.room.encryption", "content": { "algorithm": "m.megolm.v1.aes-sha2" } },
        ],
    });
    let room = node.create(&alice, body).await;
    node.on(&alice, "invite", &room, &bob).await;
    let mut expected = json!({
        "room_id": room,
        "name": "The hall",
        "topic": "All things",
        "canonical_alias": format!("#{name}:localhost"),
        "avatar_url": "mxc://localhost/hall",
        "guest_can_join": true,
        "world_readable": true,
        "num_joined_members": 1,
        "join_rule": "knock_restricted",
        "allowed_room_ids": [team],
        "room_type": "m.space",
        "encryption": "m.megolm.v1.aes-sha2",
        "room_version": "11",
    });
    assert_eq!(look(&node, None, &room).await, (200, expected.clone()));
    let by_alias = look(&node, None, &format!("#{name}:localhost")).await;
    assert_eq!(by_alias, (200, expected.clone()));
    let stranger = node.someone("stranger").await;
    for (user, membership) in [(&alice, "join"), (&bob, "invite"), (&stranger, "leave")] {
        expected["membership"] = membership.into();
        assert_eq!(
            look(&node, Some(user), &room).await,
            (200, expected.clone())
        );
    }
    // What is absent is left out, and so is the rule that is assumed.
    let bare = node.versioned_public(&alice).await;
    let expected = json!({
        "room_id": bare,
        "guest_can_join": false,
        "world_readable": false,
        "num_joined_members": 1,
        "room_version": "12",
    });
    assert_eq!(look(&node, None, &bare).await, (200, expected));
}

impl Node {
    async fn versioned_public(&self, user: &User) -> String {
        let body = json!({ "preset": "public_chat", "room_version": "12" });
        self.create(user, body).await
    }
}

const ROLES: [&str; 5] = ["invited", "mate", "former", "banned", "stranger"];

/// Version, join rule and visibility of a room, and who sees it: nobody in particular, one who is
/// invited, a mate of the team that it is restricted to, one who has left, a stranger.
const CASES: [(&str, &str, &str, &str); 11] = [
    (
        "12",
        "public",
        "shared",
        "nobody invited mate former stranger",
    ),
    (
        "12",
        "knock",
        "shared",
        "nobody invited mate former stranger",
    ),
    (
        "12",
        "knock_restricted",
        "shared",
        "nobody invited mate former stranger",
    ),
    ("12", "invite", "shared", "invited"),
    ("12", "private", "shared", "invited"),
    ("12", "org.example.rule", "shared", "invited"),
    ("12", "restricted", "shared", "invited mate"),
    (
        "12",
        "invite",
        "world_readable",
        "nobody invited mate former banned stranger",
    ),
    // Versions in which these rules mean nothing.
    ("7", "restricted", "shared", "invited"),
    ("6", "knock", "shared", "invited"),
    ("9", "knock_restricted", "shared", "invited"),
];

async fn a_summary_is_for_those_who_could_come_in_or_read(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let team = node.public(&alice).await;
    let mut people = Vec::new();
    for name in ROLES {
        people.push(node.someone(name).await);
    }
    let [invited, mate, former, banned, _] = &people[..] else {
        unreachable!()
    };
    node.go(mate, "join", &team).await;
    let allow = json!([{ "type": "m.room_membership", "room_id": team }]);
    for (version, rule, visibility, expected) in CASES {
        let body = json!({ "preset": "public_chat", "room_version": version });
        let room = node.create(&alice, body).await;
        node.go(former, "join", &room).await;
        node.go(former, "leave", &room).await;
        node.on(&alice, "invite", &room, invited).await;
        node.on(&alice, "ban", &room, banned).await;
        let content = json!({ "history_visibility": visibility });
        node.set(&alice, &room, ("m.room.history_visibility", ""), content)
            .await;
        let content = json!({ "join_rule": rule, "allow": allow });
        node.set(&alice, &room, ("m.room.join_rules", ""), content)
            .await;
        let callers = [None].into_iter().chain(people.iter().map(Some));
        for (caller, role) in callers.zip(["nobody"].iter().chain(&ROLES)) {
            let is_shown = expected.split(' ').any(|seer| seer == *role);
            let (status, answer) = look(&node, caller, &room).await;
            let case = format!("{rule} in version {version}, {visibility}, to {role}: {answer}");
            assert_eq!(status, if is_shown { 200 } else { 404 }, "{case}");
            if !is_shown {
                assert_eq!(answer["errcode"], "M_NOT_FOUND", "{case}");
            }
        }
        assert_eq!(look(&node, Some(&alice), &room).await.0, 200);
    }
}

async fn who_knocks_is_shown_what_they_knock_at(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let body = json!({ "initial_state": [{ "type": "m.room.join_rules", "content": { "join_rule": "knock" } }] });
    let room = node.create(&alice, body).await;
    node.go(&bob, "knock", &room).await;
    // Whatever the rule is by now.
    node.set(
        &alice,
        &room,
        ("m.room.join_rules", ""),
        json!({ "join_rule": "invite" }),
    )
    .await;
    assert_eq!(
        look(&node, Some(&bob), &room).await.1["membership"],
        "knock"
    );
}

async fn what_is_no_room_is_not_found(server: Server) {
    let node = server.node().await;
    for nowhere in ["!nowhere:localhost", "#nowhere:localhost"] {
        assert_eq!(look(&node, None, nowhere).await.1["errcode"], "M_NOT_FOUND");
    }
    let refused = node
        .refused("", "GET", &format!("{STABLE}/nowhere"), "")
        .await;
    assert_eq!(refused, (400, "M_INVALID_PARAM".into()));
    let dead = node
        .refused("dead", "GET", &format!("{STABLE}/!nowhere:localhost"), "")
        .await;
    assert_eq!(dead, (401, "M_UNKNOWN_TOKEN".into()));
}

async fn what_changed_is_in_the_summary_at_once(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let room = node.public(&alice).await;
    for number in 1..4 {
        let name = number.to_string();
        node.set(&alice, &room, ("m.room.name", ""), json!({ "name": name }))
            .await;
        assert_eq!(look(&node, None, &room).await.1["name"], name);
    }
    node.go(&bob, "join", &room).await;
    assert_eq!(look(&node, None, &room).await.1["num_joined_members"], 2);
    node.go(&bob, "leave", &room).await;
    let (_, summary) = look(&node, Some(&bob), &room).await;
    assert_eq!(
        (&summary["num_joined_members"], &summary["membership"]),
        (&json!(1), &json!("leave"))
    );
    node.set(
        &alice,
        &room,
        ("m.room.join_rules", ""),
        json!({ "join_rule": "invite" }),
    )
    .await;
    assert_eq!(look(&node, None, &room).await.0, 404);
}

async fn unstable_paths_have_the_unstable_fields_too(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let content = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
    node.set(&alice, &room, ("m.room.encryption", ""), content)
        .await;
    let (_, mut expected) = look(&node, Some(&alice), &room).await;
    expected["im.nheko.summary.room_version"] = "12".into();
    expected["im.nheko.summary.encryption"] = "m.megolm.v1.aes-sha2".into();
    for path in [format!("rooms/{room}/summary"), format!("summary/{room}")] {
        let path = format!("/_matrix/client/unstable/im.nheko.summary/{path}?via=localhost");
        assert_eq!(
            node.ok(&alice.token, "GET", &path, Value::Null).await,
            expected
        );
    }
}

async fn a_node_that_has_just_begun_knows_no_less(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let body = json!({ "preset": "public_chat", "name": "Old", "topic": "Things" });
    let room = node.create(&alice, body).await;
    node.go(&bob, "join", &room).await;
    node.set(&alice, &room, ("m.room.name", ""), json!({ "name": "New" }))
        .await;
    let expected = look(&node, Some(&bob), &room).await;
    assert_eq!(expected.1["name"], "New");
    node.parts.log.stop().await;
    drop(node);
    let node = server.node().await;
    assert_eq!(look(&node, Some(&bob), &room).await, expected);
}

#[tokio::test]
async fn what_one_node_changed_another_shows_at_once() {
    let server = Server::shared_postgres().await;
    let (one, two) = (server.node().await, server.node().await);
    let alice = one.someone("alice").await;
    let body = json!({ "preset": "public_chat", "creation_content": { "type": "m.space" } });
    let space = one.create(&alice, body).await;
    let room = one.public(&alice).await;
    let tree = format!("/_matrix/client/v1/rooms/{space}/hierarchy");
    let via = json!({ "via": ["localhost"] });
    for number in 0..8 {
        let name = number.to_string();
        assert_eq!(look(&two, None, &space).await.0, 200);
        one.set(&alice, &space, ("m.room.name", ""), json!({ "name": name }))
            .await;
        let child = if number % 2 == 0 { &via } else { &json!({}) };
        one.set(&alice, &space, ("m.space.child", &room), child.clone())
            .await;
        assert_eq!(look(&two, None, &space).await.1["name"], name);
        let page = two.ok(&alice.token, "GET", &tree, Value::Null).await;
        let rooms = page["rooms"].as_array().unwrap().len();
        assert_eq!(rooms, if number % 2 == 0 { 2 } else { 1 });
    }
}
