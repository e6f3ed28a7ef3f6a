//! One-time and fallback keys.

use std::collections::BTreeMap;

use keys::{ClaimedKeys, Keys, KeysUpload, UploadError};
use ruma::{OneTimeKeyAlgorithm, OwnedOneTimeKeyId, device_id, encryption::OneTimeKey, serde::Raw};
use serde_json::json;
use store::Intent;

use crate::{
    bench::Node,
    conformance,
    people::{Person, person, raw, value},
};

pub(crate) fn one_time_keys(
    numbers: impl IntoIterator<Item = usize>,
) -> BTreeMap<OwnedOneTimeKeyId, Raw<OneTimeKey>> {
    let keys = numbers.into_iter().map(|number| {
        let id = format!("signed_curve25519:K{number:04}");
        (OwnedOneTimeKeyId::try_from(id).unwrap(), key(number))
    });
    keys.collect()
}

fn key(number: usize) -> Raw<OneTimeKey> {
    let key = format!("zKbLg+NrIjpnagy+pIY6uPL4ZwEG2v+8F9lmgsn{number:04}");
    raw(&json!({ "key": key, "signatures": {} }))
}

pub(crate) fn prekeys(person: &Person, numbers: impl IntoIterator<Item = usize>) -> KeysUpload {
    KeysUpload {
        device_keys: None,
        one_time_keys: one_time_keys(numbers),
        ..person.upload()
    }
}

fn fallback(person: &Person, number: usize) -> KeysUpload {
    KeysUpload {
        device_keys: None,
        fallback_keys: one_time_keys([number]),
        ..person.upload()
    }
}

pub(crate) async fn claim(node: &Node, person: &Person) -> Option<(String, serde_json::Value)> {
    let algorithm = OneTimeKeyAlgorithm::SignedCurve25519;
    let wanted = BTreeMap::from([(
        person.id.clone(),
        BTreeMap::from([(person.device.clone(), algorithm)]),
    )]);
    let claimed: ClaimedKeys = node.keys.claim_keys(&wanted).await.unwrap();
    let keys = claimed.into_values().flatten().flat_map(|(_, keys)| keys);
    let mut keys = keys.map(|(id, key)| (id.to_string(), value(&key)));
    let key = keys.next();
    assert!(keys.next().is_none());
    key
}

async fn count(node: &Node, person: &Person) -> u64 {
    let user = node.id_of(&person.id).await;
    let snapshot = node.snapshot().await;
    let counts = node
        .keys
        .one_time_key_counts(&snapshot, user, person.device.as_str());
    let counts = counts.await.unwrap();
    counts
        .get(&OneTimeKeyAlgorithm::SignedCurve25519)
        .copied()
        .unwrap_or(0)
}

async fn unused(node: &Node, person: &Person) -> Vec<OneTimeKeyAlgorithm> {
    let user = node.id_of(&person.id).await;
    let snapshot = node.snapshot().await;
    let unused = node
        .keys
        .unused_fallback_key_types(&snapshot, user, person.device.as_str());
    unused.await.unwrap()
}

