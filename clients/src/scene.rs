//! Stories: of a server from its start to its end, and of another program that plays a part.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio::{io::AsyncWriteExt as _, process::Command, time::timeout};

use crate::{
    marker::search,
    postgres::Database,
    server::{Encryption, Server},
};

/// How long a whole story may take: two hundred messages on a machine with other work.
const PATIENCE: Duration = Duration::from_secs(600);

/// Starts a server, lets the story happen and stops it; nothing that was written is readable in
/// what it leaves behind.
///
/// # Errors
///
/// When the server does not start or stop, the story fails, or something is readable.
pub async fn on_a_server(
    encryption: Encryption,
    database: Option<&Database>,
    story: impl AsyncFn(&Server) -> Result<()>,
) -> Result<()> {
    on_a_server_with(None, encryption, database, story).await
}

/// The same on a server with the application service of a registration file.
///
/// # Errors
///
/// When the server does not start or stop, the story fails, or something is readable.
pub async fn on_a_server_with(
    registration: Option<&Path>,
    encryption: Encryption,
    database: Option<&Database>,
    story: impl AsyncFnOnce(&Server) -> Result<()>,
) -> Result<()> {
    let server = Server::start(encryption, database, registration).await?;
    play(server, async |server| story(server).await).await
}

/// The same on a server that begins on SQLite, and moves in the course of the story.
///
/// # Errors
///
/// When the server does not start or stop, the story fails, or something is readable.
pub async fn on_a_server_that_moves(
    encryption: Encryption,
    story: impl AsyncFnOnce(&mut Server) -> Result<()>,
) -> Result<()> {
    let server = Server::start(encryption, None, None).await?;
    play(server, story).await
}

async fn play(
    mut server: Server,
    story: impl AsyncFnOnce(&mut Server) -> Result<()>,
) -> Result<()> {
    let outcome = story(&mut server).await;
    if outcome.is_err() {
        println!("the server's last words:\n{}", server.last_words());
    }
    outcome?;
    server.stop().await?;
    let (data, output) = (server.data(), server.output_file());
    let findings = search(&[&data, &output])?;
    ensure!(findings.is_empty(), "readable at rest: {findings:#?}");
    Ok(())
}

/// Lets another program play: what there is to play with goes to it as JSON on its standard input,
/// and what became of it comes back on its standard output.
///
/// # Errors
///
/// When the program cannot be started, fails, does not end, or says no JSON.
pub async fn played_by(program: &mut Command, scene: &Value) -> Result<Value> {
    let mut player = program
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start {program:?}"))?;
    if let Some(mut stdin) = player.stdin.take() {
        // A story that does not read ends with a better reason.
        let _ = stdin.write_all(scene.to_string().as_bytes()).await;
    }
    let output = timeout(PATIENCE, player.wait_with_output())
        .await
        .context("the story does not end")??;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "the story failed, {}:\n{said}",
        output.status
    );
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("the story's outcome is no JSON:\n{said}"))
}
