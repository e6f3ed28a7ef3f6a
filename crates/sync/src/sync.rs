//! `/v3/sync`: everything that changed for one device, from one moment.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use accounts::{Accounts, account_data::AccountDataEntry};
use keys::Keys;
use model::{filter::SyncFilter, time::Clock};
use rooms::{Membership, ReceiptEntry, Room, Rooms};
use ruma::{DeviceId, OwnedUserId, UserId, events::room::member::MembershipState, push::Ruleset};
use serde_json::{json, value::to_raw_value};
use store::{Log, Pos, Snapshot, StoreError};
use tokio::sync::broadcast::error::RecvError;

use crate::{
    device_lists,
    ephemeral::{EphemeralState, Presence},
    render::{Reader, raw},
    response::{ClientEvent, Events, InvitedRoom, JoinedRoom, KnockedRoom, SyncResponse},
    rooms_part::RoomReader,
    token::{Ephemeral, SyncToken},
    unread::Unread,
    wakers::Wakers,
};

/// The most messages to a device in one answer.
const TO_DEVICE_LIMIT: usize = 100;

/// The longest that a client may wait.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// Answers syncs. Cheap to clone.
#[derive(Clone)]
pub struct Sync {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    log: Log,
    pub(crate) accounts: Accounts,
    pub(crate) rooms: Rooms,
    pub(crate) keys: Keys,
    clock: Arc<dyn Clock>,
    epoch: i64,
    wakers: Arc<Wakers>,
    ephemeral: EphemeralState,
    unread: Unread,
    presence_enabled: bool,
}

/// Who syncs.
#[derive(Clone, Copy)]
pub struct Syncer<'a> {
    /// The user's integer.
    pub user: i64,
    /// The user.
    pub user_id: &'a UserId,
    /// The device.
    pub device_id: &'a DeviceId,
    /// The device's session, which may end while it waits.
    pub session: i64,
}

/// Why a sync is not answered.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The session ended while it waited.
    #[error("the session has ended")]
    SessionEnded,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a client asks.
pub struct SyncRequest {
    /// What it has seen.
    pub since: Option<SyncToken>,
    /// What it wants.
    pub filter: Arc<SyncFilter>,
    /// Whether it wants all state, whatever it has seen.
    pub full_state: bool,
    /// How long it waits for news.
    pub timeout: Duration,
}

