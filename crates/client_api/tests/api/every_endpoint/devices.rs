//! One's devices.

use serde_json::{Value, json};

use super::walk::Walk;
use crate::server::{PASSWORD, User, password_of};

pub(super) async fn story(walk: &Walk) {
    let name = walk.name("dan");
    let dan = walk.join("dan").await;
    for device in ["LAPTOP", "TABLET"] {
        let body = json!({
            "type": "m.login.password", "user": name, "password": PASSWORD, "device_id": device,
        });
        walk.ok("", "POST", "login", body).await;
    }
    assert_eq!(devices(walk, &dan).await, ["LAPTOP", "PHONE", "TABLET"]);
    let body = json!({"display_name": "At work"});
    walk.put(&dan, "devices/LAPTOP", body).await;
    let laptop = walk.get(&dan, "devices/LAPTOP").await;
    assert_eq!(laptop["display_name"], "At work");

    let auth = password_of(&name);
    walk.delete(&dan, "devices/LAPTOP", json!({"auth": auth}))
        .await;
    assert_eq!(devices(walk, &dan).await, ["PHONE", "TABLET"]);
    let body = json!({"devices": ["TABLET"], "auth": auth});
    walk.post(&dan, "delete_devices", body).await;
    assert_eq!(devices(walk, &dan).await, ["PHONE"]);
}

async fn devices(walk: &Walk, user: &User) -> Vec<String> {
    let list = walk.get(user, "devices").await;
    let id = |device: &Value| device["device_id"].as_str().unwrap().to_owned();
    let mut ids: Vec<String> = list["devices"].as_array().unwrap().iter().map(id).collect();
    ids.sort();
    ids
}
