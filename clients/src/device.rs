//! A person's device: a client of matrix-sdk with a store of its own, which syncs all the time.

use std::{
    collections::HashMap,
    ops::Deref,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use matrix_sdk::{
    Client, Error, Room,
    config::SyncSettings,
    room::MessagesOptions,
    ruma::{
        OwnedDeviceId, OwnedEventId, OwnedRoomId, RoomId, UInt, UserId,
        api::client::{
            account::register,
            filter::{FilterDefinition, RoomFilter},
            uiaa::{self, AuthData, AuthType, UiaaInfo},
        },
        assign,
        events::room::message::RoomMessageEventContent,
    },
    sync::SyncResponse,
};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::{marker::MARKER, plain::Plain, seen::Seen, waiting::eventually};

/// Longer than anything here may take: a server that does not wake a poll is found out.
const LONG_POLL: Duration = Duration::from_secs(300);

/// More events than a story has, so that no response leaves any out.
const TIMELINE_LIMIT: u32 = 1000;

/// What a device has seen of each room.
type Timelines = HashMap<OwnedRoomId, Vec<Seen>>;

/// A name and a password.
#[derive(Clone, Debug)]
pub struct Person {
    /// The name, which begins the user's id.
    pub name: &'static str,
    /// What proves that it is them. The marker is in it: it may be written down nowhere.
    pub password: String,
}

impl Person {
    /// A person with a password of their own.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            password: format!("{MARKER}, said {name}"),
        }
    }
}

/// A signed-in device.
#[derive(Debug)]
pub struct Device {
    client: Client,
    person: Person,
    server: String,
    seen: Arc<Mutex<Timelines>>,
    ended: Arc<OnceLock<Error>>,
    syncing: JoinHandle<()>,
    _store: TempDir,
}

impl Device {
    /// Signs in with the password.
    ///
    /// # Errors
    ///
    /// When the server refuses.
    pub async fn log_in(server: &str, person: &Person, device_name: &str) -> Result<Self> {
        let (client, store) = new_client(server).await?;
        let auth = client.matrix_auth();
        auth.login_username(person.name, &person.password)
            .initial_device_display_name(device_name)
            .await
            .with_context(|| format!("{} cannot log in", person.name))?;
        Self::start(client, store, server, person).await
    }

    /// Makes an account with the token of an invitation, and signs in.
    ///
    /// # Errors
    ///
    /// When the server refuses, or asks for more than the token.
    pub async fn register(
        server: &str,
        person: &Person,
        token: &str,
        device_name: &str,
    ) -> Result<Self> {
        let (client, store) = new_client(server).await?;
        let mut auth = None;
        // Each round completes one stage.
        for _ in 0..4 {
            let request = assign!(register::v3::Request::new(), {
                username: Some(person.name.to_owned()),
                password: Some(person.password.clone()),
                initial_device_display_name: Some(device_name.to_owned()),
                auth: auth.take(),
            });
            let Err(error) = client.matrix_auth().register(request).await else {
                return Self::start(client, store, server, person).await;
            };
            let Some(info) = error.as_uiaa_response() else {
                return Err(error).with_context(|| format!("{} cannot register", person.name));
            };
            auth = Some(registration_stage(info, token)?);
        }
        bail!("the server asks for ever more stages of registration")
    }

    async fn start(client: Client, store: TempDir, server: &str, person: &Person) -> Result<Self> {
        let encryption = client.encryption();
        encryption.wait_for_e2ee_initialization_tasks().await;
        let seen = Arc::default();
        let first = client.sync_once(settings(Duration::ZERO)).await;
        note(
            &seen,
            &first.with_context(|| format!("{} cannot sync", person.name))?,
        );
        let ended = Arc::default();
        let syncing = tokio::spawn(sync(client.clone(), Arc::clone(&seen), Arc::clone(&ended)));
        Ok(Self {
            client,
            person: person.clone(),
            server: server.to_owned(),
            seen,
            ended,
            syncing,
            _store: store,
        })
    }

    /// Lets the device ask for nothing more until it wakes, as when it is put away.
    pub fn rest(&self) {
        self.syncing.abort();
    }

    /// Lets it sync again from where it was.
    pub fn wake(&mut self) {
        self.syncing.abort();
        self.ended = Arc::default();
        let (seen, ended) = (Arc::clone(&self.seen), Arc::clone(&self.ended));
        self.syncing = tokio::spawn(sync(self.client.clone(), seen, ended));
    }

