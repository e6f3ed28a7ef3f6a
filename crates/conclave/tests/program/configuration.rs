//! `conclave config check`, and what an operator is told at the start.

use std::process::Output;

use testkit::{
    eventually,
    server::{Engine, TestServer},
};
use tokio::process::Command;

use crate::{printed, program, refusal};

async fn check(text: &str, environment: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("c.toml"), text).unwrap();
    let output = Command::new(program())
        .args([
            "config", "check", "--config", "c.toml", "--listen", "[::1]:9",
        ])
        .envs(environment.iter().copied())
        .current_dir(folder.path())
        .output()
        .await
        .unwrap();
    let entries = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(entries, 1, "checking makes nothing");
    output
}

#[tokio::test]
async fn every_key_is_shown_with_its_value_and_origin() {
    let environment = [("CONCLAVE__SEAL__KEY", "c2VjcmV0")];
    let shown = printed(&check("[server]\nname = \"example.org\"\n", &environment).await);
    for line in [
        "server.name = \"example.org\"  # c.toml:2:8",
        "server.listen = [\"[::1]:9\"]  # command line --listen",
        "seal.key = \"********\"  # environment variable CONCLAVE__SEAL__KEY",
        "registration.mode = \"closed\"  # default",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
    }
}

#[tokio::test]
async fn every_problem_is_told_with_its_place() {
    let text = "[server]\nnaem = \"x\"\n[registration]\nmode = \"opne\"\n";
    let output = check(text, &[]).await;
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("c.toml:2:1: "), "{told}");
    assert!(told.contains("c.toml:4:8: "), "{told}");
    assert!(told.contains("\"closed\", \"token\", \"open\""), "{told}");
}

#[tokio::test]
async fn a_configuration_file_that_is_not_there_is_named() {
    let output = Command::new(program())
        .args(["serve", "--config", "nowhere.toml"])
        .output()
        .await
        .unwrap();
    assert!(refusal(&output).starts_with("nowhere.toml:1:1: "));
}

/// What a server has said by the time it has greeted so many times: it may be ready before.
async fn told(server: &TestServer, greetings: usize) -> String {
    eventually("the server greets", || async {
        let told = server.output();
        // The log says so after the greeting has been written.
        let greeted = told.matches("the server has greeted").count() == greetings;
        greeted.then_some(told)
    })
    .await
}

#[tokio::test]
async fn the_first_start_tells_the_link_and_the_name_until_somebody_administers() {
    let level = [("log.level", "debug")];
    let mut server = TestServer::start_program(program(), Engine::Sqlite, &level).await;
    let first = told(&server, 1).await;
    assert!(
        first.contains("This server's name is localhost."),
        "{first}"
    );
    assert!(first.contains("can never change"), "{first}");
    let link = format!("{}/_conclave/setup?token=", server.url());
    let link = link.replace("127.0.0.1", "localhost");
    assert!(first.contains(&link), "{first}");

    let create = ["user", "create", "--admin", "alice"];
    printed(&server.command(&create, "correct horse\n").await);
    server.restart().await;
    let both = told(&server, 2).await;
    assert_eq!(both.matches("Listening on ").count(), 2);
    assert_eq!(both.matches("setup?token=").count(), 1);
}

#[tokio::test]
async fn a_changed_configuration_is_in_the_audit_record_once() {
    let records = async |server: &TestServer| {
        let verified = printed(&server.command(&["audit", "verify"], "").await);
        let count = verified.split(' ').next().unwrap();
        count.parse::<u32>().unwrap()
    };
    let mut server = TestServer::start_program(program(), Engine::Sqlite, &[]).await;
    let first = records(&server).await;
    server.restart().await;
    assert_eq!(records(&server).await, first);
    server.set("registration.mode", "open");
    server.restart().await;
    assert_eq!(records(&server).await, first + 1);
    server.restart().await;
    assert_eq!(records(&server).await, first + 1);
}

#[tokio::test]
async fn an_unreachable_database_is_named_without_its_password() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(program())
        .arg("serve")
        .env(
            "CONCLAVE__DATABASE__URL",
            "postgres://me:s3cret@127.0.0.1:1/chat",
        )
        .env("CONCLAVE__SERVER__LISTEN", "127.0.0.1:0")
        .current_dir(folder.path())
        .output()
        .await
        .unwrap();
    let sentence = refusal(&output);
    let start = "the database at postgres://me:********@127.0.0.1:1/chat cannot be used (";
    assert!(sentence.starts_with(start), "{sentence}");
    assert!(
        sentence.ends_with("and that database.url is right"),
        "{sentence}"
    );
    assert!(!String::from_utf8_lossy(&output.stderr).contains("s3cret"));
}

/// What no server could start with is found before one is started.
#[tokio::test]
async fn a_database_that_could_not_be_spoken_to_safely_is_refused() {
    let url = |options: &str| {
        format!("[database]\nurl = \"postgres://me:s3cret@db.example/chat?{options}\"\n")
    };
    let told = async |options: &str| {
        let output = check(&url(options), &[]).await;
        assert_eq!(output.status.code(), Some(1), "{options}");
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(!told.contains("s3cret"), "{told}");
        told
    };
    let weak = told("sslmode=require").await;
    assert!(weak.contains("database.url says sslmode=require"), "{weak}");
    let absent = told("sslmode=verify-full&sslrootcert=/nowhere/ca.pem").await;
    assert!(absent.contains("/nowhere/ca.pem"), "{absent}");
    let shown = printed(&check(&url("sslmode=disable"), &[]).await);
    assert!(shown.contains("database.url"), "{shown}");
}

/// On a full disk a file takes no more, and the failure must not become another one.
#[tokio::test]
async fn a_failure_that_cannot_be_told_is_still_a_failure() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let status = Command::new(program())
        .args(["config", "check", "--config", "there-is-no-such-file.toml"])
        .stdout(std::process::Stdio::null())
        .stderr(full.unwrap())
        .status()
        .await
        .unwrap();
    assert_eq!(status.code(), Some(1));
}

#[tokio::test]
async fn what_is_wrong_with_a_registration_file_is_told_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bridge.yaml");
    let config = format!("[appservices]\nregistrations = \"{}\"\n", file.display());
    let registration = "id: irc\nurl: null\nas_token: a-secret\nhs_token: ''\n\
                        sender_localpart: ircbot\nnamespaces: {}\n";
    std::fs::write(&file, registration).unwrap();
    let output = check(&config, &[]).await;
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("bridge.yaml:4: hs_token is empty"), "{told}");
    assert!(!told.contains("a-secret"), "{told}");
    std::fs::write(&file, registration.replace("''", "another-secret")).unwrap();
    let shown = printed(&check(&config, &[]).await);
    assert!(shown.contains("appservices.registrations = ["), "{shown}");
    let notices = format!("{config}[notices]\nlocalpart = \"ircbot\"\n");
    let output = check(&notices, &[]).await;
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("notices.localpart"), "{told}");
}
