//! What is found by which words, and where it is looked for.

use serde_json::json;

use super::ids;
use crate::server::{Server, on_both_engines};

on_both_engines! {
    postgres;
    words_are_found_whole_however_they_are_written,
    any_part_of_a_chinese_sentence_is_found,
    all_words_must_stand_in_one_message,
    names_and_topics_are_found_by_their_keys,
    what_is_not_read_as_text_is_not_found,
    a_filter_narrows_what_is_found,
}

async fn words_are_found_whole_however_they_are_written(mut server: Server) {
    let node = server.searched().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let said = node
        .say(&alice, &room, "The MEETING in the Café: 10.30!")
        .await;
    let other = node.say(&alice, &room, "Ｓｔｒａｓｓｅ und Übung").await;
    node.settle(&alice, &room).await;
    for term in [
        "meeting",
        "Meeting",
        "ＭＥＥＴＩＮＧ",
        "café",
        "cafe",
        "30",
        "(the)",
    ] {
        assert_eq!(node.finds(&alice, term).await, [&*said], "{term}");
    }
    for term in ["straße", "STRASSE", "ubung"] {
        assert_eq!(node.finds(&alice, term).await, [&*other], "{term}");
    }
    for term in ["meet", "eeting", "meetings", "caf", "1030", "!", "", " "] {
        assert_eq!(node.finds(&alice, term).await, [""; 0], "{term}");
    }
}

async fn any_part_of_a_chinese_sentence_is_found(mut server: Server) {
    let node = server.searched().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let today = node.say(&alice, &room, "今天下午三点开会议，请准时").await;
    let parliament = node.say(&alice, &room, "议会大厦").await;
    let mixed = node.say(&alice, &room, "会议室在B座，带上iPhone手机").await;
    let kana = node.say(&alice, &room, "東京タワーで待つ").await;
    node.settle(&alice, &room).await;
    for (term, wanted) in [
        ("会议", vec![&mixed, &today]),
        ("会议室", vec![&mixed]),
        ("三点开会", vec![&today]),
        ("议", vec![&mixed, &parliament, &today]),
        ("请准时", vec![&today]),
        ("iphone 会议", vec![&mixed]),
        ("ﾀﾜｰ", vec![&kana]),
        ("议会", vec![&parliament]),
        // Its pairs stand there, and not behind each other.
        ("开会议室", vec![]),
        ("议请", vec![]),
        ("苹果", vec![]),
    ] {
        let wanted: Vec<&str> = wanted.into_iter().map(String::as_str).collect();
        assert_eq!(node.finds(&alice, term).await, wanted, "{term}");
    }
}

async fn all_words_must_stand_in_one_message(mut server: Server) {
    let node = server.searched().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let other = node.public(&alice).await;
    let both = node.say(&alice, &room, "apples and pears").await;
    node.say(&alice, &room, "apples").await;
    node.say(&alice, &room, "pears").await;
    let elsewhere = node.say(&alice, &other, "pears, apples").await;
    node.settle(&alice, &room).await;
    let found = node.finds(&alice, "pears apples").await;
    assert_eq!(found, [&*elsewhere, &both]);
    assert_eq!(node.finds(&alice, "apples apples").await.len(), 3);
    assert_eq!(node.finds(&alice, "apples plums").await, [""; 0]);
}

async fn names_and_topics_are_found_by_their_keys(mut server: Server) {
    let node = server.searched().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let word = "quartz";
    let name = json!({ "name": format!("The {word} room") });
    let name = node.set(&alice, &room, ("m.room.name", ""), name).await;
    let topic = json!({ "topic": format!("About {word}") });
    let topic = node.set(&alice, &room, ("m.room.topic", ""), topic).await;
    let said = node.say(&alice, &room, word).await;
    node.settle(&alice, &room).await;
    let find = async |keys| {
        let criteria = json!({ "search_term": word, "order_by": "recent", "keys": keys });
        ids(&node.search(&alice, criteria).await)
    };
    assert_eq!(node.finds(&alice, word).await, [&*said, &topic, &name]);
    assert_eq!(find(json!(["content.body"])).await, [&*said]);
    assert_eq!(find(json!(["content.name"])).await, [&*name]);
    assert_eq!(find(json!(["content.topic"])).await, [&*topic]);
    let both = json!(["content.topic", "content.name", "content.topic"]);
    assert_eq!(find(both).await, [&*topic, &name]);
    assert_eq!(find(json!([])).await, [""; 0]);
}