    /// Whose device it is.
    #[must_use]
    pub fn person(&self) -> &Person {
        &self.person
    }

    /// The user's id.
    ///
    /// # Errors
    ///
    /// When the client has forgotten it.
    pub fn user(&self) -> Result<&UserId> {
        self.client.user_id().context("the client has no user")
    }

    /// The device's id.
    ///
    /// # Errors
    ///
    /// When the client has forgotten it.
    pub fn id(&self) -> Result<OwnedDeviceId> {
        let id = self.client.device_id().context("the client has no device");
        Ok(id?.to_owned())
    }

    /// Sends requests as this device, without its client.
    ///
    /// # Errors
    ///
    /// When the client has no access token.
    pub fn plain(&self) -> Result<Plain> {
        let token = self.client.access_token();
        let token = token.context("the client has no access token")?;
        Ok(Plain::with_token(&self.server, token))
    }

    /// The room as this device knows it.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub fn room(&self, id: &RoomId) -> Result<Room> {
        let room = self.client.get_room(id);
        room.with_context(|| format!("{} does not know the room {id}", self.person.name))
    }

    /// Every message of a room that came to this device so far while it was syncing, in its order.
    #[must_use]
    pub fn seen(&self, room: &RoomId) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(room).cloned().unwrap_or_default()
    }

    /// Every message of a room, oldest first, as the server tells them afterwards.
    ///
    /// # Errors
    ///
    /// When the server refuses, or never comes to an end.
    pub async fn history(&self, room: &RoomId) -> Result<Vec<Seen>> {
        let room = self.room(room)?;
        let mut options = MessagesOptions::backward();
        options.limit = UInt::from(40_u32);
        let mut history = Vec::new();
        for _ in 0..50 {
            let from = options.from.clone();
            let page = room.messages(options).await?;
            history.extend(page.chunk.iter().filter_map(Seen::of));
            options = MessagesOptions::backward();
            options.limit = UInt::from(40_u32);
            options.from = page.end;
            if options.from.is_none() {
                history.reverse();
                return Ok(history);
            }
            ensure!(
                options.from != from,
                "a page of the history leads to itself"
            );
        }
        bail!("the history of the room has no beginning")
    }

    /// Sends texts, one after another, and returns the events' ids.
    ///
    /// # Errors
    ///
    /// When the server refuses one.
    pub async fn send_texts(
        &self,
        room: &RoomId,
        texts: impl IntoIterator<Item = String>,
    ) -> Result<Vec<OwnedEventId>> {
        let room = self.room(room)?;
        let mut sent = Vec::new();
        for text in texts {
            let result = room.send(RoomMessageEventContent::text_plain(text)).await;
            let result = result.with_context(|| format!("{} cannot send", self.person.name))?;
            sent.push(result.response.event_id);
        }
        Ok(sent)
    }

    /// Waits for what this device learns by syncing; stops when it cannot sync any more.
    ///
    /// # Errors
    ///
    /// When `probe` fails, nothing is found in time, or the device was signed out.
    pub async fn eventually<T>(
        &self,
        what: &str,
        mut probe: impl AsyncFnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        eventually(what, async || {
            if let Some(error) = self.ended.get() {
                bail!("{} cannot sync any more: {error}", self.person.name);
            }
            probe().await
        })
        .await
    }

    /// Waits until this device has seen this many texts in a room.
    ///
    /// # Errors
    ///
    /// When it does not see them in time.
    pub async fn has_seen_texts(&self, room: &RoomId, count: usize) -> Result<Vec<Seen>> {
        let what = format!("{} sees {count} texts", self.person.name);
        let outcome = self
            .eventually(&what, async || {
                let seen = self.seen(room);
                let enough = seen.iter().filter_map(Seen::text).count() >= count;
                Ok(enough.then_some(seen))
            })
            .await;
        outcome.with_context(|| {
            let seen = self.seen(room);
            let texts = seen.iter().filter_map(Seen::text).count();
            let unreadable = seen.iter().filter(|seen| seen.is_unreadable()).count();
            format!("{texts} texts came, and {unreadable} that cannot be decrypted")
        })
    }

    /// Waits until the server has ended this device's session, and returns the `errcode`.
    ///
    /// # Errors
    ///
    /// When its requests are still answered.
    pub async fn is_signed_out(&self) -> Result<String> {
        let what = format!("a device of {} is signed out", self.person.name);
        eventually(&what, async || {
            let Some(error) = self.ended.get() else {
                return Ok(None);
            };
            let kind = error.client_api_error_kind();
            Ok(kind.map(|kind| kind.errcode().to_string()))
        })
        .await
    }

    /// Answers the server's question for the password.
    ///
    /// # Errors
    ///
    /// When the server did not ask that.
    pub fn prove_with_password(&self, question: Option<&UiaaInfo>) -> Result<AuthData> {
        let info = question.context("the server refused without asking for the password")?;
        let suffices = |flow: &uiaa::AuthFlow| flow.stages == [AuthType::Password];
        ensure!(
            info.flows.iter().any(suffices),
            "the password does not suffice: {:?}",
            info.flows
        );
        let user = uiaa::MatrixUserIdentifier::new(self.user()?.to_string());
        let identifier = uiaa::UserIdentifier::Matrix(user);
        let mut answer = uiaa::Password::new(identifier, self.person.password.clone());
        answer.session.clone_from(&info.session);
        Ok(AuthData::Password(answer))
    }

    /// Makes the person's identity: the keys that sign all their devices.
    ///
    /// # Errors
    ///
    /// When the server refuses.
    pub async fn make_identity(&self) -> Result<()> {
        let encryption = self.client.encryption();
        // Servers may take the first keys without another proof.
        if let Err(error) = encryption.bootstrap_cross_signing(None).await {
            let proof = self.prove_with_password(error.as_uiaa_response());
            let proof = proof.with_context(|| format!("the first answer was: {error}"))?;
            encryption.bootstrap_cross_signing(Some(proof)).await?;
        }
        let status = encryption.cross_signing_status().await;
        ensure!(
            status.is_some_and(|status| status.is_complete()),
            "{} has no complete identity",
            self.person.name
        );
        Ok(())
    }
}

