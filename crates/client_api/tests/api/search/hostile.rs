//! What is refused, and what a search stands.

use serde_json::{Value, json};

use super::ids;
use crate::{
    server::{Node, Server, User, on_both_engines},
    stage::encoded,
};

on_both_engines! {
    postgres;
    what_cannot_be_is_refused,
    a_foreign_token_leads_nowhere,
    whatever_is_searched_for_is_answered,
    a_crowd_of_searches_leaves_room_for_others,
}

impl Node {
    async fn refused_search(&self, user: &User, criteria: Value, query: &str) -> (u16, String) {
        let path = format!("/_matrix/client/v3/search{query}");
        let body = json!({ "search_categories": { "room_events": criteria } });
        self.refused(&user.token, "POST", &path, &body.to_string())
            .await
    }
}

async fn what_cannot_be_is_refused(mut server: Server) {
    let node = server.searched().await;
    let alice = node.someone("alice").await;
    let invalid = (400, "M_INVALID_PARAM".to_owned());
    for criteria in [
        json!({ "search_term": "x".repeat(1_025) }),
        json!({ "search_term": "x", "order_by": "age" }),
        json!({ "search_term": "x", "keys": ["content.secret"] }),
        json!({ "search_term": "x", "filter": { "limit": 0 } }),
        json!({ "search_term": "x", "filter": { "senders": vec!["@a:b"; 1_001] } }),
        json!({ "search_term": "x", "groupings": { "group_by": [{ "key": "age" }] } }),
    ] {
        let refused = node.refused_search(&alice, criteria.clone(), "").await;
        assert_eq!(refused, invalid, "{criteria}");
    }
    let criteria = json!({ "search_term": "x" });
    for token in ["", "nonsense", "t1_5", "f1e30", "s1_1_1_1_1_0_0"] {
        let query = format!("?next_batch={token}");
        let refused = node.refused_search(&alice, criteria.clone(), &query).await;
        assert_eq!(refused, invalid, "{token}");
    }
    for criteria in [
        json!({}),
        json!({ "search_term": 5 }),
        json!([]),
        json!("x"),
    ] {
        let (status, code) = node.refused_search(&alice, criteria.clone(), "").await;
        assert_eq!((status, &*code), (400, "M_BAD_JSON"), "{criteria}");
    }
}

async fn a_foreign_token_leads_nowhere(mut server: Server) {
    let node = server.searched().await;
    let (alice, eve) = (node.someone("alice").await, node.someone("eve").await);
    let room = node
        .create(&alice, json!({ "preset": "private_chat" }))
        .await;
    for _ in 0..3 {
        node.say(&alice, &room, "secret").await;
    }
    node.settle(&alice, &room).await;
    for key in ["room_id", "sender"] {
        let criteria = json!({
            "search_term": "secret", "filter": { "limit": 1 },
            "groupings": { "group_by": [{ "key": key }] },
        });
        let found = node.search(&alice, criteria.clone()).await;
        let group = found["groups"][key].as_object().unwrap().values().next();
        for token in [&found["next_batch"], &group.unwrap()["next_batch"]] {
            let token = encoded(token.as_str().unwrap());
            let theirs = node.search_from(&eve, criteria.clone(), Some(&token)).await;
            assert_eq!(ids(&theirs), [""; 0]);
        }
    }
}

async fn whatever_is_searched_for_is_answered(mut server: Server) {
    let node = server.searched().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let all: String = ('a'..='z').map(|letter| format!("{letter} ")).collect();
    let said = node.say(&alice, &room, &all.repeat(400)).await;
    let chinese = "会议室在楼上请准时参加今天下午三点的会议".repeat(12);
    let also = node.say(&alice, &room, &chinese).await;
    node.settle(&alice, &room).await;
    assert_eq!(node.finds(&alice, &all).await, [&*said]);
    let term: String = chinese.chars().take(300).collect();
    assert_eq!(node.finds(&alice, &term).await, [&*also]);
    for term in [
        "\u{0}",
        "\u{202e}abc",
        "%_'\";--",
        "a\u{301}\u{301}\u{301}",
        "\u{fdfa}",
        "(a OR b) AND NOT c*",
        "\u{ffff}\u{10ffff}",
        &"会".repeat(341),
        &"a ".repeat(512),
    ] {
        node.finds(&alice, term).await;
    }
    let most = (1_u64 << 53) - 2;
    let criteria = json!({
        "search_term": "a", "filter": { "limit": most },
        "event_context": { "before_limit": most, "after_limit": most, "include_profile": true },
    });
    assert_eq!(ids(&node.search(&alice, criteria).await), [&*said]);
}

async fn a_crowd_of_searches_leaves_room_for_others(mut server: Server) {
    let node = server.searched().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    for _ in 0..30 {
        node.say(&alice, &room, "everywhere and always").await;
    }
    node.settle(&alice, &room).await;
    let criteria = json!({ "search_term": "always everywhere", "event_context": {} });
    let crowd = async {
        let searches = (0..40).map(|_| node.search(&alice, criteria.clone()));
        futures_util::future::join_all(searches).await
    };
    let others = async {
        for _ in 0..10 {
            let page = node
                .get(&alice, &format!("rooms/{room}/messages?dir=b"))
                .await;
            assert!(!page["chunk"].as_array().unwrap().is_empty());
        }
    };
    let (crowd, ()) = tokio::join!(crowd, others);
    assert!(crowd.iter().all(|found| found["count"] == 30));
}
