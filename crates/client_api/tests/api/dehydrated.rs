//! Devices that nobody is signed in on, and that messages find all the same.

use serde_json::{Value, json};

use crate::{
    server::{Node, Server, User, on_both_engines, password_of},
    stage::{encoded, is_silent},
};

on_both_engines! {
    shared_postgres;
    it_has_keys_like_any_device_and_is_no_session,
    others_learn_of_it_and_of_its_end,
    its_keys_are_claimed_once,
    what_comes_for_it_is_given_out_page_by_page_and_kept,
    a_new_one_takes_the_place_of_the_old,
    keeping_the_same_again_loses_nothing,
    it_cannot_take_the_place_of_who_is_signed_in,
    it_is_of_its_owner_alone,
    it_goes_with_its_owner,
    of_two_at_once_one_is_left,
    it_is_advertised,
}

const PATH: &str = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device";

/// A device as a client leaves it.
fn device(user: &User, id: &str, data: &str) -> Value {
    json!({
        "device_id": id,
        "initial_device_display_name": "Asleep",
        "device_data": { "algorithm": "org.matrix.msc3814.v2", "device_pickle": data, "nonce": "n" },
        "device_keys": {
            "user_id": user.user_id,
            "device_id": id,
            "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
            "keys": { format!("ed25519:{id}"): "a", format!("curve25519:{id}"): "b" },
            "signatures": { &user.user_id: { format!("ed25519:{id}"): "c" } },
            "dehydrated": true,
        },
        "one_time_keys": { "signed_curve25519:AAAAAQ": { "key": "once", "signatures": {} } },
        "fallback_keys": {
            "signed_curve25519:AAAAAg": { "key": "last", "fallback": true, "signatures": {} },
        },
    })
}

impl Node {
    async fn dehydrate(&self, user: &User, id: &str, data: &str) {
        let body = device(user, id, data);
        let kept = self.ok(&user.token, "PUT", PATH, body).await;
        assert_eq!(kept, json!({ "device_id": id }));
    }

    /// The devices of somebody that have keys.
    async fn keyed(&self, asker: &User, user: &User) -> Value {
        let query = json!({ "device_keys": { &user.user_id: [] } });
        let found = self.call(asker, "POST", "keys/query", query).await;
        found["device_keys"][&user.user_id].clone()
    }

    async fn claim(&self, asker: &User, user: &User, id: &str) -> Value {
        let wanted = json!({ &user.user_id: { id: "signed_curve25519" } });
        let body = json!({ "one_time_keys": wanted });
        let claimed = self.call(asker, "POST", "keys/claim", body).await;
        claimed["one_time_keys"][&user.user_id][id].clone()
    }

    async fn page(&self, user: &User, id: &str, next_batch: Option<&Value>) -> Value {
        let path = format!("{PATH}/{id}/events");
        let body = next_batch.map_or(json!({}), |token| json!({ "next_batch": token }));
        self.ok(&user.token, "POST", &path, body).await
    }

    /// All that has come for a device, as clients ask for it: until a page is empty.
    async fn waiting(&self, user: &User, id: &str) -> Vec<u64> {
        let mut all = Vec::new();
        let mut page = self.page(user, id, None).await;
        while let Some(token) = page.get("next_batch").cloned() {
            let events = page["events"].as_array().unwrap();
            all.extend(
                events
                    .iter()
                    .map(|event| event["content"]["n"].as_u64().unwrap()),
            );
            page = self.page(user, id, Some(&token)).await;
        }
        assert_eq!(page["events"], json!([]));
        all
    }

    async fn has_none(&self, user: &User) {
        let (status, errcode) = self.refused(&user.token, "GET", PATH, "").await;
        assert_eq!((status, errcode.as_str()), (404, "M_NOT_FOUND"));
    }
}