impl Deref for Device {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.syncing.abort();
    }
}

async fn new_client(server: &str) -> Result<(Client, TempDir)> {
    let store = tempfile::tempdir()?;
    let builder = Client::builder()
        .homeserver_url(server)
        .sqlite_store(store.path(), None);
    Ok((builder.build().await?, store))
}

/// Answers the next stage of a registration.
fn registration_stage(info: &UiaaInfo, token: &str) -> Result<AuthData> {
    if let Some(error) = &info.auth_error {
        bail!("the server refuses a stage of the registration: {error:?}");
    }
    let flow = info.flows.iter().find(|flow| {
        let stages = &flow.stages;
        stages.contains(&AuthType::RegistrationToken)
    });
    let flow = flow.with_context(|| format!("no flow takes a token: {:?}", info.flows))?;
    let mut stages = flow.stages.iter();
    let next = stages.find(|stage| !info.completed.contains(stage));
    let session = info.session.clone();
    match next {
        Some(AuthType::RegistrationToken) => {
            let answer = uiaa::RegistrationToken::new(token.to_owned());
            Ok(AuthData::RegistrationToken(
                assign!(answer, { session: session }),
            ))
        }
        Some(AuthType::Dummy) => Ok(AuthData::Dummy(
            assign!(uiaa::Dummy::new(), { session: session }),
        )),
        other => bail!("an invited person cannot complete the stage {other:?}"),
    }
}

/// Syncs until the server refuses.
async fn sync(client: Client, seen: Arc<Mutex<Timelines>>, ended: Arc<OnceLock<Error>>) {
    loop {
        match client.sync_once(settings(LONG_POLL)).await {
            Ok(response) => note(&seen, &response),
            Err(error) => {
                // This is the only place that sets it.
                let _ = ended.set(error);
                return;
            }
        }
    }
}

fn settings(timeout: Duration) -> SyncSettings {
    let mut room = RoomFilter::default();
    room.timeline.limit = Some(UInt::from(TIMELINE_LIMIT));
    let filter = assign!(FilterDefinition::default(), { room: room });
    SyncSettings::new().timeout(timeout).filter(filter.into())
}

fn note(seen: &Mutex<Timelines>, response: &SyncResponse) {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    for (id, room) in &response.rooms.joined {
        let events = room.timeline.events.iter();
        let timeline = seen.entry(id.clone()).or_default();
        timeline.extend(events.filter_map(Seen::of));
    }
}
