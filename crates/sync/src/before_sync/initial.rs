//! Everything as it is now, of one room or of all.

use std::collections::BTreeSet;

use accounts::account_data::AccountDataEntry;
use model::filter::SyncFilter;
use rooms::{Bundles, History, Membership, Room};
use ruma::{RoomId, events::room::member::MembershipState};
use store::StoreError;

use super::{InitialState, Look, LookError, Messages, RoomInfo, hidden};
use crate::{Sync, render::state_event, rooms_part::Span, sync::Syncer, token::Boundary};

impl Sync {
    /// Everything as it is now, with so many of the newest events of each room.
    pub async fn initial_state(
        &self,
        syncer: Syncer<'_>,
        limit: Option<usize>,
        with_left: bool,
    ) -> Result<InitialState, LookError> {
        let inner = &self.inner;
        let snapshot = inner.log.database().snapshot().await?;
        let mut filter = SyncFilter {
            include_leave: with_left,
            ..SyncFilter::default()
        };
        filter.timeline.limit = limit;
        let look = Look::of(inner, &snapshot, syncer, filter).await?;
        let reading = look.reading();
        let entries = reading.account_data().await?;
        let memberships = inner.rooms.memberships(&snapshot, syncer.user).await?;
        let mut rooms = Vec::new();
        for membership in &memberships {
            rooms.extend(look.told(membership, &entries).await?);
        }
        Ok(InitialState {
            end: look.end(),
            presence: reading.presence(&BTreeSet::new()).await?.events,
            account_data: reading.global_account_data(&entries).await?.events,
            rooms,
        })
    }

    /// One room as it is now, for who is in it, was in it, or may read it as anybody may.
    pub async fn room_now(
        &self,
        syncer: Syncer<'_>,
        room_id: &RoomId,
    ) -> Result<RoomInfo, LookError> {
        let inner = &self.inner;
        let room = inner.rooms.room(room_id).await.map_err(hidden)?;
        let snapshot = inner.log.database().snapshot().await?;
        let look = Look::of(inner, &snapshot, syncer, SyncFilter::default()).await?;
        let history = look.history(&room).await?;
        let before = history.state_before().ok_or(LookError::Hidden)?;
        let entries = look.reading().account_data().await?;
        Ok(look.room(&room, &history, before, &entries).await?)
    }
}

impl Look<'_> {
    /// A room of the user's, if they want to hear of it.
    async fn told(
        &self,
        membership: &Membership,
        entries: &[AccountDataEntry],
    ) -> Result<Option<RoomInfo>, StoreError> {
        let rooms = &self.inner.rooms;
        let with_left = self.filter.include_leave && !membership.forgotten;
        let is_told = match membership.membership {
            MembershipState::Join | MembershipState::Invite => true,
            MembershipState::Leave | MembershipState::Ban => with_left,
            _ => false,
        };
        if !is_told {
            return Ok(None);
        }
        let room = rooms.room_by_number(self.snapshot, membership.room).await?;
        let Some(room) = room else {
            return Ok(None);
        };
        let history = self.history(&room).await?;
        match &membership.membership {
            MembershipState::Join => self
                .room(&room, &history, i64::MAX, entries)
                .await
                .map(Some),
            MembershipState::Invite => {
                let own = rooms.event(self.snapshot, &room, &membership.event_id);
                let own = own.await?;
                let inviter = own.as_ref().map(|own| own.pdu.sender());
                if inviter.is_some_and(|inviter| self.ignored.contains(inviter)) {
                    return Ok(None);
                }
                let reader = self.reader();
                let mut info = self.bare(&room, Some(&membership.membership));
                if let Some(own) = own {
                    info.invite = Some(
                        reader
                            .rendered(&room, &history, &own, &Bundles::default())
                            .await?,
                    );
                }
                Ok(Some(info))
            }
            // Who has declined an invitation never was in the room.
            _ => match history.left_before() {
                Some(before) => self.room(&room, &history, before, entries).await.map(Some),
                None => Ok(None),
            },
        }
    }

    /// A room as it was before a place in its timeline.
    async fn room(
        &self,
        room: &Room,
        history: &History,
        before: i64,
        entries: &[AccountDataEntry],
    ) -> Result<RoomInfo, StoreError> {
        let before = before.min(self.head().saturating_add(1));
        let reader = self.reader();
        let span = Span {
            since: None,
            until: before.saturating_sub(1),
        };
        let slice = reader.slice(room, history, span, None).await?;
        let timeline = reader.timeline(room, history, &slice).await?;
        let state = self.inner.rooms.state_before(self.snapshot, room, before);
        let state = state.await?;
        let now = self.inner.clock.now();
        let render = |event| state_event(event, now, Some(&room.room_id));
        let token = |ord| Boundary::new(self.snapshot, ord).to_string();
        Ok(RoomInfo {
            messages: Some(Messages {
                start: token(slice.begin),
                end: token(before),
                chunk: timeline.events,
            }),
            state: Some(state.iter().map(|event| render(event)).collect()),
            account_data: self.reading().room_account_data(entries, room.room).events,
            ..self.bare(room, history.latest().map(|(_, membership)| membership))
        })
    }

    fn bare(&self, room: &Room, membership: Option<&MembershipState>) -> RoomInfo {
        RoomInfo {
            room_id: room.room_id.clone(),
            membership: membership.map(ToString::to_string),
            invite: None,
            messages: None,
            state: None,
            visibility: if room.published { "public" } else { "private" },
            account_data: Vec::new(),
        }
    }

    pub(super) async fn history(&self, room: &Room) -> Result<History, StoreError> {
        let rooms = &self.inner.rooms;
        rooms
            .history(self.snapshot, room, self.syncer.user_id)
            .await
    }

    /// Where the stream of events begins.
    pub(super) fn end(&self) -> String {
        Boundary::new(self.snapshot, self.head().saturating_add(1)).to_string()
    }
}
