//! What a client asks before and after it has somebody.

use ruma::api::client::discovery::discover_support;
use serde_json::{Value, json};

use super::walk::Walk;

/// Whom one may turn to.
pub(crate) fn support() -> discover_support::Response {
    discover_support::Response::with_support_page("https://localhost/help".to_owned())
}

pub(super) async fn story(walk: &Walk) {
    let known = walk
        .ok("", "GET", "/.well-known/matrix/client", Value::Null)
        .await;
    assert_eq!(
        known["m.homeserver"],
        json!({"base_url": "http://localhost:8008"})
    );
    let support = walk
        .ok("", "GET", "/.well-known/matrix/support", Value::Null)
        .await;
    let page = json!({"support_page": "https://localhost/help"});
    assert_eq!(support, page);
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
