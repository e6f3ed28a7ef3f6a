//! Node, which plays the story of `clients/js`.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use matrix_sdk::ruma::{OwnedEventId, OwnedRoomId};
use serde_json::{Value, from_value};
use tokio::{io::AsyncWriteExt as _, process::Command, time::timeout};

/// How long the whole story may take: two hundred messages on a machine with other work.
const PATIENCE: Duration = Duration::from_secs(600);

/// What another client needs to go on from what was played.
pub(crate) struct Played {
    pub(crate) recovery_key: String,
    pub(crate) room: OwnedRoomId,
    /// What was said in that room, in order.
    pub(crate) texts: Vec<(OwnedEventId, String)>,
    /// What was said in the room that another client had opened.
    pub(crate) answer: (OwnedEventId, String),
}

/// Plays the story in this scene.
pub(crate) async fn play(scene: &Value) -> Result<Played> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("js");
    let mut node = Command::new(node(&folder)?)
        .arg("src/story.mjs")
        .current_dir(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start Node")?;
    if let Some(mut stdin) = node.stdin.take() {
        // A story that does not read ends with a better reason.
        let _ = stdin.write_all(scene.to_string().as_bytes()).await;
    }
    let output = timeout(PATIENCE, node.wait_with_output())
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
        recovery_key: from_value(outcome["recoveryKey"].take())?,
        room: from_value(outcome["room"].take())?,
        texts: from_value(outcome["texts"].take())?,
        answer: from_value(outcome["answer"].take())?,
    })
}

/// The Node that comes with the client's packages, which needs a newer one than systems may have.
fn node(folder: &Path) -> Result<PathBuf> {
    let program = folder.join("node_modules/.bin/node");
    ensure!(
        program.is_file(),
        "matrix-js-sdk is not there: run `npm ci` in {}, or `cargo xtask test --clients`",
        folder.display()
    );
    Ok(program)
}
