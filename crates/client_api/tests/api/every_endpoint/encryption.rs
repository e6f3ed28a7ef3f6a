//! Device keys, cross-signing, one-time keys, messages to devices.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use ruma::serde::{Base64, base64::Standard};
use serde_json::{Value, json};

use super::walk::Walk;
use crate::server::User;

pub(super) async fn story(walk: &Walk) {
    let emma = walk.join("emma").await;
    let fred = walk.join("fred").await;
    let room = walk.room(&emma, json!({"preset": "public_chat"})).await;
    walk.post(&fred, &format!("join/{room}"), json!({})).await;
    let before = walk.get(&fred, "sync").await["next_batch"].clone();
    let device = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let public = Base64::<Standard, _>::new(device.public_key().as_ref().to_vec()).encode();
    let one_time = json!({"key": "AAAA", "signatures": {}});
    let body = json!({
        "device_keys": device_keys(&emma, &public),
        "one_time_keys": {"signed_curve25519:AAAAHg": one_time},
    });
    let counts = walk.post(&emma, "keys/upload", body).await;
    let expected = json!({"one_time_key_counts": {"signed_curve25519": 1}});
    assert_eq!(counts, expected);
    let after = walk.get(&fred, "sync").await["next_batch"].clone();
    let token = |token: &Value| token.as_str().unwrap().to_owned();
    let between = format!("keys/changes?from={}&to={}", token(&before), token(&after));
    let changes = walk.get(&fred, &between).await;
    assert_eq!(changes["changed"], json!([emma.user_id]));
    let key = "A".repeat(43);
    let master = json!({
        "user_id": emma.user_id, "usage": ["master"], "keys": {format!("ed25519:{key}"): key},
    });
    let body = json!({"master_key": master});
    walk.post(&emma, "keys/device_signing/upload", body).await;

    let body = json!({"device_keys": {&emma.user_id: []}});
    let found = walk.post(&fred, "keys/query", body).await;
    let phone = &found["device_keys"][&emma.user_id]["PHONE"];
    assert_eq!(phone["keys"], device_keys(&emma, &public)["keys"]);
    assert_eq!(found["master_keys"][&emma.user_id], master);
    let body = json!({"one_time_keys": {&emma.user_id: {"PHONE": "signed_curve25519"}}});
    let claimed = walk.post(&fred, "keys/claim", body).await;
    let expected = json!({"signed_curve25519:AAAAHg": one_time});
    assert_eq!(claimed["one_time_keys"][&emma.user_id]["PHONE"], expected);
    // The device vouches for the one who holds the keys.
    let mut signed = master.clone();
    let signature = device.sign(master.to_string().as_bytes());
    let signature = Base64::<Standard, _>::new(signature.as_ref().to_vec()).encode();
    signed["signatures"] = json!({&emma.user_id: {"ed25519:PHONE": signature}});
    let body = json!({&emma.user_id: {&key: signed}});
    let answer = walk.post(&emma, "keys/signatures/upload", body).await;
    assert_eq!(answer, json!({"failures": {}}));
    let body = json!({"device_keys": {&emma.user_id: []}});
    let found = walk.post(&fred, "keys/query", body).await;
    assert_eq!(found["master_keys"][&emma.user_id], signed);

    let body = json!({"messages": {&emma.user_id: {"PHONE": {"n": 1}}}});
    walk.put(&fred, "sendToDevice/x.test/txn", body).await;
    let answer = walk.get(&emma, "sync").await;
    let arrived = json!({"type": "x.test", "sender": fred.user_id, "content": {"n": 1}});
    assert_eq!(answer["to_device"]["events"], json!([arrived]));
    dehydrated(walk, &emma, &fred).await;
}

async fn dehydrated(walk: &Walk, emma: &User, fred: &User) {
    let path = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device";
    let mut keys = device_keys(emma, "a");
    keys["device_id"] = json!("ASLEEP");
    keys["dehydrated"] = json!(true);
    let data = json!({"algorithm": "org.matrix.msc3814.v2", "device_pickle": "x", "nonce": "y"});
    let body = json!({"device_id": "ASLEEP", "device_data": data, "device_keys": keys});
    let kept = walk.put(emma, path, body).await;
    assert_eq!(kept["device_id"], "ASLEEP");
    let kept = walk.get(emma, path).await;
    assert_eq!(kept["device_data"], data);
    let body = json!({"messages": {&emma.user_id: {"ASLEEP": {"n": 2}}}});
    walk.put(fred, "sendToDevice/x.test/asleep", body).await;
    let events = format!("{path}/ASLEEP/events");
    let waiting = walk.post(emma, &events, json!({})).await;
    assert_eq!(waiting["events"][0]["content"]["n"], 2);
    let gone = walk.delete(emma, path, json!({})).await;
    assert_eq!(gone["device_id"], "ASLEEP");
}

fn device_keys(user: &User, public: &str) -> Value {
    json!({
        "user_id": user.user_id,
        "device_id": "PHONE",
        "algorithms": ["m.olm.v1.curve25519-aes-sha2"],
        "keys": {"ed25519:PHONE": public, "curve25519:PHONE": "b"},
        "signatures": {&user.user_id: {"ed25519:PHONE": "c"}},
    })
}
