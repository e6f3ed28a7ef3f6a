//! What people do in stories of copies and moves.

use serde_json::{Value, json};

use crate::support::Client;

/// Says something once in a room, and gives the event's id.
pub(crate) async fn say(client: &Client, room: &str, body: &str) -> String {
    let txn = body.replace(' ', "-");
    let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/{txn}");
    let content = json!({ "msgtype": "m.text", "body": body });
    let sent = client.ask("PUT", &path, &content).await.unwrap();
    sent["event_id"].as_str().unwrap().to_owned()
}

pub(crate) async fn sync(client: &Client, since: Option<&str>) -> Value {
    let since = since.map_or(String::new(), |since| format!("&since={since}"));
    let path = format!("/_matrix/client/v3/sync?timeout=0{since}");
    client.ask("GET", &path, &Value::Null).await.unwrap()
}

/// Leaves two one-time keys and a fallback key.
pub(crate) async fn upload_keys(client: &Client) {
    let key = |name: &str| json!({ "key": format!("{name}key"), "signatures": {} });
    let keys = json!({
        "one_time_keys": {
            "signed_curve25519:ONE": key("one"),
            "signed_curve25519:TWO": key("two"),
        },
        "fallback_keys": { "signed_curve25519:FALLBACK": key("fallback") },
    });
    let uploaded = client
        .ask("POST", "/_matrix/client/v3/keys/upload", &keys)
        .await;
    let counts = &uploaded.unwrap()["one_time_key_counts"];
    assert_eq!(counts["signed_curve25519"], 2);
}
