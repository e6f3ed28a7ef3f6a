//! People who take no invitations.

use serde_json::{Value, json};

use super::refusal;
use crate::{
    server::{Node, Server, User, on_both_engines},
    stage::members,
};

on_both_engines! {
    shared_postgres;
    who_blocks_invitations_gets_none_in_any_way,
    what_is_no_clear_block_lets_invitations_through,
    nobody_is_invited_by_state_who_is_not_there,
    a_block_and_an_invitation_at_once_have_an_order,
}

async fn block(node: &Node, user: &User, action: Value) {
    let terms = json!({ "default_action": action });
    node.keep(user, None, "m.invite_permission_config", terms)
        .await;
}

async fn who_blocks_invitations_gets_none_in_any_way(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    let room = node.create(&alice, json!({})).await;
    block(&node, &bob, json!("block")).await;
    let invite = json!({ "user_id": bob.user_id }).to_string();
    let state = json!({ "membership": "invite" }).to_string();
    let create = json!({ "invite": [bob.user_id], "is_direct": true }).to_string();
    for (method, path, body) in [
        ("POST", format!("rooms/{room}/invite"), invite.clone()),
        (
            "PUT",
            format!("rooms/{room}/state/m.room.member/{}", bob.user_id),
            state,
        ),
        ("POST", "createRoom".to_owned(), create),
    ] {
        let refused = node.refuses(&alice, method, &path, &body).await;
        assert_eq!(refused, refusal(403, "M_INVITE_BLOCKED"), "{path}");
    }
    let rooms = node.get(&alice, "joined_rooms").await;
    assert_eq!(rooms, json!({ "joined_rooms": [room] }), "no room was made");
    let answer = node.client(&bob).next().await;
    assert!(answer["rooms"].get("invite").is_none());
    // Who may not invite at all does not learn who blocks.
    let carol = node.someone("carol").await;
    let path = format!("rooms/{room}/invite");
    let refused = node.refuses(&carol, "POST", &path, &invite).await;
    assert_eq!(refused, refusal(403, "M_FORBIDDEN"));
    // Coming by oneself is another thing, and so is a change of mind.
    let open = node.public(&alice).await;
    node.go(&bob, "join", &open).await;
    block(&node, &bob, json!("allow")).await;
    node.on(&alice, "invite", &room, &bob).await;
    let answer = node.client(&bob).next().await;
    let invited = &answer["rooms"]["invite"][&room]["invite_state"];
    assert!(members(invited).contains(&(&*bob.user_id, "invite")));
}

async fn what_is_no_clear_block_lets_invitations_through(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let bob = node.someone("bob").await;
    for action in [json!(null), json!("ask"), json!(["block"])] {
        block(&node, &bob, action).await;
        let room = node.create(&alice, json!({})).await;
        node.on(&alice, "invite", &room, &bob).await;
    }
}

async fn nobody_is_invited_by_state_who_is_not_there(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.create(&alice, json!({})).await;
    let state = json!({ "membership": "invite" }).to_string();
    for (nobody, expected) in [
        ("@nobody:localhost", refusal(404, "M_NOT_FOUND")),
        ("@somebody:elsewhere.example", refusal(403, "M_FORBIDDEN")),
    ] {
        let path = format!("rooms/{room}/state/m.room.member/{nobody}");
        let refused = node.refuses(&alice, "PUT", &path, &state).await;
        assert_eq!(refused, expected, "{nobody}");
    }
}

/// Whatever comes first in the log, an invitation that stands came before the block.
async fn a_block_and_an_invitation_at_once_have_an_order(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    for _ in 0..8 {
        let bob = node.someone("bob").await;
        let mut rooms = Vec::new();
        for _ in 0..4 {
            rooms.push(node.create(&alice, json!({})).await);
        }
        let body = json!({ "user_id": bob.user_id }).to_string();
        let invite = async |room: &String| {
            let path = format!("/_matrix/client/v3/rooms/{room}/invite");
            node.ask(&alice.token, "POST", &path, body.clone()).await.0
        };
        let invitations = futures_util::future::join_all(rooms.iter().map(invite));
        let blocking = block(&node, &bob, json!("block"));
        let (statuses, ()) = tokio::join!(invitations, blocking);
        let stood = statuses.iter().filter(|status| **status == 200).count();
        let answer = node.client(&bob).next().await;
        let invited = answer["rooms"]["invite"].as_object();
        assert_eq!(invited.map_or(0, serde_json::Map::len), stood);
        assert_eq!(invite(&rooms[0]).await, 403, "the block stands by now");
    }
}
