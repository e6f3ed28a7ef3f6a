//! Reading, under the lock, what the checks of a batch depend on.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use futures_util::future::try_join_all;
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, UserId};
use seal::{Month, Scope};
use store::{Journal, Layered, StoreError, Tx, Value};

use super::{
    RoomsWork, Rows,
    aliases::{ALIASES_OF, AliasRow, FIND_ALIAS},
    annotations,
    delayed::{DelayedWork, NamedDelayed},
    guests,
    notices::{NamedNotices, NoticesWork},
    receipts::{FIND_FORGOTTEN, FIND_RECEIPT, ReceiptKey},
    restricted::JoinedRooms,
    thread_subscriptions,
};
use crate::{
    DelayedStep, NewEvent, Room, Rooms, RoomsChange,
    about_many::AboutMany,
    change::{AnnotationHash, TransactionHash},
    rooms::stored_room_id,
    stored::{StoredEvent, event_id_at, open_events},
    upgrade::UpgradeStep,
};

static FIND_TRANSACTIONS: AboutMany = AboutMany::ending_with_list(
    "SELECT t.hash, (SELECT e.event_id FROM events e WHERE e.pos = t.pos) FROM transactions t \
     WHERE t.hash IN",
    0,
);

const FIND_PLACE: &str =
    "SELECT ord FROM events WHERE event_id = $1 AND room = $2 AND ord IS NOT NULL";

const FIND_EVENT: &str = "SELECT event_id, sealed, pos, ord, redacted_by \
     FROM events WHERE event_id = $1 AND room = $2 AND ord IS NOT NULL";

/// Everything that a batch's changes name.
#[derive(Default)]
struct Named {
    users: BTreeSet<OwnedUserId>,
    rooms: BTreeSet<OwnedRoomId>,
    /// To be redacted.
    events: BTreeSet<(OwnedRoomId, OwnedEventId)>,
    /// Read by somebody.
    places: BTreeSet<(OwnedRoomId, OwnedEventId)>,
    transactions: BTreeSet<TransactionHash>,
    aliases: BTreeSet<[u8; 32]>,
    annotations: BTreeSet<AnnotationHash>,
    receipts: BTreeSet<(OwnedRoomId, OwnedUserId, String, String)>,
    forgets: BTreeSet<(OwnedRoomId, OwnedUserId)>,
    /// Threads of which somebody says something.
    subscriptions: BTreeSet<(OwnedUserId, OwnedRoomId, OwnedEventId)>,
    /// Joins that membership elsewhere may permit.
    joins: BTreeSet<(OwnedRoomId, OwnedUserId)>,
    /// The rooms whose join rule is to change.
    join_rules: BTreeSet<OwnedRoomId>,
    /// The rooms that are to be replaced, with all aliases that point at them.
    upgraded: BTreeSet<OwnedRoomId>,
    delayed: NamedDelayed,
    notices: NamedNotices,
    /// Who may be a guest, where it matters.
    guests: BTreeSet<OwnedUserId>,
}

impl Named {
    fn add_event(&mut self, event: &NewEvent) {
        let draft = &event.draft;
        self.rooms.insert(event.room_id.clone());
        self.users.insert(draft.sender.clone());
        let target = draft.state_key.as_deref().map(UserId::parse);
        if let Some(Ok(target)) = target {
            self.users.insert(target);
        }
        if event.by_membership {
            let join = (event.room_id.clone(), draft.sender.clone());
            self.joins.insert(join);
        }
        if draft.event_type == "m.room.member" {
            self.guests.insert(draft.sender.clone());
        }
        if draft.event_type == "m.room.join_rules" {
            self.join_rules.insert(event.room_id.clone());
        }
        if let Some(redacted) = event.redacts() {
            self.events.insert((event.room_id.clone(), redacted));
        }
        self.annotations.extend(event.annotation);
        let hash = event.transaction.as_ref().map(|(_, hash)| *hash);
        self.transactions.extend(hash);
    }
}

impl Named {
    fn add_delayed(&mut self, step: &DelayedStep) {
        match step {
            DelayedStep::Schedule(new) => {
                self.rooms.insert(new.room_id.clone());
                self.users.insert(new.sender.clone());
            }
            DelayedStep::Fire { event, .. } => self.add_event(event),
            DelayedStep::Fail { room_id, .. } => drop(self.rooms.insert(room_id.clone())),
            DelayedStep::DropUser { user_id } => drop(self.users.insert(user_id.clone())),
            DelayedStep::Restart { .. }
            | DelayedStep::Cancel { .. }
            | DelayedStep::Forget { .. } => {}
        }
        self.delayed.add(step);
    }
}

