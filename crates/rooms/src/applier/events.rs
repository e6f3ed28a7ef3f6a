//! Appending an event: link, hash, authorise, seal, stage.

use std::sync::Arc;

use model::{
    authorize::{auth_events_for, authorize, authorize_linked},
    entropy::random_text,
    event::{BuildError, EventDraft, EventRef, Links, Pdu},
    redaction::redact,
    room_state::{PartialState, StateView},
};
use ruma::{
    CanonicalJsonObject, OwnedEventId, RoomVersionId, events::TimelineEventType,
    room_version_rules::RoomVersionRules,
};
use seal::{Month, Scope};
use store::{CheckContext, Verdict};

use super::{
    RoomsWork, guests,
    restricted::{check_voucher, vouch},
    writing,
};
use crate::{
    NewEvent, Room, Rooms, RoomsOutcome, RoomsRefusal, encryption,
    notices::check_leaving,
    stored::{EventOrigin, StoredEvent, pdu_place, sealed_text},
    tails::TailStep,
    third_party_invites::check_known_invite,
};

impl Rooms {
    pub(super) fn check_event(
        &self,
        work: &mut RoomsWork,
        event: &NewEvent,
        context: &mut CheckContext<'_>,
    ) -> Result<Verdict<RoomsOutcome>, RoomsRefusal> {
        let hash = event.transaction.as_ref().map(|(_, hash)| *hash);
        if let Some(hash) = &hash
            && let Some(event_id) = work.transactions.get(hash)
        {
            let event_id = event_id.clone();
            return Ok(Verdict::Already(RoomsOutcome::Event {
                event_id,
                pos: None,
            }));
        }
        let pdu = match &event.version {
            Some(version) => self.stage_create(work, event, version, context)?,
            None => match self.stage_event(work, event, context)? {
                Staged::Event(pdu) => pdu,
                Staged::Unchanged(event_id) => {
                    let outcome = RoomsOutcome::Event {
                        event_id,
                        pos: None,
                    };
                    return Ok(Verdict::Nothing(outcome));
                }
            },
        };
        if let Some(hash) = hash {
            work.transactions.stage(hash, pdu.event_id().to_owned());
            work.rows.transactions.push((hash, context.pos()));
        }
        let event_id = pdu.event_id().to_owned();
        Ok(Verdict::Apply(RoomsOutcome::Event {
            event_id,
            pos: Some(context.pos()),
        }))
    }

    /// The first event of a room: it makes the room.
    fn stage_create(
        &self,
        work: &mut RoomsWork,
        event: &NewEvent,
        version: &RoomVersionId,
        context: &mut CheckContext<'_>,
    ) -> Result<Arc<Pdu>, RoomsRefusal> {
        if work.room(&event.room_id).is_ok() {
            return Err(RoomsRefusal::RoomExists);
        }
        let invalid = |sentence: String| RoomsRefusal::Invalid(sentence);
        let rules = version.rules();
        let rules = rules.ok_or_else(|| invalid(format!("room version {version} is unknown")))?;
        let nothing = PartialState::default();
        let pdu = self.link(event.draft.clone(), None, 1, &nothing, &rules)?;
        authorize(&pdu, &nothing, &rules)
            .map_err(|refusal| RoomsRefusal::Forbidden(refusal.to_string()))?;
        if pdu.room_id() != event.room_id {
            return Err(invalid("the create event makes another room".to_owned()));
        }
        let number = work.room_ids.get(&event.room_id).copied();
        let number = number.expect("every room of a change is interned in prepare");
        let pdu = Arc::new(pdu);
        let room =
            Room::born(number, &pdu, context.pos()).map_err(|error| invalid(error.to_string()))?;
        stage(work, Arc::new(room), &pdu, event, context)?;
        Ok(pdu)
    }

