//! Power levels: those of the new room, and those that silence the old one.

use std::collections::BTreeSet;

use model::room_state::StateView;
use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, Int, OwnedUserId, int,
    room_version_rules::RoomVersionRules,
};

use super::TOMBSTONE;
use crate::Room;

const POWER_LEVELS: &str = "m.room.power_levels";

/// What one who is not listed is under, when the old room is silenced.
const SILENT_BELOW: i32 = 50;

/// The level of an administrator.
const ADMINISTRATOR: i32 = 100;

/// What sending a tombstone needs where creators stand above all levels: it makes creators.
const TOMBSTONE_LEVEL: i32 = 150;

const LEVELS: &[&str] = &[
    "ban",
    "events_default",
    "invite",
    "kick",
    "redact",
    "state_default",
    "users_default",
];

const MAPS: &[&str] = &["events", "notifications", "users"];

/// The old room's levels as the new room's version understands them.
///
/// Creators of version 12 are not listed. Where there are none such, the old room's creators are
/// as powerful as the most powerful can be.
pub(super) fn carried(
    old: &Room,
    rules: &RoomVersionRules,
    creators: &BTreeSet<OwnedUserId>,
) -> Option<CanonicalJsonObject> {
    let mut levels = levels_of(old)?;
    if rules.authorization.explicitly_privilege_room_creators {
        let users = map(&mut levels, "users");
        users.retain(|user, _| creators.iter().all(|creator| creator != user));
        keep_tombstone_above_state(&mut levels);
    } else if old.rules().authorization.explicitly_privilege_room_creators {
        let top = highest(&levels).max(ADMINISTRATOR.into());
        let users = map(&mut levels, "users");
        for creator in &old.state.create().creators {
            users.insert(creator.to_string(), top.into());
        }
    }
    Some(levels)
}

/// The old room's levels with talking and inviting out of reach for most; `None` when they are
/// already.
pub(super) fn silenced(old: &Room) -> Option<CanonicalJsonObject> {
    let before = levels_of(old)?;
    let parsed = old.state.power_levels();
    let above_default = parsed.users_default.saturating_add(int!(1));
    let bound = above_default.max(SILENT_BELOW.into());
    let mut after = before.clone();
    for (name, level) in [
        ("events_default", parsed.events_default),
        ("invite", parsed.invite),
    ] {
        if level < bound {
            after.insert(name.to_owned(), bound.into());
        }
    }
    (after != before).then_some(after)
}

/// The content of a room's levels, with whole numbers where older versions also take texts.
fn levels_of(room: &Room) -> Option<CanonicalJsonObject> {
    let event = room.state.get(POWER_LEVELS, "")?;
    let mut levels: CanonicalJsonObject = event.content_as().ok()?;
    keep_numbers(&mut levels, |name| LEVELS.contains(&name));
    for name in MAPS {
        match levels.get_mut(*name) {
            Some(CanonicalJsonValue::Object(map)) => keep_numbers(map, |_| true),
            Some(_) => drop(levels.remove(*name)),
            None => {}
        }
    }
    Some(levels)
}

/// Makes numbers of levels; what is none counts as absent.
fn keep_numbers(levels: &mut CanonicalJsonObject, is_level: impl Fn(&str) -> bool) {
    levels.retain(|name, value| {
        if !is_level(name) {
            return true;
        }
        let number = match value {
            CanonicalJsonValue::Integer(number) => Some(*number),
            CanonicalJsonValue::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        if let Some(number) = number {
            *value = number.into();
        }
        number.is_some()
    });
}

fn keep_tombstone_above_state(levels: &mut CanonicalJsonObject) {
    let state = number(levels, "state_default").unwrap_or(int!(50));
    let events = map(levels, "events");
    if number(events, TOMBSTONE).is_none_or(|level| level <= state) {
        let above = state.saturating_add(int!(1)).max(TOMBSTONE_LEVEL.into());
        events.insert(TOMBSTONE.to_owned(), above.into());
    }
}

fn highest(levels: &CanonicalJsonObject) -> Int {
    let maps = MAPS.iter().filter_map(|name| match levels.get(*name) {
        Some(CanonicalJsonValue::Object(map)) => Some(map),
        _ => None,
    });
    let numbers = maps.chain([levels]).flat_map(|map| map.values());
    let numbers = numbers.filter_map(|value| match value {
        CanonicalJsonValue::Integer(number) => Some(*number),
        _ => None,
    });
    numbers.max().unwrap_or_default()
}

fn number(levels: &CanonicalJsonObject, name: &str) -> Option<Int> {
    match levels.get(name) {
        Some(CanonicalJsonValue::Integer(number)) => Some(*number),
        _ => None,
    }
}

/// One of the maps of levels, which is made when it is not there.
fn map<'a>(levels: &'a mut CanonicalJsonObject, name: &str) -> &'a mut CanonicalJsonObject {
    let empty = || CanonicalJsonValue::Object(CanonicalJsonObject::new());
    match levels.entry(name.to_owned()).or_insert_with(empty) {
        CanonicalJsonValue::Object(map) => map,
        _ => unreachable!("what is no map was removed when the levels were read"),
    }
}
