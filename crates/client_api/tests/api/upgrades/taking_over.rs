//! What goes over to the new room, and what becomes of the old one.

use serde_json::{Value, json};

use crate::{
    server::{Node, Server, User, on_both_engines},
    stage::{count, joined, left, members, of_type, types},
};

on_both_engines! {
    shared_postgres;
    all_that_makes_a_room_goes_over,
    members_are_told_and_nobody_but_the_upgrader_is_taken_along,
    names_lead_to_the_new_room,
    the_directory_shows_the_new_room_instead,
    a_space_stays_a_space_with_its_children,
    a_join_rule_that_the_version_does_not_know_becomes_a_narrower_one,
    what_was_redacted_does_not_come_back,
    every_version_can_be_reached_from_every_other,
}

async fn all_that_makes_a_room_goes_over(server: Server) {
    let node = server.node().await;
    let (alice, mallory) = (node.someone("alice").await, node.someone("mallory").await);
    let kept = [
        (
            "m.room.server_acl",
            json!({ "allow": ["*"], "deny": ["evil.example"] }),
        ),
        (
            "m.room.encryption",
            json!({ "algorithm": "m.megolm.v1.aes-sha2", "rotation_period_msgs": 7 }),
        ),
        ("m.room.name", json!({ "name": "Lobby" })),
        ("m.room.avatar", json!({ "url": "mxc://localhost/lobby" })),
        ("m.room.topic", json!({ "topic": "All things" })),
        (
            "m.room.guest_access",
            json!({ "guest_access": "forbidden" }),
        ),
        (
            "m.room.history_visibility",
            json!({ "history_visibility": "joined" }),
        ),
        ("m.room.join_rules", json!({ "join_rule": "knock" })),
    ];
    let left_behind = [
        ("m.room.pinned_events", json!({ "pinned": [] })),
        ("m.room.retention", json!({ "max_lifetime": 86_400_000 })),
        ("org.example.note", json!({ "from": "alice" })),
    ];
    let old = node.versioned(
        &alice,
        "11",
        json!({ "creation_content": { "m.federate": false, "x": 1 } }),
    );
    let old = old.await;
    for (kind, content) in kept.iter().chain(&left_behind) {
        node.set(&alice, &old, (kind, ""), content.clone()).await;
        assert_eq!(node.state(&alice, &old, kind, "").await, *content);
    }
    let ban = json!({ "user_id": mallory.user_id, "reason": "spam" });
    node.call(&alice, "POST", &format!("rooms/{old}/ban"), ban)
        .await;

    let new = node.upgrade(&alice, &old, "12").await;
    for (kind, content) in &kept {
        assert_eq!(node.state(&alice, &new, kind, "").await, *content, "{kind}");
    }
    for (kind, _) in &left_behind {
        assert_eq!(
            node.state(&alice, &new, kind, "").await,
            Value::Null,
            "{kind}"
        );
    }
    // A room of version 12 is named after its create event, which cannot name what comes later.
    let create =
        json!({ "room_version": "12", "m.federate": false, "predecessor": { "room_id": old } });
    assert_eq!(node.state(&alice, &new, "m.room.create", "").await, create);
    let banned = node
        .state(&alice, &new, "m.room.member", &mallory.user_id)
        .await;
    assert_eq!(banned, json!({ "membership": "ban", "reason": "spam" }));
    let tombstone = node.state(&alice, &old, "m.room.tombstone", "").await;
    assert_eq!(tombstone["replacement_room"], new);
    assert!(!tombstone["body"].as_str().unwrap().is_empty());
}

