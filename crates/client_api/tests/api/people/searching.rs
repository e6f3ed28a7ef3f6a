//! Finding people by name.

use serde_json::{Value, json};

use crate::server::{Node, Server, User, on_both_engines, password_of};

on_both_engines! {
    postgres;
    one_finds_those_who_share_a_room_or_are_in_an_open_one,
    a_room_that_opens_or_closes_shows_or_hides_its_members,
    a_name_is_found_however_it_is_written,
    the_closest_come_first_and_the_rest_is_cut_off,
    whom_one_ignores_and_who_is_gone_is_not_found,
    another_node_finds_what_this_one_just_learned,
}

impl Node {
    async fn find(&self, user: &User, body: Value) -> Value {
        self.call(user, "POST", "user_directory/search", body).await
    }

    /// The ids that a search finds, best first.
    async fn found(&self, user: &User, term: &str) -> Vec<String> {
        let body = json!({ "search_term": term });
        let found = self.find(user, body).await;
        let results = found["results"].as_array().unwrap().iter();
        results
            .map(|person| person["user_id"].as_str().unwrap().to_owned())
            .collect()
    }

    async fn call_oneself(&self, user: &User, name: &str) {
        let rest = format!("profile/{}/displayname", user.user_id);
        self.call(user, "PUT", &rest, json!({ "displayname": name }))
            .await;
    }
}

async fn one_finds_those_who_share_a_room_or_are_in_an_open_one(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let friend = node.someone("pal").await;
    let reader = node.someone("pal").await;
    let member = node.someone("pal").await;
    let stranger = node.someone("pal").await;
    let room = node
        .create(&alice, json!({ "preset": "private_chat" }))
        .await;
    node.on(&alice, "invite", &room, &friend).await;
    // Who is only asked in is not there yet.
    assert_eq!(node.found(&alice, "pal").await, Vec::<String>::new());
    node.go(&friend, "join", &room).await;
    node.public(&member).await;
    let visible = json!({
        "preset": "private_chat",
        "initial_state": [{
            "type": "m.room.history_visibility",
            "content": { "history_visibility": "world_readable" },
        }],
    });
    node.create(&reader, visible).await;
    node.create(&stranger, json!({ "preset": "private_chat" }))
        .await;
    assert_eq!(
        node.found(&alice, "pal").await,
        by_id([&friend, &reader, &member])
    );
    // Nobody finds themselves, and nothing finds nobody.
    assert_eq!(node.found(&alice, "alice").await, Vec::<String>::new());
    assert_eq!(node.found(&alice, " ").await, Vec::<String>::new());
    assert_eq!(node.found(&friend, "alice").await, [&*alice.user_id]);
    assert_eq!(node.found(&stranger, "alice").await, Vec::<String>::new());
    node.go(&friend, "leave", &room).await;
    assert_eq!(node.found(&alice, "pal").await, by_id([&reader, &member]));
}

/// People of one name, in the order in which they are found.
fn by_id<const COUNT: usize>(people: [&User; COUNT]) -> [String; COUNT] {
    let mut ids = people.map(|person| person.user_id.clone());
    ids.sort();
    ids
}

async fn a_room_that_opens_or_closes_shows_or_hides_its_members(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.create(&bob, json!({ "preset": "private_chat" })).await;
    let slot = |kind: &'static str| (kind, "");
    for (kind, content, is_found) in [
        ("m.room.join_rules", json!({ "join_rule": "knock" }), false),
        ("m.room.join_rules", json!({ "join_rule": "public" }), true),
        ("m.room.join_rules", json!({ "join_rule": "invite" }), false),
        (
            "m.room.history_visibility",
            json!({ "history_visibility": "world_readable" }),
            true,
        ),
        (
            "m.room.history_visibility",
            json!({ "history_visibility": "joined" }),
            false,
        ),
    ] {
        node.set(&bob, &room, slot(kind), content.clone()).await;
        let found = node.found(&alice, "bob").await;
        assert_eq!(found.len(), usize::from(is_found), "{content}");
    }
}

