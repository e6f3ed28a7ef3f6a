//! Backups of room keys: made, filled, read and emptied at each level.

use serde_json::{Value, json};

use super::walk::Walk;

pub(super) async fn story(walk: &Walk) {
    let bea = walk.join("bea").await;
    let algorithm = json!({
        "algorithm": "m.megolm_backup.v1.curve25519-aes-sha2",
        "auth_data": {"public_key": "YWJj", "signatures": {}},
    });
    let made = walk
        .post(&bea, "room_keys/version", algorithm.clone())
        .await;
    assert_eq!(made, json!({"version": "1"}));

    let key = json!({
        "first_message_index": 0, "forwarded_count": 0, "is_verified": true,
        "session_data": {"ephemeral": "YQ", "ciphertext": "Yg", "mac": "Yw"},
    });
    let sessions = json!({"sessions": {"s": key}});
    let rooms = json!({"rooms": {"!r:localhost": sessions}});
    let empty = json!({"rooms": {}});
    let all = "room_keys/keys?version=1";
    for (path, body) in [
        ("room_keys/keys?version=1", rooms),
        ("room_keys/keys/!r:localhost?version=1", sessions),
        ("room_keys/keys/!r:localhost/s?version=1", key),
    ] {
        let put = walk.put(&bea, path, body.clone()).await;
        assert_eq!(put["count"], 1, "{path}");
        assert_eq!(walk.get(&bea, path).await, body, "{path}");
        let deleted = walk.delete(&bea, path, Value::Null).await;
        assert_eq!(deleted["count"], 0, "{path}");
        assert_eq!(walk.get(&bea, all).await, empty, "{path}");
    }

    let mut changed = algorithm;
    changed["auth_data"]["signatures"] = json!({&bea.user_id: {"ed25519:PHONE": "c2ln"}});
    walk.put(&bea, "room_keys/version/1", changed.clone()).await;
    for path in ["room_keys/version", "room_keys/version/1"] {
        let read = walk.get(&bea, path).await;
        assert_eq!(read["auth_data"], changed["auth_data"], "{path}");
    }
    walk.delete(&bea, "room_keys/version/1", Value::Null).await;
    walk.gone(&bea, "room_keys/version").await;
}
