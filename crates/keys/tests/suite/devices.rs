//! Identity keys of devices, who learns of their changes, and their end.

use std::collections::BTreeMap;

use keys::{KeysUpload, QueriedKeys, UploadError};
use ruma::{UserId, device_id};
use serde_json::json;
use store::{Intent, Pos};

use crate::{
    bench::Node,
    conformance,
    people::{Person, person, raw, value},
    prekeys::{claim, prekeys},
};

pub(crate) async fn query(node: &Node, asker: &UserId, people: &[&Person]) -> QueriedKeys {
    let asked: BTreeMap<_, _> = people.iter().map(|p| (p.id.clone(), Vec::new())).collect();
    let snapshot = node.snapshot().await;
    let names = [((person(1).id, person(1).device), "Alice's phone".to_owned())].into();
    let found = node.keys.query_keys(&snapshot, asker, &asked, &names);
    found.await.unwrap()
}

/// The people among `people` whose keys changed after `from`, as `reader` sees it.
pub(crate) async fn changed(
    node: &Node,
    reader: &Person,
    people: &[&Person],
    from: Pos,
) -> Vec<usize> {
    let snapshot = node.snapshot().await;
    let reader = node.id_of(&reader.id).await;
    let users = node
        .keys
        .changed_users(&snapshot, reader, from, snapshot.head());
    let users = users.await.unwrap();
    let mut found = Vec::new();
    for (index, person) in people.iter().enumerate() {
        if users.contains(&node.id_of(&person.id).await) {
            found.push(index);
        }
    }
    found
}

conformance! {
    /// What is uploaded is what others read, with the display name beside it.
    async fn uploaded_device_keys_are_read_back(bench: Bench) {
        let (node, alice, bob) = (&bench.node, person(1), person(2));
        let mut upload = alice.upload();
        let mut given = alice.device_keys();
        given["unsigned"] = json!({ "device_display_name": "forged" });
        given["org.example.extra"] = json!([1, "two"]);
        upload.device_keys = Some(raw(&given));
        node.keys.upload_keys(&upload, |_| {}).await.unwrap();
        node.keys.upload_keys(&bob.upload(), |_| {}).await.unwrap();
        let found = query(node, &bob.id, &[&alice, &bob]).await;
        given["unsigned"] = json!({ "device_display_name": "Alice's phone" });
        assert_eq!(value(&found.device_keys[&alice.id][&alice.device]), given);
        assert_eq!(value(&found.device_keys[&bob.id][&bob.device]), bob.device_keys());
        assert!(found.master_keys.is_empty());
    }

    /// A query for some devices gives these alone, and unknown users are absent.
    async fn a_query_gives_what_is_asked_for(bench: Bench) {
        let (node, alice) = (&bench.node, person(1));
        node.keys.upload_keys(&alice.upload(), |_| {}).await.unwrap();
        let asked = BTreeMap::from([
            (alice.id.clone(), vec![device_id!("OTHER").to_owned()]),
            (person(9).id, vec![]),
        ]);
        let snapshot = node.snapshot().await;
        let names = Default::default();
        let found = node.keys.query_keys(&snapshot, &alice.id, &asked, &names).await;
        assert!(found.unwrap().device_keys.is_empty());
    }

    /// Keys that name somebody else are refused before anything is stored.
    async fn keys_of_others_are_refused(bench: Bench) {
        let (node, alice, bob) = (&bench.node, person(1), person(2));
        let foreign_user = KeysUpload { device_keys: bob.upload().device_keys, ..alice.upload() };
        let refused = node.keys.upload_keys(&foreign_user, |_| {}).await;
        assert!(matches!(refused, Err(UploadError::NotYours("user_id"))));
        let foreign_device =
            KeysUpload { device_id: device_id!("OTHER").to_owned(), ..alice.upload() };
        let refused = node.keys.upload_keys(&foreign_device, |_| {}).await;
        assert!(matches!(refused, Err(UploadError::NotYours("device_id"))));
        assert_eq!(node.snapshot().await.head(), Pos::START);
    }

    /// Changes are told once each, to those who read between the right positions.
    async fn changes_are_told_by_position(bench: Bench) {
        let (node, alice, bob) = (&bench.node, person(1), person(2));
        node.keys.upload_keys(&alice.upload(), |_| {}).await.unwrap();
        let after_alice = node.snapshot().await.head();
        node.keys.upload_keys(&bob.upload(), |_| {}).await.unwrap();
        assert_eq!(changed(node, &bob, &[&alice, &bob], Pos::START).await, [0, 1]);
        assert_eq!(changed(node, &bob, &[&alice, &bob], after_alice).await, [1]);
        let head = node.snapshot().await.head();
        // The same keys again, and new one-time keys, are no news.
        node.keys.upload_keys(&alice.upload(), |_| {}).await.unwrap();
        node.keys.upload_keys(&prekeys(&alice, 0..2), |_| {}).await.unwrap();
        assert!(changed(node, &bob, &[&alice, &bob], head).await.is_empty());
    }

    /// A device that ends leaves nothing behind, and others learn of it.
    async fn a_dropped_device_is_gone(bench: Bench) {
        let (node, alice, bob) = (&bench.node, person(1), person(2));
        node.keys.upload_keys(&alice.upload(), |_| {}).await.unwrap();
        node.keys.upload_keys(&prekeys(&alice, 0..2), |_| {}).await.unwrap();
        node.keys.upload_keys(&bob.upload(), |_| {}).await.unwrap();
        let head = node.snapshot().await.head();
        let mut intent = Intent::new();
        node.keys.add_drop_device(&mut intent, &alice.id, &alice.device);
        node.log.commit(intent).await.unwrap();
        assert_eq!(changed(node, &bob, &[&alice, &bob], head).await, [0]);
        assert!(query(node, &bob.id, &[&alice]).await.device_keys.is_empty());
        assert!(claim(node, &alice).await.is_none());
        // A device without keys that ends is no news to anybody.
        let head = node.snapshot().await.head();
        let mut intent = Intent::new();
        node.keys.add_drop_device(&mut intent, &bob.id, device_id!("KEYLESS"));
        node.log.commit(intent).await.unwrap();
        assert!(changed(node, &bob, &[&alice, &bob], head).await.is_empty());
    }

    /// A user who ends leaves nothing behind.
    async fn a_dropped_user_is_gone(bench: Bench) {
        let (node, alice) = (&bench.node, person(1));
        node.keys.upload_keys(&alice.upload(), |_| {}).await.unwrap();
        node.keys.upload_keys(&prekeys(&alice, 0..2), |_| {}).await.unwrap();
        node.keys.upload_cross_signing_keys(&alice.cross_signing(), |_| {}).await.unwrap();
        let mut intent = Intent::new();
        node.keys.add_drop_user(&mut intent, &alice.id);
        node.log.commit(intent).await.unwrap();
        let found = query(node, &alice.id, &[&alice]).await;
        assert!(found.device_keys.is_empty() && found.master_keys.is_empty());
        assert!(claim(node, &alice).await.is_none());
    }
}
