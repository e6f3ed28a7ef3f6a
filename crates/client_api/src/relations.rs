//! What relates to an event, and the threads of a room.

pub(crate) mod get_relating_events;
pub(crate) mod get_relating_events_with_rel_type;
pub(crate) mod get_relating_events_with_rel_type_and_event_type;
pub(crate) mod get_threads;

use model::time::Clock;
use rooms::{Direction, RELATION_DEPTH, RelationsRequest, Rooms};
use ruma::{EventId, RoomId, UInt, api, events::AnyMessageLikeEvent, serde::Raw};
use sync::Boundary;

use crate::{
    caller::Caller,
    error::ApiError,
    events::RoomView,
    messages::{boundary, hidden, ord_in, page_length},
};

/// How many events a page has when the client does not say.
const DEFAULT_PAGE: u32 = 20;

/// What all three endpoints ask.
struct Asked<'a> {
    room_id: &'a RoomId,
    event_id: &'a EventId,
    rel_type: Option<&'a str>,
    event_type: Option<&'a str>,
    from: Option<&'a str>,
    to: Option<&'a str>,
    limit: Option<UInt>,
    dir: api::Direction,
    recurse: bool,
}

/// What all three endpoints answer.
struct Found {
    chunk: Vec<Raw<AnyMessageLikeEvent>>,
    next_batch: Option<String>,
    prev_batch: Option<String>,
    recursion_depth: Option<UInt>,
}

/// Reads a page of what relates to an event that the caller may see.
async fn find(
    rooms: &Rooms,
    clock: &dyn Clock,
    caller: &Caller,
    asked: &Asked<'_>,
) -> Result<Found, ApiError> {
    let from = boundary("from", asked.from)?;
    let to = boundary("to", asked.to)?;
    let view = RoomView::open(rooms, clock, caller, asked.room_id).await;
    let view = view.map_err(hidden)?;
    view.visible(asked.event_id).await?;
    let from = ord_in(&view.snapshot, from).await?;
    let (direction, end) = match asked.dir {
        api::Direction::Backward => (Direction::Backward, i64::MAX),
        api::Direction::Forward => (Direction::Forward, i64::MIN),
    };
    let request = RelationsRequest {
        event_id: asked.event_id,
        rel_type: asked.rel_type,
        event_type: asked.event_type,
        depth: if asked.recurse { RELATION_DEPTH } else { 1 },
        from: from.unwrap_or(end),
        to: ord_in(&view.snapshot, to).await?,
        direction,
        limit: page_length(asked.limit.unwrap_or(DEFAULT_PAGE.into())).max(1),
    };
    let page = rooms.relations(&view.snapshot, &view.room, &view.history, &request);
    let page = page.await.map_err(ApiError::internal)?;
    let token = |ord| Boundary::new(&view.snapshot, ord).to_string();
    Ok(Found {
        chunk: view.timeline(&page.events).await?,
        next_batch: page.next.map(token),
        // Without `from` it is the first page.
        prev_batch: from.map(token),
        recursion_depth: asked.recurse.then(|| RELATION_DEPTH.into()),
    })
}
