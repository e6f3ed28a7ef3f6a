//! Where copies are made from, and where they go.

use std::{
    fs,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::Output,
};

use tempfile::TempDir;
use testkit::server::{Engine, TestServer};

use crate::support::Client;

pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_conclave"))
}

/// What a command that succeeded has printed.
#[track_caller]
pub(crate) fn printed(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", output.status);
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The one sentence of a command that failed.
#[track_caller]
pub(crate) fn refusal(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(stderr.trim_end().lines().count(), 1, "{stderr}");
    let sentence = stderr.trim_end().strip_prefix("conclave: ");
    sentence.unwrap_or_else(|| panic!("{stderr}")).to_owned()
}

pub(crate) async fn server(engine: Engine) -> TestServer {
    TestServer::start_program(program(), engine, &[]).await
}

pub(crate) async fn with_user(server: &TestServer, name: &str) -> Client {
    let made = server
        .command(&["user", "create", name], &format!("{PASSWORD}\n"))
        .await;
    printed(&made);
    Client::sign_in(server.address(), name, PASSWORD).await
}

/// A folder for copies, gone with this.
pub(crate) struct Shelf(TempDir);

impl Shelf {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// Makes a copy and gives what was printed.
pub(crate) async fn back_up(server: &TestServer, folder: &Path) -> String {
    let folder = folder.to_str().unwrap();
    printed(&server.command(&["backup", folder], "").await)
}

/// A place for a server, with nothing in it but the master key of another.
pub(crate) async fn place(engine: Engine, key_of: &TestServer) -> TestServer {
    let place = empty_place(engine).await;
    fs::copy(key(key_of), key(&place)).unwrap();
    place
}

/// A place for a server, with an empty data directory.
pub(crate) async fn empty_place(engine: Engine) -> TestServer {
    let place = TestServer::prepare_program(program(), engine, &[]).await;
    let mut builder = fs::DirBuilder::new();
    builder.mode(0o700).create(place.data_dir()).unwrap();
    place
}

pub(crate) fn key(server: &TestServer) -> PathBuf {
    server.data_dir().join("master.key")
}

pub(crate) async fn restore(place: &TestServer, folder: &Path) -> Output {
    place
        .command(&["restore", folder.to_str().unwrap()], "")
        .await
}

/// What stands in a data directory, by name.
pub(crate) fn content(place: &TestServer) -> Vec<String> {
    let entries = fs::read_dir(place.data_dir()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}
