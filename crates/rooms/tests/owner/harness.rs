//! A deployment for one test: a database, its keys, and nodes over it.

use std::sync::Arc;

use model::time::Clock;
use rooms::{
    CreateRoom, EncryptionPolicy, InitialState, MemberChange, MemberProfile, Preset, Rooms,
    RoomsError, RoomsOptions, RoomsRefusal, StoredEvent, Transaction,
};
use ruma::{
    CanonicalJsonObject, EventId, OwnedEventId, OwnedRoomId, RoomId, RoomVersionId, UserId,
    owned_server_name, user_id,
};
use seal::{KeySource, Keyring, MasterKey};
use serde_json::{Value, json};
use store::{
    Database, DatabaseOptions, Intent, Location, Log, LogBuilder, Migrations, Pos, StoreError,
};
use testkit::{clock::FakeClock, entropy::SeededEntropy, postgres::TestDatabase};

/// Runs a test on both engines.
macro_rules! conformance {
    ($($(#[$meta:meta])* async fn $name:ident($bench:ident) $body:block)*) => {
        $(mod $name {
            use super::*;

            $(#[$meta])*
            async fn claim($bench: Bench) $body

            #[tokio::test]
            async fn sqlite() {
                claim(Bench::sqlite()).await;
            }

            #[tokio::test]
            async fn postgres() {
                claim(Bench::postgres().await).await;
            }
        })*
    };
}
pub(crate) use conformance;

pub(crate) fn alice() -> &'static UserId {
    user_id!("@alice:localhost")
}

pub(crate) fn bob() -> &'static UserId {
    user_id!("@bob:localhost")
}

pub(crate) fn carol() -> &'static UserId {
    user_id!("@carol:localhost")
}

/// A deployment; it is removed when this is dropped.
pub(crate) struct Bench {
    location: Location,
    folder: tempfile::TempDir,
    pub(crate) clock: FakeClock,
    _postgres: Option<TestDatabase>,
}

/// A node of it.
pub(crate) struct Node {
    pub(crate) rooms: Rooms,
    pub(crate) log: Log,
    pub(crate) database: Database,
}

impl Bench {
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            location: Location::Sqlite(folder.path().join("conclave.db")),
            folder,
            clock: FakeClock::default(),
            _postgres: None,
        }
    }

    pub(crate) async fn postgres() -> Self {
        let postgres = testkit::postgres::database().await;
        Self {
            location: Location::Postgres(postgres.url.clone()),
            folder: tempfile::tempdir().unwrap(),
            clock: FakeClock::default(),
            _postgres: Some(postgres),
        }
    }

    /// A node where clients decide about encryption.
    pub(crate) async fn node(&self) -> Node {
        self.node_with(EncryptionPolicy::Off, 1).await
    }

    /// Opens the database with a schema of rooms, which may be an older one.
    pub(crate) async fn open(&self, schema: Migrations) -> Database {
        let opened = Database::open(DatabaseOptions {
            location: self.location.clone(),
            server_name: "localhost".to_owned(),
            migrations: vec![seal::MIGRATIONS, schema],
            readers: 4,
        });
        opened.await.unwrap()
    }

    /// Nodes differ in their randomness: their ids and keys must not meet.
    pub(crate) async fn node_with(&self, encryption: EncryptionPolicy, seed: u64) -> Node {
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let entropy = Arc::new(SeededEntropy::new(seed));
        let source = KeySource::File(self.folder.path().join("master.key"));
        let master = MasterKey::unlock(&source, &self.location, &*entropy)
            .await
            .unwrap();
        let database = self.open(rooms::MIGRATIONS).await;
        let keyring = Keyring::unlock(&database, master, entropy.clone(), Arc::clone(&clock))
            .await
            .unwrap();
        let options = RoomsOptions {
            server_name: owned_server_name!("localhost"),
            default_version: RoomVersionId::V12,
            encryption,
            on_invite: |_, _| {},
            on_delayed: |_, _| {},
        };
        let rooms = Rooms::new(
            options,
            database.clone(),
            keyring,
            Arc::clone(&clock),
            entropy,
        );
        let log = rooms
            .register(LogBuilder::new(database.clone(), clock))
            .start()
            .await
            .unwrap();
        Node {
            rooms,
            log,
            database,
        }
    }
}