async fn what_is_not_read_as_text_is_not_found(mut server: Server) {
    let node = server.searched().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let body = json!({ "body": "obsidian" });
    for kind in ["org.example.note", "m.room.name", "m.room.topic"] {
        node.send(
            &alice,
            &room,
            kind,
            json!({ "body": "obsidian", "name": "obsidian" }),
        )
        .await;
    }
    node.set(&alice, &room, ("org.example.state", ""), body)
        .await;
    let encrypted = json!({
        "algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "obsidian", "body": "obsidian",
        "session_id": "s",
    });
    node.send(&alice, &room, "m.room.encrypted", encrypted)
        .await;
    for body in [
        json!({}),
        json!({ "body": 5 }),
        json!({ "body": ["obsidian"] }),
    ] {
        node.send(&alice, &room, "m.room.message", body).await;
    }
    node.settle(&alice, &room).await;
    assert_eq!(node.finds(&alice, "obsidian").await, [""; 0]);
}

async fn a_filter_narrows_what_is_found(mut server: Server) {
    let node = server.searched().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let (room, other) = (node.public(&alice).await, node.public(&alice).await);
    node.go(&bob, "join", &room).await;
    let said = node.say(&alice, &room, "granite").await;
    let answer = node.say(&bob, &room, "granite").await;
    let elsewhere = node.say(&alice, &other, "granite").await;
    let picture = json!({
        "msgtype": "m.image", "body": "granite", "url": "mxc://localhost/granite",
    });
    let picture = node.send(&alice, &other, "m.room.message", picture).await;
    let name = json!({ "name": "granite" });
    let name = node.set(&alice, &other, ("m.room.name", ""), name).await;
    node.settle(&alice, &room).await;
    for (filter, wanted) in [
        (json!({}), vec![&name, &picture, &elsewhere, &answer, &said]),
        (json!({ "rooms": [room] }), vec![&answer, &said]),
        (
            json!({ "not_rooms": [room] }),
            vec![&name, &picture, &elsewhere],
        ),
        (
            json!({ "rooms": [room, other], "not_rooms": [other] }),
            vec![&answer, &said],
        ),
        (json!({ "rooms": [] }), vec![]),
        (json!({ "rooms": ["!nowhere:localhost"] }), vec![]),
        (json!({ "senders": [bob.user_id] }), vec![&answer]),
        (json!({ "not_senders": [alice.user_id] }), vec![&answer]),
        (json!({ "types": ["m.room.name"] }), vec![&name]),
        (
            json!({ "types": ["m.room.*"], "not_types": ["m.room.message"] }),
            vec![&name],
        ),
        (json!({ "types": ["org.example.note"] }), vec![]),
        (json!({ "contains_url": true }), vec![&picture]),
        (
            json!({ "contains_url": false, "rooms": [other] }),
            vec![&name, &elsewhere],
        ),
        (json!({ "limit": 2 }), vec![&name, &picture]),
    ] {
        let criteria = json!({
            "search_term": "granite", "order_by": "recent", "filter": filter,
        });
        let found = ids(&node.search(&alice, criteria).await);
        let wanted: Vec<&str> = wanted.into_iter().map(String::as_str).collect();
        assert_eq!(found, wanted, "{filter}");
    }
    // A room that one never was in is not searched, although anybody may read it.
    let eve = node.someone("eve").await;
    let world = json!({ "history_visibility": "world_readable" });
    node.set(&alice, &room, ("m.room.history_visibility", ""), world)
        .await;
    let criteria = json!({ "search_term": "granite", "filter": { "rooms": [room] } });
    assert_eq!(ids(&node.search(&eve, criteria).await), [""; 0]);
}
