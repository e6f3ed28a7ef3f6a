//! Who has which power in the new room.

use serde_json::{Value, json};

use crate::server::{Server, on_both_engines};

on_both_engines! {
    shared_postgres;
    the_upgrader_is_a_creator_of_version_12_and_not_listed,
    creators_are_named_anew_and_not_copied,
    creators_are_the_most_powerful_where_there_are_none,
    nobody_gains_power_in_older_versions,
    sending_a_tombstone_stays_above_other_state,
    what_cannot_be_silenced_is_upgraded_all_the_same,
}

async fn the_upgrader_is_a_creator_of_version_12_and_not_listed(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    for version in ["1", "9", "11"] {
        let users = json!({ &alice.user_id: 100, &bob.user_id: 60 });
        let body = json!({ "power_level_content_override": { "users": users } });
        let old = node.versioned(&alice, version, body).await;
        let before = node.state(&alice, &old, "m.room.power_levels", "").await;
        let new = node.upgrade(&alice, &old, "12").await;
        let after = node.state(&alice, &new, "m.room.power_levels", "").await;
        let mut expected = before;
        expected["users"] = json!({ &bob.user_id: 60 });
        assert_eq!(after, expected, "from version {version}");
    }
}

async fn creators_are_named_anew_and_not_copied(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let carol = node.someone("carol").await;
    let body = json!({
        "creation_content": { "additional_creators": [bob.user_id] },
        "power_level_content_override": { "users": { &carol.user_id: 70 } },
    });
    let old = node.versioned(&alice, "12", body).await;
    let alone = node.upgrade(&alice, &old, "12").await;
    let create = node.state(&alice, &alone, "m.room.create", "").await;
    assert_eq!(create.get("additional_creators"), None);
    let levels = node.state(&alice, &alone, "m.room.power_levels", "").await;
    assert_eq!(levels["users"], json!({ &carol.user_id: 70 }));

    // The upgrader is a creator anyway, and each of the others once.
    let named = [&carol.user_id, &alice.user_id, &carol.user_id];
    let body = json!({ "new_version": "12", "additional_creators": named });
    let shared = node.upgrade_with(&alice, &alone, body).await;
    let create = node.state(&alice, &shared, "m.room.create", "").await;
    assert_eq!(create["additional_creators"], json!([carol.user_id]));
    let levels = node.state(&alice, &shared, "m.room.power_levels", "").await;
    assert_eq!(levels["users"], json!({}));
    node.on(&alice, "invite", &shared, &carol).await;
    node.go(&carol, "join", &shared).await;
    // Power that no level gives.
    node.set(
        &carol,
        &shared,
        ("m.room.tombstone", ""),
        json!({ "body": "over" }),
    )
    .await;
}

async fn creators_are_the_most_powerful_where_there_are_none(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let carol = node.someone("carol").await;
    let body = json!({
        "creation_content": { "additional_creators": [bob.user_id] },
        "power_level_content_override": { "users": { &carol.user_id: 70 } },
    });
    let old = node.versioned(&alice, "12", body).await;
    // Version 11 has nobody to add, and the field has no effect.
    let body = json!({ "new_version": "11", "additional_creators": [carol.user_id] });
    let new = node.upgrade_with(&alice, &old, body).await;
    let create = node.state(&alice, &new, "m.room.create", "").await;
    assert_eq!(create.get("additional_creators"), None);
    let levels = node.state(&alice, &new, "m.room.power_levels", "").await;
    // As much as the tombstone needs, which is the most that anything does.
    assert_eq!(levels["events"]["m.room.tombstone"], 150);
    let users = json!({ &alice.user_id: 150, &bob.user_id: 150, &carol.user_id: 70 });
    assert_eq!(levels["users"], users);
    node.upgrade(&alice, &new, "12").await;
}

async fn nobody_gains_power_in_older_versions(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let body = json!({
        "preset": "public_chat",
        "power_level_content_override": {
            "users": { &alice.user_id: 100, &bob.user_id: 50 },
            "events": { "m.room.tombstone": 50, "m.room.power_levels": 100 },
        },
    });
    let old = node.versioned(&alice, "10", body).await;
    node.go(&bob, "join", &old).await;
    let before = node.state(&alice, &old, "m.room.power_levels", "").await;
    let new = node.upgrade(&bob, &old, "11").await;
    let after = node.state(&bob, &new, "m.room.power_levels", "").await;
    assert_eq!(after, before);
    let path = format!("/_matrix/client/v3/rooms/{new}/state/m.room.power_levels");
    let levels = json!({ "users": {} }).to_string();
    let refused = node.refused(&bob.token, "PUT", &path, &levels).await;
    assert_eq!(refused, (403, "M_FORBIDDEN".into()));
    // Whose power it is comes and has it.
    node.go(&alice, "join", &new).await;
    node.set(&alice, &new, ("m.room.power_levels", ""), after)
        .await;
}

async fn sending_a_tombstone_stays_above_other_state(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    for (levels, expected) in [
        (json!({ "events": {} }), 150),
        (json!({ "events": { "m.room.tombstone": 50 } }), 150),
        (json!({ "events": { "m.room.tombstone": 60 } }), 60),
        (json!({ "events": {}, "state_default": 90 }), 150),
    ] {
        let body = json!({ "power_level_content_override": levels });
        let old = node.versioned(&alice, "11", body).await;
        let new = node.upgrade(&alice, &old, "12").await;
        let after = node.state(&alice, &new, "m.room.power_levels", "").await;
        assert_eq!(after["events"]["m.room.tombstone"], expected, "{levels}");
    }
}

async fn what_cannot_be_silenced_is_upgraded_all_the_same(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let cases: [(Value, &Value); 4] = [
        // Bob may send a tombstone, and change no levels nor names.
        (
            json!({ "users": { &alice.user_id: 100, &bob.user_id: 50 }, "events": { "m.room.tombstone": 50, "m.room.power_levels": 100, "m.room.canonical_alias": 100 } }),
            &json!(0),
        ),
        // Above everybody's level there is nothing that Bob has.
        (
            json!({ "users": { &alice.user_id: 100 }, "users_default": 60, "events": {}, "state_default": 60 }),
            &json!(0),
        ),
        (
            json!({ "users": { &alice.user_id: 100, &bob.user_id: 90 }, "users_default": 60, "events": {} }),
            &json!(61),
        ),
        (
            json!({ "users": { &alice.user_id: 100, &bob.user_id: 90 }, "events_default": 80, "events": {} }),
            &json!(80),
        ),
    ];
    for (levels, silence) in cases {
        let body = json!({ "preset": "public_chat", "power_level_content_override": levels });
        let old = node.versioned(&alice, "11", body).await;
        node.go(&bob, "join", &old).await;
        let new = node.upgrade(&bob, &old, "11").await;
        let tombstone = node.state(&bob, &old, "m.room.tombstone", "").await;
        assert_eq!(tombstone["replacement_room"], new);
        let after = node.state(&bob, &old, "m.room.power_levels", "").await;
        assert_eq!(&after["events_default"], silence, "{levels}");
    }
}
