//! The service: what a face or a floor above asks of rooms.

use std::sync::Arc;

use model::{
    entropy::Entropy,
    event::{EventDraft, MAX_PDU_BYTES},
    time::Clock,
};
use ruma::{
    EventId, OwnedRoomId, OwnedServerName, OwnedUserId, RoomAliasId, RoomId, RoomVersionId,
    ServerName, UserId,
};
use seal::Keyring;
use store::{
    Coherent, CommitError, Database, Intent, Log, LogBuilder, Migration, Migrations, Names, Pos,
    Reader, Snapshot, StoreError, Ticket,
};
use tokio::sync::Notify;

use crate::{
    EncryptionPolicy, NewEvent, Room, RoomsChange, RoomsError, RoomsOutcome, RoomsRefusal,
    Transaction,
    change::{AnnotationHash, TransactionHash},
    delayed::Schedules,
    directory::Listings,
    earlier::EarlierRooms,
    open_rooms::OpenRooms,
    summary::Summaries,
    tails::Tails,
    unread::UnreadCache,
    visibility::Histories,
};

/// The tables of rooms.
pub const MIGRATIONS: Migrations = Migrations {
    owner: "rooms",
    steps: &[
        Migration {
            number: 1,
            name: "rooms",
            sql: include_str!("../migrations/0001_rooms.sql"),
        },
        Migration {
            number: 2,
            name: "events_by_position",
            sql: include_str!("../migrations/0002_events_by_position.sql"),
        },
        Migration {
            number: 3,
            name: "relations",
            sql: include_str!("../migrations/0003_relations.sql"),
        },
        Migration {
            number: 4,
            name: "open_rooms",
            sql: include_str!("../migrations/0004_open_rooms.sql"),
        },
        Migration {
            number: 5,
            name: "thread_subscriptions",
            sql: include_str!("../migrations/0005_thread_subscriptions.sql"),
        },
        Migration {
            number: 6,
            name: "delayed_events",
            sql: include_str!("../migrations/0006_delayed_events.sql"),
        },
        Migration {
            number: 7,
            name: "bumps",
            sql: include_str!("../migrations/0007_bumps.sql"),
        },
        Migration {
            number: 8,
            name: "guests",
            sql: include_str!("../migrations/0008_guests.sql"),
        },
        Migration {
            number: 9,
            name: "notices",
            sql: include_str!("../migrations/0009_notices.sql"),
        },
        Migration {
            number: 10,
            name: "networks",
            sql: include_str!("../migrations/0010_networks.sql"),
        },
    ],
};

/// How many events of the state of rooms are kept in memory, about: each takes some 1.5 KiB. A room
/// has eight beside its members.
const CACHED_STATE: u64 = 128 * 1_024;

/// What a room counts as at most, so that a large one is kept too.
const LARGEST_ROOM: usize = 16 * 1_024;

fn weight(room: &Room) -> u32 {
    let events = room.state.len().min(LARGEST_ROOM);
    u32::try_from(events).unwrap_or(u32::MAX)
}

/// What an organisation decides about rooms.
#[derive(Clone, Debug)]
pub struct RoomsOptions {
    /// The name that ids end with.
    pub server_name: OwnedServerName,
    /// The version of new rooms.
    pub default_version: RoomVersionId,
    /// Which rooms are encrypted.
    pub encryption: EncryptionPolicy,
    /// Adds to an intent that invites somebody what must hold of them.
    pub on_invite: OnInvite,
    /// Adds to an intent that sends a delayed event what must hold of its sender.
    pub on_delayed: OnDelayed,
}

/// Adds changes of another owner to an intent that invites a user, which refuse all of it unless
/// the user may be invited at its place in the log.
pub type OnInvite = fn(&mut Intent, &UserId);

/// Adds changes of another owner to an intent that sends a delayed event, which refuse all of it
/// unless the user, by interned id, may send at its place in the log.
pub type OnDelayed = fn(&mut Intent, i64);

/// Timeline, membership, state and receipts. Cheap to clone.
#[derive(Clone)]
pub struct Rooms {
    inner: Arc<Inner>,
}

struct Inner {
    options: RoomsOptions,
    database: Database,
    keyring: Keyring,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    cache: Coherent<i64, Arc<Room>>,
    earlier: EarlierRooms,
    listings: Listings,
    summaries: Summaries,
    open: OpenRooms,
    schedules: Arc<Schedules>,
    unread: UnreadCache,
    tails: Tails,
    histories: Histories,
    /// Told when this node has closed a room to guests.
    closed_to_guests: Notify,
}

