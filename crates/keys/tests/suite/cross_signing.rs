//! Cross-signing keys and signatures.

use std::collections::BTreeMap;

use keys::{CrossSigningError, CrossSigningUpload, SignatureFailure, SignatureFailures};
use ruma::api::client::keys::upload_signatures::v3::SignedKeys;
use serde_json::{Value, json};
use store::Pos;

use crate::{
    bench::Node,
    conformance,
    devices::{changed, query},
    people::{Person, Signer, person, raw, value},
};

async fn ready(node: &Node, person: &Person) {
    node.keys
        .upload_keys(&person.upload(), |_| {})
        .await
        .unwrap();
    let upload = person.cross_signing();
    assert!(
        !node
            .keys
            .cross_signing_change_needs_proof(&upload)
            .await
            .unwrap()
    );
    assert!(
        node.keys
            .upload_cross_signing_keys(&upload, |_| {})
            .await
            .unwrap()
    );
}

async fn sign(
    node: &Node,
    signer: &Person,
    target: &Person,
    key: &str,
    json: &Value,
) -> SignatureFailures {
    let keys: SignedKeys = serde_json::from_value(json!({ key: json })).unwrap();
    let signed = BTreeMap::from([(target.id.clone(), keys)]);
    node.keys
        .upload_signatures(&signer.id, &signed)
        .await
        .unwrap()
}

fn by_self_signing(alice: &Person) -> Value {
    let key = format!("ed25519:{}", alice.self_signing.public());
    let mut unsigned = alice.device_keys();
    unsigned.as_object_mut().unwrap().remove("signatures");
    alice.signed(&unsigned, &key, &alice.self_signing)
}

fn replaced(alice: &Person) -> Person {
    Person {
        master: Signer::new([200, 2]),
        ..person_like(alice)
    }
}

fn person_like(alice: &Person) -> Person {
    let number = alice
        .device
        .as_str()
        .trim_start_matches("DEVICE")
        .parse()
        .unwrap();
    person(number)
}

