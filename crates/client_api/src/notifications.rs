//! `GET /_matrix/client/v3/notifications` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3notifications

use std::sync::Arc;

use axum::extract::State;
use model::time::{Clock, Timestamp};
use ruma::{
    MilliSecondsSinceUnixEpoch, UInt,
    api::client::push::get_notifications::v3::{Notification, Request, Response},
    serde::Raw,
};
use sync::{NotificationsRequest, Reader, Sync};
use tracing::instrument;

use crate::{
    caller::Caller,
    error::ApiError,
    matrix::Matrix,
    messages::{boundary, page_length},
};

/// How many notifications a page has when the client does not say.
const DEFAULT_PAGE: u32 = 20;

/// The most notifications of one page.
const LONGEST_PAGE: usize = 100;

/// Gives the events that the caller was notified of, or would have been by their rules of now,
/// newest first.
///
/// A page may have none although there are more: its token then leads on.
#[instrument(name = "client.get_notifications", skip_all)]
pub(crate) async fn get_notifications(
    State(sync): State<Sync>,
    State(clock): State<Arc<dyn Clock>>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let only_highlights = match req.only.as_deref() {
        None => false,
        Some("highlight") => true,
        Some(_) => return Err(ApiError::invalid_param("only: it can be highlight alone")),
    };
    let limit = req.limit.unwrap_or(DEFAULT_PAGE.into());
    if limit == UInt::MIN {
        return Err(ApiError::invalid_param("limit: not greater than zero"));
    }
    let request = NotificationsRequest {
        from: boundary("from", req.from.as_deref())?,
        limit: page_length(limit).min(LONGEST_PAGE),
        only_highlights,
    };
    let reader = Reader {
        device_id: caller.device_id.as_ref().map(|id| id.as_str()),
        user: caller.user,
        user_id: &caller.user_id,
        now: clock.now(),
    };
    let page = sync.notifications(reader, &request).await;
    let page = page.map_err(ApiError::internal)?;
    let told = page.notifications.into_iter().map(|notification| {
        Notification::new(
            notification.actions,
            Raw::from_json(notification.event),
            notification.read,
            notification.room_id,
            milliseconds(notification.at),
        )
    });
    let mut response = Response::new(told.collect());
    response.next_token = page.next.map(|next| next.to_string());
    Ok(Matrix(response))
}

fn milliseconds(at: Timestamp) -> MilliSecondsSinceUnixEpoch {
    let millis = u64::try_from(at.as_millis()).unwrap_or(0);
    MilliSecondsSinceUnixEpoch(UInt::new_saturating(millis))
}
