//! Bob's telephone: the room list and the timelines of matrix-sdk-ui.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use clients::{device::Person, waiting::eventually};
use matrix_sdk::{
    Client, RoomState,
    ruma::{OwnedRoomId, OwnedUserId, RoomId, events::room::message::RoomMessageEventContent},
    sliding_sync::VersionBuilder,
};
use matrix_sdk_ui::{Timeline, sync_service::SyncService, timeline::RoomExt as _};
use tempfile::TempDir;

/// A signed-in application.
pub(crate) struct Telephone {
    client: Client,
    service: Option<SyncService>,
    timelines: HashMap<OwnedRoomId, Timeline>,
    _store: TempDir,
}

impl Telephone {
    /// Signs in; the server must offer the window.
    pub(crate) async fn log_in(server: &str, person: &Person) -> Result<Self> {
        let store = tempfile::tempdir()?;
        let client = Client::builder()
            .homeserver_url(server)
            .sqlite_store(store.path(), None)
            .sliding_sync_version_builder(VersionBuilder::DiscoverNative)
            .build()
            .await?;
        client
            .matrix_auth()
            .login_username(person.name, &person.password)
            .await?;
        client.event_cache().subscribe()?;
        Ok(Self {
            client,
            service: None,
            timelines: HashMap::new(),
            _store: store,
        })
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn user(&self) -> Result<OwnedUserId> {
        let user = self.client.user_id().context("the client has no user")?;
        Ok(user.to_owned())
    }

    /// Begins to sync, or goes on.
    pub(crate) async fn start(&mut self) -> Result<()> {
        let service = match self.service.take() {
            Some(service) => service,
            None => SyncService::builder(self.client.clone()).build().await?,
        };
        let open: Vec<&RoomId> = self.timelines.keys().map(|room| &**room).collect();
        service.room_list_service().subscribe_to_rooms(&open).await;
        service.start().await;
        self.service = Some(service);
        Ok(())
    }

    /// Stops syncing, and gives up all that the application has in memory for it.
    pub(crate) async fn sleep(&mut self) {
        if let Some(service) = self.service.take() {
            service.stop().await;
        }
    }

    /// Stops syncing, and begins anew when it starts again.
    pub(crate) async fn forgets_its_connections(&self) {
        if let Some(service) = &self.service {
            service.expire_sessions().await;
        }
    }

    /// Waits until it knows this many rooms.
    pub(crate) async fn knows_rooms(&self, count: usize) -> Result<()> {
        let what = format!("the telephone knows {count} rooms");
        eventually(&what, async || {
            let joined = self.client.joined_rooms();
            let named = joined.iter().filter(|room| room.create_content().is_some());
            Ok((named.count() == count).then_some(()))
        })
        .await
    }

    /// Waits for an invitation, and accepts it.
    pub(crate) async fn accepts(&self, room: &RoomId, name: &str) -> Result<()> {
        let invited = eventually("the telephone shows the invitation", async || {
            let known = self.client.get_room(room);
            let known = known.filter(|room| room.state() == RoomState::Invited);
            Ok(known.filter(|room| room.name().as_deref() == Some(name)))
        });
        invited.await?.join().await?;
        eventually("the telephone is in the encrypted room", async || {
            let known = self.client.get_room(room);
            let joined = known.filter(|room| room.state() == RoomState::Joined);
            let is_ready = joined.is_some_and(|room| room.encryption_state().is_encrypted());
            Ok(is_ready.then_some(()))
        })
        .await
    }

    /// Opens a room, as somebody does who wants to read it.
    pub(crate) async fn opens(&mut self, room: &RoomId) -> Result<()> {
        let service = self.service.as_ref().context("the telephone sleeps")?;
        service
            .room_list_service()
            .subscribe_to_rooms(&[room])
            .await;
        let known = self
            .client
            .get_room(room)
            .context("the room is not known")?;
        self.timelines
            .insert(room.to_owned(), known.timeline().await?);
        Ok(())
    }

    /// Waits until an open room shows these texts last but for its own, in this order, decrypted;
    /// scrolls back where it shows fewer.
    pub(crate) async fn shows(&self, room: &RoomId, texts: &[String]) -> Result<()> {
        let timeline = self.timelines.get(room).context("the room is not open")?;
        let mut shown = Vec::new();
        let outcome = eventually("the telephone shows what was said", async || {
            let items = timeline.items().await;
            let events = items.iter().filter_map(|item| item.as_event());
            let others = events.filter(|event| !event.is_own());
            let messages = others.filter_map(|event| event.content().as_message());
            shown = messages.map(|message| message.body().to_owned()).collect();
            if shown.len() < texts.len() {
                timeline.paginate_backwards(20).await?;
            }
            Ok(shown.ends_with(texts).then_some(()))
        })
        .await;
        outcome.with_context(|| format!("it shows {shown:#?}"))
    }

    /// Says something.
    pub(crate) async fn says(&self, room: &RoomId, text: &str) -> Result<()> {
        let room = self
            .client
            .get_room(room)
            .context("the room is not known")?;
        room.send(RoomMessageEventContent::text_plain(text)).await?;
        Ok(())
    }
}
