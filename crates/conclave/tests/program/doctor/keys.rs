//! What stands on this machine: configuration, data directory, embedded database, master key.

use std::{fs, os::unix::fs::PermissionsExt};

use testkit::server::{Engine, TestServer};
use tokio::process::Command;

use super::{Report, examine, examine_with, use_it};
use crate::{program, server};

const ANOTHER_KEY: &str = "conclave-master-key-1:QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\n";

/// A stopped server that somebody has used.
async fn used() -> TestServer {
    let mut server = server(Engine::Sqlite).await;
    use_it(&server).await;
    server.stop().await;
    server
}

fn run_sql(server: &TestServer, sql: &str) {
    let database = rusqlite::Connection::open(server.data_dir().join("conclave.db")).unwrap();
    database.execute_batch(sql).unwrap();
}

#[tokio::test]
async fn another_master_key_is_named() {
    let server = used().await;
    fs::write(server.data_dir().join("master.key"), ANOTHER_KEY).unwrap();
    let report = examine(&server).await;
    let part = "master.key is not the master key that this database was sealed with";
    report
        .is_wrong(1)
        .says("wrong    master key: ", part)
        .hides("QUFB");
    assert_eq!(report.stderr, "conclave: 1 thing is wrong\n");
}

#[tokio::test]
async fn a_missing_master_key_is_named_and_none_is_made() {
    let server = used().await;
    fs::remove_file(server.data_dir().join("master.key")).unwrap();
    let report = examine(&server).await;
    report
        .is_wrong(1)
        .says("wrong    master key: ", "backup of keys");
}

#[tokio::test]
async fn what_others_may_read_is_told() {
    let server = used().await;
    let chmod = |name: &str, mode| {
        let path = server.data_dir().join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    chmod("", 0o755);
    chmod("conclave.db", 0o640);
    chmod("master.key", 0o644);
    let report = examine(&server).await;
    report
        .is_wrong(1)
        .says("wrong    master key: ", "run chmod 600 on it")
        .says(
            "warning  data directory: others may look into ",
            "chmod 700",
        )
        .says("warning  database file: others may read ", "(mode 640)");
}

#[tokio::test]
async fn a_database_of_another_server_or_of_a_newer_program_is_named() {
    let mut server = used().await;
    server.set("server.name", "example.org");
    let report = examine(&server).await;
    report
        .is_wrong(1)
        .says("wrong    deployment: ", "can never change");
    server.set("server.name", "localhost");
    run_sql(
        &server,
        "INSERT INTO schema_migrations (owner, number, name) VALUES ('rooms', 999, 'x')",
    );
    let report = examine(&server).await;
    report
        .is_wrong(1)
        .says("wrong    deployment: ", "newer than this program");
}

#[tokio::test]
async fn an_older_database_is_told_and_left_as_it_is() {
    let server = used().await;
    run_sql(
        &server,
        "DELETE FROM schema_migrations WHERE owner = 'search'",
    );
    let report = examine(&server).await;
    report
        .warns_only(&["deployment: "])
        .says("warning  deployment: ", "older than this program");
}

#[tokio::test]
async fn a_restore_or_a_move_that_was_not_finished_is_told() {
    for (table, command) in [
        ("unfinished_restore", "conclave restore"),
        ("unfinished_move", "conclave migrate"),
    ] {
        let server = used().await;
        run_sql(
            &server,
            &format!("CREATE TABLE {table} (since BIGINT NOT NULL)"),
        );
        let report = examine(&server).await;
        report.is_wrong(1).says("wrong    deployment: ", command);
    }
}

#[tokio::test]
async fn a_log_from_the_future_is_the_clocks_fault() {
    let server = used().await;
    run_sql(
        &server,
        "UPDATE log SET at = at + 60000 WHERE last_pos = (SELECT MAX(last_pos) FROM log)",
    );
    let report = examine(&server).await;
    report.is_wrong(1).says("wrong    clock: ", "was made ");
}

#[tokio::test]
async fn a_damaged_database_is_found_by_who_looks_through_it() {
    let server = used().await;
    let file = server.data_dir().join("conclave.db");
    let mut content = fs::read(&file).unwrap();
    let middle = content.len() / 2;
    content[middle..middle + 8_192].fill(0xa5);
    fs::write(&file, content).unwrap();
    let report = examine_with(&server, &["--thorough"]).await;
    report.says("wrong    database pages: ", "restore the last backup");
    assert_eq!(report.code, Some(1));
    fs::write(&file, "no database").unwrap();
    let report = examine(&server).await;
    report.says("wrong    database file: ", "is no file of SQLite");
}

#[tokio::test]
async fn every_problem_of_the_configuration_is_a_line_and_nothing_else_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[server]\nnaem = \"x\"\n[registration]\nmode = \"opne\"\n";
    fs::write(folder.path().join("c.toml"), text).unwrap();
    let output = Command::new(program())
        .args(["doctor", "--config", "c.toml"])
        .current_dir(folder.path())
        .output()
        .await
        .unwrap();
    let report = Report::of(&output);
    report
        .is_wrong(2)
        .says("wrong    configuration: c.toml:2:1: ", "naem")
        .says("wrong    configuration: c.toml:4:8: ", "\"closed\"");
    assert_eq!(report.lines.len(), 2);
    assert_eq!(report.stderr, "conclave: 2 things are wrong\n");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_folder_of_files_that_is_none_is_told() {
    let mut server = used().await;
    let file = server.data_dir().join("master.key");
    server.set("files.url", &format!("file://{}", file.display()));
    let report = examine(&server).await;
    report
        .is_wrong(1)
        .says("wrong    files: files cannot be kept in ", "master.key");
}
