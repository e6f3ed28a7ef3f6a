//! What a letter tells, at the moment at which it is delivered.

use std::sync::Arc;

use model::{
    push_rules::{PushEvent, matching},
    room_state::StateView,
};
use pushers::StoredPusher;
use rooms::{Judge, Looking, Room, StoredEvent};
use ruma::{
    OwnedRoomAliasId, OwnedUserId,
    events::room::member::MembershipState::{Invite, Join},
    push::Action,
};
use store::{Pos, Snapshot, StoreError};

use crate::push::Inner;

/// Whom something is told, as they stand now.
pub(crate) struct Reader {
    pub(crate) user: i64,
    pub(crate) user_id: OwnedUserId,
    pub(crate) judge: Judge,
}

/// What a change of the log means to somebody.
pub(crate) enum News {
    /// An event that notifies them.
    Event(Box<EventNews>),
    /// They have read on.
    HasRead,
    /// Nothing any more: it was redacted or read, they left, or their rules say so now.
    Nothing,
}

/// An event that notifies somebody, and what is told with it.
pub(crate) struct EventNews {
    pub(crate) event: StoredEvent,
    /// What the rule that matched wants done.
    pub(crate) actions: Vec<Action>,
    pub(crate) sender_name: Option<String>,
    pub(crate) room_name: Option<String>,
    pub(crate) room_alias: Option<OwnedRoomAliasId>,
    /// Whether it is about the reader's own membership.
    pub(crate) is_target: bool,
}

impl Reader {
    pub(crate) async fn of(
        inner: &Inner,
        snapshot: &Snapshot,
        pusher: &StoredPusher,
    ) -> Result<Self, StoreError> {
        let user = pusher.user;
        let user_id = inner.rooms.user_id(snapshot, user).await?;
        Ok(Self {
            user,
            judge: inner.judge(snapshot, user, &user_id).await?,
            user_id,
        })
    }

    /// What a change means to the reader now.
    pub(crate) async fn news(
        &self,
        inner: &Inner,
        snapshot: &Snapshot,
        pos: Pos,
    ) -> Result<News, StoreError> {
        let Some((room, event)) = inner.rooms.event_of(snapshot, pos).await? else {
            return Ok(News::HasRead);
        };
        if event.redacted_by.is_some() || self.judge.ignored.contains(event.pdu.sender()) {
            return Ok(News::Nothing);
        }
        if !self.may_see(inner, snapshot, &room, &event).await? {
            return Ok(News::Nothing);
        }
        let looking = Looking {
            rooms: &inner.rooms,
            snapshot,
            room: &room,
            user: self.user,
            user_id: &self.user_id,
            ends_at: None,
        };
        if self.has_read(&looking, &event).await? {
            return Ok(News::Nothing);
        }
        let events = std::slice::from_ref(&event);
        let reader = looking.push_reader(&self.judge, events).await?;
        let prepared = PushEvent::new(&event.pdu);
        let rule = matching(&self.judge.rules, &prepared, &reader);
        let Some(rule) = rule.filter(|rule| rule.triggers_notification()) else {
            return Ok(News::Nothing);
        };
        let actions = rule.actions().to_vec();
        Ok(News::Event(Box::new(self.told(&room, event, actions))))
    }

    /// Whether the reader is in the room and sees the event there, or it asks them into the room.
    async fn may_see(
        &self,
        inner: &Inner,
        snapshot: &Snapshot,
        room: &Room,
        event: &StoredEvent,
    ) -> Result<bool, StoreError> {
        let Some(member) = room.state.get("m.room.member", self.user_id.as_str()) else {
            return Ok(false);
        };
        Ok(match member.membership() {
            Some(Invite) => member.event_id() == event.pdu.event_id(),
            Some(Join) => {
                let history = inner.rooms.history(snapshot, room, &self.user_id);
                history.await?.shows(event)
            }
            _ => false,
        })
    }

    async fn has_read(
        &self,
        looking: &Looking<'_>,
        event: &StoredEvent,
    ) -> Result<bool, StoreError> {
        let read = looking.read().await?;
        let threads = looking
            .rooms
            .threads_of(looking.snapshot, looking.room, [event].into_iter());
        let threads = threads.await?;
        Ok(read.has(threads.get(event.pdu.event_id()), event.ord))
    }

    fn told(&self, room: &Arc<Room>, event: StoredEvent, actions: Vec<Action>) -> EventNews {
        EventNews {
            sender_name: room.state.display_name(event.pdu.sender()),
            room_name: room.state.name(),
            room_alias: room.state.canonical_alias().cloned(),
            is_target: event.pdu.state_key() == Some(self.user_id.as_str())
                && event.pdu.type_name() == "m.room.member",
            event,
            actions,
        }
    }
}
