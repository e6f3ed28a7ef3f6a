//! Upgrading a room: its successor, and all that moves there, in one intent.
//!
//! What is taken over is read before the log's lock, and compared again under it: an upgrade that
//! was overtaken by a change to any of it begins anew, and of two upgrades at once one finds the
//! other's tombstone.

mod carried;
mod join_rules;
mod power_levels;
mod successor;

use std::{collections::BTreeSet, sync::Arc};

use model::{
    event::{EventDraft, Pdu},
    room_state::StateView,
    time::Timestamp,
};
use ruma::{
    OwnedRoomAliasId, OwnedRoomId, OwnedUserId, RoomVersionId, room_version_rules::RoomVersionRules,
};
use serde::Deserialize;
use serde_json::json;
use store::{Intent, Log};

use self::carried::content_of;
pub(crate) use self::carried::{TOMBSTONE, carried};
use crate::{
    MemberProfile, NewEvent, Room, Rooms, RoomsChange, RoomsError, RoomsRefusal,
    create::{SAME_MOMENT, check_size, object, size_of},
    rooms::from_commit,
    sending::aliases_in,
};

const CANONICAL_ALIAS: &str = "m.room.canonical_alias";

/// How often an upgrade begins anew before it is given up.
const ATTEMPTS: usize = 16;

/// About what a moved alias takes in a batch.
const ALIAS_BYTES: usize = 512;

/// A room to be replaced.
pub struct UpgradeRoom {
    /// The room.
    pub room_id: OwnedRoomId,
    /// Who replaces it.
    pub user_id: OwnedUserId,
    /// How they are shown.
    pub profile: MemberProfile,
    /// The version of the new room.
    pub version: RoomVersionId,
    /// Who is a creator beside them, in versions that know such.
    pub additional_creators: Vec<OwnedUserId>,
}

/// What only upgrades change.
pub enum UpgradeStep {
    /// The old room is as it was read; the first step, which changes nothing.
    Unchanged(Box<AsRead>),
    /// The new room's create event, which names the last event of the old room.
    Create {
        /// The event.
        event: Box<NewEvent>,
        /// The old room.
        old: OwnedRoomId,
    },
    /// An event that is left out where the room does not permit it.
    IfPermitted(Box<NewEvent>),
    /// An alias points at the new room from now on.
    MoveAlias {
        /// The alias.
        alias: OwnedRoomAliasId,
        /// The old room.
        from: OwnedRoomId,
        /// The new room.
        to: OwnedRoomId,
    },
}

/// What an upgrade read of the old room.
pub struct AsRead {
    pub(crate) room_id: OwnedRoomId,
    pub(crate) events: Vec<Arc<Pdu>>,
    pub(crate) published: bool,
    pub(crate) aliases: BTreeSet<[u8; 32]>,
}

/// One attempt: the old room and what becomes of it.
struct Attempt<'a> {
    request: &'a UpgradeRoom,
    rules: &'a RoomVersionRules,
    /// Who has infinite power in the new room, where its version knows such people; else who
    /// makes it.
    creators: BTreeSet<OwnedUserId>,
    old: &'a Room,
    aliases: Vec<OwnedRoomAliasId>,
}