impl Rooms {
    pub(super) async fn load(
        &self,
        tx: &Tx,
        changes: &[&RoomsChange],
    ) -> Result<RoomsWork, StoreError> {
        let named = self.named(changes);
        let users: Vec<&str> = named.users.iter().map(|user| user.as_str()).collect();
        let user_ids = tx.intern_users(&users).await?;
        let user_ids: HashMap<_, _> = named.users.iter().cloned().zip(user_ids).collect();
        let names: Vec<&str> = named.rooms.iter().map(|room| room.as_str()).collect();
        let room_ids = tx.intern_rooms(&names).await?;
        let mut room_ids: HashMap<_, _> = named.rooms.iter().cloned().zip(room_ids).collect();
        let aliases = find_aliases(tx, &named, &room_ids).await?;
        self.add_alias_rooms(tx, &aliases, &mut room_ids).await?;
        let rooms = self.load_rooms(tx, &room_ids).await?;
        let now = self.clock().now();
        let month = Month::of(now);
        let scopes = room_ids
            .values()
            .map(|room| Scope::Room { room: *room, month });
        let keys = self.keyring().keys_in(tx, scopes).await?;
        let known = self.find_events(tx, &named, &room_ids, &rooms).await?;
        let redacted = known.iter().map(|(_, event)| event.pos);
        let annotations = annotations::find(tx, &named.annotations, redacted).await?;
        let places = find_places(tx, &named, &room_ids).await?;
        let receipts = find_receipts(tx, &named, &room_ids, &user_ids).await?;
        let forgotten = find_forgotten(tx, &named, &room_ids, &user_ids).await?;
        let subscriptions = &named.subscriptions;
        let subscriptions =
            thread_subscriptions::find(tx, subscriptions, &room_ids, &user_ids).await?;
        let joining = joining(&named, &room_ids, &rooms);
        let delayed = DelayedWork::read(tx, &named.delayed, &user_ids).await?;
        let joined_rooms = JoinedRooms::read(tx, &joining, &user_ids).await?;
        let notices = NoticesWork::read(tx, &named.notices, &user_ids).await?;
        let guests = guests::find(tx, &named.guests, &user_ids).await?;
        Ok(RoomsWork {
            keys,
            guests,
            closed_to_guests: Journal::default(),
            rewritten: Layered::default(),
            noisy: Layered::default(),
            tails: Journal::default(),
            notices,
            transactions: find_transactions(tx, &named).await?,
            user_ids,
            room_ids,
            read_rooms: rooms
                .iter()
                .map(|(room, read)| (*room, Arc::clone(read)))
                .collect(),
            rooms,
            known,
            places,
            aliases,
            annotations,
            receipts,
            subscriptions,
            forgotten,
            joined_rooms,
            delayed,
            now,
            rows: Rows::default(),
        })
    }

    fn named(&self, changes: &[&RoomsChange]) -> Named {
        let mut named = Named::default();
        for change in changes {
            match change {
                RoomsChange::Event(event) | RoomsChange::SendGuestOut(event) => {
                    named.add_event(event);
                }
                RoomsChange::NameNotice { user_id, hash } => {
                    named.users.insert(user_id.clone());
                    named.notices.sent.insert((*hash, user_id.clone()));
                }
                RoomsChange::HoldNotices { room_id, user_id } => {
                    named.rooms.insert(room_id.clone());
                    named.users.insert(user_id.clone());
                    named.notices.readers.insert(user_id.clone());
                }
                RoomsChange::Guest { user_id, .. } => {
                    named.users.insert(user_id.clone());
                    named.guests.insert(user_id.clone());
                }
                RoomsChange::Upgrade(step) => self.add_upgrade(&mut named, step),
                RoomsChange::SetAlias(alias) => {
                    named.rooms.insert(alias.room_id.clone());
                    named.users.insert(alias.creator.clone());
                    named.aliases.insert(self.alias_hash(&alias.alias));
                }
                RoomsChange::RemoveAlias { alias, user_id } => {
                    named.users.extend(user_id.clone());
                    named.aliases.insert(self.alias_hash(alias));
                }
                RoomsChange::Receipt(receipt) => {
                    let (room, user) = (receipt.room_id.clone(), receipt.user_id.clone());
                    named.rooms.insert(room.clone());
                    named.users.insert(user.clone());
                    let place = (room.clone(), receipt.event_id.clone());
                    named.places.insert(place);
                    let (kind, thread) = (receipt.kind.clone(), receipt.thread.clone());
                    named.receipts.insert((room, user, kind, thread));
                }
                RoomsChange::ThreadSubscription(wanted) => {
                    let (room, user) = (wanted.room_id.clone(), wanted.user_id.clone());
                    named.rooms.insert(room.clone());
                    named.users.insert(user.clone());
                    let key = (user, room, wanted.thread.clone());
                    named.subscriptions.insert(key);
                }
                RoomsChange::Forget { room_id, user_id } => {
                    named.rooms.insert(room_id.clone());
                    named.users.insert(user_id.clone());
                    named.forgets.insert((room_id.clone(), user_id.clone()));
                }
                RoomsChange::Publish { room_id, .. } | RoomsChange::List { room_id, .. } => {
                    named.rooms.insert(room_id.clone());
                }
                RoomsChange::Delayed(step) => named.add_delayed(step),
                RoomsChange::ForgetTransactions { .. } => {}
            }
        }
        named
    }

