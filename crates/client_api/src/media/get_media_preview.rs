//! `GET /_matrix/client/v1/media/preview_url` ([spec]), and its [predecessor]
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mediapreview_url
//! [predecessor]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixmediav3preview_url

use axum::extract::State;
use previews::{PreviewError, Previews};
use ruma::api::client::{authenticated_media, media as unauthenticated_media};
use serde_json::value::{RawValue, to_raw_value};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Tells what stands behind a link, as it is now or was within the last hour: never as it was at
/// the moment that the client would like.
#[instrument(name = "client.get_media_preview", skip_all)]
pub(crate) async fn get_media_preview(
    State(previews): State<Option<Previews>>,
    _caller: Caller,
    Matrix(req): Matrix<authenticated_media::get_media_preview::v1::Request>,
) -> Result<Matrix<authenticated_media::get_media_preview::v1::Response>, ApiError> {
    let told = tell(previews, &req.url).await?;
    Ok(Matrix(
        authenticated_media::get_media_preview::v1::Response::from_raw_value(told),
    ))
}

/// Tells the same on the path of older clients, which needs a token as well.
#[instrument(name = "client.get_media_preview_v3", skip_all)]
#[expect(deprecated, reason = "older clients ask here")]
pub(crate) async fn get_media_preview_v3(
    State(previews): State<Option<Previews>>,
    _caller: Caller,
    Matrix(req): Matrix<unauthenticated_media::get_media_preview::v3::Request>,
) -> Result<Matrix<unauthenticated_media::get_media_preview::v3::Response>, ApiError> {
    let told = tell(previews, &req.url).await?;
    Ok(Matrix(
        unauthenticated_media::get_media_preview::v3::Response::from_raw_value(told),
    ))
}

async fn tell(previews: Option<Previews>, url: &str) -> Result<Box<RawValue>, ApiError> {
    // What is switched off is as good as absent.
    let previews = previews.ok_or_else(ApiError::unrecognized_path)?;
    let preview = previews.preview(url).await?;
    to_raw_value(&*preview).map_err(ApiError::internal)
}

impl From<PreviewError> for ApiError {
    fn from(error: PreviewError) -> Self {
        match error {
            PreviewError::NotAnAddress | PreviewError::TooLong | PreviewError::Refused(_) => {
                Self::invalid_param(error)
            }
            PreviewError::Missing => Self::not_found(error),
            PreviewError::Busy { retry_after } => Self::limit_exceeded(retry_after),
        }
    }
}
