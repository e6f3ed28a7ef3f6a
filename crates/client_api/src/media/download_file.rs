//! `GET /_matrix/client/v1/media/download/{serverName}/{mediaId}` ([spec]), and [with a name]
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mediadownloadservernamemediaid
//! [with a name]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mediadownloadservernamemediaidfilename

use std::sync::Arc;

use axum::{extract::State, response::Response};
use media::{DownloadError, MAX_FILE_NAME_BYTES, Media, MediaId, StoredFile};
use ruma::{
    ServerName,
    api::client::authenticated_media::{get_content, get_content_as_filename},
};
use tracing::instrument;

use super::{
    answer::{Shown, answer},
    conditions::Conditions,
};
use crate::{Settings, caller::Caller, error::ApiError, matrix::Matrix};

/// Streams a file under the name that it was uploaded with.
#[instrument(name = "client.download_file", skip_all)]
pub(crate) async fn download_file(
    State(settings): State<Arc<Settings>>,
    State(media): State<Media>,
    conditions: Conditions,
    _caller: Caller,
    Matrix(req): Matrix<get_content::v1::Request>,
) -> Result<Response, ApiError> {
    let mut file = find(&settings, &media, &req.server_name, &req.media_id).await?;
    let name = file.file_name.take();
    let tag = req.media_id;
    answer(file, Shown { tag, name }, &conditions).await
}

/// Streams a file under the name that the caller gives it.
#[instrument(name = "client.download_file_as", skip_all)]
pub(crate) async fn download_file_as(
    State(settings): State<Arc<Settings>>,
    State(media): State<Media>,
    conditions: Conditions,
    _caller: Caller,
    Matrix(req): Matrix<get_content_as_filename::v1::Request>,
) -> Result<Response, ApiError> {
    if req.filename.len() > MAX_FILE_NAME_BYTES {
        return Err(ApiError::invalid_param(format_args!(
            "the file name is longer than {MAX_FILE_NAME_BYTES} bytes"
        )));
    }
    let file = find(&settings, &media, &req.server_name, &req.media_id).await?;
    let (tag, name) = (req.media_id, Some(req.filename));
    answer(file, Shown { tag, name }, &conditions).await
}

async fn find(
    settings: &Settings,
    media: &Media,
    server_name: &ServerName,
    media_id: &str,
) -> Result<StoredFile, ApiError> {
    // Files of other servers are not fetched.
    let id = MediaId::parse(media_id).filter(|_| *server_name == *settings.server_name);
    let id = id.ok_or(DownloadError::Missing)?;
    Ok(media.open(&id).await?)
}

impl From<DownloadError> for ApiError {
    fn from(error: DownloadError) -> Self {
        match error {
            DownloadError::Missing => Self::not_found(error),
            DownloadError::OutOfRange { .. }
            | DownloadError::Damaged { .. }
            | DownloadError::Seal(_)
            | DownloadError::Blobs(_)
            | DownloadError::Store(_) => Self::internal(error),
        }
    }
}
