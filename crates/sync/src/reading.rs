//! What one sync reads, all of it at one moment: rooms and the user's own data.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use accounts::{IGNORED_USERS, account_data::AccountDataEntry};
use model::filter::SyncFilter;
use rooms::{Judge, Looking, Membership, ReceiptEntry, Room, UnreadByThread};
use ruma::{OwnedUserId, RoomId, UserId, events::room::member::MembershipState};
use serde_json::{json, value::to_raw_value};
use store::{Pos, Snapshot, StoreError};

use crate::{
    render::{Reader, raw},
    response::{
        ClientEvent, Events, InvitedRoom, JoinedRoom, KnockedRoom, RoomUpdates, StateAt,
        SyncResponse,
    },
    rooms_part::RoomReader,
    sync::{Inner, Syncer},
    token::Ephemeral,
};

/// One sync at one moment.
pub(crate) struct Reading<'a> {
    pub(crate) inner: &'a Inner,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) syncer: Syncer<'a>,
    pub(crate) filter: &'a SyncFilter,
    pub(crate) full_state: bool,
    pub(crate) state_at: StateAt,
    pub(crate) since_pos: Option<i64>,
    pub(crate) ephemeral_since: Option<Ephemeral>,
}

impl Reading<'_> {
    pub(crate) async fn account_data(&self) -> Result<Vec<AccountDataEntry>, StoreError> {
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

    pub(crate) async fn global_account_data(
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

    pub(crate) async fn rooms(
        &self,
        memberships: &[Membership],
        entries: &[AccountDataEntry],
        response: &mut SyncResponse,
    ) -> Result<(), StoreError> {
        let now = self.inner.clock.now();
        let device_id = Some(self.syncer.device_id.as_str());
        let Syncer { user, user_id, .. } = self.syncer;
        let judge = self.inner.judge(self.snapshot, user, user_id).await?;
        let ignored = Arc::clone(&judge.ignored);
        let reader = RoomReader {
            rooms: &self.inner.rooms,
            snapshot: self.snapshot,
            reader: Reader {
                device_id,
                user: self.syncer.user,
                user_id: self.syncer.user_id,
                now,
            },
            filter: self.filter,
            ignored: &ignored,
            full_state: self.full_state,
            state_at: self.state_at,
            names_rooms: false,
        };
        let beside = self.beside_events(memberships, entries).await?;
        if self.since_pos.is_none() {
            let rooms = &self.inner.rooms;
            rooms
                .gather_histories(self.snapshot, (user, user_id), memberships)
                .await?;
        }
        let stirred = beside.rooms();
        for membership in memberships {
            if !self.has_news(membership, &stirred, beside.ignoring_changed()) {
                continue;
            }
            let Some(room) = self.room(membership.room).await? else {
                continue;
            };
            let told = Told {
                reader: &reader,
                beside: &beside,
                judge: &judge,
            };
            self.tell(&room, membership, &told, &mut response.rooms)
                .await?;
        }
        Ok(())
    }

    /// Tells of one room, according to where the user stands in it.
    async fn tell(
        &self,
        room: &Room,
        membership: &Membership,
        from: &Told<'_>,
        updates: &mut RoomUpdates,
    ) -> Result<(), StoreError> {
        let (id, reader) = (room.room_id.clone(), from.reader);
        match membership.membership {
            MembershipState::Join => {
                if let Some(told) = self.joined(room, membership, from).await? {
                    updates.join.insert(id, told);
                }
            }
            MembershipState::Invite if reader.is_ignored(room, membership).await? => {}
            MembershipState::Invite => {
                let events = reader.stripped(room, membership).await?;
                let invite_state = Events { events };
                updates.invite.insert(id, InvitedRoom { invite_state });
            }
            MembershipState::Knock => {
                let events = reader.stripped(room, membership).await?;
                let knock_state = Events { events };
                updates.knock.insert(id, KnockedRoom { knock_state });
            }
            _ => {
                let mut left = reader.left(room, membership, self.since_pos).await?;
                left.account_data = self.room_account_data(from.beside.entries, room.room);
                updates.leave.insert(id, left);
            }
        }
        Ok(())
    }

    async fn beside_events<'e>(
        &self,
        memberships: &[Membership],
        entries: &'e [AccountDataEntry],
    ) -> Result<BesideEvents<'e>, StoreError> {
        let since = self.since_pos.unwrap_or(0);
        let head = self.snapshot.head().get();
        let user = self.syncer.user;
        let receipts = &self.inner.rooms;
        let receipts = receipts.receipts_near(self.snapshot, user, since, head);
        let rooms = memberships.iter().map(|membership| membership.room);
        let now = self.inner.clock.now();
        let ephemeral = &self.inner.ephemeral;
        Ok(BesideEvents {
            entries,
            receipts: receipts.await?,
            typing: ephemeral.typing_rooms(rooms, self.ephemeral_since, now),
        })
    }

    /// Whether there may be something to tell of a room: most rooms end here.
    ///
    /// Who ignores somebody no longer learns of the invitations that were kept from them.
    fn has_news(
        &self,
        membership: &Membership,
        stirred: &BTreeSet<i64>,
        ignoring_changed: bool,
    ) -> bool {
        let is_new = self.since_pos.is_none_or(|since| membership.pos > since);
        match membership.membership {
            MembershipState::Join => {
                let has_events = self
                    .since_pos
                    .is_none_or(|since| membership.last_pos > since);
                has_events || self.full_state || stirred.contains(&membership.room)
            }
            MembershipState::Invite => is_new || self.full_state || ignoring_changed,
            MembershipState::Knock => is_new || self.full_state,
            MembershipState::Leave | MembershipState::Ban if !membership.forgotten => {
                match self.since_pos {
                    Some(_) => is_new || self.full_state && self.filter.include_leave,
                    None => self.filter.include_leave,
                }
            }
            _ => false,
        }
    }

    /// A room, if the client wants to hear of it.
    async fn room(&self, room: i64) -> Result<Option<Arc<Room>>, StoreError> {
        let name = self.inner.names().room_name(self.snapshot, room).await?;
        let wanted = <&RoomId>::try_from(&*name).is_ok_and(|id| self.filter.rooms.matches(id));
        if !wanted {
            return Ok(None);
        }
        self.inner.rooms.room_by_number(self.snapshot, room).await
    }

    /// A room that the user is in, if there is anything to tell of it.
    async fn joined(
        &self,
        room: &Room,
        membership: &Membership,
        from: &Told<'_>,
    ) -> Result<Option<JoinedRoom>, StoreError> {
        let Told { reader, beside, .. } = *from;
        let first = self.since_pos.is_none() || self.full_state;
        let has_events = self
            .since_pos
            .is_none_or(|since| membership.last_pos > since);
        let (mut told, came_in) = if first || has_events {
            reader.joined(room, membership, self.since_pos).await?
        } else {
            let state = self.state_at.tell(Events::default());
            let told = JoinedRoom {
                state,
                ..JoinedRoom::default()
            };
            (told, false)
        };
        told.account_data = match came_in && !first {
            true => self.room_account_data(&self.all_account_data().await?, room.room),
            false => self.room_account_data(beside.entries, room.room),
        };
        let receipts = beside.receipts.get(&room.room);
        let receipts = receipts.map_or(&[][..], Vec::as_slice);
        told.ephemeral = self.ephemeral_of(room, came_in, receipts).await?;
        // One's own receipt changes what is unread, also where nothing else is told.
        let read = receipts
            .iter()
            .any(|receipt| receipt.user == self.syncer.user);
        if told.is_empty() && !first && !read {
            return Ok(None);
        }
        let counted = self.unread(room, membership, from, receipts).await?;
        told.count_unread(&counted, self.filter.timeline.unread_thread_notifications);
        Ok(Some(told))
    }

    /// How much of a room is unread. A first sync has read all receipts already.
    async fn unread(
        &self,
        room: &Room,
        membership: &Membership,
        from: &Told<'_>,
        receipts: &[ReceiptEntry],
    ) -> Result<UnreadByThread, StoreError> {
        let (rooms, judge) = (&self.inner.rooms, from.judge);
        let user = (self.syncer.user, self.syncer.user_id);
        if self.since_pos.is_some() {
            return rooms.unread(self.snapshot, room, user, judge).await;
        }
        let history = from.reader.history(room, membership).await?;
        let came_in = history.latest().map_or(0, |(ord, _)| ord);
        let own = receipts.iter().filter(|receipt| receipt.user == user.0);
        let looking = Looking {
            rooms,
            snapshot: self.snapshot,
            room,
            user: user.0,
            user_id: user.1,
            ends_at: Some(membership.last_pos),
        };
        rooms.unread_of_member(looking, judge, (came_in, own)).await
    }

    /// For rooms that the user has come (back) to: what they kept of those before.
    async fn all_account_data(&self) -> Result<Vec<AccountDataEntry>, StoreError> {
        let (user, head) = (self.syncer.user, self.snapshot.head());
        let accounts = &self.inner.accounts;
        accounts
            .account_data_since(self.snapshot, user, Pos::START, head)
            .await
    }

    pub(crate) fn room_account_data(&self, entries: &[AccountDataEntry], room: i64) -> Events {
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

    pub(crate) async fn user_id(&self, user: i64) -> Result<OwnedUserId, StoreError> {
        self.inner.rooms.user_id(self.snapshot, user).await
    }
}

