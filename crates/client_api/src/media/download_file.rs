//! `GET /_matrix/client/v1/media/download/{serverName}/{mediaId}` ([spec]), and [with a name]
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mediadownloadservernamemediaid
//! [with a name]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mediadownloadservernamemediaidfilename

use std::sync::Arc;

use axum::{extract::State, response::Response};
use media::{MAX_FILE_NAME_BYTES, Media};
use ruma::api::client::authenticated_media::{get_content, get_content_as_filename};
use tracing::instrument;

use super::{
    answer::{Shown, answer},
    conditions::Conditions,
    found::file_at,
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
    let (server, id, patience) = (req.server_name, req.media_id, req.timeout_ms);
    let mut file = file_at(&settings, &media, &server, &id, patience).await?;
    let name = file.file_name.take();
    answer(file, Shown { tag: id, name }, &conditions).await
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
    let name = checked_name(req.filename)?;
    let (server, id, patience) = (req.server_name, req.media_id, req.timeout_ms);
    let file = file_at(&settings, &media, &server, &id, patience).await?;
    let shown = Shown {
        tag: id,
        name: Some(name),
    };
    answer(file, shown, &conditions).await
}

/// A name that an answer can carry.
pub(super) fn checked_name(name: String) -> Result<String, ApiError> {
    if name.len() > MAX_FILE_NAME_BYTES {
        return Err(ApiError::invalid_param(format_args!(
            "the file name is longer than {MAX_FILE_NAME_BYTES} bytes"
        )));
    }
    Ok(name)
}
