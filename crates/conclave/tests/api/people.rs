//! The first people of a server: the one-time link, and registration.

use std::net::SocketAddr;

use conclave::{Node, Surroundings};
use serde_json::{Value, json};

use crate::http::{configuration, get, get_as, node, post};

/// Registers where anybody may, and gives the access token.
pub(crate) async fn register(address: SocketAddr, name: &str) -> String {
    const PATH: &str = "/_matrix/client/v3/register";
    let ask = async |body: Value| {
        let answer = post(address, PATH, "application/json", &body.to_string()).await;
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        (answer.status, body)
    };
    let mut body = json!({ "username": name, "password": "correct horse" });
    let (status, challenge) = ask(body.clone()).await;
    assert_eq!(status, 401, "{challenge}");
    body["auth"] = json!({ "type": "m.login.dummy", "session": challenge["session"] });
    let (status, registered) = ask(body).await;
    assert_eq!(status, 200, "{registered}");
    registered["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_one_time_link_makes_the_first_administrator_once() {
    let folder = tempfile::tempdir().unwrap();
    let node = node(folder.path()).await;
    let address = node.addresses()[0];
    let link = node.setup_link().unwrap();
    let (_, path) = link.split_once("/_conclave").unwrap();
    let page = get(address, &format!("/_conclave{path}")).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("<form"), "{}", page.body);

    let (_, token) = path.split_once("token=").unwrap();
    let form =
        format!("token={token}&username=alice&password=correct+horse&repeated=correct+horse");
    let kind = "application/x-www-form-urlencoded";
    let made = post(address, "/_conclave/setup", kind, &form).await;
    assert_eq!(made.status, 200, "{}", made.body);
    let again = post(
        address,
        "/_conclave/setup",
        kind,
        &form.replace("alice", "mallory"),
    )
    .await;
    assert_ne!(again.status, 200);
    node.stop().await;

    let node = crate::http::node(folder.path()).await;
    assert_eq!(node.setup_link(), None);
    node.stop().await;
}

#[tokio::test]
async fn who_registers_is_known_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let loaded = configuration(folder.path(), "[registration]\nmode = \"open\"\n");
    let start = async || {
        let surroundings = Surroundings::of_this_machine();
        Node::start(&loaded, surroundings).await.unwrap()
    };
    let node = start().await;
    let token = register(node.addresses()[0], "alice").await;
    node.stop().await;
    let node = start().await;
    let path = "/_matrix/client/v3/account/whoami";
    let known = get_as(node.addresses()[0], &token, path).await;
    assert_eq!(known.status, 200);
    assert!(known.body.contains("@alice:localhost"), "{}", known.body);
    node.stop().await;
}