/// A room as a client asks for it with nothing but a preset.
pub(crate) fn plain(preset: Preset) -> CreateRoom {
    CreateRoom {
        creator: alice().to_owned(),
        profile: MemberProfile::default(),
        version: None,
        preset,
        published: false,
        name: None,
        topic: None,
        alias: None,
        invite: Vec::new(),
        initial_state: Vec::new(),
        creation_content: CanonicalJsonObject::new(),
        power_levels: None,
        is_direct: false,
        notices_for: None,
        by_appservice: false,
    }
}

/// A room that the members of another may join.
pub(crate) fn restricted(to: &RoomId) -> CreateRoom {
    let allow = json!([{ "type": "m.room_membership", "room_id": to }]);
    let mut request = plain(Preset::PrivateChat);
    request.initial_state = vec![InitialState {
        kind: "m.room.join_rules".into(),
        state_key: String::new(),
        content: content(json!({ "join_rule": "restricted", "allow": allow })),
    }];
    request
}

/// Bob, who has just left `team`, came into `room` before that, or not at all.
pub(crate) async fn assert_joined_before_leaving(
    node: &Node,
    team: &RoomId,
    room: &RoomId,
    came: Result<(), RoomsError>,
) {
    if came.is_err() {
        assert_forbidden(came);
        return;
    }
    let last = async |room: &RoomId| {
        let events = node.timeline(room).await;
        let last = events.iter().rev();
        let mut last = last.filter(|event| event.pdu.state_key() == Some(bob().as_str()));
        last.next().unwrap().pos
    };
    let (came, left) = (last(room).await, last(team).await);
    assert!(came < left, "came at {came:?}, left at {left:?}");
}

/// Depths are consecutive from the first event on, and each event follows the one before it.
pub(crate) fn assert_is_line(line: &[StoredEvent]) {
    for (index, event) in line.iter().enumerate() {
        assert_eq!(event.pdu.depth(), i64::try_from(index).unwrap() + 1);
        let before = index.checked_sub(1).map(|index| line[index].pdu.event_id());
        let named: Vec<_> = event.pdu.prev_events().iter().map(|id| &**id).collect();
        assert_eq!(named, before.into_iter().collect::<Vec<_>>());
    }
}

pub(crate) fn content(value: Value) -> CanonicalJsonObject {
    serde_json::from_value(value).unwrap()
}

pub(crate) fn shown_as(name: &str) -> MemberProfile {
    MemberProfile {
        displayname: Some(name.to_owned()),
        avatar_url: None,
    }
}

pub(crate) fn txn(device: &str, id: &str) -> Option<Transaction> {
    Some(Transaction {
        device_id: device.to_owned(),
        txn_id: id.to_owned(),
    })
}

pub(crate) fn refusal<T>(outcome: Result<T, RoomsError>) -> RoomsRefusal {
    match outcome {
        Ok(_) => panic!("it was to be refused"),
        Err(RoomsError::Refused(refusal)) => refusal,
        Err(RoomsError::Elsewhere(error)) => panic!("there is no other owner: {error}"),
        Err(RoomsError::Store(error)) => panic!("the store failed: {error}"),
    }
}

pub(crate) fn assert_forbidden<T>(outcome: Result<T, RoomsError>) {
    let refusal = refusal(outcome);
    assert!(
        matches!(refusal, RoomsRefusal::Forbidden(_)),
        "{refusal:?} is not Forbidden"
    );
}

impl Node {
    pub(crate) async fn create(&self, request: &CreateRoom) -> Result<OwnedRoomId, RoomsError> {
        let nothing = |_: &OwnedRoomId| Intent::new();
        self.rooms.create(&self.log, request, nothing).await
    }

    /// A room that anybody may join, alice in it.
    pub(crate) async fn public(&self) -> OwnedRoomId {
        self.create(&plain(Preset::PublicChat)).await.unwrap()
    }

