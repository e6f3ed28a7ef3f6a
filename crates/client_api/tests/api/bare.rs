//! Requests without the body that the specification wants, as some clients send them.

use serde_json::json;

use crate::{
    server::{Server, on_both_engines},
    stage::encoded,
};

on_both_engines! { shared_postgres;
    coming_and_going_need_no_body,
}

async fn coming_and_going_need_no_body(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let public = node
        .create(&alice, json!({ "preset": "public_chat" }))
        .await;
    let knock = json!({
        "initial_state": [{ "type": "m.room.join_rules", "content": { "join_rule": "knock" } }],
    });
    let closed = node.create(&alice, knock).await;
    let (public, closed) = (encoded(&public), encoded(&closed));
    for path in [
        format!("join/{public}"),
        format!("rooms/{public}/leave"),
        format!("rooms/{public}/join"),
        format!("rooms/{public}/leave"),
        format!("knock/{closed}"),
        format!("rooms/{closed}/leave"),
    ] {
        let path = format!("/_matrix/client/v3/{path}");
        let (status, answer) = node.ask(&bob.token, "POST", &path, "").await;
        assert_eq!(status, 200, "{path}: {answer}");
        // What is there is still read.
        let refusal = node.refused(&bob.token, "POST", &path, "{").await;
        assert_eq!(refusal, (400, "M_NOT_JSON".to_owned()));
    }
    // What has to say something still has to.
    let path = format!("/_matrix/client/v3/rooms/{public}/invite");
    let refusal = node.refused(&alice.token, "POST", &path, "").await;
    assert_eq!(refusal, (400, "M_BAD_JSON".to_owned()));
}
