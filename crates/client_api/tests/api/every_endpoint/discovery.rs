//! What a client asks before and after it has somebody.

use serde_json::{Value, json};

use super::walk::Walk;

pub(super) async fn story(walk: &Walk) {
    let known = walk
        .ok("", "GET", "/.well-known/matrix/client", Value::Null)
        .await;
    assert_eq!(
        known["m.homeserver"],
        json!({"base_url": "http://localhost:8008"})
    );
    let versions = walk
        .ok("", "GET", "/_matrix/client/versions", Value::Null)
        .await;
    let versions = versions["versions"].as_array().unwrap();
    assert!(versions.contains(&json!("v1.11")));
    let dora = walk.join("dora").await;
    let capabilities = walk.get(&dora, "capabilities").await;
    let versions = &capabilities["capabilities"]["m.room_versions"];
    assert_eq!(versions["default"], "12");
}
