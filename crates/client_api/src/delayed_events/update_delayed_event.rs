//! `POST /_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}/{action}`, and its
//! earlier form with the action in the body ([MSC4140])
//!
//! [MSC4140]: https://github.com/matrix-org/matrix-spec-proposals/pull/4140

use axum::extract::State;
use rooms::Rooms;
use ruma::api::client::delayed_events::update_delayed_event::{
    UpdateAction,
    unstable_v1::{Request as EarlierRequest, Response as EarlierResponse},
    unstable_v2::{Request, Response},
};
use store::Log;
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Restarts, sends or cancels a delayed event. Who knows its delay id may: a service that carries
/// a call does so for the people in it.
#[instrument(name = "client.update_delayed_event", skip_all)]
pub(crate) async fn update_delayed_event(
    State(rooms): State<Rooms>,
    State(log): State<Log>,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    update(&rooms, &log, &req.delay_id, &req.action).await?;
    Ok(Matrix(Response::new()))
}

/// The same for clients that say the action in the body, which always send their token too.
#[instrument(name = "client.update_delayed_event_by_body", skip_all)]
pub(crate) async fn update_delayed_event_by_body(
    State(rooms): State<Rooms>,
    State(log): State<Log>,
    _: Caller,
    Matrix(req): Matrix<EarlierRequest>,
) -> Result<Matrix<EarlierResponse>, ApiError> {
    update(&rooms, &log, &req.delay_id, &req.action).await?;
    Ok(Matrix(EarlierResponse::new()))
}

async fn update(
    rooms: &Rooms,
    log: &Log,
    delay_id: &str,
    action: &UpdateAction,
) -> Result<(), ApiError> {
    match action {
        UpdateAction::Restart => rooms.restart_delayed(log, delay_id).await?,
        UpdateAction::Send => rooms.send_delayed_now(log, delay_id).await?,
        UpdateAction::Cancel => rooms.cancel_delayed(log, delay_id).await?,
        _ => {
            let sentence = "action: it must be restart, send or cancel";
            return Err(ApiError::invalid_param(sentence));
        }
    }
    Ok(())
}
