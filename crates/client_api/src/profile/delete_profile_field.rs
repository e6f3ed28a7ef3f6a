//! `DELETE /_matrix/client/v3/profile/{userId}/{keyName}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3profileuseridkeyname

use axum::extract::State;
use lifecycle::Lifecycle;
use ruma::api::client::profile::delete_profile_field::v3::{Request, Response};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Takes a field of the caller's profile back; succeeds when there is none.
#[instrument(name = "client.delete_profile_field", skip_all)]
pub(crate) async fn delete_profile_field(
    State(lifecycle): State<Lifecycle>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    caller.check_is(&req.user_id)?;
    let whose = (caller.user, &*caller.user_id);
    lifecycle
        .set_profile_field(whose, req.field.as_str(), None)
        .await?;
    Ok(Matrix(Response::new()))
}