    fn add_upgrade(&self, named: &mut Named, step: &UpgradeStep) {
        match step {
            UpgradeStep::Unchanged(read) => {
                named.rooms.insert(read.room_id.clone());
                named.upgraded.insert(read.room_id.clone());
            }
            UpgradeStep::Create { event, .. } | UpgradeStep::IfPermitted(event) => {
                named.add_event(event);
            }
            UpgradeStep::MoveAlias { alias, from, to } => {
                named.rooms.extend([from.clone(), to.clone()]);
                named.aliases.insert(self.alias_hash(alias));
            }
        }
    }

    async fn load_rooms(
        &self,
        tx: &Tx,
        room_ids: &HashMap<OwnedRoomId, i64>,
    ) -> Result<Layered<i64, Arc<Room>>, StoreError> {
        let reading = room_ids.iter().map(|(room_id, room)| async move {
            // The log was applied up to the head before: what is cached is true.
            match self.cache().get(room) {
                Some(cached) => Ok(Some(cached)),
                None => Room::read(tx, self.keyring(), (*room, room_id), self.earlier())
                    .await
                    .map(|read| read.map(Arc::new)),
            }
        });
        let mut rooms = Layered::default();
        for found in try_join_all(reading).await?.into_iter().flatten() {
            rooms.load(found.room, found);
        }
        Ok(rooms)
    }

    /// The rooms behind aliases that are to be removed: power there decides.
    async fn add_alias_rooms(
        &self,
        tx: &Tx,
        aliases: &Layered<[u8; 32], Option<AliasRow>>,
        room_ids: &mut HashMap<OwnedRoomId, i64>,
    ) -> Result<(), StoreError> {
        for row in aliases.iter().filter_map(|(_, row)| row.as_ref()) {
            let name = self.names().room_name(tx, row.room).await?;
            room_ids.insert(stored_room_id(&name)?, row.room);
        }
        Ok(())
    }

    async fn find_events(
        &self,
        tx: &Tx,
        named: &Named,
        room_ids: &HashMap<OwnedRoomId, i64>,
        rooms: &Layered<i64, Arc<Room>>,
    ) -> Result<Layered<OwnedEventId, StoredEvent>, StoreError> {
        let mut known = Layered::default();
        for (room_id, event_id) in &named.events {
            let Some(room) = room_ids.get(room_id).and_then(|room| rooms.get(room)) else {
                continue;
            };
            let params = [event_id.as_str().into(), room.room.into()];
            let rows = tx.query(FIND_EVENT, &params).await?;
            let events = open_events(tx, self.keyring(), room.rules(), &rows).await?;
            for event in events {
                known.load(event_id.clone(), event);
            }
        }
        Ok(known)
    }
}

/// Who joins a room whose rule asks for membership elsewhere, or may do so by then.
fn joining(
    named: &Named,
    room_ids: &HashMap<OwnedRoomId, i64>,
    rooms: &Layered<i64, Arc<Room>>,
) -> BTreeSet<OwnedUserId> {
    let asks = |room_id: &OwnedRoomId| {
        let room = room_ids.get(room_id).and_then(|room| rooms.get(room));
        named.join_rules.contains(room_id)
            || room.is_some_and(|room| !room.state.join_rule().allowed_rooms.is_empty())
    };
    let joins = named.joins.iter().filter(|(room_id, _)| asks(room_id));
    joins.map(|(_, user)| user.clone()).collect()
}

