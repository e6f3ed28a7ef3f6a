//! `POST /_matrix/client/unstable/org.matrix.simplified_msc3575/sync` ([MSC4186])
//!
//! [MSC4186]: https://github.com/matrix-org/matrix-spec-proposals/pull/4186

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use ruma::api::{client::sync::sync_events::v5::Request, error::ErrorKind};
use sync::{SlidingError, SlidingRefusal, SlidingRequest, Sync};
use tracing::Instrument;

use crate::{
    caller::Caller,
    error::ApiError,
    matrix::Matrix,
    sync::{check_presence, note_presence, syncer},
};

/// Tells what changed in a window onto the user's rooms, or waits until something does.
///
/// Not an `async fn`, whose future would hold the whole request while the client waits.
pub(crate) fn sliding_sync(
    State(sync): State<Sync>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> impl Future<Output = Result<Response, ApiError>> + Send {
    let span = tracing::info_span!("client.sliding_sync", user.id = %caller.user_id);
    let asking = Box::new((caller, req));
    async move { answer(&sync, asking).await }.instrument(span)
}

async fn answer(sync: &Sync, asking: Box<(Caller, Request)>) -> Result<Response, ApiError> {
    let (caller, req) = *asking;
    check_presence(&req.set_presence)?;
    let syncer = syncer(&caller)?;
    Box::pin(note_presence(sync, caller.user, &req.set_presence)).await?;
    let request = Box::new(SlidingRequest::compile(req, &caller.user_id)?);
    let answer = sync.sliding(syncer, &request).await?;
    Ok(Json(answer).into_response())
}

impl From<SlidingRefusal> for ApiError {
    fn from(refusal: SlidingRefusal) -> Self {
        match refusal {
            SlidingRefusal::BadName
            | SlidingRefusal::TooMany(..)
            | SlidingRefusal::BadRange
            | SlidingRefusal::BadToDevice(_) => Self::invalid_param(refusal),
        }
    }
}

impl From<SlidingError> for ApiError {
    fn from(error: SlidingError) -> Self {
        match error {
            SlidingError::UnknownPosition => {
                Self::new(StatusCode::BAD_REQUEST, ErrorKind::UnknownPos, error)
            }
            SlidingError::Sync(error) => error.into(),
        }
    }
}