async fn it_has_keys_like_any_device_and_is_no_session(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    node.has_none(&alice).await;
    node.dehydrate(&alice, "ASLEEP", "pickle").await;
    let kept = node.ok(&alice.token, "GET", PATH, Value::Null).await;
    assert_eq!(kept["device_id"], "ASLEEP");
    assert_eq!(
        kept["device_data"],
        device(&alice, "ASLEEP", "pickle")["device_data"]
    );
    let keyed = node.keyed(&bob, &alice).await;
    assert_eq!(keyed["ASLEEP"]["dehydrated"], true);
    assert_eq!(keyed["ASLEEP"]["keys"]["ed25519:ASLEEP"], "a");
    assert_eq!(keyed["ASLEEP"]["unsigned"]["device_display_name"], "Asleep");
    let devices = node.get(&alice, "devices").await;
    let devices = devices["devices"].as_array().unwrap();
    assert_eq!(devices.len(), 1);
    assert_eq!(devices[0]["device_id"], "PHONE");
    // It outlives every session, which is what it is for.
    node.call(&alice, "POST", "logout/all", json!({})).await;
    assert!(node.keyed(&bob, &alice).await.get("ASLEEP").is_some());
}

async fn others_learn_of_it_and_of_its_end(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    let room = node.public(&alice).await;
    node.go(&bob, "join", &room).await;
    let mut client = node.client(&bob).ready().await;
    node.dehydrate(&alice, "ASLEEP", "pickle").await;
    let news = client.next().await;
    assert_eq!(news["device_lists"]["changed"], json!([alice.user_id]));
    assert!(is_silent(&client.next().await));
    let removed = node.ok(&alice.token, "DELETE", PATH, json!({})).await;
    assert_eq!(removed, json!({ "device_id": "ASLEEP" }));
    let news = client.next().await;
    assert_eq!(news["device_lists"]["changed"], json!([alice.user_id]));
    assert_eq!(node.keyed(&bob, &alice).await, Value::Null);
    assert_eq!(node.claim(&bob, &alice, "ASLEEP").await, Value::Null);
    node.has_none(&alice).await;
    let refused = node.refused(&alice.token, "DELETE", PATH, "").await;
    assert_eq!(refused, (404, "M_NOT_FOUND".to_owned()));
}

async fn its_keys_are_claimed_once(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    node.dehydrate(&alice, "ASLEEP", "pickle").await;
    let first = node.claim(&bob, &alice, "ASLEEP").await;
    assert_eq!(first["signed_curve25519:AAAAAQ"]["key"], "once");
    for _ in 0..2 {
        let last = node.claim(&bob, &alice, "ASLEEP").await;
        assert_eq!(last["signed_curve25519:AAAAAg"]["key"], "last");
    }
}

async fn what_comes_for_it_is_given_out_page_by_page_and_kept(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    node.dehydrate(&alice, "ASLEEP", "pickle").await;
    assert_eq!(node.waiting(&alice, "ASLEEP").await, [0; 0]);
    for n in 0..210 {
        // By name, and as one of all of hers.
        let to = if n % 2 == 0 { "ASLEEP" } else { "*" };
        node.to_device(&bob, &alice, to, json!({ "n": n })).await;
    }
    let all: Vec<u64> = (0..210).collect();
    assert_eq!(node.waiting(&alice, "ASLEEP").await, all);
    // Who was cut off begins again.
    assert_eq!(node.waiting(&alice, "ASLEEP").await, all);
    let first = node.page(&alice, "ASLEEP", None).await;
    assert_eq!(first["events"].as_array().unwrap().len(), 100);
    assert_eq!(first["events"][0]["sender"], bob.user_id);
}

async fn a_new_one_takes_the_place_of_the_old(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    node.dehydrate(&alice, "FIRST", "pickle").await;
    node.to_device(&bob, &alice, "FIRST", json!({ "n": 1 }))
        .await;
    node.dehydrate(&alice, "SECOND", "pickle").await;
    let keyed = node.keyed(&bob, &alice).await;
    assert!(keyed.get("FIRST").is_none());
    assert!(keyed.get("SECOND").is_some());
    assert_eq!(node.claim(&bob, &alice, "FIRST").await, Value::Null);
    let path = format!("{PATH}/FIRST/events");
    let refused = node.refused(&alice.token, "POST", &path, "{}").await;
    assert_eq!(refused, (404, "M_NOT_FOUND".to_owned()));
    assert_eq!(node.waiting(&alice, "SECOND").await, [0; 0]);
    // Under the same id too, what belonged to the one before is gone.
    node.claim(&bob, &alice, "SECOND").await;
    node.to_device(&bob, &alice, "SECOND", json!({ "n": 2 }))
        .await;
    node.dehydrate(&alice, "SECOND", "another pickle").await;
    assert_eq!(node.waiting(&alice, "SECOND").await, [0; 0]);
    let claimed = node.claim(&bob, &alice, "SECOND").await;
    assert_eq!(claimed["signed_curve25519:AAAAAQ"]["key"], "once");
}