    fn stage_event(
        &self,
        work: &mut RoomsWork,
        event: &NewEvent,
        context: &mut CheckContext<'_>,
    ) -> Result<Staged, RoomsRefusal> {
        let mut room = work.room(&event.room_id)?;
        if event.draft.event_type == "m.room.create" {
            let sentence = "a room has one create event, and it is its first";
            return Err(RoomsRefusal::Forbidden(sentence.to_owned()));
        }
        if let Some(same) = unchanged(&room, event) {
            return Ok(Staged::Unchanged(same));
        }
        if !room.is_notice(&event.draft) {
            encryption::check(self.encryption(), &event.draft)?;
        }
        check_leaving(&room, work.user(&event.draft.sender), event)?;
        check_voucher(&room, event)?;
        check_known_invite(&room, event)?;
        guests::check_sender(work, &room, event)?;
        let mut draft = event.draft.clone();
        vouch(work, &room, event, self.server_name(), &mut draft.content);
        let head = Some(room.head.clone());
        let pdu = self.link(draft, head, room.depth + 1, &*room.state, room.rules())?;
        let pdu = Arc::new(pdu);
        authorize_linked(&pdu, &room.state, room.rules())
            .map_err(|refusal| RoomsRefusal::Forbidden(refusal.to_string()))?;
        let hash = event.annotation.as_ref();
        if hash.is_some_and(|hash| work.has_annotation(hash)) {
            return Err(RoomsRefusal::DuplicateAnnotation);
        }
        if pdu.event_type() == &TimelineEventType::RoomRedaction {
            stage_redaction(work, &mut room, &pdu, context)?;
        }
        stage(work, room, &pdu, event, context)?;
        Ok(Staged::Event(pdu))
    }

    /// Gives a draft its place: what stands before it, and what permits it.
    fn link(
        &self,
        draft: EventDraft,
        head: Option<EventRef>,
        depth: i64,
        state: &impl StateView,
        rules: &RoomVersionRules,
    ) -> Result<Pdu, RoomsRefusal> {
        let auth_events = auth_events_for(&draft, state, rules)
            .map_err(|refusal| RoomsRefusal::Invalid(refusal.to_string()))?;
        let by_name = rules.event_format.require_event_id;
        let local_id = by_name.then(|| random_text(self.entropy(), 24));
        let links = Links {
            prev_events: head.into_iter().collect(),
            auth_events,
            depth,
            local_id,
        };
        draft.link(links, rules).map_err(|error| match error {
            BuildError::TooLarge => RoomsRefusal::TooLarge,
            other => RoomsRefusal::Invalid(other.to_string()),
        })
    }
}

/// What became of an event that was to be appended.
enum Staged {
    Event(Arc<Pdu>),
    /// The state says so already, in this event.
    Unchanged(OwnedEventId),
}

/// The state event that says the same already, by the same sender: setting it again is nothing.
///
/// Who is not in the room is told so, whatever they once set; only their own membership, which
/// they know, may be repeated.
fn unchanged(room: &Room, event: &NewEvent) -> Option<OwnedEventId> {
    let state_key = event.draft.state_key.as_deref()?;
    let sender = &event.draft.sender;
    if !room.state.is_joined(sender) && state_key != sender.as_str() {
        return None;
    }
    let current = room.state.get(&event.draft.event_type, state_key)?;
    let same_content = current
        .content_as::<CanonicalJsonObject>()
        .is_ok_and(|content| content == event.draft.content);
    let same = same_content && current.sender() == sender;
    same.then(|| current.event_id().to_owned())
}

/// Takes the content of the redacted event away, if the sender may.
fn stage_redaction(
    work: &mut RoomsWork,
    room: &mut Arc<Room>,
    redaction: &Arc<Pdu>,
    context: &mut CheckContext<'_>,
) -> Result<(), RoomsRefusal> {
    let target_id = redaction.redacts().ok_or_else(|| {
        RoomsRefusal::Invalid("a redaction names the event that it redacts".to_owned())
    })?;
    let target = work.known.get(&target_id.to_owned()).cloned();
    let target = target.filter(|target| target.pdu.room_id() == room.room_id);
    let target = target.ok_or(RoomsRefusal::NoSuchEvent)?;
    if target.pdu.event_type() == &TimelineEventType::RoomCreate {
        // Before version 11 that would take the room's version away.
        let sentence = "the create event of a room cannot be redacted";
        return Err(RoomsRefusal::Forbidden(sentence.to_owned()));
    }
    if !room.state.may_redact(redaction.sender(), &target.pdu) {
        let sentence = "redacting another's event needs more power in this room";
        return Err(RoomsRefusal::Forbidden(sentence.to_owned()));
    }
    if target.redacted_by.is_some() {
        return Ok(());
    }
    let redacted = redact(&target.pdu, room.rules())
        .map_err(|error| RoomsRefusal::Invalid(error.to_string()))?;
    let redacted = Arc::new(redacted);
    let scope = scope_of(work, room);
    let sealed = seal(work, scope, &redacted, target.origin.as_ref())?;
    if redacted.state_key().is_some() {
        work.rewritten.stage(room.room, ());
        let were_let_in = room.state.guests_may_join();
        let changed = Arc::make_mut(room);
        if Arc::make_mut(&mut changed.state).replace_redacted(Arc::clone(&redacted)) {
            changed.state_pos = context.pos();
        }
        note_closed(work, were_let_in, room);
    }
    work.noisy.stage(room.room, ());
    work.forget_annotation(target.pos);
    work.rows.redactions.push(writing::RedactionRow {
        target: target_id.to_owned(),
        by: redaction.event_id().to_owned(),
        sealed,
    });
    let redacted_by = Some(redaction.event_id().to_owned());
    let known = StoredEvent {
        pdu: redacted,
        redacted_by,
        ..target
    };
    work.known.stage(target_id.to_owned(), known);
    let step = TailStep::Redaction(context.pos());
    work.tails.push((room.room, step));
    context.touch_room(room.room);
    Ok(())
}

