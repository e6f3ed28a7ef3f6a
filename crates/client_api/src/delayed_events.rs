//! Delayed events ([MSC4140]): scheduling them, and what is done with them until they are sent.
//!
//! [MSC4140]: https://github.com/matrix-org/matrix-spec-proposals/pull/4140

pub(crate) mod get_delayed_event;
pub(crate) mod get_delayed_events;
pub(crate) mod send_delayed_event;
pub(crate) mod update_delayed_event;

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::request::Parts;
use model::time::Timestamp;
use rooms::{DelayedDraft, DelayedEvent, DelayedFailure, DelayedFailureKind, DelayedFate, Rooms};
use ruma::{
    MilliSecondsSinceUnixEpoch,
    api::{
        client::delayed_events::DelayedEventData,
        error::{ErrorKind, StandardErrorBody},
    },
    serde::Raw,
};
use serde::Serialize;
use serde_json::value::to_raw_value;
use store::Log;

use crate::{error::ApiError, matrix::Matrix, refusals::to_outsiders};

/// Whether a request to send wants the event delayed: clients of the proposal's earlier form say
/// so in the query of the usual paths.
#[derive(Debug)]
pub(crate) struct Delay(Option<String>);

impl<S: Sync> FromRequestParts<S> for Delay {
    type Rejection = Infallible;

    /// Only takes the value: who asks without a token is told so first.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        #[derive(serde::Deserialize)]
        struct Parameters {
            #[serde(rename = "org.matrix.msc4140.delay")]
            delay: Option<String>,
        }
        let query = parts.uri.query().unwrap_or_default();
        let read = serde_html_form::from_str::<Parameters>(query).ok();
        Ok(Self(read.and_then(|parameters| parameters.delay)))
    }
}

impl Delay {
    /// How long the event is to be delayed, if it is.
    pub(crate) fn wanted(&self) -> Result<Option<Duration>, ApiError> {
        let Some(text) = &self.0 else {
            return Ok(None);
        };
        match text.parse() {
            Ok(millis) => Ok(Some(Duration::from_millis(millis))),
            Err(_) => Err(ApiError::invalid_param(
                "org.matrix.msc4140.delay: a whole number of milliseconds is needed",
            )),
        }
    }
}

/// The answer to a request that sends an event, or schedules it.
#[derive(Debug)]
pub(crate) enum Sent<T> {
    /// It was sent.
    Now(T),
    /// It waits under this delay id.
    Later(String),
}

impl<T> IntoResponse for Sent<T>
where
    Matrix<T>: IntoResponse,
{
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Scheduled {
            delay_id: String,
        }
        match self {
            Self::Now(response) => Matrix(response).into_response(),
            Self::Later(delay_id) => axum::Json(Scheduled { delay_id }).into_response(),
        }
    }
}

/// Schedules an event, and gives its delay id.
pub(crate) async fn schedule(
    rooms: &Rooms,
    log: &Log,
    draft: DelayedDraft,
) -> Result<String, ApiError> {
    rooms.schedule(log, draft).await.map_err(to_outsiders)
}

/// A delayed event as its sender is told of it.
fn told(event: DelayedEvent) -> Result<DelayedEventData, ApiError> {
    let content = to_raw_value(&event.content).map_err(ApiError::internal)?;
    let mut data = DelayedEventData::new(
        event.delay_id,
        event.room_id,
        event.kind,
        event.state_key,
        Raw::from_json(content),
        event.delay,
        moment(event.running_since)?,
    );
    let Some((at, fate)) = event.finalised else {
        return Ok(data);
    };
    data.finalized_ts = Some(moment(at)?);
    match fate {
        DelayedFate::Sent(event_id) => data.event_id = Some(event_id),
        DelayedFate::Cancelled => {}
        DelayedFate::Failed(DelayedFailure { kind, sentence }) => {
            let kind = match kind {
                DelayedFailureKind::Forbidden => ErrorKind::Forbidden,
                DelayedFailureKind::NotFound => ErrorKind::NotFound,
                DelayedFailureKind::TooLarge => ErrorKind::TooLarge,
                DelayedFailureKind::Other => ErrorKind::Unknown,
            };
            data.error = Some(StandardErrorBody::new(kind, sentence));
        }
    }
    Ok(data)
}

fn moment(at: Timestamp) -> Result<MilliSecondsSinceUnixEpoch, ApiError> {
    let millis = at.as_millis().try_into().map_err(ApiError::internal)?;
    Ok(MilliSecondsSinceUnixEpoch(millis))
}
