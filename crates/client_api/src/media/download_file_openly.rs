//! `GET /_matrix/media/v3/download/{serverName}/{mediaId}` ([spec]), and [with a name]: for
//! anybody who knows the address, where `files.allow_unauthenticated` opens these paths
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixmediav3downloadservernamemediaid
//! [with a name]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixmediav3downloadservernamemediaidfilename
#![expect(
    deprecated,
    reason = "the paths are deprecated, and operators may open them"
)]

use std::sync::Arc;

use axum::{extract::State, response::Response};
use media::Media;
use ruma::api::client::media::{get_content, get_content_as_filename};
use tracing::instrument;

use super::{
    answer::{Shown, answer},
    conditions::Conditions,
    download_file::checked_name,
    found::{check_open, file_at},
};
use crate::{Settings, error::ApiError, matrix::Matrix};

/// Streams a file under the name that it was uploaded with, to anybody.
#[instrument(name = "client.download_file_openly", skip_all)]
pub(crate) async fn download_file_openly(
    State(settings): State<Arc<Settings>>,
    State(media): State<Media>,
    conditions: Conditions,
    Matrix(req): Matrix<get_content::v3::Request>,
) -> Result<Response, ApiError> {
    check_open(&settings)?;
    let (server, id, patience) = (req.server_name, req.media_id, req.timeout_ms);
    let mut file = file_at(&settings, &media, &server, &id, patience).await?;
    let name = file.file_name.take();
    answer(file, Shown { tag: id, name }, &conditions).await
}

/// Streams a file under the name that the client gives it, to anybody.
#[instrument(name = "client.download_file_openly_as", skip_all)]
pub(crate) async fn download_file_openly_as(
    State(settings): State<Arc<Settings>>,
    State(media): State<Media>,
    conditions: Conditions,
    Matrix(req): Matrix<get_content_as_filename::v3::Request>,
) -> Result<Response, ApiError> {
    check_open(&settings)?;
    let name = checked_name(req.filename)?;
    let (server, id, patience) = (req.server_name, req.media_id, req.timeout_ms);
    let file = file_at(&settings, &media, &server, &id, patience).await?;
    let shown = Shown {
        tag: id,
        name: Some(name),
    };
    answer(file, shown, &conditions).await
}
