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
use sync::{SlidingError, SlidingRefusal, SlidingRequest, Sync, Syncer};
use tracing::Instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix, presence, sync::note_presence};

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
    if !presence::is_known(&req.set_presence) {
        let sentence = format_args!("set_presence: {} is unknown", req.set_presence);
        return Err(ApiError::invalid_param(sentence));
    }
    let device_id = caller.device_id.as_deref();
    let device_id = device_id.ok_or_else(|| ApiError::forbidden("only a device syncs"))?;
    Box::pin(note_presence(sync, caller.user, &req.set_presence)).await?;
    let request = Box::new(SlidingRequest::compile(req, &caller.user_id)?);
    let syncer = Syncer {
        user: caller.user,
        user_id: &caller.user_id,
        device_id,
        session: caller.session,
    };
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
