//! The body of an upload.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use futures_util::{
    Stream, StreamExt,
    future::{Either, select},
    stream,
};
use http::{HeaderMap, header::CONTENT_LENGTH};
use model::time::Clock;

/// How long an upload may stand still before it is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why a body is read no further.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    #[error("no byte arrived for {} seconds", PATIENCE.as_secs())]
    StoodStill,
    #[error(transparent)]
    Broken(#[from] axum::Error),
}

/// The size that the client announces, if it sends the body in one go.
pub(super) fn announced_size(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The body, as long as it keeps arriving.
pub(super) fn moving(
    body: Body,
    clock: Arc<dyn Clock>,
) -> impl Stream<Item = Result<Bytes, BodyError>> {
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
