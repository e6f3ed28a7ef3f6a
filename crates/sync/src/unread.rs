//! Unread counts: push rules over what came after the receipt, counted once and kept.

use std::sync::Arc;

use model::{
    push_rules::{PushEvent, PushReader, evaluate},
    room_state::StateView,
};
use moka::sync::Cache;
use rooms::{Room, Rooms};
use ruma::{UserId, events::room::member::MembershipState, push::Ruleset};
use store::{Snapshot, StoreError};

use crate::response::UnreadCounts;

/// How many events are looked at, at most, behind a receipt: whoever is further behind is told
/// of the newest ones only.
const LOOKED_AT: i64 = 2_000;

const CACHED: u64 = 100_000;

/// Counts what a user has not read.
pub(crate) struct Unread {
    counted: Cache<(i64, i64), Counted>,
}

#[derive(Clone)]
struct Counted {
    /// The receipt behind which was counted.
    after: i64,
    /// Up to where.
    until: i64,
    /// The rules that were applied: others make another count.
    rules: Arc<Ruleset>,
    counts: UnreadCounts,
}

impl Unread {
    pub(crate) fn new() -> Self {
        Self {
            counted: Cache::new(CACHED),
        }
    }

    /// Counts at the snapshot's head, from where the last count ended if that still stands.
    pub(crate) async fn count(
        &self,
        rooms: &Rooms,
        snapshot: &Snapshot,
        room: &Room,
        user: (i64, &UserId),
        rules: &Arc<Ruleset>,
    ) -> Result<UnreadCounts, StoreError> {
        let (number, user_id) = user;
        let until = snapshot.head().get();
        let after = self
            .read_up_to(rooms, snapshot, room, number, user_id)
            .await?;
        let key = (number, room.room);
        let known = self.counted.get(&key).filter(|known| {
            known.after == after && Arc::ptr_eq(&known.rules, rules) && known.until <= until
        });
        let known = known.unwrap_or(Counted {
            after,
            until: after,
            rules: Arc::clone(rules),
            counts: UnreadCounts::default(),
        });
        let mut counts = known.counts;
        if room.last_pos().get() > known.until {
            let (events, _) = rooms
                .newest(snapshot, room, known.until, until, LOOKED_AT)
                .await?;
            let name = room.state.display_name(user_id).unwrap_or_default();
            let reader = PushReader::new(
                user_id,
                &name,
                &room.room_id,
                room.state.joined_count(),
                room.state.power_levels(),
            );
            for event in events.iter().filter(|event| event.pdu.sender() != user_id) {
                let outcome = evaluate(rules, &PushEvent::new(&event.pdu), &reader);
                counts.notification_count += u64::from(outcome.notify);
                counts.highlight_count += u64::from(outcome.notify && outcome.highlight);
            }
        }
        self.counted.insert(
            key,
            Counted {
                after,
                until,
                rules: Arc::clone(rules),
                counts,
            },
        );
        Ok(counts)
    }

    /// The place of the last event that the user has read or sent, or of their joining.
    async fn read_up_to(
        &self,
        rooms: &Rooms,
        snapshot: &Snapshot,
        room: &Room,
        user: i64,
        user_id: &UserId,
    ) -> Result<i64, StoreError> {
        let receipts = rooms.own_receipts(snapshot, room.room, user).await?;
        let read = receipts
            .iter()
            .filter(|receipt| receipt.kind != "m.fully_read")
            .filter(|receipt| receipt.thread.is_empty() || receipt.thread == "main")
            .map(|receipt| receipt.ord)
            .max();
        let own = rooms.last_sent_by(snapshot, room.room, user).await?;
        let joined = room
            .state
            .get("m.room.member", user_id.as_str())
            .filter(|event| event.membership() == Some(&MembershipState::Join));
        let joined = match joined {
            Some(event) => rooms.event(snapshot, room, event.event_id()).await?,
            None => None,
        };
        Ok(read
            .max(own)
            .max(joined.map(|event| event.ord))
            .unwrap_or(0))
    }
}