impl Sync {
    /// Puts the reader together; `node` names this start of this node among all.
    ///
    /// Follows the log from now on, until the log stops.
    pub async fn start(
        log: Log,
        accounts: Accounts,
        rooms: Rooms,
        keys: Keys,
        node: u64,
        presence_enabled: bool,
    ) -> Result<Self, StoreError> {
        let epoch = log.database().fact("epoch").await?;
        let epoch = epoch.and_then(|epoch| epoch.parse().ok());
        let epoch =
            epoch.ok_or_else(|| StoreError::Damaged("the fact epoch is missing".to_owned()))?;
        let clock = Arc::clone(log.clock());
        let wakers = Arc::new(Wakers::default());
        follow(&log, &wakers);
        let inner = Inner {
            log,
            accounts,
            rooms,
            keys,
            clock,
            epoch,
            wakers,
            ephemeral: EphemeralState::new(node),
            unread: Unread::new(),
            presence_enabled,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Typing and presence, for what sets them.
    pub fn ephemeral(&self) -> &EphemeralState {
        &self.inner.ephemeral
    }

    /// Whether presence is kept at all.
    pub fn presence_enabled(&self) -> bool {
        self.inner.presence_enabled
    }

    /// Wakes the syncs of everybody in a room: somebody types, or no longer.
    pub fn typing_changed(&self, room: i64) {
        self.inner.wakers.wake_room(room);
    }

    /// Wakes the syncs of those who share a room with a user whose presence changed.
    pub async fn presence_changed(&self, user: i64) -> Result<(), StoreError> {
        let snapshot = self.inner.log.database().snapshot().await?;
        let others = self.inner.rooms.sharing_users(&snapshot, user).await?;
        self.inner.wakers.wake_users(others);
        Ok(())
    }

    /// Answers a sync: at once when there is news, else when there is some, or time is up.
    ///
    /// A client that goes away drops the future, and with it everything that waited.
    pub async fn sync(
        &self,
        syncer: Syncer<'_>,
        request: &SyncRequest,
    ) -> Result<SyncResponse, SyncError> {
        let inner = &self.inner;
        let since = request.since.filter(|since| since.epoch == inner.epoch);
        if let Some(since) = since {
            inner.acknowledge(syncer, since).await?;
        }
        let may_wait = since.is_some() && !request.full_state && !request.timeout.is_zero();
        let deadline = inner.clock.sleep(request.timeout.min(LONGEST_WAIT));
        tokio::pin!(deadline);
        loop {
            inner.log.barrier().await?;
            // Registered before reading: what commits in between rings.
            let rooms = inner.joined_rooms(syncer.user).await?;
            let waiter = inner.wakers.register(syncer.user, rooms);
            let Syncer {
                user,
                device_id,
                session,
                ..
            } = syncer;
            if !inner
                .accounts
                .session_stands(user, device_id, session)
                .await?
            {
                return Err(SyncError::SessionEnded);
            }
            let answer = inner.answer(syncer, request, since).await?;
            if !may_wait || !answer.is_empty() {
                return Ok(answer);
            }
            tokio::select! {
                () = waiter.woken() => {}
                () = &mut deadline => {
                    return Ok(inner.answer(syncer, request, since).await?);
                }
            }
        }
    }
}

/// Rings for every batch; whoever falls behind rings for everybody.
fn follow(log: &Log, wakers: &Arc<Wakers>) {
    let mut batches = log.subscribe();
    let wakers = Arc::clone(wakers);
    tokio::spawn(async move {
        loop {
            match batches.recv().await {
                Ok(batch) => wakers.wake(&batch.touched),
                Err(RecvError::Lagged(_)) => wakers.wake_all(),
                Err(RecvError::Closed) => return,
            }
        }
    });
}

impl Inner {
    pub(crate) fn names(&self) -> &store::Names {
        self.log.database().names()
    }

    /// A token proves that its device has what came before it.
    async fn acknowledge(&self, syncer: Syncer<'_>, since: SyncToken) -> Result<(), StoreError> {
        if since.to_device_pos == 0 {
            return Ok(());
        }
        let snapshot = self.log.database().snapshot().await?;
        // A token from nowhere proves nothing beyond what exists.
        let upto = Pos::new(since.to_device_pos.min(snapshot.head().get()));
        let device = syncer.device_id.as_str();
        self.keys
            .acknowledge_to_device(&snapshot, syncer.user, device, upto)
            .await
    }

    async fn joined_rooms(&self, user: i64) -> Result<Vec<i64>, StoreError> {
        let snapshot = self.log.database().snapshot().await?;
        let memberships = self.rooms.memberships(&snapshot, user).await?;
        let joined = |membership: &Membership| membership.membership == MembershipState::Join;
        Ok(memberships
            .into_iter()
            .filter(joined)
            .map(|membership| membership.room)
            .collect())
    }

    async fn answer(
        &self,
        syncer: Syncer<'_>,
        request: &SyncRequest,
        since: Option<SyncToken>,
    ) -> Result<SyncResponse, StoreError> {
        // Counted before anything is read: what changes meanwhile is told again, not lost.
        let ephemeral_now = self.ephemeral.now();
        let snapshot = self.log.database().snapshot().await?;
        let head = snapshot.head();
        // A token from the future (a restored copy) is as good as one of now.
        let since_pos = since.map(|since| since.pos.min(head.get()));
        let reading = Reading {
            inner: self,
            snapshot: &snapshot,
            syncer,
            filter: &request.filter,
            full_state: request.full_state,
            since_pos,
            ephemeral_since: since.map(|since| since.ephemeral),
        };
        let memberships = self.rooms.memberships(&snapshot, syncer.user).await?;
        let entries = reading.account_data().await?;
        let mut response = SyncResponse::default();
        reading.rooms(&memberships, &entries, &mut response).await?;
        response.account_data = reading.global_account_data(&entries).await?;
        let device = syncer.device_id.as_str();
        let after = Pos::new(since.map_or(0, |since| since.to_device_pos.min(head.get())));
        let waiting = self
            .keys
            .to_device_since(&snapshot, syncer.user, device, after, head, TO_DEVICE_LIMIT)
            .await?;
        response.to_device.events = waiting
            .events
            .into_iter()
            .map(|event| event.into_json())
            .collect();
        if let Some(since_pos) = since_pos {
            response.device_lists =
                device_lists::changes(self, &snapshot, syncer, &memberships, since_pos).await?;
        }
        let counts = self
            .keys
            .one_time_key_counts(&snapshot, syncer.user, device)
            .await?;
        response.device_one_time_keys_count = counts
            .into_iter()
            .map(|(algorithm, count)| (algorithm.to_string(), count))
            .collect();
        // Clients upload when they see that none are left, so this one is always told.
        response
            .device_one_time_keys_count
            .entry("signed_curve25519".to_owned())
            .or_insert(0);
        let unused = self
            .keys
            .unused_fallback_key_types(&snapshot, syncer.user, device)
            .await?;
        response.device_unused_fallback_key_types = unused
            .into_iter()
            .map(|algorithm| algorithm.to_string())
            .collect();
        response.presence = reading.presence().await?;
        let token = SyncToken {
            epoch: self.epoch,
            pos: head.get(),
            to_device_pos: waiting.upto.get(),
            ephemeral: ephemeral_now,
        };
        response.next_batch = token.to_string();
        Ok(response)
    }
}

/// One sync at one moment.
struct Reading<'a> {
    inner: &'a Inner,
    snapshot: &'a Snapshot,
    syncer: Syncer<'a>,
    filter: &'a SyncFilter,
    full_state: bool,
    since_pos: Option<i64>,
    ephemeral_since: Option<Ephemeral>,
}

impl Reading<'_> {
    async fn account_data(&self) -> Result<Vec<AccountDataEntry>, StoreError> {
        let since = if self.full_state {
            0
        } else {
            self.since_pos.unwrap_or(0)
        };
        let (from, to) = (Pos::new(since), self.snapshot.head());
        self.inner
            .accounts
            .account_data_since(self.snapshot, self.syncer.user, from, to)
            .await
    }

