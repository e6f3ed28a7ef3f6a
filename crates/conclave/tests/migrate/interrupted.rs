//! A move that is killed at any moment goes on, and until it is finished nobody uses the new place.

use std::{
    collections::hash_map::RandomState,
    fs,
    hash::{BuildHasher, Hasher},
    path::Path,
    time::Duration,
};

use testkit::{
    s3::{Fate, S3Server},
    server::{Engine, TestServer},
};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::{
    places::{key, printed, refusal, server, with_user},
    scene::Scene,
    target::{arguments, migrate, run_sql, target, url, with_s3},
};

/// Where a move is killed: within so many milliseconds after it has said this.
const MOMENTS: [(&str, u64); 12] = [
    ("copying rows: ", 40),
    // What comes next is the table with most rows.
    (BEFORE_EVENTS, 300),
    (BEFORE_EVENTS, 300),
    (BEFORE_EVENTS, 300),
    ("copying rows: state_changes,", 40),
    ("building keys and indexes: ", 200),
    ("comparing rows: ", 200),
    ("copying files: ", 40),
    ("copying files: files,", 40),
    // From here on it can be done before it is killed.
    ("copying files: files,", 80),
    ("copying files: files,", 80),
    ("copying files: files,", 80),
];

const BEFORE_EVENTS: &str = "copying rows: email_sessions,";

/// Events of no timeline, so that there is much to move and nothing else to see.
const MUCH: &str = "WITH RECURSIVE number(value) AS \
     (SELECT 1 UNION ALL SELECT value + 1 FROM number WHERE value < 40000) \
     INSERT INTO events (pos, event_id, room, depth, type, sender, ts, has_url, rejected, sealed) \
     SELECT -value, 'event' || value, 1, value, 'org.example', 1, value, 0, 1, randomblob(600) \
     FROM number";

/// Begins a move, and kills it soon after it has said something; `false` when it never said it.
async fn is_killed(
    source: &TestServer,
    arguments: &[&str],
    (moment, within_ms): (&str, u64),
) -> bool {
    let mut moving = source.begin_command(arguments);
    let mut lines = BufReader::new(moving.stdout.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.starts_with(moment) {
            let soon = RandomState::new().build_hasher().finish() % within_ms;
            // It has its pace, and nobody can wait for anything else.
            drop(tokio::time::timeout(Duration::from_millis(soon), moving.wait()).await);
            drop(moving.kill().await);
            return true;
        }
    }
    false
}

