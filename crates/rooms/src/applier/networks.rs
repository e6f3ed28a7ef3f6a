//! Rooms that are shown as those of other networks.

use ruma::RoomId;
use store::{CheckContext, Verdict, Writes};

use super::RoomsWork;
use crate::{RoomsOutcome, RoomsRefusal};

/// A room, the network, and whether it is shown there.
pub(super) type NetworkRow = (i64, String, bool);

const SHOW: &str = "INSERT INTO network_rooms (network, room) VALUES ($1, $2) \
     ON CONFLICT (network, room) DO NOTHING";

const HIDE: &str = "DELETE FROM network_rooms WHERE network = $1 AND room = $2";

pub(super) fn check(
    work: &mut RoomsWork,
    room_id: &RoomId,
    (network, listed): (&str, bool),
    context: &mut CheckContext<'_>,
) -> Result<Verdict<RoomsOutcome>, RoomsRefusal> {
    let room = work.room(room_id)?.room;
    work.rows.networks.push((room, network.to_owned(), listed));
    context.touch_room(room);
    Ok(Verdict::Apply(RoomsOutcome::Done))
}

pub(super) fn write(rows: Vec<NetworkRow>, writes: &mut Writes) {
    for (room, network, listed) in rows {
        let sql = if listed { SHOW } else { HIDE };
        writes.execute(sql, vec![network.into(), room.into()]);
    }
}
