//! The index behind the log: from its beginning, after a new start, and at whichever node.

use std::time::Duration;

use serde_json::json;
use testkit::eventually;

use super::ids;
use crate::{
    server::{Node, Server, User, on_both_engines},
    stage::encoded,
};

on_both_engines! {
    postgres;
    what_was_said_before_there_was_an_index_comes_into_it,
    an_index_goes_on_after_a_new_start,
}

/// Everything that a term finds, page by page.
async fn all(node: &Node, user: &User, term: &str) -> Vec<String> {
    let criteria = json!({
        "search_term": term, "order_by": "recent", "filter": { "limit": 100 },
    });
    let (mut found, mut from) = (Vec::new(), None);
    loop {
        let page = node
            .search_from(user, criteria.clone(), from.as_deref())
            .await;
        found.extend(ids(&page));
        match page.get("next_batch") {
            Some(next) => from = Some(encoded(next.as_str().unwrap())),
            None => return found,
        }
    }
}

async fn what_was_said_before_there_was_an_index_comes_into_it(mut server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let mut said = Vec::new();
    for number in 0..300 {
        said.push(node.say(&alice, &room, &format!("jade {number}")).await);
    }
    let gone = said.remove(7);
    node.redact(&alice, &room, &gone).await;
    assert_eq!(node.finds(&alice, "jade").await, [""; 0]);
    node.parts.log.stop().await;
    drop(node);
    let node = server.searched().await;
    said.reverse();
    eventually("all of it is found", || async {
        let found = all(&node, &alice, "jade").await;
        (found == said).then_some(())
    })
    .await;
    assert_eq!(node.finds(&alice, "jade 299").await.len(), 1);
}

async fn an_index_goes_on_after_a_new_start(mut server: Server) {
    let mut said = Vec::new();
    let mut node = server.searched().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    for round in 0..3 {
        for _ in 0..5 {
            said.insert(0, node.say(&alice, &room, "opal").await);
        }
        if round == 1 {
            node.settle(&alice, &room).await;
        }
        node.parts.log.stop().await;
        drop(node);
        node = server.searched().await;
    }
    eventually("all of it is found, once", || async {
        (all(&node, &alice, "opal").await == said).then_some(())
    })
    .await;
}

/// Two nodes on one database, which only PostgreSQL permits.
mod two {
    use super::*;

    #[tokio::test]
    async fn what_one_node_was_told_is_found_at_the_other() {
        let mut server = Server::postgres().await;
        let (one, two) = (server.searched().await, server.searched().await);
        let alice = one.someone("alice").await;
        let room = one.public(&alice).await;
        let first = one.say(&alice, &room, "pearl").await;
        let second = two.say(&alice, &room, "pearl").await;
        one.settle(&alice, &room).await;
        for node in [&one, &two] {
            assert_eq!(node.finds(&alice, "pearl").await, [&*second, &first]);
        }
    }

    #[tokio::test]
    async fn when_the_node_that_keeps_the_index_stops_or_dies_the_other_goes_on() {
        for dies in [true, false] {
            let mut server = Server::postgres().await;
            let one = server.searched().await;
            let alice = one.someone("alice").await;
            let room = one.public(&alice).await;
            let mut said = vec![one.say(&alice, &room, "coral").await];
            // The first node keeps it.
            one.settle(&alice, &room).await;
            let two = server.searched().await;
            for number in 0..200 {
                let node = if number % 2 == 0 { &one } else { &two };
                said.push(node.say(&alice, &room, "coral").await);
                if number == 100 {
                    // In the middle of something, perhaps.
                    match dies {
                        true => server.deployment.indexing.lock()[0].abort(),
                        false => {
                            one.parts.log.stop().await;
                            break;
                        }
                    }
                }
            }
            said.reverse();
            eventually("all of it is found, once", || async {
                server.deployment.clock.advance(Duration::from_secs(1));
                (all(&two, &alice, "coral").await == said).then_some(())
            })
            .await;
        }
    }
}
