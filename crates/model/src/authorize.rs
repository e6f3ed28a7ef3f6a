//! What a room permits: the authorisation rules of its version, applied to its state.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use ruma::{
    UserId,
    events::{TimelineEventType, room::member::MembershipState},
    room_version_rules::RoomVersionRules,
    state_res::{
        auth_types_for_event, check_state_dependent_auth_rules, check_state_independent_auth_rules,
    },
};
use serde_json::value::{RawValue, to_raw_value};

use crate::{
    event::{EventDraft, EventRef, Pdu},
    room_state::{RoomState, StateView},
};

/// Why the room does not permit an event.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum AuthRefusal {
    /// The sender is banned.
    #[error("you are banned from this room")]
    Banned,
    /// The sender is not a member.
    #[error("you are not in this room")]
    NotJoined,
    /// The room takes nobody in without an invitation, and the sender has none.
    #[error("this room can be joined by invitation only")]
    NotInvited,
    /// Any other rule, in the words of the rules.
    #[error("{0}")]
    Rule(String),
}

/// Checks `event` against the state before it, by the rules of the room version.
///
/// The event's own auth events are checked too: they must be exactly such as its type calls for.
pub fn authorize(
    event: &Pdu,
    state: &impl StateView,
    rules: &RoomVersionRules,
) -> Result<(), AuthRefusal> {
    let rules = &rules.authorization;
    let refuse = |sentence| explain(event, state, sentence);
    let candidates = auth_candidates(event, state, rules).map_err(refuse)?;
    check_state_independent_auth_rules(rules, event, |event_id| {
        let mut candidates = candidates.iter();
        candidates.find(|candidate| candidate.event_id() == event_id)
    })
    .map_err(refuse)?;
    check_state_dependent_auth_rules(rules, event, |event_type, state_key| {
        state.get(&event_type.to_string(), state_key)
    })
    .map_err(refuse)
}

/// What [`authorize`] says of an event that was just linked to `state`, told at once of most
/// messages: [`auth_events_for`] gave them the auth events that the rules call for, and the power
/// that they need is parsed already.
pub fn authorize_linked(
    event: &Pdu,
    state: &RoomState,
    rules: &RoomVersionRules,
) -> Result<(), AuthRefusal> {
    let is_plain = event.state_key().is_none() && !has_rules_of_its_own(event.type_name());
    if is_plain && state.may_send(event.sender(), event.type_name()) {
        return Ok(());
    }
    authorize(event, state, rules)
}

// Types that the rules name, with a state key or without one, in whatever room version.
fn has_rules_of_its_own(event_type: &str) -> bool {
    matches!(
        event_type,
        "m.room.create"
            | "m.room.member"
            | "m.room.third_party_invite"
            | "m.room.power_levels"
            | "m.room.redaction"
            | "m.room.aliases"
    )
}

/// The state events that `draft` must name as those that permit it.
pub fn auth_events_for(
    draft: &EventDraft,
    state: &impl StateView,
    rules: &RoomVersionRules,
) -> Result<Vec<EventRef>, AuthRefusal> {
    // Only the content of member events is looked at.
    let content = if draft.event_type == "m.room.member" {
        to_raw_value(&draft.content).expect("a canonical object has string keys and finite numbers")
    } else {
        RawValue::from_string("{}".to_owned()).expect("an empty object is JSON")
    };
    let slots = auth_types_for_event(
        &TimelineEventType::from(draft.event_type.as_str()),
        &draft.sender,
        draft.state_key.as_deref(),
        &content,
        &rules.authorization,
    )
    .map_err(AuthRefusal::Rule)?;
    Ok(slots
        .iter()
        .filter_map(|(event_type, state_key)| state.get(&event_type.to_string(), state_key))
        .map(|event| event.reference())
        .collect())
}

impl RoomState {
    /// Whether `sender` may send message events of this type: what [`authorize`] says of them, read
    /// from what is parsed already, for rooms where much is sent.
    ///
    /// Of redactions in room versions 1 and 2, and of aliases before version 6, only [`authorize`]
    /// knows.
    pub fn may_send(&self, sender: &UserId, event_type: &str) -> bool {
        let levels = self.power_levels();
        let create = self.get("m.room.create", "");
        let from_here = |create: &Arc<Pdu>| create.sender().server_name() == sender.server_name();
        (self.create().federate || create.is_some_and(from_here))
            && self.is_joined(sender)
            && levels.for_user(sender) >= levels.for_message(event_type.into())
    }

    /// Whether `sender` may redact `target`: their own events, or with enough power those of others.
    ///
    /// Stricter than the rule between servers, by which all users of one server may redact each
    /// other's events. That the redaction itself may be sent is for [`authorize`] to say.
    pub fn may_redact(&self, sender: &UserId, target: &Pdu) -> bool {
        let levels = self.power_levels();
        target.sender() == sender || levels.for_user(sender) >= levels.redact
    }

    /// Whether `sender` has the power to invite, and is here to do it.
    pub fn may_invite(&self, sender: &UserId) -> bool {
        self.is_joined(sender) && self.power_levels().user_can_invite(sender)
    }

    /// Whether `sender` may kick `target`.
    pub fn may_kick(&self, sender: &UserId, target: &UserId) -> bool {
        self.is_joined(sender) && self.power_levels().user_can_kick_user(sender, target)
    }

    /// Whether `sender` may ban `target`.
    pub fn may_ban(&self, sender: &UserId, target: &UserId) -> bool {
        self.is_joined(sender) && self.power_levels().user_can_ban_user(sender, target)
    }

    /// Whether `sender` may set state of this type (whose state key is not another person's id).
    pub fn may_set_state(&self, sender: &UserId, event_type: &str) -> bool {
        let levels = self.power_levels();
        let needed = levels.for_state(event_type.into());
        self.is_joined(sender) && levels.for_user(sender) >= needed
    }

    /// Whether `user` is joined.
    pub fn is_joined(&self, user: &UserId) -> bool {
        self.membership(user) == MembershipState::Join
    }
}

// The events that `event` may name as auth events: from the places that its type calls for, and the
// create event, which is looked up by the room id in room versions 12 and later.
fn auth_candidates<'a>(
    event: &Pdu,
    state: &'a impl StateView,
    rules: &ruma::room_version_rules::AuthorizationRules,
) -> Result<Vec<&'a Arc<Pdu>>, String> {
    let slots = auth_types_for_event(
        event.event_type(),
        event.sender(),
        event.state_key(),
        event.content(),
        rules,
    )?;
    let called_for = slots
        .iter()
        .filter_map(|(event_type, state_key)| state.get(&event_type.to_string(), state_key));
    Ok(called_for.chain(state.get("m.room.create", "")).collect())
}

// The rules know only their own sentences; the commonest refusals deserve one that helps a person.
fn explain(event: &Pdu, state: &impl StateView, sentence: String) -> AuthRefusal {
    let sender = event.sender();
    let concerns_sender = event.state_key() == Some(sender.as_str());
    match (state.membership(sender), event.membership()) {
        (MembershipState::Ban, _) => AuthRefusal::Banned,
        (MembershipState::Join, _) => AuthRefusal::Rule(sentence),
        (_, Some(MembershipState::Join)) if concerns_sender => AuthRefusal::NotInvited,
        // To knock, or to leave where one is not.
        (_, Some(_)) if concerns_sender => AuthRefusal::Rule(sentence),
        _ if state.get("m.room.create", "").is_none() => AuthRefusal::Rule(sentence),
        _ => AuthRefusal::NotJoined,
    }
}
