//! What people reported, on the command line.

use serde_json::json;
use testkit::server::Engine;

use crate::{printed, server, support::Client};

const PASSWORD: &str = "correct horse battery";

#[tokio::test]
async fn reports_are_listed_beside_a_running_server_and_without_one() {
    let mut server = server(Engine::Sqlite).await;
    let list = ["report", "list"];
    assert_eq!(printed(&server.command(&list, "").await), "");
    for name in ["alice", "bob"] {
        let made = server.command(&["user", "create", name], PASSWORD).await;
        printed(&made);
    }
    let alice = Client::sign_in(server.address(), "alice", PASSWORD).await;
    // More than one answer of the server holds; and a reason that would clear the screen.
    for number in 0..40 {
        let reason = json!({ "reason": format!("{number}: loud\u{1b}[2J\nand rude") });
        let path = "/_matrix/client/v3/users/@bob:localhost/report";
        alice.ask("POST", path, &reason).await.unwrap();
    }
    let listed = printed(&server.command(&list, "").await);
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines.len(), 40);
    for (number, line) in lines.iter().enumerate() {
        let (_, told) = line.split_once(' ').unwrap();
        let reason = format!("{number}: loud\\u{{1b}}[2J\\nand rude");
        let expected = format!("@alice:localhost reports user @bob:localhost: {reason}");
        assert_eq!(told, expected);
    }
    server.stop().await;
    assert_eq!(printed(&server.command(&list, "").await), listed);
}