async fn keeping_the_same_again_loses_nothing(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    node.dehydrate(&alice, "ASLEEP", "pickle").await;
    node.to_device(&bob, &alice, "ASLEEP", json!({ "n": 1 }))
        .await;
    node.dehydrate(&alice, "ASLEEP", "pickle").await;
    assert_eq!(node.waiting(&alice, "ASLEEP").await, [1]);
}

async fn it_cannot_take_the_place_of_who_is_signed_in(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let body = device(&alice, "PHONE", "pickle").to_string();
    let refused = node.refused(&alice.token, "PUT", PATH, &body).await;
    assert_eq!(refused, (400, "M_INVALID_PARAM".to_owned()));
    node.has_none(&alice).await;
    // Who signs in under its id keeps their keys when it goes.
    node.dehydrate(&alice, "ASLEEP", "pickle").await;
    let awake = node.on_device(&alice, "ASLEEP").await;
    let keys = json!({ "device_keys": device(&alice, "ASLEEP", "")["device_keys"] });
    node.call(&awake, "POST", "keys/upload", keys).await;
    node.ok(&alice.token, "DELETE", PATH, json!({})).await;
    assert!(node.keyed(&alice, &alice).await.get("ASLEEP").is_some());
}

async fn it_is_of_its_owner_alone(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    node.dehydrate(&alice, "ASLEEP", "pickle").await;
    node.has_none(&bob).await;
    let path = format!("{PATH}/ASLEEP/events");
    let refused = node.refused(&bob.token, "POST", &path, "{}").await;
    assert_eq!(refused, (404, "M_NOT_FOUND".to_owned()));
    let body = device(&alice, "ASLEEP", "pickle").to_string();
    let refused = node.refused(&bob.token, "PUT", PATH, &body).await;
    assert_eq!(refused, (400, "M_INVALID_PARAM".to_owned()));
}

async fn it_goes_with_its_owner(server: Server) {
    let node = server.node().await;
    let (alice, bob) = (node.someone("alice").await, node.someone("bob").await);
    node.dehydrate(&alice, "ASLEEP", "pickle").await;
    let body = json!({ "auth": password_of(alice.localpart()) });
    node.call(&alice, "POST", "account/deactivate", body).await;
    assert_eq!(node.keyed(&bob, &alice).await, Value::Null);
    assert_eq!(node.claim(&bob, &alice, "ASLEEP").await, Value::Null);
    let id = <&ruma::UserId>::try_from(alice.user_id.as_str()).unwrap();
    let account = node.parts.accounts.account(id).await.unwrap().unwrap();
    let left = node.parts.keys.dehydrated_device(account.user).await;
    assert!(left.unwrap().is_none());
}

async fn of_two_at_once_one_is_left(server: Server) {
    let node = server.node().await;
    let alice = node.someone("alice").await;
    for round in 0..5 {
        let ids = [format!("ONE{round}"), format!("TWO{round}")];
        let keep = ids
            .each_ref()
            .map(|id| node.dehydrate(&alice, id, "pickle"));
        futures_util::future::join_all(keep).await;
        let kept = node.ok(&alice.token, "GET", PATH, Value::Null).await;
        let keyed = node.keyed(&alice, &alice).await;
        let keyed: Vec<&String> = keyed.as_object().unwrap().keys().collect();
        assert_eq!(keyed, [kept["device_id"].as_str().unwrap()]);
    }
}

async fn it_is_advertised(server: Server) {
    let node = server.node().await;
    let versions = node.ok("", "GET", "/_matrix/client/versions", Value::Null);
    let features = versions.await["unstable_features"].clone();
    assert_eq!(features["org.matrix.msc3814"], true);
    assert_eq!(features["org.matrix.msc3814.v1"], true);
    let path = format!("{PATH}/{}/events", encoded("a device"));
    let alice = node.someone("alice").await;
    let refused = node.refused(&alice.token, "POST", &path, "{}").await;
    assert_eq!(refused, (404, "M_NOT_FOUND".to_owned()));
}
