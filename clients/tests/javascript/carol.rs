//! Carol has one client of each kind, and a room for herself.

use anyhow::{Result, ensure};
use clients::{
    device::{Device, Person},
    marker::MARKER,
    seen::Seen,
    server::Server,
};
use matrix_sdk::ruma::{
    OwnedEventId, OwnedRoomId,
    api::client::room::create_room::v3::{Request, RoomPreset},
    assign,
};
use serde_json::{Value, json};

/// How many notes she writes before her other client comes.
const NOTES: usize = 12;

pub(crate) struct Carol {
    device: Device,
    recovery_key: String,
    room: OwnedRoomId,
    notes: Vec<(OwnedEventId, String)>,
}

impl Carol {
    /// She writes notes, and her client backs up the keys that open them.
    pub(crate) async fn talks_to_herself(server: &Server) -> Result<Self> {
        let device = Device::log_in(server.url(), &Person::new("carol"), "Carol's").await?;
        device.make_identity().await?;
        let recovery_key = device.encryption().recovery().enable().await?;
        let private = assign!(Request::new(), { preset: Some(RoomPreset::PrivateChat) });
        let room = device.create_room(private).await?.room_id().to_owned();
        device
            .eventually("Carol's client knows the room", async || {
                let room = device.get_room(&room);
                let known = room.is_some_and(|room| room.encryption_state().is_encrypted());
                Ok(known.then_some(()))
            })
            .await?;
        let texts: Vec<String> = (1..=NOTES)
            .map(|note| format!("{MARKER}, note {note}"))
            .collect();
        let sent = device.send_texts(&room, texts.clone()).await?;
        let backups = device.encryption().backups();
        backups.wait_for_steady_state().await?;
        Ok(Self {
            device,
            recovery_key,
            room,
            notes: sent.into_iter().zip(texts).collect(),
        })
    }

    /// What her other client needs to go on from here.
    pub(crate) fn for_another_client(&self) -> Value {
        let person = self.device.person();
        json!({
            "name": person.name,
            "password": person.password,
            "recoveryKey": self.recovery_key,
            "room": self.room,
            "texts": self.notes,
        })
    }

    /// What her other client wrote is readable here.
    pub(crate) async fn hears(&self, (id, text): &(OwnedEventId, String)) -> Result<()> {
        let seen = self.device.has_seen_texts(&self.room, NOTES + 1).await?;
        let last = seen.iter().rfind(|seen| seen.text().is_some());
        let heard = last.is_some_and(|seen| seen.id == *id && seen.text() == Some(text));
        ensure!(heard, "Carol should read {text:?}, and reads {last:?}");
        ensure!(
            !seen.iter().any(Seen::is_unreadable),
            "Carol cannot read everything that her other client wrote"
        );
        Ok(())
    }
}
