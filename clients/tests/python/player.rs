//! Python, which plays the story of `clients/python`.

use std::{
    env,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use matrix_sdk::ruma::{OwnedEventId, OwnedUserId};
use serde_json::{Value, from_value};
use tokio::{io::AsyncWriteExt as _, process::Command, time::timeout};

/// How long the whole story may take: two hundred messages on a machine with other work.
const PATIENCE: Duration = Duration::from_secs(600);

/// Names the variable that tells which Python has the client.
const VARIABLE: &str = "CONCLAVE_TEST_PYTHON";

/// A text as it was told: the event's id and what it says.
pub(crate) type Told = (OwnedEventId, String);

/// What became of the story.
pub(crate) struct Played {
    pub(crate) user: OwnedUserId,
    /// What its person said.
    pub(crate) said: Vec<Told>,
    /// What it heard of the other.
    pub(crate) heard: Vec<Told>,
    /// What its second device read of both.
    pub(crate) history: Vec<Told>,
}

/// Plays the story in this scene.
pub(crate) async fn play(scene: &Value) -> Result<Played> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
    let mut python = Command::new(python()?)
        // It leaves nothing beside the sources.
        .args(["-B", "story.py"])
        .current_dir(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start Python")?;
    if let Some(mut stdin) = python.stdin.take() {
        // A story that does not read ends with a better reason.
        let _ = stdin.write_all(scene.to_string().as_bytes()).await;
    }
    let output = timeout(PATIENCE, python.wait_with_output())
        .await
        .context("the story does not end")??;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "the story failed, {}:\n{said}",
        output.status
    );
    let mut outcome: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("the story's outcome is no JSON:\n{said}"))?;
    Ok(Played {
        user: from_value(outcome["user"].take())?,
        said: from_value(outcome["said"].take())?,
        heard: from_value(outcome["heard"].take())?,
        history: from_value(outcome["history"].take())?,
    })
}

fn python() -> Result<PathBuf> {
    let program = env::var_os(VARIABLE).with_context(|| {
        format!("{VARIABLE} names no Python with matrix-nio: run `cargo xtask test --clients`")
    })?;
    Ok(program.into())
}
