//! A disk that is full again and again, under the same load.
//!
//! The server may write no file beyond a size that is lowered and raised while it runs. It is told
//! of that as of a full disk, wherever it stands: in the middle of a commit, of an upload, of a
//! line of its log. This needs neither a disk of its own nor a privileged account.
//!
//! A server that acknowledges before its commit cannot pass here: no commit follows, and then it
//! is killed.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use rustix::process::{Resource, Rlimit, prlimit};
use tempfile::TempDir;
use testkit::server::{Engine, TestServer};

use crate::{
    ANSWERS, PAUSE_MS, WRITERS, bench, chance::Chance, load::Load, scene::Scene, verify,
    writers::Writers,
};

/// How often the disk is full.
const TIMES: u64 = 8;

/// How many requests are put off, at least, each time.
const PUT_OFF: usize = 20;

/// How much more is written, at most, before there is no more room.
const ROOM_BYTES: u64 = 200_000;

pub(crate) async fn loses_nothing() {
    let mut chance = Chance::new();
    let folder = tempfile::tempdir().unwrap();
    let program = survives_a_limit(&folder);
    let mut server = TestServer::start_program(&program, Engine::Sqlite, &[]).await;
    let scene = Arc::new(Scene::set(&server).await);
    let load = Arc::new(Load::default());
    let writers = Writers::start(&scene, &load, WRITERS);
    let mut put_off = Vec::new();
    for time in 0..TIMES {
        load.wait_for(ANSWERS).await;
        chance.pause(PAUSE_MS).await;
        // Not even one more byte, or some more: then a commit is cut short in its middle.
        let room = if time % 2 == 0 {
            0
        } else {
            chance.below(ROOM_BYTES)
        };
        limit(&server, Some(written(&server) + room));
        put_off.push(load.is_put_off(PUT_OFF).await);
        assert!(!scene.alice.newest(&scene.room).await.is_empty());
        // There is room again; every other time only after a crash.
        if time % 4 < 2 {
            limit(&server, None);
        } else {
            server.restart().await;
        }
    }
    load.wait_for(ANSWERS).await;
    let acknowledged = writers.finish(&load).await;
    // What stands now must be in the files, not in a process.
    server.restart().await;
    let findings = verify::all(&scene, &acknowledged).await;
    assert!(findings.are_none(), "{findings:#?}");
    assert!(put_off.iter().all(|put_off| *put_off), "{put_off:?}");
    server.stop().await;
}

/// Whoever does not ask to be told of the limit is ended by it.
fn survives_a_limit(folder: &TempDir) -> std::path::PathBuf {
    let script = folder.path().join("conclave");
    let program = bench::program().into_string().unwrap();
    fs::write(
        &script,
        format!("#!/bin/sh\ntrap '' XFSZ\nexec '{program}' \"$@\"\n"),
    )
    .unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
    script
}

fn limit(server: &TestServer, size_bytes: Option<u64>) {
    let limit = Rlimit {
        current: size_bytes,
        maximum: None,
    };
    prlimit(server.process(), Resource::Fsize, limit).unwrap();
}

/// How long the write-ahead log is, in whose middle the next commit may end.
fn written(server: &TestServer) -> u64 {
    size_of(&server.data_dir().join("conclave.db-wal"))
}

fn size_of(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |metadata| metadata.len())
}