impl Rooms {
    /// Replaces a room by one of another version: the new room, the tombstone in the old one, and
    /// all that moves stand together, or not at all.
    ///
    /// One who asks again is given the room that they made; a room that another has replaced is
    /// not replaced a second time.
    pub async fn upgrade(
        &self,
        log: &Log,
        request: &UpgradeRoom,
    ) -> Result<OwnedRoomId, RoomsError> {
        let version = &request.version;
        let rules = version
            .rules()
            .ok_or_else(|| RoomsRefusal::UnsupportedVersion(version.as_str().to_owned()))?;
        let mut creators = BTreeSet::from([request.user_id.clone()]);
        if rules.authorization.additional_room_creators {
            creators.extend(request.additional_creators.iter().cloned());
        }
        for _ in 0..ATTEMPTS {
            let old = self.room(&request.room_id).await?;
            check_power(&old, request)?;
            if let Some(successor) = self.successor(&old).await? {
                return is_own(&successor, request, &creators)
                    .then(|| successor.room_id.clone())
                    .ok_or_else(|| RoomsRefusal::Upgraded(successor.room_id.clone()).into());
            }
            let attempt = Attempt {
                request,
                rules: &rules,
                creators: creators.clone(),
                old: &old,
                aliases: self.aliases_of(&old.room_id).await?,
            };
            match self.attempt(log, &attempt).await {
                Err(RoomsError::Refused(RoomsRefusal::Overtaken)) => {}
                done => return done,
            }
        }
        Err(RoomsRefusal::Overtaken.into())
    }

    /// The room that replaced another: its tombstone names it, and it names the other.
    async fn successor(&self, old: &Room) -> Result<Option<Arc<Room>>, RoomsError> {
        #[derive(Deserialize)]
        struct Tombstone {
            replacement_room: OwnedRoomId,
        }
        #[derive(Deserialize)]
        struct Create {
            predecessor: Predecessor,
        }
        #[derive(Deserialize)]
        struct Predecessor {
            room_id: OwnedRoomId,
        }
        let tombstone = old.state.get(TOMBSTONE, "");
        let tombstone = tombstone.and_then(|event| event.content_as::<Tombstone>().ok());
        let Some(tombstone) = tombstone else {
            return Ok(None);
        };
        let named = match self.room(&tombstone.replacement_room).await {
            Ok(named) => named,
            Err(RoomsError::Refused(RoomsRefusal::NoSuchRoom(_))) => return Ok(None),
            Err(error) => return Err(error),
        };
        let create = named.state.get("m.room.create", "");
        let create = create.and_then(|event| event.content_as::<Create>().ok());
        let replaces = create.is_some_and(|create| create.predecessor.room_id == old.room_id);
        Ok(replaces.then_some(named))
    }

