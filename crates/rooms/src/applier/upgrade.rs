//! The steps that only upgrades have.

use std::{collections::BTreeSet, sync::Arc};

use model::event::Pdu;
use ruma::{CanonicalJsonValue, OwnedRoomAliasId, RoomId};
use store::{CheckContext, Verdict};

use super::RoomsWork;
use crate::{
    NewEvent, Rooms, RoomsOutcome, RoomsRefusal,
    upgrade::{AsRead, UpgradeStep, carried},
};

impl Rooms {
    pub(super) fn check_upgrade(
        &self,
        work: &mut RoomsWork,
        step: &UpgradeStep,
        context: &mut CheckContext<'_>,
    ) -> Result<Verdict<RoomsOutcome>, RoomsRefusal> {
        match step {
            UpgradeStep::Unchanged(read) => check_unchanged(work, read),
            UpgradeStep::Create { event, old } => {
                let event = naming_last_event(work, event, old)?;
                self.check_event(work, &event, context)
            }
            UpgradeStep::IfPermitted(event) => match self.check_event(work, event, context) {
                // Nothing is staged before the room has permitted it.
                Err(RoomsRefusal::Forbidden(_)) => Ok(Verdict::Nothing(RoomsOutcome::Done)),
                checked => checked,
            },
            UpgradeStep::MoveAlias { alias, from, to } => {
                self.check_move_alias(work, alias, (from, to), context)
            }
        }
    }

    fn check_move_alias(
        &self,
        work: &mut RoomsWork,
        alias: &OwnedRoomAliasId,
        (from, to): (&RoomId, &RoomId),
        context: &mut CheckContext<'_>,
    ) -> Result<Verdict<RoomsOutcome>, RoomsRefusal> {
        let (from, to) = (work.room(from)?, work.room(to)?);
        let hash = self.alias_hash(alias);
        let row = work.aliases.get(&hash).copied().flatten();
        let row = row.filter(|row| row.room == from.room);
        let row = row.ok_or(RoomsRefusal::Overtaken)?;
        self.point_alias(work, alias, (to.room, row.creator), context)?;
        context.touch_room(from.room);
        Ok(Verdict::Apply(RoomsOutcome::Done))
    }
}

/// Whether nothing that the upgrade takes over has changed since it was read.
fn check_unchanged(work: &RoomsWork, read: &AsRead) -> Result<Verdict<RoomsOutcome>, RoomsRefusal> {
    let room = work.room(&read.room_id)?;
    let now = carried(&room.state);
    let is_same = |(read, now): (&Arc<Pdu>, &Arc<Pdu>)| {
        // A redacted event is another with the same id.
        read.event_id() == now.event_id() && read.content().get() == now.content().get()
    };
    let same_state = read.events.len() == now.len() && read.events.iter().zip(&now).all(is_same);
    let aliases = work.aliases.iter();
    let aliases = aliases.filter(|(_, row)| row.is_some_and(|row| row.room == room.room));
    let aliases: BTreeSet<[u8; 32]> = aliases.map(|(hash, _)| *hash).collect();
    if same_state && read.published == room.published && read.aliases == aliases {
        return Ok(Verdict::Nothing(RoomsOutcome::Done));
    }
    Err(RoomsRefusal::Overtaken)
}

/// The create event with the last event of the room that it replaces.
fn naming_last_event(
    work: &RoomsWork,
    event: &NewEvent,
    old: &RoomId,
) -> Result<NewEvent, RoomsRefusal> {
    let last = work.room(old)?.head.event_id.clone();
    let mut event = event.clone();
    let predecessor = event.draft.content.get_mut("predecessor");
    if let Some(CanonicalJsonValue::Object(predecessor)) = predecessor {
        predecessor.insert("event_id".to_owned(), last.as_str().into());
    }
    Ok(event)
}
