//! Commands beside a running server, and without one.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};

use testkit::{
    eventually,
    server::{Engine, TestServer},
    servers::{Smtp, SmtpEncryption, SmtpOptions},
};

use crate::{printed, program, refusal, server};

const PASSWORD: &str = "correct horse battery\n";

async fn users_come_and_go(server: &TestServer) {
    let create = ["user", "create", "--admin", "alice"];
    let made = server.command(&create, PASSWORD).await;
    assert_eq!(printed(&made), "@alice:localhost is there\n");
    let made = server.command(&["user", "create", "bob"], PASSWORD).await;
    assert_eq!(printed(&made), "@bob:localhost is there\n");
    let again = server.command(&["user", "create", "bob"], PASSWORD).await;
    assert_eq!(
        refusal(&again),
        "the account bob was not made: this user name is taken"
    );
    let weak = server
        .command(&["user", "create", "carol"], "short\n")
        .await;
    assert!(refusal(&weak).contains("at least 8 characters"));

    let reset = ["user", "reset-password", "@bob:localhost"];
    printed(&server.command(&reset, PASSWORD).await);
    printed(&server.command(&["user", "deactivate", "bob"], "").await);
    let nobody = ["user", "reset-password", "carol"];
    let nobody = refusal(&server.command(&nobody, PASSWORD).await);
    assert!(nobody.contains("@carol:localhost"), "{nobody}");
    let listed = printed(&server.command(&["user", "list"], "").await);
    assert_eq!(
        listed,
        "@alice:localhost administrator\n@bob:localhost deactivated\n"
    );
}

async fn the_record_is_verified(server: &TestServer) {
    let verified = printed(&server.command(&["audit", "verify"], "").await);
    let (count, checkpoint) = verified.trim_end().split_once(" audit records").unwrap();
    assert!(count.parse::<u32>().unwrap() >= 5, "{verified}");
    let checkpoint = checkpoint.lines().last().unwrap();
    let with = ["audit", "verify", "--checkpoint", checkpoint];
    printed(&server.command(&with, "").await);
    let later = format!("999:{}", "0".repeat(64));
    let with = ["audit", "verify", "--checkpoint", &later];
    let cut_off = refusal(&server.command(&with, "").await);
    assert!(cut_off.contains("audit record"), "{cut_off}");
}

async fn beside_and_without_a_server(engine: Engine) {
    let mut server = server(engine).await;
    users_come_and_go(&server).await;
    the_record_is_verified(&server).await;
    server.stop().await;
    let listed = printed(&server.command(&["user", "list"], "").await);
    assert!(listed.starts_with("@alice:localhost administrator\n"));
    the_record_is_verified(&server).await;
}

mod commands_work_beside_a_running_server_and_without_one {
    use super::*;

    #[tokio::test]
    async fn sqlite() {
        beside_and_without_a_server(Engine::Sqlite).await;
    }

    #[tokio::test]
    async fn postgres() {
        beside_and_without_a_server(Engine::Postgres).await;
    }
}

#[tokio::test]
async fn the_socket_is_its_owners_alone_and_goes_with_the_server() {
    let mut server = server(Engine::Sqlite).await;
    let path = server.data_dir().join("control.sock");
    let metadata = std::fs::metadata(&path).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    server.stop().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn the_socket_of_a_killed_server_is_in_nobodys_way() {
    let mut server = server(Engine::Sqlite).await;
    server.kill().await;
    assert!(server.data_dir().join("control.sock").exists());
    printed(&server.command(&["user", "list"], "").await);
    server.restart().await;
    printed(&server.command(&["user", "list"], "").await);
}

#[tokio::test]
async fn a_deep_data_directory_has_a_socket_too() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("d".repeat(120));
    let key = [("server.data_dir", deep.to_str().unwrap())];
    let server = TestServer::start_program(program(), Engine::Sqlite, &key).await;
    let made = server.command(&["user", "create", "alice"], PASSWORD).await;
    assert_eq!(printed(&made), "@alice:localhost is there\n");
}

#[tokio::test]
async fn an_invitation_ends_with_its_token() {
    let server = server(Engine::Sqlite).await;
    let invited = printed(&server.command(&["invite", "--name", "bob"], "").await);
    assert!(invited.contains(&server.url().replace("127.0.0.1", "localhost")));
    let token = invited.lines().last().unwrap();
    assert_eq!(token.len(), 20, "{invited}");
    let twice = server.command(&["invite", "--name", "Bob!"], "").await;
    assert!(refusal(&twice).starts_with("no invitation was made: "));
}

#[tokio::test]
async fn an_invitation_is_mailed_to_whom_it_is_for() {
    let smtp = Smtp::start(SmtpOptions {
        encryption: SmtpEncryption::None,
        certificate: None,
        user: None,
    });
    let smtp = smtp.unwrap();
    let port = smtp.port().to_string();
    let keys = [
        ("mail.host", "127.0.0.1"),
        ("mail.port", &port),
        ("mail.encryption", "none"),
        ("mail.from", "chat@example.org"),
    ];
    let mut mailing = TestServer::start_program(program(), Engine::Sqlite, &keys).await;
    let invite = ["invite", "--email", "Bob@example.org"];
    let first = printed(&mailing.command(&invite, "").await);
    // Also where nobody runs: it goes with the next start.
    mailing.stop().await;
    let second = printed(&mailing.command(&invite, "").await);
    mailing.restart().await;
    let mails = eventually("both invitations arrive", || async {
        let mails = smtp.mails();
        (mails.len() == 2).then_some(mails)
    })
    .await;
    for invited in [first, second] {
        let token = invited.lines().last().unwrap();
        assert!(mails.iter().any(|mail| mail.contains(token)), "{mails:?}");
    }
    assert!(mails[0].contains("RCPT TO: bob@example.org\r\n"));
    for (email, because) in [("nobody", "--email: "), ("", "--email: ")] {
        let invite = ["invite", "--email", email];
        let told = refusal(&mailing.command(&invite, "").await);
        assert!(told.starts_with(because), "{told}");
    }
    let silent = server(Engine::Sqlite).await;
    let told = refusal(&silent.command(&invite, "").await);
    assert!(told.contains("mail.host is not set"), "{told}");
}

#[tokio::test]
async fn a_password_is_needed_before_anything_is_opened() {
    let mut server = server(Engine::Sqlite).await;
    server.stop().await;
    let none = server.command(&["user", "create", "alice"], "").await;
    let sentence = "there is no password on standard input: write it as the first line";
    assert_eq!(refusal(&none), sentence);
}

#[tokio::test]
async fn wrong_usage_ends_with_two() {
    let server = server(Engine::Sqlite).await;
    let wrong: [&[&str]; 4] = [
        &["user", "create"],
        &["frobnicate"],
        &["invite", "--valid-for", "soon"],
        &["serve", "--no-such-option"],
    ];
    for arguments in wrong {
        let output = server.command(arguments, "").await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}

#[tokio::test]
async fn verifying_makes_no_database() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let output = tokio::process::Command::new(program())
        .args(["audit", "verify", "--data-dir"])
        .arg(&data_dir)
        .output()
        .await
        .unwrap();
    assert!(refusal(&output).starts_with("there is no database at sqlite://"));
    assert!(!data_dir.exists());
}