    async fn attempt(&self, log: &Log, attempt: &Attempt<'_>) -> Result<OwnedRoomId, RoomsError> {
        let mut drafts = self.successor_drafts(attempt)?;
        check_size(&drafts, ALIAS_BYTES * attempt.aliases.len())?;
        let now = self.clock().now().as_millis();
        for moment in now..now + SAME_MOMENT {
            for draft in &mut drafts {
                draft.origin_server_ts = Timestamp::from_millis(moment);
            }
            let room_id = self.name_room(&drafts[0], attempt.rules)?;
            if self.names().cached_room(room_id.as_str()).is_some() {
                continue;
            }
            let intent = self.upgrade_intent(attempt, &room_id, &drafts);
            match log.commit(intent).await.map_err(from_commit) {
                Ok(_) => return Ok(room_id),
                Err(RoomsError::Refused(RoomsRefusal::RoomExists)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(RoomsRefusal::RoomExists.into())
    }

    fn upgrade_intent(
        &self,
        attempt: &Attempt<'_>,
        room_id: &OwnedRoomId,
        drafts: &[EventDraft],
    ) -> Intent {
        let old = attempt.old;
        let mut intent = Intent::new();
        intent.add::<Self>(RoomsChange::Upgrade(UpgradeStep::Unchanged(Box::new(
            AsRead {
                room_id: old.room_id.clone(),
                events: carried(&old.state),
                published: old.published,
                aliases: attempt
                    .aliases
                    .iter()
                    .map(|alias| self.alias_hash(alias))
                    .collect(),
            },
        ))));
        let tombstone = object(json!({
            "body": "This room has been replaced",
            "replacement_room": room_id,
        }));
        let tombstone = self.state_draft(&attempt.request.user_id, TOMBSTONE, "", tombstone);
        let tombstone = new_event(&old.room_id, tombstone);
        intent.add::<Self>(RoomsChange::Event(Box::new(tombstone)));
        self.add_successor(&mut intent, attempt, room_id, drafts);
        for alias in &attempt.aliases {
            intent.add::<Self>(RoomsChange::Upgrade(UpgradeStep::MoveAlias {
                alias: alias.clone(),
                from: old.room_id.clone(),
                to: room_id.clone(),
            }));
        }
        for draft in self.farewell_drafts(attempt) {
            let event = Box::new(new_event(&old.room_id, draft));
            intent.add::<Self>(RoomsChange::Upgrade(UpgradeStep::IfPermitted(event)));
        }
        if old.published {
            for (room_id, published) in [(room_id, true), (&old.room_id, false)] {
                intent.add::<Self>(RoomsChange::Publish {
                    room_id: room_id.clone(),
                    published,
                    by: None,
                });
            }
        }
        intent
    }

    fn add_successor(
        &self,
        intent: &mut Intent,
        attempt: &Attempt<'_>,
        room_id: &OwnedRoomId,
        drafts: &[EventDraft],
    ) {
        let is_named = attempt.rules.event_format.require_room_create_room_id;
        for (index, draft) in drafts.iter().enumerate() {
            let first = index == 0;
            let mut event = new_event(room_id, draft.clone());
            event.version = first.then(|| attempt.request.version.clone());
            event.draft.room_id = event.draft.room_id.filter(|_| !first || is_named);
            let event = Box::new(event);
            intent.add::<Self>(match first && is_named {
                true => RoomsChange::Upgrade(UpgradeStep::Create {
                    event,
                    old: attempt.old.room_id.clone(),
                }),
                // In version 12 the room is named after its create event before that is queued.
                false => RoomsChange::Event(event),
            });
        }
    }

    /// What is said in the old room at last, as far as it permits that: nobody talks there any
    /// more, and the names that lead to it lead on.
    fn farewell_drafts(&self, attempt: &Attempt<'_>) -> Vec<EventDraft> {
        let user = &attempt.request.user_id;
        let mut drafts = Vec::new();
        let names = attempt.old.state.get(CANONICAL_ALIAS, "");
        let names = names.and_then(|event| content_of(event));
        if names.is_some_and(|names| aliases_in(&names).next().is_some()) {
            let none = object(json!({}));
            drafts.push(self.state_draft(user, CANONICAL_ALIAS, "", none));
        }
        if let Some(levels) = power_levels::silenced(attempt.old) {
            drafts.push(self.state_draft(user, "m.room.power_levels", "", levels));
        }
        drafts
    }
}

pub(crate) fn new_event(room_id: &OwnedRoomId, mut draft: EventDraft) -> NewEvent {
    draft.room_id = Some(room_id.clone());
    NewEvent {
        room_id: room_id.clone(),
        version: None,
        size_bytes: size_of(&draft.content),
        draft,
        transaction: None,
        annotation: None,
        by_membership: false,
        for_good: false,
        delay_id: None,
    }
}

/// Refuses early and in words; the tombstone is authorised under the lock all the same.
fn check_power(old: &Room, request: &UpgradeRoom) -> Result<(), RoomsRefusal> {
    let user = &request.user_id;
    let forbidden = |sentence: &str| Err(RoomsRefusal::Forbidden(sentence.to_owned()));
    if !old.state.is_joined(user) {
        return forbidden("you are not in this room");
    }
    if !old.state.may_set_state(user, TOMBSTONE) {
        return forbidden("upgrading this room needs more power in it");
    }
    Ok(())
}

/// Whether a successor is what the request asks for, made by whom it comes from.
fn is_own(successor: &Room, request: &UpgradeRoom, creators: &BTreeSet<OwnedUserId>) -> bool {
    let create = successor.state.create();
    let by = successor.state.get("m.room.create", "");
    create.version == request.version
        && by.is_some_and(|event| event.sender() == request.user_id)
        && create.creators.iter().collect::<BTreeSet<_>>() == creators.iter().collect()
}
