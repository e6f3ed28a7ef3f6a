//! `PUT /_matrix/client/v3/presence/{userId}/status` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3presenceuseridstatus

use axum::extract::State;
use ruma::api::client::presence::set_presence::v3::{Request, Response};
use sync::Sync;
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// How long the sentence beside a presence may be.
const LONGEST_STATUS_BYTES: usize = 1024;

/// Tells others whether the caller is there; where presence is off, nobody is told.
#[instrument(name = "client.set_presence", skip_all, fields(user.id = %caller.user_id))]
pub(crate) async fn set_presence(
    State(sync): State<Sync>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    caller.check_is(&req.user_id)?;
    if !super::is_known(&req.presence) {
        let sentence = format!("presence: {} is unknown", req.presence);
        return Err(ApiError::bad_json(sentence));
    }
    let status = req.status_msg.filter(|status| !status.is_empty());
    if status
        .as_ref()
        .is_some_and(|status| status.len() > LONGEST_STATUS_BYTES)
    {
        return Err(ApiError::too_large(format_args!(
            "status_msg: it has at most {LONGEST_STATUS_BYTES} bytes"
        )));
    }
    if !sync.presence_enabled() {
        return Ok(Matrix(Response::new()));
    }
    let told = sync
        .set_presence(caller.user, req.presence.as_str(), status)
        .await;
    told.map_err(ApiError::internal)?;
    Ok(Matrix(Response::new()))
}