/// Nobody uses a place that is not whole, and the source is free as long as it is not.
async fn is_not_used(source: &TestServer, target: &TestServer) {
    let has_arrived = source.data_dir().join("conclave.db.moved").exists();
    for command in [["user", "list"], ["audit", "verify"]] {
        let asked = target.command(&command, "").await;
        // Either the last transaction was there, or it was not.
        if has_arrived && asked.status.success() {
            continue;
        }
        let sentence = refusal(&asked);
        assert!(
            sentence.contains("`conclave migrate`") || sentence.contains("there is no database"),
            "{command:?}: {sentence}"
        );
    }
    assert!(!key(target).exists(), "a key was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_is_killed_again_and_again_goes_on_and_is_whole() {
    let s3 = S3Server::start().await;
    let mut source = server(Engine::Sqlite).await;
    let scene = Scene::play(&mut source, 200).await;
    let database = source.data_dir().join("conclave.db");
    let database = rusqlite::Connection::open(database).unwrap();
    database.execute_batch(MUCH).unwrap();
    drop(database);
    let mut target = target(&source).await;
    let place = with_s3(&mut source, &mut target, &s3);
    let to = url(&target);
    let arguments = arguments(&to, Some(&place));
    let mut killed = 0;
    for moment in MOMENTS {
        killed += usize::from(is_killed(&source, &arguments, moment).await);
        is_not_used(&source, &target).await;
    }
    assert!(killed >= MOMENTS.len() - 3, "{killed}");
    let said = printed(&migrate(&source, &to, Some(&place)).await);
    assert!(said.contains("Set this in the configuration"), "{said}");
    let has_gone_on = [
        "copying rows: 0 to do",
        "building keys and indexes: 0 to do",
    ];
    if said.contains("earlier run") {
        assert!(has_gone_on.iter().all(|part| said.contains(part)), "{said}");
    }
    target.restart().await;
    scene.goes_on(&target).await;
    target.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_was_used_meanwhile_is_copied_anew() {
    let mut source = server(Engine::Sqlite).await;
    with_user(&source, "alice").await;
    source.stop().await;
    let mut target = target(&source).await;
    let to = url(&target);
    let arguments = arguments(&to, None);
    assert!(is_killed(&source, &arguments, ("copying rows: log,", 1)).await);
    // Nothing is written here, and yet it is another state.
    source.restart().await;
    source.stop().await;
    let said = printed_until_it_goes_on(&source, &arguments).await;
    assert!(said.contains("everything is copied anew"), "{said}");
    // And with news.
    source.restart().await;
    with_user(&source, "bob").await;
    source.stop().await;
    let said = printed(&migrate(&source, &to, None).await);
    assert!(said.contains("everything is copied anew"), "{said}");
    target.restart().await;
    let listed = printed(&target.command(&["user", "list"], "").await);
    assert_eq!(listed, "@alice:localhost\n@bob:localhost\n");
    target.stop().await;
}

/// What a move says until its first table is done, where it is killed.
async fn printed_until_it_goes_on(source: &TestServer, arguments: &[&str]) -> String {
    let mut moving = source.begin_command(arguments);
    let mut lines = BufReader::new(moving.stdout.take().unwrap()).lines();
    let mut said = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        said.push_str(&line);
        if line.starts_with("copying rows: log,") {
            break;
        }
    }
    moving.kill().await.unwrap();
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_not_what_they_were_are_named_and_copied_again() {
    let mut source = server(Engine::Sqlite).await;
    let scene = Scene::play(&mut source, 20).await;
    let mut target = target(&source).await;
    let to = url(&target);
    let begun = arguments(&to, None);
    assert!(is_killed(&source, &begun, ("building keys and indexes: ", 1)).await);
    run_sql(&to, "UPDATE receipts SET ts = ts + 1; DELETE FROM events WHERE pos = (SELECT MAX(pos) FROM events)").await;
    let sentence = refusal(&migrate(&source, &to, None).await);
    for part in ["the table events", "--again"] {
        assert!(sentence.contains(part), "{part}: {sentence}");
    }
    is_not_used(&source, &target).await;
    let again = [&begun[..], &["--again"]].concat();
    printed(&source.command(&again, "").await);
    target.restart().await;
    scene.goes_on(&target).await;
    target.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_interrupted_run_left_of_a_file_is_compared_and_replaced() {
    let s3 = S3Server::start().await;
    let mut source = server(Engine::Sqlite).await;
    let scene = Scene::play(&mut source, 5).await;
    let mut target = target(&source).await;
    let place = with_s3(&mut source, &mut target, &s3);
    let to = url(&target);
    // Files go in the order of their ids, and the last one does not go.
    let last = ids_in(&source.data_dir().join("files")).pop().unwrap();
    s3.judge(move |asked| match asked.path.ends_with(&last) {
        true => Fate::Refused(403),
        false => Fate::Answered,
    });
    let sentence = refusal(&migrate(&source, &to, Some(&place)).await);
    assert!(sentence.contains("the same command goes on"), "{sentence}");
    is_not_used(&source, &target).await;
    assert_eq!(s3.objects().len(), 2);
    s3.relent();
    for object in s3.objects() {
        fs::write(object, b"not what it was").unwrap();
    }
    let said = printed(&migrate(&source, &to, Some(&place)).await);
    assert!(said.contains("this one goes on there"), "{said}");
    target.restart().await;
    scene.goes_on(&target).await;
    target.stop().await;
}

/// The ids of the blobs in a folder, in their order.
fn ids_in(folder: &Path) -> Vec<String> {
    let mut ids = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => ids.extend(ids_in(&entry.path())),
            false => ids.push(entry.file_name().into_string().unwrap()),
        }
    }
    ids.sort();
    ids
}