impl Rooms {
    /// Makes the service; [register](Self::register) it with the log before the log starts.
    pub fn new(
        options: RoomsOptions,
        database: Database,
        keyring: Keyring,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let cache = Coherent::weighing(CACHED_STATE, |room: &Arc<Room>| weight(room));
        Self {
            inner: Arc::new(Inner {
                options,
                database,
                keyring,
                clock,
                entropy,
                cache,
                earlier: EarlierRooms::new(weight),
                listings: Listings::new(),
                summaries: Summaries::new(),
                open: OpenRooms::default(),
                schedules: Arc::default(),
                unread: UnreadCache::new(),
                tails: Tails::new(),
                histories: Histories::new(),
                closed_to_guests: Notify::new(),
            }),
        }
    }

    /// Registers the appliers of rooms.
    pub fn register(&self, builder: LogBuilder) -> LogBuilder {
        builder
            .register(Arc::new(self.clone()))
            .register(Arc::clone(&self.inner.schedules))
    }

    /// The version of new rooms.
    pub fn default_version(&self) -> &RoomVersionId {
        &self.inner.options.default_version
    }

    /// Which rooms are encrypted.
    pub fn encryption(&self) -> EncryptionPolicy {
        self.inner.options.encryption
    }

    /// The name that ids end with.
    pub fn server_name(&self) -> &ServerName {
        &self.inner.options.server_name
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.inner.clock
    }

    pub(crate) fn entropy(&self) -> &dyn Entropy {
        &*self.inner.entropy
    }

    pub(crate) fn keyring(&self) -> &Keyring {
        &self.inner.keyring
    }

    pub(crate) fn cache(&self) -> &Coherent<i64, Arc<Room>> {
        &self.inner.cache
    }

    pub(crate) fn earlier(&self) -> &EarlierRooms {
        &self.inner.earlier
    }

    pub(crate) fn listings(&self) -> &Listings {
        &self.inner.listings
    }

    pub(crate) fn kept_summaries(&self) -> &Summaries {
        &self.inner.summaries
    }

    pub(crate) fn open_index(&self) -> &OpenRooms {
        &self.inner.open
    }

    pub(crate) fn unread_cache(&self) -> &UnreadCache {
        &self.inner.unread
    }

    pub(crate) fn tails(&self) -> &Tails {
        &self.inner.tails
    }

    pub(crate) fn histories(&self) -> &Histories {
        &self.inner.histories
    }

    pub(crate) fn schedules(&self) -> &Schedules {
        &self.inner.schedules
    }

    pub(crate) fn closed_to_guests(&self) -> &Notify {
        &self.inner.closed_to_guests
    }

    pub(crate) fn options(&self) -> &RoomsOptions {
        &self.inner.options
    }

    pub(crate) fn names(&self) -> &Names {
        self.inner.database.names()
    }

    /// The user behind an integer.
    pub async fn user_id(&self, reader: &Reader, user: i64) -> Result<OwnedUserId, StoreError> {
        let name = self.names().user_name(reader, user).await?;
        OwnedUserId::try_from(&*name).map_err(|_| StoreError::Damaged("user_names.name".to_owned()))
    }