    /// A room that is joined by invitation, alice in it.
    pub(crate) async fn private(&self) -> OwnedRoomId {
        self.create(&plain(Preset::PrivateChat)).await.unwrap()
    }

    pub(crate) async fn change(
        &self,
        room: &RoomId,
        sender: &UserId,
        target: &UserId,
        change: MemberChange,
    ) -> Result<(), RoomsError> {
        self.rooms
            .change_member(&self.log, room, sender, target, change, None)
            .await
    }

    pub(crate) async fn join(&self, room: &RoomId, user: &UserId) -> Result<(), RoomsError> {
        let change = MemberChange::Join(MemberProfile::default());
        self.change(room, user, user, change).await
    }

    pub(crate) async fn leave(&self, room: &RoomId, user: &UserId) -> Result<(), RoomsError> {
        self.change(room, user, user, MemberChange::Leave).await
    }

    pub(crate) async fn invite(
        &self,
        room: &RoomId,
        sender: &UserId,
        user: &UserId,
    ) -> Result<(), RoomsError> {
        let change = MemberChange::Invite {
            profile: MemberProfile::default(),
            is_direct: false,
        };
        self.change(room, sender, user, change).await
    }

    pub(crate) async fn say(
        &self,
        room: &RoomId,
        user: &UserId,
        text: &str,
    ) -> Result<OwnedEventId, RoomsError> {
        self.say_as(room, user, text, None).await
    }

    pub(crate) async fn say_as(
        &self,
        room: &RoomId,
        user: &UserId,
        text: &str,
        transaction: Option<Transaction>,
    ) -> Result<OwnedEventId, RoomsError> {
        let body = content(json!({ "msgtype": "m.text", "body": text }));
        let kind = "m.room.message".into();
        let request = rooms::SendRequest {
            transaction,
            at: None,
        };
        self.rooms
            .send(&self.log, room, user, kind, body, request)
            .await
    }

    pub(crate) async fn set(
        &self,
        room: &RoomId,
        user: &UserId,
        kind: &str,
        state_key: &str,
        value: Value,
    ) -> Result<OwnedEventId, RoomsError> {
        self.rooms
            .set_state(
                &self.log,
                room,
                user,
                (kind.into(), state_key),
                content(value),
                None,
            )
            .await
    }

    /// The content of a place in the room's current state.
    pub(crate) async fn state(&self, room: &RoomId, kind: &str, state_key: &str) -> Value {
        use model::room_state::StateView;

        let room = self.rooms.room(room).await.unwrap();
        let event = room.state.get(kind, state_key);
        event.map_or(Value::Null, |event| event.content_as().unwrap())
    }

    pub(crate) async fn membership(&self, room: &RoomId, user: &UserId) -> String {
        use model::room_state::StateView;

        let room = self.rooms.room(room).await.unwrap();
        room.state.membership(user).to_string()
    }

    pub(crate) async fn event(&self, room: &RoomId, event_id: &EventId) -> StoredEvent {
        let room = self.rooms.room(room).await.unwrap();
        let snapshot = self.rooms.snapshot().await.unwrap();
        let event = self.rooms.event(&snapshot, &room, event_id).await;
        event.unwrap().unwrap()
    }

    /// The whole timeline, whoever may see it, oldest first.
    pub(crate) async fn timeline(&self, room: &RoomId) -> Vec<StoredEvent> {
        let room = self.rooms.room(room).await.unwrap();
        let snapshot = self.rooms.snapshot().await.unwrap();
        let head = snapshot.head().get();
        let newest = self.rooms.newest(&snapshot, &room, 0, head, 10_000);
        newest.await.unwrap().0
    }

    pub(crate) async fn head(&self) -> Pos {
        self.rooms.snapshot().await.unwrap().head()
    }

    /// How many rows a query finds.
    pub(crate) async fn count(&self, sql: &'static str) -> Result<usize, StoreError> {
        Ok(self.database.query(sql, &[]).await?.len())
    }
}