async fn members_are_told_and_nobody_but_the_upgrader_is_taken_along(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let mallory = node.someone("mallory").await;
    let old = node
        .versioned(&alice, "10", json!({ "preset": "public_chat" }))
        .await;
    node.go(&bob, "join", &old).await;
    node.on(&alice, "ban", &old, &mallory).await;
    let mut alices = node.client(&alice).ready().await;
    let mut bobs = node.client(&bob).ready().await;
    let mut mallorys = node.client(&mallory).ready().await;
    let told = bobs.woken_by(node.upgrade(&alice, &old, "11")).await;
    let timeline = &joined(&told, &old)["timeline"];
    assert_eq!(types(timeline), ["m.room.power_levels", "m.room.tombstone"]);
    let tombstone = of_type(timeline, "m.room.tombstone").unwrap();
    let new = tombstone["content"]["replacement_room"].as_str().unwrap();
    assert!(told["rooms"]["join"].get(new).is_none());

    let told = alices.next().await;
    let fresh = joined(&told, new);
    let state = [&fresh["state"], &fresh["timeline"]].map(members).concat();
    let mut expected = [(&*alice.user_id, "join"), (&*mallory.user_id, "ban")];
    expected.sort_unstable();
    assert_eq!(state, expected);
    let create = node.state(&alice, new, "m.room.create", "").await;
    let predecessor = json!({ "room_id": old, "event_id": tombstone["event_id"] });
    assert_eq!(create["predecessor"], predecessor);

    // Talking and inviting is over for all but those with power.
    let levels = node.state(&alice, &old, "m.room.power_levels", "").await;
    assert_eq!(
        (&levels["events_default"], &levels["invite"]),
        (&json!(50), &json!(50))
    );
    let say = format!(
        "/_matrix/client/v3/rooms/{old}/send/m.room.message/{}",
        count()
    );
    let refused = node.refused(&bob.token, "PUT", &say, "{}").await;
    assert_eq!(refused, (403, "M_FORBIDDEN".into()));
    node.say(&alice, &old, "goodbye").await;
    // The new room's own levels are those of before.
    let levels = node.state(&alice, new, "m.room.power_levels", "").await;
    assert_eq!(levels["events_default"], 0);
    node.go(&bob, "join", new).await;
    node.say(&bob, new, "hello").await;

    // Who is banned is told that they are, and comes in nowhere.
    let told = mallorys.next().await;
    assert_eq!(types(&left(&told, new)["timeline"]), ["m.room.member"]);
    let path = format!("/_matrix/client/v3/rooms/{new}/join");
    let refused = node.refused(&mallory.token, "POST", &path, "{}").await;
    assert_eq!(refused, (403, "M_FORBIDDEN".into()));
}

async fn names_lead_to_the_new_room(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let name = |part: &str| format!("{part}-{}", alice.localpart());
    let alias = |part: &str| format!("#{}:localhost", name(part));
    let body = json!({ "preset": "public_chat", "room_alias_name": name("main") });
    let old = node.versioned(&alice, "11", body).await;
    node.go(&bob, "join", &old).await;
    for (who, part) in [(&alice, "other"), (&bob, "bobs"), (&alice, "gone")] {
        let rest = format!("directory/room/%23{}:localhost", name(part));
        node.call(who, "PUT", &rest, json!({ "room_id": old }))
            .await;
    }
    let named = json!({ "alias": alias("main"), "alt_aliases": [alias("other"), alias("gone")] });
    node.set(&alice, &old, ("m.room.canonical_alias", ""), named)
        .await;
    let rest = |part: &str| format!("directory/room/%23{}:localhost", name(part));
    node.call(&alice, "DELETE", &rest("gone"), Value::Null)
        .await;

    let new = node.upgrade(&alice, &old, "12").await;
    for part in ["main", "other", "bobs"] {
        assert_eq!(
            node.get(&alice, &rest(part)).await["room_id"],
            new,
            "{part}"
        );
    }
    let aliases = async |room: &str| {
        let listed = node.get(&alice, &format!("rooms/{room}/aliases")).await;
        let listed = listed["aliases"].as_array().unwrap().clone();
        let mut listed: Vec<_> = listed
            .iter()
            .map(|alias| alias.as_str().unwrap().to_owned())
            .collect();
        listed.sort_unstable();
        listed
    };
    assert_eq!(
        aliases(&new).await,
        [alias("bobs"), alias("main"), alias("other")]
    );
    assert!(aliases(&old).await.is_empty());
    let canonical = node.state(&alice, &new, "m.room.canonical_alias", "").await;
    assert_eq!(
        canonical,
        json!({ "alias": alias("main"), "alt_aliases": [alias("other")] })
    );
    assert_eq!(
        node.state(&alice, &old, "m.room.canonical_alias", "").await,
        json!({})
    );
    // Whose alias it is has not changed, and the new room is entered by it.
    let join = format!("join/%23{}:localhost", name("main"));
    let joined = node.call(&bob, "POST", &join, json!({})).await;
    assert_eq!(joined["room_id"], new);
    node.call(&bob, "DELETE", &rest("bobs"), Value::Null).await;
    assert_eq!(aliases(&new).await, [alias("main"), alias("other")]);
}

async fn the_directory_shows_the_new_room_instead(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let shown = async |room: &str| {
        let rest = format!("directory/list/room/{room}");
        node.get(&alice, &rest).await["visibility"].clone()
    };
    for (visibility, version) in [("public", "11"), ("private", "12")] {
        let body = json!({ "preset": "public_chat", "visibility": visibility });
        let old = node.create(&alice, body).await;
        let new = node.upgrade(&alice, &old, version).await;
        assert_eq!(shown(&new).await, visibility);
        assert_eq!(shown(&old).await, "private");
    }
}

