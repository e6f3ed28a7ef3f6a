//! `POST /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/{deviceId}/events`
//! ([MSC3814])
//!
//! [MSC3814]: https://github.com/matrix-org/matrix-spec-proposals/pull/3814

use axum::extract::State;
use keys::Keys;
use ruma::api::client::dehydrated_device::get_events::unstable::{Request, Response};
use store::{Database, Pos};
use tracing::instrument;

use super::none;
use crate::{
    caller::Caller,
    error::ApiError,
    matrix::{Matrix, Sparse},
};

/// How many messages a page has.
const PAGE: usize = 100;

/// Gives a page of what has come for the caller's dehydrated device. Nothing of it is removed: who
/// is cut off begins again, until the device is replaced or deleted.
///
/// Behind each page that is not empty stands where the next one begins: clients ask until one is.
#[instrument(name = "client.get_events_of_dehydrated_device", skip_all)]
pub(crate) async fn get_events(
    State(keys): State<Keys>,
    State(database): State<Database>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Sparse<Response>, ApiError> {
    let after = match req.next_batch.as_deref().map(str::parse) {
        None => Pos::START,
        Some(Ok(pos)) => Pos::new(pos),
        Some(Err(_)) => return Err(ApiError::invalid_param("next_batch: no page begins there")),
    };
    let device = keys.dehydrated_device_id(caller.user).await;
    let device = device.map_err(ApiError::internal)?;
    let device = device.filter(|device| *device == req.device_id);
    let device = device.ok_or_else(none)?;
    let snapshot = database.snapshot().await.map_err(ApiError::internal)?;
    let head = snapshot.head();
    let waiting = keys
        .to_device_since(&snapshot, caller.user, device.as_str(), after, head, PAGE)
        .await
        .map_err(ApiError::internal)?;
    let mut response = Response::new(waiting.events);
    if !response.events.is_empty() {
        response.next_batch = Some(waiting.upto.get().to_string());
    }
    Ok(Sparse(response))
}
