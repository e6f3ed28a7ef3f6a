//! `GET /_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3useruseridroomsroomidaccount_datatype

use accounts::Accounts;
use axum::extract::State;
use rooms::{Rooms, RoomsError};
use ruma::{
    RoomId,
    api::client::config::get_room_account_data::v3::{Request, Response},
    serde::Raw,
};
use serde_json::{json, value::to_raw_value};
use tracing::instrument;

use super::{FULLY_READ, not_set};
use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Shows an entry of the caller's account data for a room.
#[instrument(name = "client.get_room_account_data", skip_all)]
pub(crate) async fn get_room_account_data(
    State(accounts): State<Accounts>,
    State(rooms): State<Rooms>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    caller.check_is(&req.user_id)?;
    let kind = req.event_type.to_string();
    if kind == FULLY_READ {
        return fully_read(&rooms, caller.user, &req.room_id).await;
    }
    let content = accounts
        .account_data(caller.user, Some(&req.room_id), &kind)
        .await
        .map_err(ApiError::internal)?
        .ok_or_else(not_set)?;
    Ok(Matrix(Response::new(Raw::from_json(content))))
}

/// The read marker is a receipt, and looks like account data.
async fn fully_read(
    rooms: &Rooms,
    user: i64,
    room_id: &RoomId,
) -> Result<Matrix<Response>, ApiError> {
    let room = match rooms.room(room_id).await {
        Ok(room) => room,
        Err(RoomsError::Refused(_)) => return Err(not_set()),
        Err(RoomsError::Store(error)) => return Err(ApiError::internal(error)),
    };
    let snapshot = rooms.snapshot().await.map_err(ApiError::internal)?;
    let receipts = rooms.own_receipts(&snapshot, room.room, user).await;
    let receipts = receipts.map_err(ApiError::internal)?.into_iter();
    let marker = receipts
        .filter(|receipt| receipt.kind == FULLY_READ)
        .map(|receipt| json!({ "event_id": receipt.event_id }))
        .next()
        .ok_or_else(not_set)?;
    let content = to_raw_value(&marker).map_err(ApiError::internal)?;
    Ok(Matrix(Response::new(Raw::from_json(content))))
}
