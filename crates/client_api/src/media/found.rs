//! From an address to the file behind it.

use std::time::Duration;

use media::{DownloadError, Media, MediaId, StoredFile};
use ruma::ServerName;

use crate::{Settings, error::ApiError};

/// The id that an address of this server holds.
pub(super) fn id_at(
    settings: &Settings,
    server_name: &ServerName,
    media_id: &str,
) -> Result<MediaId, DownloadError> {
    // Files of other servers are not fetched.
    let id = MediaId::parse(media_id).filter(|_| *server_name == *settings.server_name);
    id.ok_or(DownloadError::Missing)
}

/// The file at an address; waits for one that is on its way.
pub(super) async fn file_at(
    settings: &Settings,
    media: &Media,
    server_name: &ServerName,
    media_id: &str,
    patience: Duration,
) -> Result<StoredFile, ApiError> {
    let id = id_at(settings, server_name, media_id)?;
    Ok(media.open_within(&id, patience).await?)
}

/// Refuses the paths that ask for no token, unless the operator has opened them: what stands
/// there is then as good as absent ([spec]).
///
/// [spec]: https://spec.matrix.org/v1.19/client-server-api/#content-repo-client-behaviour
pub(super) fn check_open(settings: &Settings) -> Result<(), ApiError> {
    if settings.allow_unauthenticated_files {
        return Ok(());
    }
    Err(ApiError::not_found(
        "files are given out on the paths below /_matrix/client/v1/media only, which need an \
         access token",
    ))
}

impl From<DownloadError> for ApiError {
    fn from(error: DownloadError) -> Self {
        match error {
            DownloadError::Missing => Self::not_found(error),
            DownloadError::NotYetUploaded => Self::not_yet_uploaded(error),
            DownloadError::OutOfRange { .. }
            | DownloadError::Damaged { .. }
            | DownloadError::Seal(_)
            | DownloadError::Blobs(_)
            | DownloadError::Store(_) => Self::internal(error),
        }
    }
}
