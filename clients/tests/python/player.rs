//! Python, which plays the story of `clients/python`.

use anyhow::Result;
use clients::{python, scene::played_by};
use matrix_sdk::ruma::{OwnedEventId, OwnedUserId};
use serde_json::{Value, from_value};

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
    let mut outcome = played_by(&mut python::program("story.py")?, scene).await?;
    Ok(Played {
        user: from_value(outcome["user"].take())?,
        said: from_value(outcome["said"].take())?,
        heard: from_value(outcome["heard"].take())?,
        history: from_value(outcome["history"].take())?,
    })
}