conformance! {
    /// Keys go out in the order in which they came, each once, then the fallback key each time.
    async fn keys_are_claimed_oldest_first_and_the_fallback_key_last(bench: Bench) {
        let (node, alice) = (&bench.node, person(1));
        node.keys.upload_keys(&prekeys(&alice, [5, 6]), |_| {}).await.unwrap();
        let counts = node.keys.upload_keys(&prekeys(&alice, [1]), |_| {}).await.unwrap();
        assert_eq!(counts[&OneTimeKeyAlgorithm::SignedCurve25519], 3);
        node.keys.upload_keys(&fallback(&alice, 99), |_| {}).await.unwrap();
        assert_eq!(unused(node, &alice).await.len(), 1);
        for expected in ["K0005", "K0006", "K0001"] {
            let (id, key) = claim(node, &alice).await.unwrap();
            assert_eq!(id, format!("signed_curve25519:{expected}"));
            assert!(key["key"].as_str().unwrap().ends_with(&expected[1..]));
        }
        assert_eq!(unused(node, &alice).await.len(), 1);
        for _ in 0..2 {
            assert_eq!(claim(node, &alice).await.unwrap().0, "signed_curve25519:K0099");
            assert_eq!(unused(node, &alice).await.len(), 0);
        }
        // The same fallback key again is still used; a new one is not.
        node.keys.upload_keys(&fallback(&alice, 99), |_| {}).await.unwrap();
        assert_eq!(unused(node, &alice).await.len(), 0);
        node.keys.upload_keys(&fallback(&alice, 100), |_| {}).await.unwrap();
        assert_eq!(unused(node, &alice).await.len(), 1);
    }

    /// A client that got no answer uploads again; a key that was claimed meanwhile stays away.
    async fn uploading_again_changes_nothing(bench: Bench) {
        let (node, alice) = (&bench.node, person(1));
        node.keys.upload_keys(&prekeys(&alice, 0..3), |_| {}).await.unwrap();
        let head = node.snapshot().await.head();
        node.keys.upload_keys(&prekeys(&alice, 0..3), |_| {}).await.unwrap();
        assert_eq!(node.snapshot().await.head(), head);
        claim(node, &alice).await.unwrap();
        node.keys.upload_keys(&prekeys(&alice, 0..3), |_| {}).await.unwrap();
        assert_eq!(count(node, &alice).await, 2);
    }

    /// Another key with a known id is refused, and nothing of its upload is taken.
    async fn an_id_stands_for_one_key(bench: Bench) {
        let (node, alice) = (&bench.node, person(1));
        node.keys.upload_keys(&prekeys(&alice, 0..1), |_| {}).await.unwrap();
        let mut upload = prekeys(&alice, 0..2);
        let id = OwnedOneTimeKeyId::try_from("signed_curve25519:K0000").unwrap();
        upload.one_time_keys.insert(id, key(77));
        let refused = node.keys.upload_keys(&upload, |_| {}).await.unwrap_err();
        assert!(matches!(refused, UploadError::Conflict(id) if id == "signed_curve25519:K0000"));
        assert_eq!(count(node, &alice).await, 1);
    }

    /// Nobody can fill the server with one-time keys.
    async fn a_device_has_a_bounded_number_of_keys(bench: Bench) {
        let (node, alice) = (&bench.node, person(1));
        node.keys.upload_keys(&prekeys(&alice, 0..400), |_| {}).await.unwrap();
        let refused = node.keys.upload_keys(&prekeys(&alice, 400..501), |_| {}).await;
        assert!(matches!(refused, Err(UploadError::TooMany("one_time_keys"))));
        assert_eq!(count(node, &alice).await, 400);
    }

    /// What does not exist has no keys, and looking for it changes nothing.
    async fn unknown_users_and_devices_are_absent_from_a_claim(bench: Bench) {
        let (node, alice) = (&bench.node, person(1));
        let head = node.snapshot().await.head();
        assert!(claim(node, &alice).await.is_none());
        node.keys.upload_keys(&prekeys(&person(2), 0..1), |_| {}).await.unwrap();
        let other = Person { device: device_id!("OTHER").to_owned(), ..person(2) };
        assert!(claim(node, &other).await.is_none());
        assert_eq!(node.snapshot().await.head().get(), head.get() + 1);
    }

    /// After a restore no key goes out that may have gone out since the backup.
    async fn a_restore_drops_what_is_unclaimed(bench: Bench) {
        let (node, alice) = (&bench.node, person(1));
        node.keys.upload_keys(&prekeys(&alice, 0..3), |_| {}).await.unwrap();
        node.keys.upload_keys(&fallback(&alice, 9), |_| {}).await.unwrap();
        let mut intent = Intent::new();
        Keys::drop_unclaimed_one_time_keys(&mut intent);
        node.log.commit(intent).await.unwrap();
        assert_eq!(count(node, &alice).await, 0);
        assert_eq!(unused(node, &alice).await.len(), 0);
        assert_eq!(claim(node, &alice).await.unwrap().0, "signed_curve25519:K0009");
    }
}
