//! What a sync tells of a room to those who are not in it: who left, is asked in, or knocks.

use std::sync::Arc;

use model::{client_form::is_in_stripped_state, event::Pdu};
use rooms::{Membership, Room, StoredEvent};
use ruma::OwnedUserId;
use store::StoreError;

use crate::{
    render::{Beside, stripped_event, timeline_event},
    response::{ClientEvent, Events, LeftRoom, StateAt, Timeline},
    rooms_part::{RoomReader, Span, was_in},
};

impl RoomReader<'_> {
    /// A room that the user left or was sent out of, up to the leaving.
    pub(crate) async fn left(
        &self,
        room: &Room,
        membership: &Membership,
        since: Option<i64>,
    ) -> Result<LeftRoom, StoreError> {
        let history = self
            .rooms
            .history(self.snapshot, room, self.reader.user_id)
            .await?;
        let since_in = since.filter(|since| was_in(&history, *since));
        let came_and_went = history.was_joined_after(since.unwrap_or(i64::MIN));
        if since_in.is_none() && !came_and_went {
            return self.declined(room, membership).await;
        }
        // What became of the room after they left is not told here, also when they were asked in
        // again later, or banned, or when anybody may read the room by now.
        let end = history.left_before().unwrap_or(i64::MIN);
        let span = Span {
            since: since_in,
            until: membership.pos.min(end.saturating_sub(1)),
        };
        let slice = self.slice(room, &history, span, None).await?;
        let (mut state, _) = self.state(room, span, &slice, None).await?;
        let mut timeline = self.timeline(room, &history, &slice).await?;
        if membership.pos > span.until
            && let Some(own) = self.own_member_event(room, membership).await?
        {
            timeline.events.push(self.own_event(&own));
            self.end_with(&own, &mut state);
        }
        Ok(LeftRoom {
            state: self.state_at.tell(self.state_events(&state)),
            timeline,
            account_data: Events::default(),
        })
    }

    /// One who was not in learns of the end of the invitation, and nothing else.
    async fn declined(&self, room: &Room, membership: &Membership) -> Result<LeftRoom, StoreError> {
        let (mut events, mut state) = (Vec::new(), Vec::new());
        if let Some(own) = self.own_member_event(room, membership).await? {
            events.push(self.own_event(&own));
            self.end_with(&own, &mut state);
        }
        let timeline = Timeline {
            events,
            ..Timeline::default()
        };
        Ok(LeftRoom {
            state: self.state_at.tell(self.state_events(&state)),
            timeline,
            ..LeftRoom::default()
        })
    }

    async fn own_member_event(
        &self,
        room: &Room,
        membership: &Membership,
    ) -> Result<Option<StoredEvent>, StoreError> {
        let rooms = self.rooms;
        rooms.event(self.snapshot, room, &membership.event_id).await
    }

    fn own_event(&self, own: &StoredEvent) -> ClientEvent {
        let told = timeline_event(own, self.reader, Beside::default());
        self.formed(&own.pdu, told)
    }

    /// The state of the end of a timeline that ends with the user's own member event.
    fn end_with(&self, own: &StoredEvent, state: &mut Vec<Arc<Pdu>>) {
        if self.state_at != StateAt::Start {
            state.retain(|event| event.state_slot() != own.pdu.state_slot());
            state.push(Arc::clone(&own.pdu));
        }
    }

    /// Whether somebody asked the user in whom they ignore.
    pub(crate) async fn is_ignored(
        &self,
        room: &Room,
        membership: &Membership,
    ) -> Result<bool, StoreError> {
        if self.ignored.is_empty() {
            return Ok(false);
        }
        let inviter = self.inviter(room, membership).await?;
        Ok(inviter.is_some_and(|inviter| self.ignored.contains(&inviter)))
    }

    /// Who asked the user in, as the user knows it from the invitation.
    pub(crate) async fn inviter(
        &self,
        room: &Room,
        membership: &Membership,
    ) -> Result<Option<OwnedUserId>, StoreError> {
        let rooms = self.rooms;
        let event = rooms.event(self.snapshot, room, &membership.event_id);
        Ok(event.await?.map(|event| event.pdu.sender().to_owned()))
    }

    /// What an invited or knocking user may know of a room, their own member event included.
    pub(crate) async fn stripped(
        &self,
        room: &Room,
        membership: &Membership,
    ) -> Result<Vec<ClientEvent>, StoreError> {
        let before = membership.pos.saturating_add(1);
        let mut events = Vec::new();
        for kind in [
            "m.room.create",
            "m.room.join_rules",
            "m.room.name",
            "m.room.topic",
            "m.room.avatar",
            "m.room.canonical_alias",
            "m.room.encryption",
        ] {
            let found = self
                .rooms
                .state_event_before(self.snapshot, room, kind, "", before);
            if let Some(event) = found.await?
                && is_in_stripped_state(event.event_type())
            {
                events.push(stripped_event(&event));
            }
        }
        let own = self
            .rooms
            .event(self.snapshot, room, &membership.event_id)
            .await?;
        if let Some(own) = own {
            let inviter = own.pdu.sender().as_str().to_owned();
            let shown = self
                .rooms
                .state_event_before(self.snapshot, room, "m.room.member", &inviter, before)
                .await?;
            if let Some(shown) = shown.filter(|shown| shown.event_id() != own.pdu.event_id()) {
                events.push(stripped_event(&shown));
            }
            events.push(stripped_event(&own.pdu));
        }
        Ok(events)
    }
}
