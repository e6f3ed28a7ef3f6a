//! `POST /_matrix/media/v1/create` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixmediav1create

use std::sync::Arc;

use axum::extract::State;
use media::{Media, ReserveError, Reserved};
use ruma::{MilliSecondsSinceUnixEpoch, OwnedMxcUri, UInt, api::client::media::create_mxc_uri};
use tracing::instrument;

use crate::{Settings, caller::Caller, error::ApiError, matrix::Matrix};

/// Gives out an address before the content of its file.
#[instrument(name = "client.create_address", skip_all)]
pub(crate) async fn create_address(
    State(settings): State<Arc<Settings>>,
    State(media): State<Media>,
    caller: Caller,
    _: Matrix<create_mxc_uri::v1::Request>,
) -> Result<Matrix<create_mxc_uri::v1::Response>, ApiError> {
    let Reserved { id, expires_at } = media.reserve(caller.user_id).await?;
    let address = OwnedMxcUri::from(format!("mxc://{}/{id}", settings.server_name));
    let mut response = create_mxc_uri::v1::Response::new(address);
    let expires_at = u64::try_from(expires_at.as_millis()).unwrap_or(0);
    let expires_at = UInt::new_saturating(expires_at);
    response.unused_expires_at = Some(MilliSecondsSinceUnixEpoch(expires_at));
    Ok(Matrix(response))
}

impl From<ReserveError> for ApiError {
    fn from(error: ReserveError) -> Self {
        match error {
            ReserveError::TooManyPending { retry_after } => Self::limit_exceeded(retry_after),
            ReserveError::Store(error) => Self::internal(error),
        }
    }
}