async fn a_space_stays_a_space_with_its_children(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let child = node.public(&alice).await;
    let make = async |kind: &str| {
        let body = json!({ "creation_content": { "type": kind } });
        let room = node.versioned(&alice, "11", body).await;
        let content = json!({ "via": ["localhost"], "order": "a", "suggested": true });
        node.set(&alice, &room, ("m.space.child", &child), content)
            .await;
        let elsewhere = json!({ "via": ["example.org"] });
        node.set(
            &alice,
            &room,
            ("m.space.child", "!far:example.org"),
            elsewhere,
        )
        .await;
        node.set(
            &alice,
            &room,
            ("m.space.child", "!removed:localhost"),
            json!({}),
        )
        .await;
        room
    };
    let space = node.upgrade(&alice, &make("m.space").await, "12").await;
    let state = async |key: &str| node.state(&alice, &space, "m.space.child", key).await;
    assert_eq!(
        state(&child).await,
        json!({ "via": ["localhost"], "order": "a", "suggested": true })
    );
    assert_eq!(
        state("!far:example.org").await,
        json!({ "via": ["example.org"] })
    );
    assert_eq!(state("!removed:localhost").await, Value::Null);
    let other = node
        .upgrade(&alice, &make("org.example.forum").await, "12")
        .await;
    let create = node.state(&alice, &other, "m.room.create", "").await;
    assert_eq!(create["type"], "org.example.forum");
    let children = node.state(&alice, &other, "m.space.child", &child).await;
    assert_eq!(children, Value::Null);
    let plain = node.upgrade(&alice, &node.public(&alice).await, "12").await;
    let create = node.state(&alice, &plain, "m.room.create", "").await;
    assert_eq!(create.get("type"), None);
}

async fn a_join_rule_that_the_version_does_not_know_becomes_a_narrower_one(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let team = node.public(&alice).await;
    let allow = json!([{ "type": "m.room_membership", "room_id": team }]);
    let rule = json!({ "join_rule": "knock_restricted", "allow": allow });
    let initial = json!([{ "type": "m.room.join_rules", "content": rule }]);
    let fresh = async || {
        let body = json!({ "initial_state": initial });
        node.versioned(&alice, "12", body).await
    };
    let narrower = json!({ "join_rule": "restricted", "allow": allow });
    for (version, expected) in [
        ("11", rule.clone()),
        ("9", narrower),
        ("7", json!({ "join_rule": "knock" })),
        ("6", json!({ "join_rule": "invite" })),
    ] {
        let new = node.upgrade(&alice, &fresh().await, version).await;
        assert_eq!(
            node.state(&alice, &new, "m.room.join_rules", "").await,
            expected
        );
        // Whatever became of the rule, the invited come in.
        node.on(&alice, "invite", &new, &bob).await;
        node.go(&bob, "join", &new).await;
    }
}

async fn what_was_redacted_does_not_come_back(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let old = node
        .versioned(&alice, "11", json!({ "topic": "Kept" }))
        .await;
    let name = node
        .set(
            &alice,
            &old,
            ("m.room.name", ""),
            json!({ "name": "Slander" }),
        )
        .await;
    let encryption = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
    let encryption = node
        .set(&alice, &old, ("m.room.encryption", ""), encryption)
        .await;
    for event in [name, encryption] {
        node.redact(&alice, &old, &event).await;
    }
    let new = node.upgrade(&alice, &old, "12").await;
    assert_eq!(
        node.state(&alice, &new, "m.room.name", "").await,
        Value::Null
    );
    let topic = node.state(&alice, &new, "m.room.topic", "").await;
    assert_eq!(topic["topic"], "Kept");
    // Once encrypted, always encrypted.
    let encryption = node.state(&alice, &new, "m.room.encryption", "").await;
    assert_eq!(encryption["algorithm"], "m.megolm.v1.aes-sha2");
}

async fn every_version_can_be_reached_from_every_other(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let mallory = node.someone("mallory").await;
    let mut room = node
        .versioned(&alice, "1", json!({ "preset": "public_chat" }))
        .await;
    node.on(&alice, "ban", &room, &mallory).await;
    for version in [
        "12", "1", "2", "6", "12", "12", "11", "3", "10", "9", "12", "5",
    ] {
        let new = node.upgrade(&alice, &room, version).await;
        assert_is_used(&node, (&alice, &bob, &mallory), &new, version).await;
        room = new;
    }
}

/// The room has its version; its maker rules it, others come in and talk, and the banned do not.
async fn assert_is_used(
    node: &Node,
    (alice, bob, mallory): (&User, &User, &User),
    room: &str,
    version: &str,
) {
    let create = node.state(alice, room, "m.room.create", "").await;
    assert_eq!(create["room_version"], version);
    let has_creator = version.parse::<u8>().unwrap() < 11;
    assert_eq!(create.get("creator").is_some(), has_creator, "{create}");
    node.go(bob, "join", room).await;
    node.say(bob, room, "hello").await;
    node.set(alice, room, ("m.room.name", ""), json!({ "name": version }))
        .await;
    let path = format!("/_matrix/client/v3/rooms/{room}/join");
    let refused = node.refused(&mallory.token, "POST", &path, "{}").await;
    assert_eq!(refused, (403, "M_FORBIDDEN".into()), "version {version}");
}
