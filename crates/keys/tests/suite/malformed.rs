//! Whatever is sent, nothing panics and nothing half-done stays.

use std::collections::BTreeMap;

use keys::{CrossSigningUpload, KeysUpload};
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use ruma::{
    OwnedOneTimeKeyId, OwnedRoomId, api::client::keys::upload_signatures::v3::SignedKeys,
    serde::Raw,
};
use serde_json::{Value, json, value::RawValue};

use crate::{bench::Bench, people::person};

/// JSON that often looks almost right.
fn some_json() -> impl Strategy<Value = Value> {
    let names = prop_oneof![
        Just("user_id".to_owned()),
        Just("device_id".to_owned()),
        Just("keys".to_owned()),
        Just("usage".to_owned()),
        Just("signatures".to_owned()),
        Just("algorithms".to_owned()),
        Just("key".to_owned()),
        Just("session_data".to_owned()),
        Just("first_message_index".to_owned()),
        Just("auth_data".to_owned()),
        Just("algorithm".to_owned()),
        Just("@person1:example.org".to_owned()),
        any::<String>(),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        names.clone().prop_map(Value::from),
        Just(json!("DEVICE1")),
        Just(json!(["master"])),
    ];
    leaf.prop_recursive(4, 24, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(names.clone(), inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// The right object with some of its fields replaced.
fn almost(right: Value) -> impl Strategy<Value = Value> {
    let fields: Vec<String> = right.as_object().unwrap().keys().cloned().collect();
    (proptest::sample::select(fields), some_json()).prop_map(move |(field, json)| {
        let mut wrong = right.clone();
        wrong[field] = json;
        wrong
    })
}

fn raw<T>(json: &Value) -> Raw<T> {
    Raw::from_json(RawValue::from_string(json.to_string()).unwrap())
}

proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(48))]

    #[test]
    fn uploads_of_anything_never_panic(
        device in prop_oneof![some_json(), almost(person(1).device_keys())],
        master in prop_oneof![some_json(), almost(person(1).master_key())],
        any_json in some_json(),
        id in ".{0,12}",
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let bench = Bench::sqlite().await;
            let (keys, alice) = (&bench.node.keys, person(1));
            let mut upload = KeysUpload { device_keys: Some(raw(&device)), ..alice.upload() };
            let _ = keys.upload_keys(&upload, |_| {}).await;
            upload.device_keys = None;
            if let Ok(id) = OwnedOneTimeKeyId::try_from(format!("signed_curve25519:{id}")) {
                upload.one_time_keys = BTreeMap::from([(id.clone(), raw(&any_json))]);
                upload.fallback_keys = BTreeMap::from([(id, raw(&master))]);
            }
            let _ = keys.upload_keys(&upload, |_| {}).await;
            let cross_signing = CrossSigningUpload {
                master_key: Some(raw(&master)),
                self_signing_key: Some(raw(&any_json)),
                ..alice.cross_signing()
            };
            let _ = keys.upload_cross_signing_keys(&cross_signing, |_| {}).await;
            let signed: SignedKeys =
                serde_json::from_value(json!({ "DEVICE1": any_json, id.clone(): master })).unwrap();
            let signed = BTreeMap::from([(alice.id.clone(), signed)]);
            let _ = keys.upload_signatures(&alice.id, &signed).await;
            let _ = keys.create_backup(&alice.id, &raw(&any_json), |_| {}).await;
            let room = OwnedRoomId::try_from("!room:example.org").unwrap();
            let sessions = BTreeMap::from([(id.clone(), raw(&any_json))]);
            let _ = keys.put_room_keys(&alice.id, "1", &BTreeMap::from([(room, sessions)])).await;
            // The node still works.
            keys.upload_keys(&person(2).upload(), |_| {}).await.unwrap();
        });
    }
}
