//! Whom a user may find: who shares a room with them, or is in a room that is open to everybody.

use std::collections::{BTreeSet, HashSet};

use rooms::{Room, Rooms};
use ruma::{OwnedUserId, events::room::member::MembershipState};
use store::{Snapshot, StoreError};

/// Those of `people` whom a user may find: looks for them in the user's rooms and in those that
/// are open, as they are in memory, until everybody is found.
pub(crate) async fn seen_by(
    user: i64,
    people: HashSet<OwnedUserId>,
    rooms: &Rooms,
    snapshot: &Snapshot,
) -> Result<HashSet<OwnedUserId>, StoreError> {
    let mut seen = HashSet::new();
    let mut missing = people;
    if missing.is_empty() {
        return Ok(seen);
    }
    let mut numbers: BTreeSet<i64> = (*rooms.open_rooms(snapshot).await?).clone();
    numbers.extend(rooms.joined_room_numbers(snapshot, user).await?);
    for number in numbers {
        if let Some(room) = rooms.room_by_number(snapshot, number).await? {
            find(&room, &mut missing, &mut seen);
        }
        if missing.is_empty() {
            break;
        }
    }
    Ok(seen)
}

/// Goes through the members or the missing, whichever are fewer.
fn find(room: &Room, missing: &mut HashSet<OwnedUserId>, seen: &mut HashSet<OwnedUserId>) {
    if room.state.joined_count() < missing.len() {
        let members = room.state.members_with(MembershipState::Join);
        seen.extend(members.filter_map(|(member, _)| missing.take(member)));
    } else {
        seen.extend(missing.extract_if(|person| room.state.is_joined(person)));
    }
}