conformance! {
    /// The user-signing key is shown to its owner alone.
    async fn cross_signing_keys_are_read_back(bench: Bench) {
        let (node, alice, bob) = (&bench.node, person(1), person(2));
        ready(node, &alice).await;
        let seen = query(node, &bob.id, &[&alice]).await;
        assert_eq!(value(&seen.master_keys[&alice.id]), alice.master_key());
        let expected = alice.signed_key("self_signing", &alice.self_signing);
        assert_eq!(value(&seen.self_signing_keys[&alice.id]), expected);
        assert!(seen.user_signing_keys.is_empty());
        let seen = query(node, &alice.id, &[&alice]).await;
        let expected = alice.signed_key("user_signing", &alice.user_signing);
        assert_eq!(value(&seen.user_signing_keys[&alice.id]), expected);
    }

    /// The first upload and its repetition are free; whoever replaces keys proves who they are.
    async fn replacing_keys_needs_proof(bench: Bench) {
        let (node, alice) = (&bench.node, person(1));
        ready(node, &alice).await;
        let head = node.snapshot().await.head();
        let again = alice.cross_signing();
        assert!(!node.keys.cross_signing_change_needs_proof(&again).await.unwrap());
        assert!(!node.keys.upload_cross_signing_keys(&again, |_| {}).await.unwrap());
        assert_eq!(node.snapshot().await.head(), head);

        let mut new = replaced(&alice).cross_signing();
        assert!(node.keys.cross_signing_change_needs_proof(&new).await.unwrap());
        let refused = node.keys.upload_cross_signing_keys(&new, |_| {}).await;
        assert!(matches!(refused, Err(CrossSigningError::NeedsAuthentication)));
        new.authenticated = true;
        assert!(node.keys.upload_cross_signing_keys(&new, |_| {}).await.unwrap());
        let seen = query(node, &alice.id, &[&alice]).await;
        assert_eq!(value(&seen.master_keys[&alice.id]), replaced(&alice).master_key());
    }

    /// Adding a key to a master key that is there is a change like any other.
    async fn a_new_self_signing_key_alone_needs_proof_too(bench: Bench) {
        let (node, alice) = (&bench.node, person(1));
        ready(node, &alice).await;
        let new = Person { self_signing: Signer::new([1, 77]), ..person(1) };
        let mut upload = CrossSigningUpload {
            master_key: None,
            user_signing_key: None,
            ..new.cross_signing()
        };
        assert!(node.keys.cross_signing_change_needs_proof(&upload).await.unwrap());
        upload.authenticated = true;
        assert!(node.keys.upload_cross_signing_keys(&upload, |_| {}).await.unwrap());
        let seen = query(node, &alice.id, &[&alice]).await;
        let expected = new.signed_key("self_signing", &new.self_signing);
        assert_eq!(value(&seen.self_signing_keys[&alice.id]), expected);
        assert_eq!(value(&seen.master_keys[&alice.id]), alice.master_key());
    }

    /// With a new master key alone, the keys that the old one signed go.
    async fn a_new_master_key_takes_the_others_with_it(bench: Bench) {
        let (node, alice) = (&bench.node, person(1));
        ready(node, &alice).await;
        let upload = CrossSigningUpload {
            self_signing_key: None,
            user_signing_key: None,
            authenticated: true,
            ..replaced(&alice).cross_signing()
        };
        assert!(node.keys.upload_cross_signing_keys(&upload, |_| {}).await.unwrap());
        let seen = query(node, &alice.id, &[&alice]).await;
        assert!(seen.self_signing_keys.is_empty() && seen.user_signing_keys.is_empty());
    }

    /// Each wrong upload is refused for what is wrong with it, and nothing is stored.
    async fn wrong_keys_are_refused(bench: Bench) {
        let (node, alice, bob) = (&bench.node, person(1), person(2));
        let good = alice.cross_signing();
        let upload = |change: &dyn Fn(&mut CrossSigningUpload)| {
            let mut upload = good.clone();
            change(&mut upload);
            upload
        };
        let unsigned = crate::people::cross_signing_key(&alice.id, "self_signing", &alice.self_signing);
        let mut foreign = alice.signed_key("self_signing", &alice.self_signing);
        foreign["signatures"] = bob.signed_key("self_signing", &alice.self_signing)["signatures"].clone();
        let mut two = alice.master_key();
        two["keys"]["ed25519:other"] = json!("other");
        let mut misnamed = alice.master_key();
        misnamed["keys"] = json!({ "ed25519:abc": alice.master.public() });
        type Check = fn(&CrossSigningError) -> bool;
        let not_signed: Check = |error| matches!(error, CrossSigningError::NotSigned("self_signing_key"));
        let malformed: Check = |error| matches!(error, CrossSigningError::Malformed(..));
        let cases: Vec<(&str, CrossSigningUpload, Check)> = vec![
            ("unsigned", upload(&|u| u.self_signing_key = Some(raw(&unsigned))), not_signed),
            ("signed by another", upload(&|u| u.self_signing_key = Some(raw(&foreign))), not_signed),
            ("two keys", upload(&|u| u.master_key = Some(raw(&two))), malformed),
            ("misnamed key", upload(&|u| u.master_key = Some(raw(&misnamed))), malformed),
            ("wrong usage", upload(&|u| u.master_key = u.self_signing_key.clone()), malformed),
            ("another's", upload(&|u| u.master_key = Some(raw(&bob.master_key()))),
                |error| matches!(error, CrossSigningError::NotYours("master_key"))),
            ("no master", upload(&|u| u.master_key = None),
                |error| matches!(error, CrossSigningError::NoMasterKey)),
        ];
        for (name, upload, is_expected) in cases {
            let refused = node.keys.upload_cross_signing_keys(&upload, |_| {}).await.unwrap_err();
            assert!(is_expected(&refused), "{name}: {refused:?}");
        }
        assert_eq!(node.snapshot().await.head(), Pos::START);
    }

    /// A public key must not be mistaken for a device.
    async fn a_key_with_the_id_of_a_device_is_refused(bench: Bench) {
        let (node, alice) = (&bench.node, person(1));
        let odd = Person { device: alice.master.public().into(), ..person(1) };
        node.keys.upload_keys(&odd.upload(), |_| {}).await.unwrap();
        let refused = node.keys.upload_cross_signing_keys(&alice.cross_signing(), |_| {}).await;
        assert!(matches!(refused, Err(CrossSigningError::KeyIdInUse)));
    }

    /// Own signatures on devices and the master key are shown to all.
    async fn own_signatures_are_shown_to_all(bench: Bench) {
        let (node, alice, bob) = (&bench.node, person(1), person(2));
        ready(node, &alice).await;
        ready(node, &bob).await;
        let head = node.snapshot().await.head();
        let signed = by_self_signing(&alice);
        let failures = sign(node, &alice, &alice, alice.device.as_str(), &signed).await;
        assert!(failures.is_empty(), "{failures:?}");
        let master = alice.signed(&alice.master_key(), &alice.device_key_id(), &alice.device_key);
        let failures = sign(node, &alice, &alice, &alice.master.public(), &master).await;
        assert!(failures.is_empty(), "{failures:?}");
        assert_eq!(changed(node, &bob, &[&alice, &bob], head).await, [0]);
        let seen = query(node, &bob.id, &[&alice]).await;
        let device = value(&seen.device_keys[&alice.id][&alice.device]);
        let signatures = &device["signatures"][alice.id.as_str()];
        assert_eq!(signatures.as_object().unwrap().len(), 2, "the device's own stays: {device}");
        assert_eq!(value(&seen.master_keys[&alice.id])["signatures"], master["signatures"]);
        // The same signatures again are no news.
        let head = node.snapshot().await.head();
        sign(node, &alice, &alice, alice.device.as_str(), &signed).await;
        assert_eq!(node.snapshot().await.head(), head);
    }

    /// Whom somebody verified is their own business.
    async fn signatures_on_others_are_shown_to_their_maker_alone(bench: Bench) {
        let (node, alice, bob, carol) = (&bench.node, person(1), person(2), person(3));
        for person in [&alice, &bob, &carol] {
            ready(node, person).await;
        }
        let head = node.snapshot().await.head();
        let key = format!("ed25519:{}", alice.user_signing.public());
        let signed = alice.signed(&bob.master_key(), &key, &alice.user_signing);
        let failures = sign(node, &alice, &bob, &bob.master.public(), &signed).await;
        assert!(failures.is_empty(), "{failures:?}");
        let signatures = |seen: keys::QueriedKeys| value(&seen.master_keys[&bob.id])["signatures"].clone();
        assert_eq!(signatures(query(node, &alice.id, &[&bob]).await), signed["signatures"]);
        assert_eq!(signatures(query(node, &bob.id, &[&bob]).await), Value::Null);
        assert_eq!(signatures(query(node, &carol.id, &[&bob]).await), Value::Null);
        assert_eq!(changed(node, &alice, &[&alice, &bob, &carol], head).await, [1]);
        assert!(changed(node, &bob, &[&alice, &bob, &carol], head).await.is_empty());
        // With bob's new master key the signature is gone.
        let mut new = replaced(&bob).cross_signing();
        new.authenticated = true;
        node.keys.upload_cross_signing_keys(&new, |_| {}).await.unwrap();
        assert_eq!(signatures(query(node, &alice.id, &[&bob]).await), Value::Null);
    }

    /// Each wrong signature fails alone, the others are taken.
    async fn wrong_signatures_fail_one_by_one(bench: Bench) {
        let (node, alice, bob) = (&bench.node, person(1), person(2));
        ready(node, &alice).await;
        ready(node, &bob).await;
        let self_signing = format!("ed25519:{}", alice.self_signing.public());
        let forged = alice.signed(&alice.device_keys(), &self_signing, &bob.self_signing);
        let mut changed_keys = by_self_signing(&alice);
        changed_keys["algorithms"] = json!([]);
        let by_wrong_key = alice.signed(&bob.master_key(), &self_signing, &alice.self_signing);
        let of_bob = bob.master.public();
        let cases = [
            (&alice, alice.device.to_string(), forged, SignatureFailure::Invalid),
            (&alice, alice.device.to_string(), changed_keys, SignatureFailure::Invalid),
            (&alice, alice.device.to_string(), json!([1]), SignatureFailure::Invalid),
            (&alice, "NOBODY".to_owned(), by_self_signing(&alice), SignatureFailure::NotFound),
            (&bob, of_bob, by_wrong_key, SignatureFailure::Invalid),
            (&bob, bob.device.to_string(), bob.device_keys(), SignatureFailure::NotFound),
        ];
        for (target, key, json, expected) in cases {
            let failures = sign(node, &alice, target, &key, &json).await;
            assert_eq!(failures[&target.id][&key], expected, "{key}: {json}");
        }
        let both: SignedKeys = serde_json::from_value(json!({
            alice.device.as_str(): by_self_signing(&alice),
            "NOBODY": {},
        })).unwrap();
        let signed = BTreeMap::from([(alice.id.clone(), both)]);
        let failures = node.keys.upload_signatures(&alice.id, &signed).await.unwrap();
        assert_eq!(failures[&alice.id].len(), 1);
        let seen = query(node, &bob.id, &[&alice]).await;
        let device = value(&seen.device_keys[&alice.id][&alice.device]);
        assert!(device["signatures"][alice.id.as_str()].get(&self_signing).is_some());
    }
}
