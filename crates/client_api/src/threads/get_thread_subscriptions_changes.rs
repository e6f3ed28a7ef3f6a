//! `GET /_matrix/client/unstable/io.element.msc4308/thread_subscriptions` ([MSC4308])
//!
//! [MSC4308]: https://github.com/matrix-org/matrix-spec-proposals/pull/4308

use axum::extract::{RawQuery, State};
use rooms::Rooms;
use ruma::{
    UInt,
    api::client::threads::get_thread_subscriptions_changes::unstable::{
        Request, Response, ThreadSubscription, ThreadUnsubscription,
    },
};
use sync::Boundary;
use tracing::instrument;

use crate::{
    caller::Caller,
    error::ApiError,
    matrix::Matrix,
    messages::{boundary, ord_in, page_length},
};

/// How many changes a page has when the client does not say.
const DEFAULT_PAGE: u32 = 100;

/// Tells which threads the caller followed or left, what they said last first.
#[instrument(name = "client.get_thread_subscriptions_changes", skip_all)]
pub(crate) async fn get_thread_subscriptions_changes(
    State(rooms): State<Rooms>,
    RawQuery(query): RawQuery,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    check_direction(query.as_deref().unwrap_or_default())?;
    let from = boundary("from", req.from.as_deref())?;
    let to = boundary("to", req.to.as_deref())?;
    let limit = req.limit.unwrap_or(DEFAULT_PAGE.into());
    if limit == UInt::MIN {
        return Err(ApiError::invalid_param("limit: not greater than zero"));
    }
    let limit = page_length(limit);
    let snapshot = rooms.snapshot().await.map_err(ApiError::internal)?;
    let from = ord_in(&snapshot, from).await?.unwrap_or(i64::MAX);
    let to = ord_in(&snapshot, to).await?.unwrap_or(1);
    let (after, until) = (to.saturating_sub(1), from.saturating_sub(1));
    // One more tells whether there are more.
    let changes =
        rooms.thread_subscriptions_between(&snapshot, caller.user, after, until, limit + 1);
    let changes = changes.await.map_err(ApiError::internal)?;
    let mut response = Response::new();
    if changes.len() > limit {
        let last = changes.get(limit - 1).map(|last| last.pos);
        response.end = last.map(|pos| Boundary::new(&snapshot, pos).to_string());
    }
    for change in changes.into_iter().take(limit) {
        let stamp = UInt::new_saturating(u64::try_from(change.pos).unwrap_or(0));
        if change.subscribed {
            let room = response.subscribed.entry(change.room_id).or_default();
            room.insert(
                change.thread,
                ThreadSubscription::new(change.automatic, stamp),
            );
        } else {
            let room = response.unsubscribed.entry(change.room_id).or_default();
            room.insert(change.thread, ThreadUnsubscription::new(stamp));
        }
    }
    Ok(Matrix(response))
}

/// The parser reads the direction and shows it to nobody.
fn check_direction(query: &str) -> Result<(), ApiError> {
    let pairs: Vec<(String, String)> =
        serde_html_form::from_str(query).map_err(ApiError::invalid_param)?;
    let forward = pairs
        .iter()
        .any(|(name, value)| name == "dir" && value == "f");
    match forward {
        true => Err(ApiError::invalid_param(
            "dir: subscriptions are told backwards alone",
        )),
        false => Ok(()),
    }
}
