//! The events that relate to one.

use serde_json::json;

use super::{chunk, token};
use crate::{
    server::{Server, on_both_engines},
    stage::{count, encoded},
};

on_both_engines! {
    shared_postgres;
    children_come_newest_first_or_oldest_first,
    pages_join_without_gap_or_repetition,
    relation_and_type_narrow_what_is_given,
    what_relates_to_what_relates_is_found_to_a_depth,
    a_redacted_child_is_gone_and_a_redacted_parent_keeps_its_children,
    children_of_another_room_are_none,
    what_one_may_not_see_is_left_out_and_its_parent_is_not_found,
    what_cannot_be_is_refused,
}

async fn children_come_newest_first_or_oldest_first(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let root = node.say(&alice, &room, "root").await;
    let relations = format!("relations/{root}");
    let page = node.of_room(&alice, &room, &relations).await;
    assert_eq!(page, json!({ "chunk": [] }));
    let first = node
        .relate(&alice, &room, ("m.reference", &root), "1")
        .await;
    node.say(&alice, &room, "between").await;
    let second = node.relate(&alice, &room, ("m.thread", &root), "2").await;
    let page = node.of_room(&alice, &room, &relations).await;
    assert_eq!(chunk(&page), [&*second, &first]);
    assert_eq!(page["chunk"][1]["content"]["body"], "1");
    assert_eq!(page["chunk"][1]["room_id"], room.as_str());
    assert!(page.get("next_batch").is_none() && page.get("recursion_depth").is_none());
    let forwards = format!("{relations}?dir=f");
    let page = node.of_room(&alice, &room, &forwards).await;
    assert_eq!(chunk(&page), [&*first, &second]);
    // A rich reply has no type of relation.
    let reply = json!({"body": "x", "m.relates_to": {"m.in_reply_to": {"event_id": root}}});
    node.send(&alice, &room, "m.room.message", reply).await;
    let page = node.of_room(&alice, &room, &relations).await;
    assert_eq!(chunk(&page).len(), 2);
}

