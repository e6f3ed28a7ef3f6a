//! `GET /_matrix/client/v3/rooms/{roomId}/context/{eventId}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidcontexteventid

use std::{collections::BTreeSet, sync::Arc};

use accounts::Accounts;
use axum::extract::State;
use model::{filter::EventFilter, time::Clock};
use rooms::{Direction, Page, PageRequest, Rooms, StoredEvent};
use ruma::{
    OwnedUserId,
    api::client::context::get_context::v3::{Request, Response},
    events::AnyStateEvent,
    serde::Raw,
};
use sync::Boundary;
use tracing::instrument;

use super::{compiled, hidden, page_length};
use crate::{caller::Caller, error::ApiError, events::RoomView, matrix::Matrix};

/// Gives an event, what was said around it, and the state of the room after the last of that.
#[instrument(name = "client.get_context", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn get_context(
    State(rooms): State<Rooms>,
    State(accounts): State<Accounts>,
    State(clock): State<Arc<dyn Clock>>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let filter = compiled(&req.filter)?;
    let view = RoomView::open(&rooms, &*clock, &caller, &req.room_id).await;
    let view = view.map_err(hidden)?;
    let event = view.visible(&req.event_id).await?;
    let limit = page_length(req.limit);
    let ignored = accounts.ignored_users(caller.user).await;
    let ignored = ignored.map_err(ApiError::internal)?;
    let around = Around {
        rooms: &rooms,
        view: &view,
        filter: &filter,
        ignored: &ignored,
    };
    let before = around
        .page(event.ord, Direction::Backward, limit / 2)
        .await?;
    let behind = event.ord.saturating_add(1);
    let after = around
        .page(behind, Direction::Forward, limit - limit / 2)
        .await?;
    let first = before.events.last().unwrap_or(&event).ord;
    let last = after.events.last().unwrap_or(&event).ord;
    let mut response = Response::new();
    let token = |ord| Some(Boundary::new(&view.snapshot, ord).to_string());
    response.start = token(before.next.unwrap_or(first));
    response.end = token(after.next.unwrap_or_else(|| last.saturating_add(1)));
    let shown: Vec<&StoredEvent> = before
        .events
        .iter()
        .chain([&event])
        .chain(&after.events)
        .collect();
    response.state = around.state(last, &shown).await?;
    let count_before = before.events.len();
    let mut told = before.events;
    told.push(event);
    told.extend(after.events);
    let mut rendered = view.timeline(&told).await?.into_iter();
    response.events_before = rendered.by_ref().take(count_before).collect();
    response.event = rendered.next();
    response.events_after = rendered.collect();
    Ok(Matrix(response))
}

struct Around<'a> {
    rooms: &'a Rooms,
    view: &'a RoomView<'a>,
    filter: &'a EventFilter,
    ignored: &'a BTreeSet<OwnedUserId>,
}

impl Around<'_> {
    async fn page(&self, from: i64, direction: Direction, limit: usize) -> Result<Page, ApiError> {
        if limit == 0 {
            return Ok(Page {
                events: Vec::new(),
                next: Some(from),
            });
        }
        let request = PageRequest {
            from,
            to: None,
            direction,
            limit,
            filter: self.filter,
            ignored: self.ignored,
            unbroken: false,
        };
        let view = self.view;
        self.rooms
            .page(&view.snapshot, &view.room, &view.history, &request)
            .await
            .map_err(ApiError::internal)
    }

    /// The state after the last event; under lazy loading the members are only those who speak.
    async fn state(
        &self,
        last: i64,
        shown: &[&StoredEvent],
    ) -> Result<Vec<Raw<AnyStateEvent>>, ApiError> {
        let state = self.view.state_before(last.saturating_add(1)).await;
        let state = state.map_err(ApiError::internal)?;
        let wanted = |event: &&Arc<model::event::Pdu>| match event.state_slot() {
            Some(("m.room.member", user)) if self.filter.lazy_load_members => {
                shown.iter().any(|shown| shown.pdu.sender() == user)
            }
            _ => true,
        };
        let state = state.iter().filter(wanted);
        Ok(state.map(|event| self.view.state(event)).collect())
    }
}