/// Stages the event's row and everything that follows from it.
fn stage(
    work: &mut RoomsWork,
    mut room: Arc<Room>,
    pdu: &Arc<Pdu>,
    event: &NewEvent,
    context: &mut CheckContext<'_>,
) -> Result<(), RoomsRefusal> {
    let pos = context.pos();
    let scope = scope_of(work, &room);
    let origin = event.origin();
    let sealed = seal(work, scope, pdu, origin.as_ref())?;
    context.touch_room(room.room);
    if let Some(hash) = event.annotation {
        work.annotate(hash, pos);
    }
    if pdu.state_key().is_some() {
        stage_state(work, &mut room, pdu, context);
    }
    let sender = work.user(pdu.sender());
    work.rows.events.push(writing::EventRow {
        pdu: Arc::clone(pdu),
        room: room.room,
        pos,
        sender,
        sealed,
    });
    let stored = StoredEvent {
        pdu: Arc::clone(pdu),
        pos,
        ord: pos.get(),
        redacted_by: None,
        origin,
    };
    let step = TailStep::Event(stored.clone());
    work.tails.push((room.room, step));
    work.known.stage(pdu.event_id().to_owned(), stored);
    Arc::make_mut(&mut room).grow(pdu, pos);
    work.stage_room(room);
    Ok(())
}

fn stage_state(
    work: &mut RoomsWork,
    room: &mut Arc<Room>,
    pdu: &Arc<Pdu>,
    context: &mut CheckContext<'_>,
) {
    let pos = context.pos();
    let were_let_in = room.state.guests_may_join();
    let changed = Arc::make_mut(room);
    Arc::make_mut(&mut changed.state).apply(Arc::clone(pdu));
    changed.state_pos = pos;
    note_closed(work, were_let_in, room);
    work.rows.state.push(writing::StateRow {
        pdu: Arc::clone(pdu),
        room: room.room,
        pos,
    });
    let (Some(membership), Some(target)) = (pdu.membership(), pdu.state_key()) else {
        return;
    };
    // A member event for something that is no user id is kept as state and nothing else.
    if let Ok(target) = ruma::UserId::parse(target) {
        let user = work.user(&target);
        context.touch_user(user);
        work.forgotten.stage((room.room, user), false);
        work.rows.memberships.push(writing::MembershipRow {
            user,
            room: room.room,
            membership: membership.to_string(),
            event_id: pdu.event_id().to_owned(),
            pos,
        });
    }
}

/// Notes that a room lets guests in no more.
fn note_closed(work: &mut RoomsWork, were_let_in: bool, room: &Room) {
    if were_let_in && !room.state.guests_may_join() {
        work.closed_to_guests.push(());
    }
}

fn scope_of(work: &RoomsWork, room: &Room) -> Scope {
    Scope::Room {
        room: room.room,
        month: Month::of(work.now),
    }
}

fn seal(
    work: &RoomsWork,
    scope: Scope,
    pdu: &Pdu,
    origin: Option<&EventOrigin>,
) -> Result<Vec<u8>, RoomsRefusal> {
    let place = pdu_place(pdu.event_id().as_str());
    work.keys
        .seal(scope, place, &sealed_text(pdu, origin))
        .map_err(|error| RoomsRefusal::Invalid(error.to_string()))
}