async fn pages_join_without_gap_or_repetition(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let root = node.say(&alice, &room, "root").await;
    let mut said = Vec::new();
    for number in 0..7 {
        let text = number.to_string();
        said.push(node.relate(&alice, &room, ("m.thread", &root), &text).await);
        node.say(&alice, &room, "between").await;
    }
    for dir in ["f", "b"] {
        let relations = format!("relations/{root}?dir={dir}&limit=3");
        let (mut read, mut sizes) = (Vec::new(), Vec::new());
        let mut from = String::new();
        loop {
            let rest = format!("{relations}{from}");
            let page = node.of_room(&alice, &room, &rest).await;
            assert_eq!(page.get("prev_batch").is_none(), from.is_empty());
            sizes.push(chunk(&page).len());
            read.extend(chunk(&page).into_iter().map(str::to_owned));
            match token(&page, "next_batch") {
                Some(next) => from = format!("&from={next}"),
                None => break,
            }
        }
        if dir == "b" {
            read.reverse();
        }
        assert_eq!((read, sizes), (said.clone(), vec![3, 3, 1]), "{dir}");
    }
    // Tokens of the timeline and of sync are understood, and `to` ends the page.
    let context = format!("rooms/{room}/context/{}?limit=0", said[3]);
    let around = node.get(&alice, &context).await;
    let (start, end) = (token(&around, "start"), token(&around, "end"));
    let (start, end) = (start.unwrap(), end.unwrap());
    let read = async |parameters: String| {
        let rest = format!("relations/{root}?{parameters}");
        let page = node.of_room(&alice, &room, &rest).await;
        assert!(page.get("next_batch").is_none());
        chunk(&page)
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let newest_first = |part: &[String]| part.iter().rev().cloned().collect::<Vec<_>>();
    assert_eq!(
        read(format!("from={start}")).await,
        newest_first(&said[..3])
    );
    assert_eq!(read(format!("to={end}")).await, newest_first(&said[4..]));
    assert_eq!(read(format!("dir=f&from={end}")).await, said[4..]);
    assert_eq!(read(format!("dir=f&to={start}")).await, said[..3]);
    assert_eq!(read(format!("from={start}&to={end}")).await, [""; 0]);
    let mut client = node.client(&alice);
    client.next().await;
    let since = encoded(client.since.as_deref().unwrap());
    node.relate(&alice, &room, ("m.thread", &root), "later")
        .await;
    assert_eq!(read(format!("from={since}")).await, newest_first(&said));
}

async fn relation_and_type_narrow_what_is_given(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let root = node.say(&alice, &room, "root").await;
    let thread = node.relate(&alice, &room, ("m.thread", &root), "x").await;
    let reaction = node.react(&alice, &room, &root, "👍").await;
    let note = json!({"m.relates_to": {"rel_type": "m.thread", "event_id": root}});
    let note = node.send(&alice, &room, "org.example.note", note).await;
    let read = async |rest: &str| {
        let rest = format!("relations/{root}{rest}");
        let page = node.of_room(&alice, &room, &rest).await;
        chunk(&page)
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(read("").await, [&*note, &reaction, &thread]);
    assert_eq!(read("/m.thread").await, [&*note, &thread]);
    assert_eq!(read("/m.annotation").await, [&*reaction]);
    assert_eq!(read("/m.thread/m.room.message").await, [&*thread]);
    assert_eq!(read("/m.thread/org.example.note").await, [&*note]);
    assert_eq!(read("/m.annotation/m.room.message").await, [""; 0]);
    assert_eq!(read("/org.example.other").await, [""; 0]);
}

async fn what_relates_to_what_relates_is_found_to_a_depth(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let root = node.say(&alice, &room, "0").await;
    let mut line = vec![root.clone()];
    for depth in 1..6 {
        let parent = line.last().unwrap();
        let text = depth.to_string();
        let rel_type = if depth == 2 {
            "m.annotation"
        } else {
            "m.reference"
        };
        line.push(node.relate(&alice, &room, (rel_type, parent), &text).await);
    }
    let read = async |rest: &str| {
        let rest = format!("relations/{root}{rest}");
        let page = node.of_room(&alice, &room, &rest).await;
        let depth = page["recursion_depth"].as_u64();
        let ids = chunk(&page).into_iter().map(str::to_owned);
        (ids.collect::<Vec<_>>(), depth)
    };
    assert_eq!(read("").await, (line[1..2].to_vec(), None));
    assert_eq!(read("?recurse=false").await, (line[1..2].to_vec(), None));
    let deep = (line[1..4].to_vec(), Some(3));
    assert_eq!(read("?recurse=true&dir=f").await, deep);
    // What is only found through one that does not match is not found.
    let direct = (line[1..2].to_vec(), Some(3));
    assert_eq!(read("/m.reference?recurse=true&dir=f").await, direct);
    // Pages go through all depths.
    let rest = format!("relations/{root}?recurse=true&limit=2");
    let page = node.of_room(&alice, &room, &rest).await;
    assert_eq!(chunk(&page), [&*line[3], &line[2]]);
    let next = token(&page, "next_batch").unwrap();
    let rest = format!("?recurse=true&limit=2&from={next}");
    assert_eq!(read(&rest).await, (line[1..2].to_vec(), Some(3)));
}

async fn a_redacted_child_is_gone_and_a_redacted_parent_keeps_its_children(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let root = node.say(&alice, &room, "root").await;
    let child = node.relate(&alice, &room, ("m.thread", &root), "1").await;
    let gone = node.relate(&alice, &room, ("m.thread", &root), "2").await;
    node.redact(&alice, &room, &gone).await;
    node.redact(&alice, &room, &root).await;
    let page = node
        .of_room(&alice, &room, &format!("relations/{root}"))
        .await;
    assert_eq!(chunk(&page), [&*child]);
}

async fn children_of_another_room_are_none(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let (room, other) = (node.public(&alice).await, node.public(&alice).await);
    let root = node.say(&alice, &room, "root").await;
    for rel_type in ["m.thread", "m.reference", "m.replace"] {
        node.relate(&alice, &other, (rel_type, &root), "x").await;
    }
    let page = node
        .of_room(&alice, &room, &format!("relations/{root}"))
        .await;
    assert_eq!(chunk(&page), [""; 0]);
    assert!(node.beside(&alice, &room, &root).await.is_null());
    let threads = node.of_room(&alice, &other, "threads").await;
    assert_eq!(chunk(&threads), [""; 0]);
}

async fn what_one_may_not_see_is_left_out_and_its_parent_is_not_found(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let (bob, eve) = (node.someone("bob").await, node.someone("eve").await);
    let room = node.public(&alice).await;
    let joined = json!({"history_visibility": "joined"});
    let open = node.say(&alice, &room, "open").await;
    let slot = ("m.room.history_visibility", "");
    node.set(&alice, &room, slot, joined).await;
    let secret = node.say(&alice, &room, "secret").await;
    node.relate(&alice, &room, ("m.thread", &open), "hidden")
        .await;
    node.go(&bob, "join", &room).await;
    let seen = node
        .relate(&alice, &room, ("m.thread", &open), "seen")
        .await;
    node.go(&bob, "leave", &room).await;
    node.relate(&alice, &room, ("m.thread", &open), "too late")
        .await;
    let relations = format!("relations/{open}");
    let page = node.of_room(&bob, &room, &relations).await;
    assert_eq!(chunk(&page), [&*seen]);
    let of_secret = format!("relations/{secret}");
    let not_found = (404, "M_NOT_FOUND".to_owned());
    for rest in [&of_secret, "relations/$nothing"] {
        assert_eq!(node.refused_of_room(&bob, &room, rest).await, not_found);
    }
    let threads = node.of_room(&bob, &room, "threads").await;
    assert_eq!(chunk(&threads), [&*open]);
    let thread = &threads["chunk"][0]["unsigned"]["m.relations"]["m.thread"];
    assert_eq!(thread["latest_event"]["event_id"], seen.as_str());
    assert_eq!(thread["count"], 1);
    // One who was never there sees nothing, and a room that is not there has no events.
    assert_eq!(
        node.refused_of_room(&eve, &room, &relations).await,
        not_found
    );
    let nowhere = node.refused_of_room(&eve, "!nowhere", &relations).await;
    assert_eq!(nowhere, not_found);
}

async fn what_cannot_be_is_refused(server: Server) {
    let node = server.node().await;
    let alice = node.someone(&format!("alice{}", count())).await;
    let room = node.public(&alice).await;
    let root = node.say(&alice, &room, "root").await;
    for parameters in ["from=nonsense", "to=t1", "dir=sideways", "limit=-1"] {
        let rest = format!("relations/{root}?{parameters}");
        let (status, code) = node.refused_of_room(&alice, &room, &rest).await;
        assert_eq!(status, 400, "{parameters}");
        assert_eq!(code, "M_INVALID_PARAM", "{parameters}");
    }
}
