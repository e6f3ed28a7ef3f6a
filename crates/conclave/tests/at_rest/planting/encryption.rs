//! Keys of devices and people, messages to devices, key backups.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use serde_json::{Value, json};

use super::{ask, text};
use crate::{
    markers::{Markers, word},
    support::Client,
};

/// An object with one member, whose name is made at run time.
fn with(name: impl Into<String>, value: impl Into<Value>) -> Value {
    Value::Object([(name.into(), value.into())].into_iter().collect())
}

pub(super) async fn keys(alice: &Client, bob: &Client, markers: &mut Markers) {
    let (me, device) = (&alice.user_id, &alice.device_id);
    let name = format!("ed25519:{device}");
    let signature = with(&name, markers.new_for("a signature"));
    let device_keys = json!({
        "user_id": me, "device_id": device,
        "algorithms": [markers.new_for("an algorithm of a device")],
        "keys": with(&name, markers.new_for("a device key")),
        "signatures": with(me, signature),
        "unsigned": { "device_display_name": markers.new_for("the name in a device key") },
    });
    let key =
        |markers: &mut Markers, kind| json!({ "key": markers.new_for(kind), "signatures": {} });
    let upload = json!({
        "device_keys": device_keys,
        "one_time_keys": { "signed_curve25519:AAAAAQ": key(markers, "a claimed one-time key") },
        "fallback_keys": { "signed_curve25519:AAAAAg": key(markers, "a fallback key") },
    });
    ask(alice, "POST", "keys/upload", upload).await;
    let claim = json!({ "one_time_keys": with(me, with(device, "signed_curve25519")) });
    ask(bob, "POST", "keys/claim", claim).await;
    let upload = json!({
        "one_time_keys": { "signed_curve25519:AAAAAw": key(markers, "a one-time key") },
    });
    ask(alice, "POST", "keys/upload", upload).await;
    dehydrated(alice, device_keys.clone(), markers).await;
    cross_signing(alice, device_keys, markers).await;
}

/// Leaves a device behind.
async fn dehydrated(alice: &Client, mut device_keys: Value, markers: &mut Markers) {
    device_keys["device_id"] = "ASLEEP".into();
    let body = json!({
        "device_id": "ASLEEP",
        "initial_device_display_name": markers.new_for("the name of a dehydrated device"),
        "device_data": {
            "algorithm": "org.matrix.msc3814.v2", "nonce": "nonce",
            "device_pickle": markers.new_for("the data of a dehydrated device"),
        },
        "device_keys": device_keys,
    });
    let path = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device";
    let kept = alice.ask("PUT", path, &body).await;
    kept.unwrap_or_else(|error| panic!("a device is not kept: {error}"));
}

/// Publishes keys of the person, and a signature on the device.
async fn cross_signing(alice: &Client, mut device_keys: Value, markers: &mut Markers) {
    let [master, own] = [1, 2].map(|seed| Ed25519KeyPair::from_seed_unchecked(&[seed; 32]));
    let (master, own) = (master.unwrap(), own.unwrap());
    let key = |usage: &str, pair: &Ed25519KeyPair, note: String| {
        let public = STANDARD_NO_PAD.encode(pair.public_key());
        json!({
            "user_id": alice.user_id, "usage": [usage], "org.example.note": note,
            "keys": with(format!("ed25519:{public}"), public),
        })
    };
    let note = markers.new_for("a note in a self-signing key");
    let mut self_signing = key("self_signing", &own, note);
    sign(&mut self_signing, &alice.user_id, &master);
    let note = markers.new_for("a note in a master key");
    let upload = json!({
        "master_key": key("master", &master, note), "self_signing_key": self_signing,
    });
    ask(alice, "POST", "keys/device_signing/upload", upload).await;

    let signature = sign(&mut device_keys, &alice.user_id, &own);
    markers.add("a signature on a device", &signature);
    let upload = with(&alice.user_id, with(&alice.device_id, device_keys));
    let answer = ask(alice, "POST", "keys/signatures/upload", upload).await;
    assert_eq!(answer["failures"], json!({}));
}

/// Signs an object of ASCII texts, and gives the signature.
fn sign(object: &mut Value, signer: &str, pair: &Ed25519KeyPair) -> String {
    let members = object.as_object_mut().unwrap();
    members.remove("signatures");
    let unsigned = members.remove("unsigned");
    object.sort_all_objects();
    let signature = STANDARD_NO_PAD.encode(pair.sign(object.to_string().as_bytes()));
    let public = STANDARD_NO_PAD.encode(pair.public_key());
    let by_key = with(format!("ed25519:{public}"), signature.as_str());
    object["signatures"] = with(signer, by_key);
    if let Some(unsigned) = unsigned {
        object["unsigned"] = unsigned;
    }
    signature
}

pub(super) async fn to_device(alice: &Client, bob: &Client, markers: &mut Markers) {
    let content = json!({ "body": markers.new_for("a message to a device") });
    let people = with(&alice.user_id, with(&alice.device_id, content));
    let kind = markers.new_for("the type of a message to a device");
    let txn = markers.new_for("the transaction id of a message to a device");
    let path = format!("sendToDevice/{kind}/{txn}");
    ask(bob, "PUT", &path, json!({ "messages": people })).await;
}

/// Gives the id of a session, which is readable.
pub(super) async fn backup(alice: &Client, room: &str, markers: &mut Markers) -> String {
    let version = json!({
        "algorithm": "m.megolm_backup.v1.curve25519-aes-sha2",
        "auth_data": { "public_key": markers.new_for("the data of a backup"), "signatures": {} },
    });
    let version = ask(alice, "POST", "room_keys/version", version).await;
    let version = text(&version, "version");
    let key = json!({
        "first_message_index": 0, "forwarded_count": 0, "is_verified": true,
        "session_data": { "ciphertext": markers.new_for("a key in a backup") },
    });
    let session = word();
    let path = format!("room_keys/keys/{room}/{session}?version={version}");
    ask(alice, "PUT", &path, key).await;
    session
}
