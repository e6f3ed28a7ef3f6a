//! Power levels as the authorisation rules read them, field by field.

use std::collections::HashSet;

use ruma::{
    Int, OwnedUserId,
    events::room::power_levels::{RoomPowerLevels, RoomPowerLevelsSource},
    power_levels::NotificationPowerLevels,
    room_version_rules::AuthorizationRules,
    state_res::events::{RoomPowerLevelsEvent, RoomPowerLevelsIntField},
};

use crate::event::Pdu;

/// The effective levels of a room: from its `m.room.power_levels` event, or the defaults without.
///
/// A field that the rules cannot read counts as absent here; the rules themselves refuse every event
/// that depends on it, so nothing is gained by writing one.
pub(super) fn effective(
    event: Option<&Pdu>,
    creators: &HashSet<OwnedUserId>,
    rules: &AuthorizationRules,
) -> RoomPowerLevels {
    let creators = creators.iter().cloned();
    let mut levels = RoomPowerLevels::new(RoomPowerLevelsSource::None, rules, creators);
    let Some(event) = event.map(RoomPowerLevelsEvent::new) else {
        return levels;
    };
    let level = |field| -> Int {
        let read = event.get_as_int_or_default(field, rules);
        read.unwrap_or_else(|_| field.default_value())
    };
    levels.users_default = level(RoomPowerLevelsIntField::UsersDefault);
    levels.events_default = level(RoomPowerLevelsIntField::EventsDefault);
    levels.state_default = level(RoomPowerLevelsIntField::StateDefault);
    levels.ban = level(RoomPowerLevelsIntField::Ban);
    levels.kick = level(RoomPowerLevelsIntField::Kick);
    levels.invite = level(RoomPowerLevelsIntField::Invite);
    levels.redact = level(RoomPowerLevelsIntField::Redact);
    // With an event, nobody is special but those it names; creators of room versions 12 and later
    // are special by the rules.
    let users = event.users(rules).ok().flatten();
    levels.users = users.cloned().unwrap_or_default();
    levels.events = event.events(rules).ok().flatten().unwrap_or_default();
    levels.notifications = NotificationPowerLevels::new();
    let notifications = event.notifications(rules).ok().flatten();
    if let Some(room) = notifications.as_ref().and_then(|levels| levels.get("room")) {
        levels.notifications.room = *room;
    }
    levels
}
