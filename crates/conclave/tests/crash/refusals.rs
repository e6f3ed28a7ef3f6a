//! What the server must refuse, also while it is being killed.

use std::io;

use serde_json::json;

use crate::{scene::Scene, writers::Message};

/// What nobody may find afterwards.
pub(crate) const REFUSED: &str = "this was refused";

/// The type of account data that nobody may set for somebody else.
pub(crate) const SOMEBODY_ELSES: &str = "org.example.refused";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Somebody who is not in the room speaks in it.
    OutsiderSpeaks,
    /// A member changes the room, and has too little power for it.
    TooLittlePower,
    /// Somebody writes what belongs to somebody else.
    SomebodyElses,
    /// A transaction that was acknowledged comes again, with other words.
    OtherWords,
}

impl Refusal {
    pub(crate) const ALL: [Self; 4] = [
        Self::OutsiderSpeaks,
        Self::TooLittlePower,
        Self::SomebodyElses,
        Self::OtherWords,
    ];

    /// Tries it; says whether it was refused, and fails when the server did not get to say.
    pub(crate) async fn attempt(
        self,
        scene: &Scene,
        transaction: &str,
        last: &Message,
    ) -> io::Result<bool> {
        let send = |transaction: &str| scene.in_room(&format!("send/m.room.message/{transaction}"));
        let words = json!({ "msgtype": "m.text", "body": REFUSED });
        let (who, path, content) = match self {
            Self::OutsiderSpeaks => (&scene.outsider, send(transaction), words),
            Self::TooLittlePower => {
                let topic = scene.in_room("state/m.room.topic");
                (&scene.bob, topic, json!({ "topic": REFUSED }))
            }
            Self::SomebodyElses => {
                let alice = &scene.alice.user_id;
                let path = format!("/_matrix/client/v3/user/{alice}/account_data/{SOMEBODY_ELSES}");
                (&scene.bob, path, json!({ "note": REFUSED }))
            }
            Self::OtherWords => (&scene.alice, send(&last.transaction), words),
        };
        let (status, said) = who.refusal("PUT", &path, &content).await?;
        match (self, status) {
            // It is no error to ask again; it only makes nothing.
            (Self::OtherWords, 200) => Ok(said["event_id"] == last.event_id.as_str()),
            (Self::OtherWords, 400..500) | (_, 403) => Ok(true),
            (_, 200) => Ok(false),
            (_, 500..) => Err(io::Error::other(said.to_string())),
            (_, status) => panic!("{self:?} was answered with {status}: {said}"),
        }
    }
}
