//! How far somebody has read.

pub(crate) mod send_receipt;
pub(crate) mod set_read_markers;

use std::sync::Arc;

use accounts::{Accounts, account_data::AccountDataError};
use model::time::Clock;
use rooms::{NewReceipt, Rooms};
use ruma::{EventId, OwnedEventId, RoomId};
use serde_json::{json, value::to_raw_value};
use store::Intent;

use crate::{
    caller::Caller,
    error::ApiError,
    events::RoomView,
    refusals::{not_joined, to_outsiders},
};

/// Where a client's "new messages" line stands; it is the reader's own account data.
const FULLY_READ: &str = "m.fully_read";

/// A receipt as rooms take it; an unthreaded one has an empty thread.
fn receipt(
    caller: &Caller,
    room_id: &RoomId,
    (kind, thread): (&str, &str),
    event_id: OwnedEventId,
    clock: &dyn Clock,
) -> NewReceipt {
    NewReceipt {
        room_id: room_id.to_owned(),
        user_id: caller.user_id.clone(),
        kind: kind.to_owned(),
        thread: thread.to_owned(),
        event_id,
        at: clock.now(),
    }
}

/// Adds the moving of the read marker to an intent, when the caller sees the event it moves to.
async fn add_marker(
    (rooms, accounts): (&Rooms, &Accounts),
    clock: &Arc<dyn Clock>,
    caller: &Caller,
    room_id: &RoomId,
    event_id: &EventId,
    intent: &mut Intent,
) -> Result<(), ApiError> {
    let view = RoomView::open(rooms, &**clock, caller, room_id).await;
    let view = view.map_err(to_outsiders)?;
    if !view.room.state.is_joined(&caller.user_id) {
        return Err(not_joined());
    }
    view.visible(event_id).await?;
    let content = to_raw_value(&json!({ "event_id": event_id })).map_err(ApiError::internal)?;
    let added = accounts.add_account_data(intent, caller.user, Some(room_id), FULLY_READ, &content);
    match added {
        Ok(_) => Ok(()),
        Err(AccountDataError::Store(error)) => Err(ApiError::internal(error)),
        Err(error) => Err(ApiError::invalid_param(error)),
    }
}
