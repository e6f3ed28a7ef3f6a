//! What does not fit is neither moved nor moved into, and no password is told.

use std::{fs, os::unix::fs::PermissionsExt};

use testkit::{
    eventually,
    s3::S3Server,
    server::{Engine, TestServer},
    servers::Postgres,
};

use crate::{
    places::{content, empty_place, key, refusal, server, with_user},
    target::{migrate, run_sql, target, url, with_s3},
};

const ANOTHER_KEY: &str = "conclave-master-key-1:QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\n";

/// A deployment whose server has stopped.
async fn stopped() -> TestServer {
    let mut source = server(Engine::Sqlite).await;
    let alice = with_user(&source, "alice").await;
    alice.upload(b"a file").await.unwrap();
    source.stop().await;
    source
}

/// Neither place has anything of it.
async fn is_refused(source: &TestServer, to: &str, files: Option<&str>, parts: &[&str]) {
    let sentence = refusal(&migrate(source, to, files).await);
    for part in parts {
        assert!(sentence.contains(part), "{part}: {sentence}");
    }
    assert!(!sentence.contains("s3cret"), "{sentence}");
    let note = source.data_dir().join("conclave.db.moved");
    assert!(!note.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_is_not_moved() {
    let mut source = server(Engine::Sqlite).await;
    with_user(&source, "alice").await;
    let target = target(&source).await;
    let to = url(&target);
    is_refused(&source, &to, None, &["stop the server first"]).await;
    // It goes on.
    with_user(&source, "bob").await;
    source.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_is_no_postgres_or_not_there_is_refused_without_its_password() {
    let source = stopped().await;
    for (to, part) in [
        ("mysql://me:s3cret@localhost/chat", "--to"),
        ("sqlite:///tmp/other.db", "no PostgreSQL"),
        ("postgres://me:s3cret@127.0.0.1:1/chat", "--to is right"),
        (
            "postgres://me:s3cret@127.0.0.1:1/chat?sslmode=no",
            "sslmode",
        ),
    ] {
        is_refused(&source, to, None, &[part]).await;
    }
    let usage = source.command(&["migrate"], "").await;
    assert_eq!(usage.status.code(), Some(2));
    let missing = ["migrate", "--to-file", "/nowhere/url"];
    let sentence = refusal(&source.command(&missing, "").await);
    assert!(sentence.contains("/nowhere/url"), "{sentence}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_holds_anything_is_left_as_it_is() {
    let source = stopped().await;
    let target = target(&source).await;
    let to = url(&target);
    run_sql(&to, "CREATE TABLE cats (name TEXT)").await;
    is_refused(&source, &to, None, &["has the table cats"]).await;
    let mut other = server(Engine::Postgres).await;
    other.stop().await;
    let parts = ["holds a deployment already"];
    is_refused(&source, &url(&other), None, &parts).await;
    // And a deployment on PostgreSQL is not what this command moves.
    let sentence = refusal(&migrate(&other, &to, None).await);
    assert!(sentence.contains("on PostgreSQL already"), "{sentence}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_not_this_programs_is_refused() {
    let nothing = empty_place(Engine::Sqlite).await;
    let target = target(&nothing).await;
    let to = url(&target);
    is_refused(&nothing, &to, None, &["there is no database"]).await;
    assert!(content(&nothing).is_empty());

    let mut source = stopped().await;
    let database = source.data_dir().join("conclave.db");
    let change = |sql: &str| {
        let database = rusqlite::Connection::open(&database).unwrap();
        database.execute_batch(sql).unwrap();
    };
    change("INSERT INTO schema_migrations VALUES ('store', 99, 'tomorrow')");
    is_refused(&source, &to, None, &["newer than this program"]).await;
    change("DELETE FROM schema_migrations WHERE number = 99");
    change("CREATE TABLE cats (name TEXT)");
    is_refused(&source, &to, None, &["the table cats"]).await;
    change("DROP TABLE cats; UPDATE schema_migrations SET number = 1000 WHERE owner = 'search'");
    is_refused(&source, &to, None, &["older than this program"]).await;
    change("UPDATE schema_migrations SET number = 1 WHERE owner = 'search'");

    let kept = fs::read(key(&source)).unwrap();
    fs::remove_file(key(&source)).unwrap();
    is_refused(&source, &to, None, &["master.key is missing"]).await;
    fs::write(key(&source), ANOTHER_KEY).unwrap();
    fs::set_permissions(key(&source), fs::Permissions::from_mode(0o600)).unwrap();
    is_refused(&source, &to, None, &["is not the master key"]).await;
    fs::write(key(&source), kept).unwrap();

    source.set("server.name", "example.org");
    is_refused(&source, &to, None, &["belongs to the server localhost"]).await;
    source.set("server.name", "localhost");
    // Nothing was written there meanwhile.
    let moved = migrate(&source, &to, None).await;
    assert!(moved.status.success());
    let said = String::from_utf8(moved.stdout).unwrap();
    assert!(!said.contains("earlier run"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_do_not_go_where_they_cannot_or_where_others_are() {
    let mut s3 = S3Server::start().await;
    let mut source = stopped().await;
    let mut target = target(&source).await;
    let to = url(&target);
    // Without keys nobody is asked.
    let place = format!("{}&prefix=moved", s3.url());
    let parts = ["files.access_key_id"];
    is_refused(&source, &to, Some(&place), &parts).await;
    let place = with_s3(&mut source, &mut target, &s3);
    let nowhere = place.replace("s3://files", "s3://elsewhere");
    is_refused(&source, &to, Some(&nowhere), &["elsewhere"]).await;
    let folder = source.data_dir().join("others");
    let blob = folder.join("00/11/00112233445566778899aabbccddeeff");
    fs::create_dir_all(blob.parent().unwrap()).unwrap();
    fs::write(&blob, b"somebody's").unwrap();
    let others = format!("file://{}", folder.display());
    is_refused(&source, &to, Some(&others), &["holds files already"]).await;
    s3.stop();
    is_refused(&source, &to, Some(&place), &["check that it runs"]).await;
    s3.restart().await;
    // None of it has kept it from moving.
    let moved = migrate(&source, &to, Some(&place)).await;
    assert!(moved.status.success());
    assert_eq!(s3.objects().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_flush_is_refused() {
    let source = stopped().await;
    let starting = tokio::task::spawn_blocking(Postgres::start);
    let server = starting.await.unwrap().unwrap();
    let to = server.url();
    run_sql(&to, "ALTER SYSTEM SET fsync = off").await;
    run_sql(&to, "SELECT pg_reload_conf()").await;
    // It reads its configuration in its own time, and until then files cannot go there.
    let refused = async || {
        let output = migrate(&source, &to, Some("file:///proc/nowhere")).await;
        let said = String::from_utf8(output.stderr).unwrap();
        said.contains("fsync = off").then_some(())
    };
    eventually("it is refused", refused).await;
    drop(tokio::task::spawn_blocking(move || drop(server)).await);
}