    async fn global_account_data(
        &self,
        entries: &[AccountDataEntry],
    ) -> Result<Events, StoreError> {
        let mut events = Vec::new();
        let push_rules = accounts::push_rules::PUSH_RULES;
        for entry in entries
            .iter()
            .filter(|entry| entry.room == 0 && entry.kind != push_rules)
        {
            if self.filter.account_data.matches_type(&entry.kind) {
                events.push(account_data_event(entry));
            }
        }
        let rules_changed = entries
            .iter()
            .any(|entry| entry.room == 0 && entry.kind == push_rules);
        let first = self.since_pos.is_none() || self.full_state;
        if (first || rules_changed) && self.filter.account_data.matches_type(push_rules) {
            let Syncer { user, user_id, .. } = self.syncer;
            let rules = self
                .inner
                .accounts
                .push_rules_at(self.snapshot, user, user_id)
                .await?;
            let event = json!({ "type": push_rules, "content": { "global": rules } });
            events.push(to_raw_value(&event).expect("push rules are JSON"));
        }
        Ok(Events { events })
    }

    async fn rooms(
        &self,
        memberships: &[Membership],
        entries: &[AccountDataEntry],
        response: &mut SyncResponse,
    ) -> Result<(), StoreError> {
        let now = self.inner.clock.now();
        let device_id = Some(self.syncer.device_id.as_str());
        let reader = RoomReader {
            rooms: &self.inner.rooms,
            snapshot: self.snapshot,
            reader: Reader {
                device_id,
                user_id: self.syncer.user_id,
                now,
            },
            filter: self.filter,
            full_state: self.full_state,
        };
        let since = self.since_pos.unwrap_or(0);
        let head = self.snapshot.head().get();
        let user = self.syncer.user;
        let receipts = self
            .inner
            .rooms
            .receipts_near(self.snapshot, user, since, head)
            .await?;
        let rules = self
            .inner
            .accounts
            .push_rules(user, self.syncer.user_id)
            .await?;
        for membership in memberships {
            let is_new = self.since_pos.is_none_or(|since| membership.pos > since);
            let room = self
                .inner
                .rooms
                .room_by_number(self.snapshot, membership.room)
                .await?;
            let Some(room) = room else { continue };
            if !self.filter.rooms.matches(&room.room_id) {
                continue;
            }
            let id = room.room_id.clone();
            match membership.membership {
                MembershipState::Join => {
                    let receipts = receipts.get(&room.room).map_or(&[][..], Vec::as_slice);
                    let told = self
                        .joined(&reader, &room, membership, entries, receipts, &rules)
                        .await?;
                    if let Some(told) = told {
                        response.rooms.join.insert(id, told);
                    }
                }
                MembershipState::Invite if is_new || self.full_state => {
                    let events = reader.stripped(&room, membership).await?;
                    let invite_state = Events { events };
                    response
                        .rooms
                        .invite
                        .insert(id, InvitedRoom { invite_state });
                }
                MembershipState::Knock if is_new || self.full_state => {
                    let events = reader.stripped(&room, membership).await?;
                    let knock_state = Events { events };
                    response.rooms.knock.insert(id, KnockedRoom { knock_state });
                }
                MembershipState::Leave | MembershipState::Ban if !membership.forgotten => {
                    let wanted = match self.since_pos {
                        Some(_) => is_new || self.full_state && self.filter.include_leave,
                        None => self.filter.include_leave,
                    };
                    if wanted {
                        let mut left = reader.left(&room, membership, self.since_pos).await?;
                        left.account_data = self.room_account_data(entries, room.room);
                        response.rooms.leave.insert(id, left);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A room that the user is in, if there is anything to tell of it.
    async fn joined(
        &self,
        reader: &RoomReader<'_>,
        room: &Room,
        membership: &Membership,
        entries: &[AccountDataEntry],
        receipts: &[ReceiptEntry],
        rules: &Arc<Ruleset>,
    ) -> Result<Option<JoinedRoom>, StoreError> {
        let first = self.since_pos.is_none() || self.full_state;
        let has_events = self
            .since_pos
            .is_none_or(|since| membership.last_pos > since);
        let mut told = if first || has_events {
            reader.joined(room, self.since_pos).await?
        } else {
            JoinedRoom::default()
        };
        told.account_data = self.room_account_data(entries, room.room);
        told.ephemeral = self.ephemeral_of(room, membership, receipts).await?;
        // One's own receipt changes what is unread, also where nothing else is told.
        let read = receipts
            .iter()
            .any(|receipt| receipt.user == self.syncer.user);
        if told.is_empty() && !first && !read {
            return Ok(None);
        }
        let user = (self.syncer.user, self.syncer.user_id);
        let unread = &self.inner.unread;
        told.unread_notifications = unread
            .count(&self.inner.rooms, self.snapshot, room, user, rules)
            .await?;
        Ok(Some(told))
    }

    fn room_account_data(&self, entries: &[AccountDataEntry], room: i64) -> Events {
        let wanted = |entry: &&AccountDataEntry| {
            entry.room == room && self.filter.room_account_data.matches_type(&entry.kind)
        };
        Events {
            events: entries
                .iter()
                .filter(wanted)
                .map(account_data_event)
                .collect(),
        }
    }

    /// Receipts and typing.
    async fn ephemeral_of(
        &self,
        room: &Room,
        membership: &Membership,
        receipts: &[ReceiptEntry],
    ) -> Result<Events, StoreError> {
        let filter = &self.filter.ephemeral;
        let mut events = Vec::new();
        if !filter.matches_room(&room.room_id) {
            return Ok(Events { events });
        }
        let came_in = self.since_pos.is_some_and(|since| membership.pos > since);
        if !filter.matches_type("m.receipt") {
            // Not wanted.
        } else if came_in || self.full_state {
            let head = self.snapshot.head().get();
            let rooms = &self.inner.rooms;
            let all = rooms
                .receipts_between(self.snapshot, room.room, 0, head)
                .await?;
            events.extend(self.receipts(&all).await?);
        } else {
            events.extend(self.receipts(receipts).await?);
        }
        let now = self.inner.clock.now();
        let typing = self
            .inner
            .ephemeral
            .typing(room.room, self.ephemeral_since, now);
        if let Some(typists) = typing.filter(|_| filter.matches_type("m.typing")) {
            let mut user_ids = Vec::with_capacity(typists.len());
            for user in typists {
                user_ids.push(self.user_id(user).await?);
            }
            let event = json!({ "type": "m.typing", "content": { "user_ids": user_ids } });
            events.push(raw(event.to_string()));
        }
        Ok(Events { events })
    }

    async fn receipts(&self, given: &[ReceiptEntry]) -> Result<Option<ClientEvent>, StoreError> {
        type ByUser = BTreeMap<OwnedUserId, serde_json::Value>;
        let mut content: BTreeMap<String, BTreeMap<String, ByUser>> = BTreeMap::new();
        for receipt in given {
            let private = receipt.kind == "m.read.private" && receipt.user != self.syncer.user;
            if private || receipt.kind == "m.fully_read" {
                continue;
            }
            let user_id = self.user_id(receipt.user).await?;
            let mut data = json!({ "ts": receipt.ts });
            if !receipt.thread.is_empty() {
                data["thread_id"] = receipt.thread.as_str().into();
            }
            let of_event = content.entry(receipt.event_id.to_string()).or_default();
            of_event
                .entry(receipt.kind.clone())
                .or_default()
                .insert(user_id, data);
        }
        let event = json!({ "type": "m.receipt", "content": content });
        Ok((!content.is_empty()).then(|| raw(event.to_string())))
    }

    async fn presence(&self) -> Result<Events, StoreError> {
        if !self.inner.presence_enabled {
            return Ok(Events::default());
        }
        let users = self
            .inner
            .rooms
            .sharing_users(self.snapshot, self.syncer.user)
            .await?;
        let mut users: BTreeSet<i64> = users.into_iter().collect();
        users.insert(self.syncer.user);
        let now = self.inner.clock.now();
        let known = self
            .inner
            .ephemeral
            .presence_of(&users, self.ephemeral_since, now);
        let mut events = Vec::new();
        for (user, presence) in known {
            let sender = self.user_id(user).await?;
            if self.filter.presence.matches_type("m.presence")
                && self.filter.presence.matches_sender(&sender)
            {
                events.push(presence_event(&sender, &presence, now));
            }
        }
        Ok(Events { events })
    }

    async fn user_id(&self, user: i64) -> Result<OwnedUserId, StoreError> {
        user_id(self.inner, self.snapshot, user).await
    }
}

/// The user behind an integer.
pub(crate) async fn user_id(
    inner: &Inner,
    snapshot: &Snapshot,
    user: i64,
) -> Result<OwnedUserId, StoreError> {
    let name = inner
        .log
        .database()
        .names()
        .user_name(snapshot, user)
        .await?;
    OwnedUserId::try_from(&*name).map_err(|_| StoreError::Damaged("user_names.name".to_owned()))
}

fn account_data_event(entry: &AccountDataEntry) -> ClientEvent {
    let kind = serde_json::to_string(&entry.kind).expect("a string is JSON");
    raw(format!(
        "{{\"type\":{kind},\"content\":{}}}",
        entry.content.get()
    ))
}

fn presence_event(
    sender: &UserId,
    presence: &Presence,
    now: model::time::Timestamp,
) -> ClientEvent {
    let ago = u64::try_from(now.since(presence.active_at).as_millis()).unwrap_or(u64::MAX);
    let mut content = json!({
        "presence": presence.state,
        "last_active_ago": ago,
        "currently_active": presence.state == "online",
    });
    if let Some(status) = &presence.status {
        content["status_msg"] = status.as_str().into();
    }
    raw(json!({ "type": "m.presence", "sender": sender, "content": content }).to_string())
}
