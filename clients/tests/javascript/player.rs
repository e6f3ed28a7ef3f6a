//! Node, which plays the story of `clients/js`.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clients::scene::played_by;
use matrix_sdk::ruma::{OwnedEventId, OwnedRoomId};
use serde_json::{Value, from_value};
use tokio::process::Command;

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
    let mut node = Command::new(node(&folder)?);
    node.arg("src/story.mjs").current_dir(&folder);
    let mut outcome = played_by(&mut node, scene).await?;
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
