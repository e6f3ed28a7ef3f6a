//! `POST /_matrix/media/v3/upload` ([spec]), and `PUT` [to an address] that was given out before
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixmediav3upload
//! [to an address]: https://spec.matrix.org/v1.19/client-server-api/#put_matrixmediav3uploadservernamemediaid

use std::sync::Arc;

use axum::{Json, extract::State};
use http::{HeaderMap, StatusCode};
use media::{Media, MediaId, NewFile, UploadError};
use model::time::Clock;
use ruma::{
    OwnedMxcUri,
    api::{
        client::media::{create_content, create_content_async},
        error::ErrorKind,
    },
};
use serde_json::{Map, Value};
use tracing::instrument;

use super::body::{announced_size, moving};
use crate::{Settings, caller::Caller, error::ApiError, matrix::Matrix, matrix::MatrixStream};

/// Stores a file, and gives it its address.
#[instrument(name = "client.upload_file", skip_all)]
pub(crate) async fn upload_file(
    State(settings): State<Arc<Settings>>,
    State(clock): State<Arc<dyn Clock>>,
    State(media): State<Media>,
    headers: HeaderMap,
    caller: Caller,
    MatrixStream { request, body }: MatrixStream<create_content::v3::Request>,
) -> Result<Matrix<create_content::v3::Response>, ApiError> {
    let file = described(caller, &headers, request.content_type, request.filename);
    let id = media.upload(file, moving(body, clock)).await?;
    let address = OwnedMxcUri::from(format!("mxc://{}/{id}", settings.server_name));
    Ok(Matrix(create_content::v3::Response::new(address)))
}

/// Stores the content of a file whose address was given out before.
#[instrument(name = "client.upload_file_to", skip_all)]
pub(crate) async fn upload_file_to(
    State(settings): State<Arc<Settings>>,
    State(clock): State<Arc<dyn Clock>>,
    State(media): State<Media>,
    headers: HeaderMap,
    caller: Caller,
    MatrixStream { request, body }: MatrixStream<create_content_async::v3::Request>,
) -> Result<Json<Value>, ApiError> {
    let file = described(caller, &headers, request.content_type, request.filename);
    let id = MediaId::parse(&request.media_id);
    let id = id.filter(|_| request.server_name == settings.server_name);
    let id = id.ok_or(UploadError::NoSuchId)?;
    media.upload_to(&id, file, moving(body, clock)).await?;
    // Ruma's response cannot be made outside of it; it is an object without members.
    Ok(Json(Value::Object(Map::new())))
}

/// What the request tells of a file before its content arrives.
fn described(
    caller: Caller,
    headers: &HeaderMap,
    content_type: Option<String>,
    file_name: Option<String>,
) -> NewFile {
    NewFile {
        owner: caller.user_id,
        content_type,
        file_name: file_name.filter(|name| !name.is_empty()),
        size_bytes: announced_size(headers),
    }
}

impl From<UploadError> for ApiError {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::TooLarge { .. } => Self::too_large(error),
            UploadError::TextTooLong { .. } => Self::invalid_param(error),
            UploadError::QuotaReached | UploadError::NotOwner => Self::forbidden(error),
            UploadError::NoSuchId => Self::not_found(error),
            UploadError::HasContent => {
                Self::new(StatusCode::CONFLICT, ErrorKind::CannotOverwriteMedia, error)
            }
            // Mostly nobody is there to hear it.
            UploadError::Truncated { .. } | UploadError::Broken(_) => Self::new(
                StatusCode::BAD_REQUEST,
                ErrorKind::Unknown,
                "the upload broke off before its end",
            ),
            UploadError::Seal(error) => Self::internal(error),
            UploadError::Blobs(error) => Self::internal(error),
            UploadError::Store(error) => Self::internal(error),
        }
    }
}