async fn a_name_is_found_however_it_is_written(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    node.public(&bob).await;
    for (name, terms) in [
        (
            "Élodie Çelik",
            &["elodie", "CELIK", "Ｅｌｏｄｉｅ", "celik élo"][..],
        ),
        ("王小明", &["王", "小明", "明"]),
        ("Straße", &["STRASSE", "strasse"]),
        ("ｱﾘｽ", &["アリス", "ありす"]),
    ] {
        node.call_oneself(&bob, name).await;
        for term in terms {
            let found = node.find(&alice, json!({ "search_term": term })).await;
            let expected = json!({ "user_id": bob.user_id, "display_name": name });
            assert_eq!(found["results"], json!([expected]), "{term}");
        }
        assert_eq!(node.found(&alice, "玉").await, Vec::<String>::new());
    }
    // By the id, too; and a name that was taken back is found no more.
    assert_eq!(node.found(&alice, &bob.user_id).await, [&*bob.user_id]);
    let rest = format!("profile/{}/displayname", bob.user_id);
    node.call(&bob, "DELETE", &rest, Value::Null).await;
    assert_eq!(node.found(&alice, "アリス").await, Vec::<String>::new());
}

async fn the_closest_come_first_and_the_rest_is_cut_off(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let mut ids = Vec::new();
    for name in ["Rosemarie", "Anna Rose", "Rose", "Primrose"] {
        let person = node.someone("x").await;
        node.public(&person).await;
        node.call_oneself(&person, name).await;
        ids.push(person.user_id);
    }
    let [rosemarie, anna, rose, primrose] = &ids[..] else {
        panic!("four people")
    };
    let ordered = [rose, rosemarie, anna, primrose].map(Clone::clone);
    assert_eq!(node.found(&alice, "rose").await, ordered);
    for (limit, shown, limited) in [
        (0, 0, true),
        (3, 3, true),
        (4, 4, false),
        (10_000, 4, false),
    ] {
        let body = json!({ "search_term": "rose", "limit": limit });
        let found = node.find(&alice, body).await;
        assert_eq!(found["results"].as_array().unwrap().len(), shown);
        assert_eq!(found["limited"], limited, "{limit}");
    }
}

async fn whom_one_ignores_and_who_is_gone_is_not_found(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    node.public(&bob).await;
    assert_eq!(node.found(&alice, "bob").await.len(), 1);
    let ignored = json!({ "ignored_users": { &bob.user_id: {} } });
    node.keep(&alice, None, "m.ignored_user_list", ignored)
        .await;
    assert_eq!(node.found(&alice, "bob").await, Vec::<String>::new());
    let nobody = json!({ "ignored_users": {} });
    node.keep(&alice, None, "m.ignored_user_list", nobody).await;
    assert_eq!(node.found(&alice, "bob").await.len(), 1);
    let auth = json!({ "auth": password_of(&bob.user_id) });
    node.call(&bob, "POST", "account/deactivate", auth).await;
    assert_eq!(node.found(&alice, "bob").await, Vec::<String>::new());
}

async fn another_node_finds_what_this_one_just_learned(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    node.public(&bob).await;
    node.found(&alice, "bob").await;
    if server.deployment.is_embedded() {
        // Several nodes need a database that they share: here one starts again.
        node.parts.log.stop().await;
        let node = server.node().await;
        assert_eq!(node.found(&alice, "bob").await.len(), 1);
        return;
    }
    let other = server.node().await;
    for round in 0..4 {
        assert_eq!(other.found(&alice, "bob").await.len(), 1);
        node.call_oneself(&bob, &format!("Robert {round}")).await;
        let found = other.found(&alice, &format!("robert {round}")).await;
        assert_eq!(found, [&*bob.user_id]);
    }
}
