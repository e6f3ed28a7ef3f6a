//! `POST /_matrix/media/v3/upload` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixmediav3upload

use std::{sync::Arc, time::Duration};

use axum::{body::Body, extract::State};
use bytes::Bytes;
use futures_util::{
    Stream, StreamExt,
    future::{Either, select},
    stream,
};
use http::{HeaderMap, StatusCode, header::CONTENT_LENGTH};
use media::{Media, NewFile, UploadError};
use model::time::Clock;
use ruma::{
    OwnedMxcUri,
    api::{client::media::create_content, error::ErrorKind},
};
use tracing::instrument;

use crate::{Settings, caller::Caller, error::ApiError, matrix::Matrix, matrix::MatrixStream};

/// How long an upload may stand still before it is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why a body is read no further.
#[derive(Debug, thiserror::Error)]
enum BodyError {
    #[error("no byte arrived for {} seconds", PATIENCE.as_secs())]
    StoodStill,
    #[error(transparent)]
    Broken(#[from] axum::Error),
}

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
    let file = NewFile {
        owner: caller.user_id,
        content_type: request.content_type,
        file_name: request.filename.filter(|name| !name.is_empty()),
        size_bytes: announced_size(&headers),
    };
    let id = media.upload(file, moving(body, clock)).await?;
    let address = OwnedMxcUri::from(format!("mxc://{}/{id}", settings.server_name));
    Ok(Matrix(create_content::v3::Response::new(address)))
}

/// The size that the client announces, if it sends the body in one go.
fn announced_size(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The body, as long as it keeps arriving.
fn moving(body: Body, clock: Arc<dyn Clock>) -> impl Stream<Item = Result<Bytes, BodyError>> {
    let pieces = body.into_data_stream();
    stream::unfold(pieces, move |mut pieces| {
        let patience = clock.sleep(PATIENCE);
        async move {
            let piece = match select(pieces.next(), patience).await {
                Either::Left((piece, _)) => piece?.map_err(BodyError::from),
                Either::Right(((), _)) => Err(BodyError::StoodStill),
            };
            Some((piece, pieces))
        }
    })
}

impl From<UploadError> for ApiError {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::TooLarge { .. } => Self::too_large(error),
            UploadError::TextTooLong { .. } => Self::invalid_param(error),
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

#[cfg(test)]
mod tests {
    use testkit::{clock::FakeClock, eventually};

    use super::*;

    #[tokio::test]
    async fn an_upload_that_stands_still_is_given_up() {
        let clock = FakeClock::default();
        let beginning = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"abc"))]);
        let body = Body::from_stream(beginning.chain(stream::pending()));
        let mut pieces = Box::pin(moving(body, Arc::new(clock.clone())));
        assert_eq!(pieces.next().await.unwrap().unwrap(), "abc");

        let waiting = tokio::spawn(async move { pieces.next().await });
        eventually("the next piece is waited for", || {
            let waits = clock.sleepers() > 0;
            async move { waits.then_some(()) }
        })
        .await;
        clock.advance(PATIENCE - Duration::from_secs(1));
        assert!(!waiting.is_finished());
        clock.advance(Duration::from_secs(1));
        let piece = waiting.await.unwrap();
        assert!(matches!(piece, Some(Err(BodyError::StoodStill))));
    }
}
