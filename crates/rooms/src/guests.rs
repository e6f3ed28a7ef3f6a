//! Guests in rooms: who is one, and their leaving of rooms that let guests in no more.
//!
//! Under the lock a guest's join is judged by what the room says of guests then. A change that
//! closes a room to them carries their leaving with it, up to a bound. Whoever is left (because
//! there are more, because they came in between, or because the room was closed in another way,
//! as by a redaction) leaves in steps after it. That a guest is in a room which is closed to them
//! is all that has to be known for a step, so any node can take it, at any time.

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::{Either, select};
use model::event::{EventDraft, MAX_PDU_BYTES};
use ruma::{CanonicalJsonObject, OwnedEventId, OwnedUserId, UserId, events::TimelineEventType};
use store::{Intent, Log, StoreError};

use crate::{
    NewEvent, Room, Rooms, RoomsChange, RoomsError, RoomsOutcome, RoomsRefusal,
    create::size_of,
    membership::{MemberProfile, member_content},
    rooms::from_commit,
};

/// How many guests leave in one change.
const LEAVE_TOGETHER: i64 = 100;

/// How many rooms are looked at together.
const ROOMS_PAGE: i64 = 100;

/// How often a node looks for guests who have to leave even if nothing tells it to.
const LOOK_EVERY: Duration = Duration::from_secs(60);

const GUESTS_IN: &str = "SELECT n.name FROM memberships m \
     JOIN guests g ON g.user_id = m.user_id JOIN user_names n ON n.id = m.user_id \
     WHERE m.room = $1 AND m.membership = 'join' ORDER BY m.user_id LIMIT $2";

const ROOMS_WITH_GUESTS: &str = "SELECT DISTINCT m.room FROM guests g \
     JOIN memberships m ON m.user_id = g.user_id \
     WHERE m.membership = 'join' AND m.room > $1 ORDER BY m.room LIMIT $2";

/// Adds to an intent that a user is a guest from now on, or no longer.
pub fn note_guest(intent: &mut Intent, user_id: &UserId, is_guest: bool) {
    intent.add::<Rooms>(RoomsChange::Guest {
        user_id: user_id.to_owned(),
        is_guest,
    });
}

impl Rooms {
    /// Sets what a room says of guests; where it lets them in no more, they leave with it.
    pub(crate) async fn set_guest_access(
        &self,
        log: &Log,
        draft: EventDraft,
    ) -> Result<OwnedEventId, RoomsError> {
        let lets_in = lets_guests_in(&draft.content);
        let event = self.new_event(draft, None).await?;
        if event.size_bytes > MAX_PDU_BYTES {
            return Err(RoomsRefusal::TooLarge.into());
        }
        let room = self.room(&event.room_id).await?;
        let mut intent = Intent::new();
        let ticket = self.add(&mut intent, RoomsChange::Event(Box::new(event)));
        if !lets_in {
            for guest in self.guests_in(&room).await? {
                self.add(&mut intent, self.leaving(&room, &guest));
            }
        }
        let mut committed = log.commit(intent).await.map_err(from_commit)?;
        if !lets_in {
            self.send_guests_out_of(log, &room).await?;
        }
        match committed.take(ticket) {
            Some(RoomsOutcome::Event { event_id, .. }) => Ok(event_id),
            _ => Err(StoreError::Refused("an event had no outcome".to_owned()).into()),
        }
    }

    /// Lets guests leave the rooms that are closed to them, for as long as it is polled.
    ///
    /// Dropping it between two changes loses nothing: another node, or the next start, goes on.
    pub async fn send_guests_out_regularly(&self, log: &Log) {
        loop {
            if let Err(error) = self.send_guests_out(log).await {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(
                    error,
                    "guests may still be in rooms that are closed to them"
                );
            }
            let closed = std::pin::pin!(self.closed_to_guests().notified());
            match select(closed, self.clock().sleep(LOOK_EVERY)).await {
                Either::Left(((), _)) | Either::Right(((), _)) => {}
            }
        }
    }

    /// Lets guests leave all rooms that are closed to them now.
    pub async fn send_guests_out(&self, log: &Log) -> Result<(), RoomsError> {
        log.barrier().await?;
        let mut after = 0;
        loop {
            let snapshot = self.snapshot().await?;
            let params = [after.into(), ROOMS_PAGE.into()];
            let rows = snapshot.query(ROOMS_WITH_GUESTS, &params).await?;
            let mut closed = Vec::new();
            for row in &rows {
                after = row.int(0)?;
                let room = self.room_by_number(&snapshot, after).await?;
                closed.extend(room.filter(|room| !room.state.guests_may_join()));
            }
            // No snapshot stays open while changes commit.
            drop(snapshot);
            for room in closed {
                self.send_guests_out_of(log, &room).await?;
            }
            if i64::try_from(rows.len()).is_ok_and(|count| count < ROOMS_PAGE) {
                return Ok(());
            }
        }
    }

    /// Lets the guests of a room leave, unless it is open to them again.
    async fn send_guests_out_of(&self, log: &Log, room: &Room) -> Result<(), RoomsError> {
        let mut before = BTreeSet::new();
        loop {
            let guests = self.guests_in(room).await?;
            let guests: BTreeSet<OwnedUserId> = guests.into_iter().collect();
            // Who did not leave a moment ago is let in again.
            if guests.is_empty() || guests == before {
                return Ok(());
            }
            let mut intent = Intent::new();
            for guest in &guests {
                self.add(&mut intent, self.leaving(room, guest));
            }
            self.commit_all(log, intent).await?;
            before = guests;
        }
    }

    /// Some of the guests who are in a room.
    async fn guests_in(&self, room: &Room) -> Result<Vec<OwnedUserId>, StoreError> {
        let snapshot = self.snapshot().await?;
        let params = [room.room.into(), LEAVE_TOGETHER.into()];
        let rows = snapshot.query(GUESTS_IN, &params).await?;
        let named = rows.iter().map(|row| {
            let name = OwnedUserId::try_from(row.text(0)?);
            name.map_err(|_| StoreError::Damaged("user_names.name".to_owned()))
        });
        named.collect()
    }

    fn leaving(&self, room: &Room, guest: &UserId) -> RoomsChange {
        let content = member_content("leave", &MemberProfile::default(), None, false);
        let kind = TimelineEventType::RoomMember;
        let draft = self.draft(&room.room_id, guest, kind, Some(guest.to_string()), content);
        let size_bytes = size_of(&draft.content);
        RoomsChange::SendGuestOut(Box::new(NewEvent {
            room_id: room.room_id.clone(),
            version: None,
            draft,
            transaction: None,
            annotation: None,
            size_bytes,
            by_membership: false,
            for_good: false,
            delay_id: None,
        }))
    }
}

/// Whether the content of an `m.room.guest_access` event lets guests in.
fn lets_guests_in(content: &CanonicalJsonObject) -> bool {
    let access = content.get("guest_access");
    access.and_then(|access| access.as_str()) == Some("can_join")
}

/// What a guest may do to memberships: come into a room that lets guests in, go out of it, and
/// change how they are shown in it.
pub(crate) fn check_guest(room: &Room, draft: &EventDraft) -> Result<(), RoomsRefusal> {
    let own = draft.state_key.as_deref() == Some(draft.sender.as_str());
    let membership = draft.content.get("membership");
    let membership = membership.and_then(|membership| membership.as_str());
    match membership {
        Some("leave") if own => Ok(()),
        Some("join") if own && room.state.guests_may_join() => Ok(()),
        Some("join") if own => Err(RoomsRefusal::NoGuests),
        _ => Err(RoomsRefusal::ByGuest),
    }
}
