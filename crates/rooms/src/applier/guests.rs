//! Who is a guest, and guests who leave rooms that are closed to them.

use std::collections::{BTreeSet, HashMap};

use futures_util::future::try_join_all;
use ruma::{OwnedUserId, UserId};
use store::{CheckContext, ColumnType, Insert, Layered, StoreError, Tx, Verdict, Writes};

use super::RoomsWork;
use crate::{NewEvent, Room, Rooms, RoomsOutcome, RoomsRefusal, guests::check_guest};

const FIND: &str = "SELECT user_id FROM guests WHERE user_id = $1";

static GUESTS: Insert = Insert {
    table: "guests",
    columns: &[("user_id", ColumnType::Int)],
    on_conflict: "ON CONFLICT (user_id) DO NOTHING",
};

const NO_LONGER: &str = "DELETE FROM guests WHERE user_id = $1";

/// Which of these users are guests.
pub(super) async fn find(
    tx: &Tx,
    users: &BTreeSet<OwnedUserId>,
    user_ids: &HashMap<OwnedUserId, i64>,
) -> Result<Layered<i64, bool>, StoreError> {
    let finding = users.iter().filter_map(|user| {
        let user = *user_ids.get(user)?;
        Some(async move {
            let row = tx.query_opt(FIND, &[user.into()]).await?;
            Ok::<_, StoreError>((user, row.is_some()))
        })
    });
    let mut found = Layered::default();
    for (user, is_guest) in try_join_all(finding).await? {
        found.load(user, is_guest);
    }
    Ok(found)
}

/// Notes that a user is a guest, or no longer.
pub(super) fn check(
    work: &mut RoomsWork,
    user_id: &UserId,
    is_guest: bool,
) -> Verdict<RoomsOutcome> {
    let user = work.user(user_id);
    if work.guests.get(&user).copied().unwrap_or(false) == is_guest {
        return Verdict::Nothing(RoomsOutcome::Done);
    }
    work.guests.stage(user, is_guest);
    work.rows.guests.push((user, is_guest));
    Verdict::Apply(RoomsOutcome::Done)
}

/// Refuses what guests do not do to memberships.
pub(super) fn check_sender(
    work: &RoomsWork,
    room: &Room,
    event: &NewEvent,
) -> Result<(), RoomsRefusal> {
    let draft = &event.draft;
    if draft.event_type != "m.room.member" || !work.is_guest(&draft.sender) {
        return Ok(());
    }
    check_guest(room, draft)
}

impl Rooms {
    pub(super) fn check_guest_out(
        &self,
        work: &mut RoomsWork,
        event: &NewEvent,
        context: &mut CheckContext<'_>,
    ) -> Result<Verdict<RoomsOutcome>, RoomsRefusal> {
        let room = work.room(&event.room_id)?;
        let guest = &event.draft.sender;
        let has_to = !room.state.guests_may_join() && room.state.is_joined(guest);
        if !has_to || !work.is_guest(guest) {
            return Ok(Verdict::Nothing(RoomsOutcome::Done));
        }
        self.check_event(work, event, context)
    }
}

impl RoomsWork {
    fn is_guest(&self, user_id: &UserId) -> bool {
        let is_guest = self.guests.get(&self.user(user_id));
        is_guest.copied().unwrap_or(false)
    }
}

pub(super) fn write(rows: Vec<(i64, bool)>, writes: &mut Writes) {
    // The last word on each user: who becomes a guest did not exist before.
    let last: HashMap<i64, bool> = rows.into_iter().collect();
    let is = last.iter().filter(|(_, is_guest)| **is_guest);
    writes.insert(&GUESTS, is.map(|(user, _)| vec![(*user).into()]).collect());
    for (user, _) in last.iter().filter(|(_, is_guest)| !**is_guest) {
        writes.execute(NO_LONGER, vec![(*user).into()]);
    }
}
