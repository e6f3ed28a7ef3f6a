//! Devices of a service's users: made without signing in, spoken for, and removed.

use serde_json::{Value, json};

use super::{AS_TOKEN, acting, bridged};
use crate::{
    server::{Node, Server, on_both_engines},
    stage::count,
};

on_both_engines! {
    a_service_makes_devices_without_signing_in,
    a_service_speaks_for_a_device,
    a_service_removes_devices_without_further_proof,
    a_service_replaces_cross_signing_keys_without_further_proof,
    what_needs_a_device_says_so,
}

impl Node {
    /// Makes a device of one of the bridge's users.
    pub(crate) async fn ghost_device(&self, user_id: &str, device_id: &str) {
        let path = acting(&format!("devices/{device_id}"), user_id);
        let body = json!({ "display_name": "Bridge" }).to_string();
        let (status, answer) = self.ask(AS_TOKEN, "PUT", &path, body).await;
        assert_eq!(status, 201, "{answer}");
    }
}

async fn a_service_makes_devices_without_signing_in(server: Server) {
    let server = bridged(server);
    let node = server.node().await;
    let ghost = node.ghost(&format!("irc_ada{}", count())).await;
    node.ghost_device(&ghost, "BRIDGE").await;
    let device = node.as_ghost(&ghost, "GET", "devices/BRIDGE", Value::Null);
    assert_eq!(device.await["display_name"], "Bridge");
    // Again it is named, or nothing happens.
    let body = json!({ "display_name": "IRC" });
    node.as_ghost(&ghost, "PUT", "devices/BRIDGE", body).await;
    node.as_ghost(&ghost, "PUT", "devices/BRIDGE", json!({}))
        .await;
    let listed = node.as_ghost(&ghost, "GET", "devices", Value::Null).await;
    let listed = listed["devices"].as_array().unwrap();
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!(listed[0]["display_name"], "IRC");
    // People sign in.
    let ben = node.someone("ben").await;
    let path = "/_matrix/client/v3/devices/TABLET";
    let refused = node.refused(&ben.token, "PUT", path, "{}").await;
    assert_eq!(refused, (404, "M_NOT_FOUND".to_owned()));
}

async fn a_service_speaks_for_a_device(server: Server) {
    let server = bridged(server);
    let node = server.node().await;
    let ghost = node.ghost(&format!("irc_ada{}", count())).await;
    node.ghost_device(&ghost, "BRIDGE").await;
    for parameter in ["device_id", "org.matrix.msc3202.device_id"] {
        let path = |device: &str| format!("account/whoami?{parameter}={device}");
        let own = path("BRIDGE");
        let told = node.as_ghost(&ghost, "GET", &own, Value::Null).await;
        assert_eq!(told["device_id"], "BRIDGE");
        let other = acting(&path("OTHER"), &ghost);
        let refused = node.refused(AS_TOKEN, "GET", &other, "").await;
        assert_eq!(refused, (400, "M_UNKNOWN_DEVICE".to_owned()));
    }
    let upload = json!({
        "device_keys": {
            "user_id": ghost, "device_id": "BRIDGE", "algorithms": ["m.olm.v1"],
            "keys": { "ed25519:BRIDGE": "abc" }, "signatures": {},
        },
    });
    node.as_ghost(&ghost, "POST", "keys/upload?device_id=BRIDGE", upload)
        .await;
    let ben = node.someone("ben").await;
    let query = json!({ "device_keys": { &ghost: [] } });
    let keys = node.call(&ben, "POST", "keys/query", query).await;
    let keys = &keys["device_keys"][&ghost]["BRIDGE"]["keys"];
    assert_eq!(keys["ed25519:BRIDGE"], "abc");
}

async fn a_service_removes_devices_without_further_proof(server: Server) {
    let server = bridged(server);
    let node = server.node().await;
    let ghost = node.ghost(&format!("irc_ada{}", count())).await;
    for device in ["A", "B", "C"] {
        node.ghost_device(&ghost, device).await;
    }
    node.as_ghost(&ghost, "DELETE", "devices/A", json!({}))
        .await;
    let body = json!({ "devices": ["B", "C"] });
    node.as_ghost(&ghost, "POST", "delete_devices", body).await;
    let listed = node.as_ghost(&ghost, "GET", "devices", Value::Null).await;
    assert_eq!(listed, json!({ "devices": [] }));
}

async fn a_service_replaces_cross_signing_keys_without_further_proof(server: Server) {
    let server = bridged(server);
    let node = server.node().await;
    let ghost = node.ghost(&format!("irc_ada{}", count())).await;
    node.ghost_device(&ghost, "BRIDGE").await;
    let keys = ["A", "B"].map(|letter| letter.repeat(43));
    for key in &keys {
        let body = json!({
            "master_key": {
                "user_id": ghost, "usage": ["master"], "keys": { format!("ed25519:{key}"): key },
            },
        });
        let path = "keys/device_signing/upload?device_id=BRIDGE";
        node.as_ghost(&ghost, "POST", path, body).await;
    }
    let query = json!({ "device_keys": { &ghost: [] } });
    let told = node.as_ghost(&ghost, "POST", "keys/query", query).await;
    let expected = json!({ format!("ed25519:{}", keys[1]): keys[1] });
    assert_eq!(told["master_keys"][&ghost]["keys"], expected);
}

async fn what_needs_a_device_says_so(server: Server) {
    let server = bridged(server);
    let node = server.node().await;
    let ghost = node.ghost(&format!("irc_ada{}", count())).await;
    for (method, rest) in [("GET", "sync"), ("POST", "keys/upload"), ("POST", "logout")] {
        let path = acting(rest, &ghost);
        let body = if method == "POST" { "{}" } else { "" };
        let refused = node.refused(AS_TOKEN, method, &path, body).await;
        assert_eq!(refused, (403, "M_FORBIDDEN".to_owned()), "{rest}");
    }
    // With one, it is as for everybody.
    node.ghost_device(&ghost, "BRIDGE").await;
    node.as_ghost(&ghost, "GET", "sync?device_id=BRIDGE", Value::Null)
        .await;
}
