//! `PUT /_matrix/client/v3/profile/{userId}/{keyName}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3profileuseridkeyname

use accounts::profile::{AVATAR_URL, DISPLAY_NAME};
use axum::extract::State;
use lifecycle::Lifecycle;
use ruma::api::client::profile::set_profile_field::v3::{Request, Response};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Sets a field of the caller's profile; rooms learn of a new name or avatar.
///
/// Clients take a name or an avatar back by setting it to nothing.
#[instrument(name = "client.set_profile_field", skip_all)]
pub(crate) async fn set_profile_field(
    State(lifecycle): State<Lifecycle>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    caller.check_is(&req.user_id)?;
    let field = req.value.field_name();
    let value = req.value.value();
    let shown_in_rooms = matches!(field.as_str(), DISPLAY_NAME | AVATAR_URL);
    let taken_back = shown_in_rooms && value.as_str() == Some("");
    let value = (!taken_back).then_some(&*value);
    let whose = (caller.user, &*caller.user_id);
    lifecycle
        .set_profile_field(whose, field.as_str(), value)
        .await?;
    Ok(Matrix(Response::new()))
}
