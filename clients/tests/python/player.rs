//! Python, which plays the story of `clients/python`.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use clients::scene::played_by;
use matrix_sdk::ruma::{OwnedEventId, OwnedUserId};
use serde_json::{Value, from_value};
use tokio::process::Command;

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
    let mut python = Command::new(python()?);
    // It leaves nothing beside the sources.
    python.args(["-B", "story.py"]).current_dir(&folder);
    let mut outcome = played_by(&mut python, scene).await?;
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