impl Inner {
    /// By what is decided which events notify a user.
    pub(crate) async fn judge(
        &self,
        snapshot: &Snapshot,
        user: i64,
        user_id: &UserId,
    ) -> Result<Judge, StoreError> {
        let said = self.rooms.thread_subscriptions_moved(snapshot, user, None);
        Ok(Judge {
            rules: self.accounts.push_rules(user, user_id).await?,
            ignored: self.accounts.ignored_users(user).await?,
            threads_said: said.await?,
        })
    }
}

/// What rooms are told from.
struct Told<'a> {
    reader: &'a RoomReader<'a>,
    beside: &'a BesideEvents<'a>,
    judge: &'a Judge,
}

/// What happened in rooms beside their events, since the token.
struct BesideEvents<'a> {
    entries: &'a [AccountDataEntry],
    receipts: HashMap<i64, Vec<ReceiptEntry>>,
    typing: Vec<i64>,
}

impl BesideEvents<'_> {
    /// Whether the user ignores others than before.
    fn ignoring_changed(&self) -> bool {
        let mut entries = self.entries.iter();
        entries.any(|entry| entry.room == 0 && entry.kind == IGNORED_USERS)
    }

    fn rooms(&self) -> BTreeSet<i64> {
        let entries = self.entries.iter().map(|entry| entry.room);
        let rooms = entries.chain(self.receipts.keys().copied());
        rooms.chain(self.typing.iter().copied()).collect()
    }
}

pub(crate) fn account_data_event(entry: &AccountDataEntry) -> ClientEvent {
    let kind = serde_json::to_string(&entry.kind).expect("a string is JSON");
    raw(format!(
        "{{\"type\":{kind},\"content\":{}}}",
        entry.content.get()
    ))
}