    /// Opens a view of one moment.
    pub async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.inner.database.snapshot().await
    }

    /// The room at the head of the log, from memory when it is there.
    ///
    /// Pass the read barrier first.
    pub async fn room(&self, room_id: &RoomId) -> Result<Arc<Room>, RoomsError> {
        let cached = self.names().cached_room(room_id.as_str());
        if let Some(room) = cached.and_then(|room| self.cache().get(&room)) {
            return Ok(room);
        }
        let snapshot = self.snapshot().await?;
        let known = self.names().room(&snapshot, room_id.as_str()).await?;
        let room = match known {
            Some(room) => self.room_by_number(&snapshot, room).await?,
            None => None,
        };
        room.ok_or_else(|| RoomsRefusal::NoSuchRoom(room_id.to_owned()).into())
    }

    /// The room behind its integer at the head of the log, if it is in memory.
    pub fn room_in_memory(&self, room: i64) -> Option<Arc<Room>> {
        self.cache().get(&room)
    }

    /// The room behind its integer, as it stands in the snapshot or later.
    pub async fn room_by_number(
        &self,
        snapshot: &Snapshot,
        room: i64,
    ) -> Result<Option<Arc<Room>>, StoreError> {
        if let Some(cached) = self.cache().get(&room) {
            return Ok(Some(cached));
        }
        self.read_room(snapshot, room).await
    }

    /// The room behind its integer, its state as it stands in the snapshot: who may not see what
    /// came later does not.
    pub async fn room_at(
        &self,
        snapshot: &Snapshot,
        room: i64,
    ) -> Result<Option<Arc<Room>>, StoreError> {
        match self.cache().get(&room) {
            Some(cached) if cached.state_pos <= snapshot.head() => Ok(Some(cached)),
            _ => self.read_room(snapshot, room).await,
        }
    }

    /// The room as it stands in the snapshot, whatever is in memory.
    pub(crate) async fn read_room(
        &self,
        snapshot: &Snapshot,
        room: i64,
    ) -> Result<Option<Arc<Room>>, StoreError> {
        let name = self.names().room_name(snapshot, room).await?;
        let room_id = stored_room_id(&name)?;
        let read = Room::read(snapshot, self.keyring(), (room, &room_id), self.earlier())
            .await?
            .map(Arc::new);
        if let Some(read) = &read {
            self.cache().fill(room, Arc::clone(read), snapshot.head());
        }
        Ok(read)
    }

    /// A client's transaction as it is stored: nobody learns device or name from it.
    ///
    /// Clients count their transactions per endpoint and path, so what the path says of the
    /// event is part of it: a redaction is no retry of a message.
    pub(crate) fn transaction_hash(
        &self,
        draft: &EventDraft,
        transaction: &Transaction,
    ) -> TransactionHash {
        let Transaction { device_id, txn_id } = transaction;
        let room_id = draft.room_id.as_ref().map_or("", |id| id.as_str());
        let redacts = draft.redacts.as_ref().map_or("", |id| id.as_str());
        let named = serde_json::to_vec(&[
            room_id,
            draft.sender.as_str(),
            &draft.event_type,
            redacts,
            device_id,
            txn_id,
        ]);
        let named = named.expect("strings always serialise");
        let hash = self.keyring().blind("rooms.transactions", &named);
        *hash.first_chunk().expect("a keyed hash is 32 bytes long")
    }

    /// What an annotation says of which event and by whom, as it is stored.
    pub(crate) fn annotation_hash(
        &self,
        draft: &EventDraft,
        target: &EventId,
        key: &str,
    ) -> AnnotationHash {
        let room_id = draft.room_id.as_ref().map_or("", |id| id.as_str());
        let named = [
            room_id,
            target.as_str(),
            draft.sender.as_str(),
            &draft.event_type,
            key,
        ];
        let named = serde_json::to_vec(&named).expect("strings always serialise");
        let hash = self.keyring().blind("rooms.annotations", &named);
        *hash.first_chunk().expect("a keyed hash is 32 bytes long")
    }

    pub(crate) fn alias_hash(&self, alias: &RoomAliasId) -> [u8; 32] {
        self.keyring().blind("rooms.aliases", alias.as_bytes())
    }

    /// Commits one change, with whatever else stands in the intent.
    pub async fn commit(
        &self,
        log: &Log,
        mut intent: Intent,
        change: RoomsChange,
    ) -> Result<(RoomsOutcome, Pos), RoomsError> {
        if let Some(event) = change.event()
            && event.size_bytes > MAX_PDU_BYTES
        {
            return Err(RoomsRefusal::TooLarge.into());
        }
        let ticket = self.add(&mut intent, change);
        let mut committed = log.commit(intent).await.map_err(from_commit)?;
        let outcome = committed.take(ticket).unwrap_or(RoomsOutcome::Done);
        Ok((outcome, committed.last_pos()))
    }
}

impl Rooms {
    /// Adds a change to an intent and, behind an invitation, what must hold of who is invited:
    /// what the room's own rules refuse is told first.
    pub(crate) fn add(&self, intent: &mut Intent, change: RoomsChange) -> Ticket<Self> {
        let invited = change.event().and_then(NewEvent::invites);
        let ticket = intent.add::<Self>(change);
        if let Some(user_id) = invited {
            (self.inner.options.on_invite)(intent, &user_id);
        }
        ticket
    }

    /// Commits an intent of several owners; what rooms refuse of it is told.
    pub async fn commit_all(&self, log: &Log, intent: Intent) -> Result<Pos, RoomsError> {
        let committed = log.commit(intent).await.map_err(from_commit)?;
        Ok(committed.last_pos())
    }
}

/// A commit's error as one of rooms.
pub(crate) fn from_commit(error: CommitError) -> RoomsError {
    match error.refusal::<Rooms>() {
        Ok(refusal) => refusal.into(),
        Err(other @ CommitError::Refused { .. }) => RoomsError::Elsewhere(other),
        Err(CommitError::Store(error)) => error.into(),
    }
}

/// A room's id, as it is interned.
pub(crate) fn stored_room_id(name: &str) -> Result<OwnedRoomId, StoreError> {
    OwnedRoomId::try_from(name).map_err(|_| StoreError::Damaged("room_names.name".to_owned()))
}
