//! Telling people something, on the command line.

use serde_json::json;
use testkit::server::{Engine, TestServer};

use crate::{printed, refusal, server, support::Client};

const PASSWORD: &str = "correct horse battery";

/// What somebody was told, oldest first.
async fn told(server: &TestServer, name: &str) -> Vec<String> {
    let client = Client::sign_in(server.address(), name, PASSWORD).await;
    let nothing = json!({});
    let synced = client.ask("GET", "/_matrix/client/v3/sync", &nothing);
    let synced = synced.await.unwrap();
    let rooms = &synced["rooms"];
    let invited = rooms["invite"].as_object().into_iter().flatten();
    let joined = rooms["join"].as_object().into_iter().flatten();
    let Some((room, _)) = invited.chain(joined).next() else {
        return Vec::new();
    };
    let join = format!("/_matrix/client/v3/rooms/{room}/join");
    client.ask("POST", &join, &json!({})).await.unwrap();
    let path = format!("/_matrix/client/v3/rooms/{room}/messages?dir=f");
    let messages = client.ask("GET", &path, &json!({})).await.unwrap();
    let messages = messages["chunk"].as_array().unwrap().iter();
    messages
        .filter_map(|event| event["content"]["body"].as_str().map(str::to_owned))
        .collect()
}

#[tokio::test]
async fn people_are_told_beside_a_running_server_and_without_one_and_never_twice() {
    let mut server = server(Engine::Sqlite).await;
    for name in ["alice", "bob", "carol"] {
        let made = server.command(&["user", "create", name], PASSWORD).await;
        printed(&made);
    }
    let send = ["notices", "send"];
    let to = [
        "--to",
        "alice",
        "--to",
        "@bob:localhost",
        "--id",
        "noon",
        "It is noon.",
    ];
    let sent = server.command(&[&send[..], &to[..]].concat(), "").await;
    assert_eq!(printed(&sent), "2 told, 0 told before, under the id noon\n");
    let all = [&send[..], &["--everyone", "--id", "noon", "It is noon."]].concat();
    let sent = server.command(&all, "").await;
    assert_eq!(printed(&sent), "1 told, 2 told before, under the id noon\n");
    let nobody = [&send[..], &["--to", "dave", "Hello?"]].concat();
    let nobody = refusal(&server.command(&nobody, "").await);
    assert!(nobody.contains("@dave:localhost was not told"), "{nobody}");
    let empty = [&send[..], &["--everyone", ""]].concat();
    let empty = refusal(&server.command(&empty, "").await);
    assert!(empty.contains("bytes of text"), "{empty}");

    server.stop().await;
    let sent = server.command(&all, "").await;
    assert_eq!(printed(&sent), "0 told, 3 told before, under the id noon\n");
    let unnamed = [&send[..], &["--to", "carol", "Good night."]].concat();
    let sent = printed(&server.command(&unnamed, "").await);
    let id = sent.trim_end().rsplit(' ').next().unwrap();
    let again = [&send[..], &["--to", "carol", "--id", id, "Good night."]].concat();
    let again = printed(&server.command(&again, "").await);
    assert!(again.starts_with("0 told, 1 told before"), "{again}");
    let listed = printed(&server.command(&["user", "list"], "").await);
    assert!(listed.contains("@notices:localhost server\n"), "{listed}");
    printed(&server.command(&["audit", "verify"], "").await);

    server.restart().await;
    for name in ["alice", "bob"] {
        assert_eq!(told(&server, name).await, ["It is noon."]);
    }
    assert_eq!(told(&server, "carol").await, ["It is noon.", "Good night."]);
}