/// The places of events in the timelines of their rooms.
async fn find_places(
    tx: &Tx,
    named: &Named,
    room_ids: &HashMap<OwnedRoomId, i64>,
) -> Result<HashMap<(i64, OwnedEventId), i64>, StoreError> {
    let finding = named.places.iter().filter_map(|(room_id, event_id)| {
        let room = *room_ids.get(room_id)?;
        Some(async move {
            let params = [event_id.as_str().into(), room.into()];
            let row = tx.query_opt(FIND_PLACE, &params).await?;
            row.map(|row| Ok::<_, StoreError>(((room, event_id.clone()), row.int(0)?)))
                .transpose()
        })
    });
    let found = try_join_all(finding).await?;
    Ok(found.into_iter().flatten().collect())
}

async fn find_transactions(
    tx: &Tx,
    named: &Named,
) -> Result<Layered<TransactionHash, OwnedEventId>, StoreError> {
    let hashes = named.transactions.iter().map(|hash| hash[..].into());
    let hashes: Vec<Value> = hashes.collect();
    let mut found = Layered::default();
    for row in FIND_TRANSACTIONS.query_values(tx, &[], &hashes).await? {
        let hash = row.bytes(0)?.try_into();
        let hash = hash.map_err(|_| StoreError::Damaged("transactions.hash".to_owned()))?;
        if row.opt_text(1)?.is_some() {
            found.load(hash, event_id_at(&row, 1)?);
        }
    }
    Ok(found)
}

async fn find_aliases(
    tx: &Tx,
    named: &Named,
    room_ids: &HashMap<OwnedRoomId, i64>,
) -> Result<Layered<[u8; 32], Option<AliasRow>>, StoreError> {
    let mut found = Layered::default();
    for room in named.upgraded.iter().filter_map(|room| room_ids.get(room)) {
        for row in tx.query(ALIASES_OF, &[(*room).into()]).await? {
            let hash = row.bytes(0)?.try_into();
            let hash = hash.map_err(|_| StoreError::Damaged("aliases.hash".to_owned()))?;
            let (room, creator) = (row.int(1)?, row.int(2)?);
            found.load(hash, Some(AliasRow { room, creator }));
        }
    }
    for hash in &named.aliases {
        if let Some(row) = tx.query_opt(FIND_ALIAS, &[hash[..].into()]).await? {
            found.load(
                *hash,
                Some(AliasRow {
                    room: row.int(0)?,
                    creator: row.int(1)?,
                }),
            );
        }
    }
    Ok(found)
}

/// Who has forgotten which room, by room and user.
async fn find_forgotten(
    tx: &Tx,
    named: &Named,
    room_ids: &HashMap<OwnedRoomId, i64>,
    user_ids: &HashMap<OwnedUserId, i64>,
) -> Result<Layered<(i64, i64), bool>, StoreError> {
    let mut found = Layered::default();
    for (room, user) in &named.forgets {
        let (Some(room), Some(user)) = (room_ids.get(room), user_ids.get(user)) else {
            continue;
        };
        let params = [(*user).into(), (*room).into()];
        if let Some(row) = tx.query_opt(FIND_FORGOTTEN, &params).await? {
            found.load((*room, *user), row.flag(0)?);
        }
    }
    Ok(found)
}

async fn find_receipts(
    tx: &Tx,
    named: &Named,
    room_ids: &HashMap<OwnedRoomId, i64>,
    user_ids: &HashMap<OwnedUserId, i64>,
) -> Result<Layered<ReceiptKey, i64>, StoreError> {
    let finding = named
        .receipts
        .iter()
        .filter_map(|(room, user, kind, thread)| {
            let key = (
                *room_ids.get(room)?,
                *user_ids.get(user)?,
                kind.clone(),
                thread.clone(),
            );
            Some(async move {
                let params = [
                    key.0.into(),
                    key.1.into(),
                    key.2.as_str().into(),
                    key.3.as_str().into(),
                ];
                let row = tx.query_opt(FIND_RECEIPT, &params).await?;
                row.map(|row| Ok::<_, StoreError>((key, row.int(0)?)))
                    .transpose()
            })
        });
    let mut found = Layered::default();
    for (key, ord) in try_join_all(finding).await?.into_iter().flatten() {
        found.load(key, ord);
    }
    Ok(found)
}
