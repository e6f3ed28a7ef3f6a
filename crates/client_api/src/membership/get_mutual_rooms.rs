//! `GET /_matrix/client/v1/mutual_rooms` ([spec]), and where clients looked for it before.
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mutual_rooms

use axum::extract::State;
use rooms::{MutualRooms, Rooms};
use ruma::{
    UInt, UserId,
    api::client::membership::get_mutual_rooms::{unstable, v1},
};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// The most rooms of one answer.
const BATCH: u16 = 100;

/// Lists the rooms that the caller is in with somebody.
#[instrument(name = "client.get_mutual_rooms", skip_all)]
pub(crate) async fn get_mutual_rooms(
    State(rooms): State<Rooms>,
    caller: Caller,
    Matrix(req): Matrix<v1::Request>,
) -> Result<Matrix<v1::Response>, ApiError> {
    let mutual = mutual(&rooms, &caller, &req.user_id, req.from.as_deref()).await?;
    let count = UInt::try_from(mutual.total).unwrap_or(UInt::MAX);
    let next_batch = token(&mutual);
    let mut response = v1::Response::new(count, mutual.rooms);
    response.next_batch = next_batch;
    Ok(Matrix(response))
}

/// The same for clients of before Matrix 1.19.
#[instrument(name = "client.get_mutual_rooms", skip_all)]
pub(crate) async fn get_mutual_rooms_unstable(
    State(rooms): State<Rooms>,
    caller: Caller,
    Matrix(req): Matrix<unstable::Request>,
) -> Result<Matrix<unstable::Response>, ApiError> {
    let mutual = mutual(&rooms, &caller, &req.user_id, req.from.as_deref()).await?;
    let next_batch = token(&mutual);
    let mut response = unstable::Response::new(mutual.rooms);
    response.next_batch = next_batch;
    Ok(Matrix(response))
}

async fn mutual(
    rooms: &Rooms,
    caller: &Caller,
    other: &UserId,
    from: Option<&str>,
) -> Result<MutualRooms, ApiError> {
    if other == caller.user_id {
        return Err(ApiError::invalid_param(
            "user_id: one shares all of one's rooms with oneself",
        ));
    }
    other
        .validate_historical()
        .map_err(|error| ApiError::invalid_param(format_args!("user_id: {error}")))?;
    let after = from.map_or(Ok(0), place)?;
    let snapshot = rooms.snapshot().await.map_err(ApiError::internal)?;
    rooms
        .mutual_rooms(&snapshot, caller.user, other, after, BATCH)
        .await
        .map_err(ApiError::internal)
}

/// The place behind the last room of a batch, written as `m1_<place>`.
fn token(mutual: &MutualRooms) -> Option<String> {
    mutual.next.map(|place| format!("m1_{place}"))
}

fn place(token: &str) -> Result<i64, ApiError> {
    let place = token.strip_prefix("m1_").and_then(|text| text.parse().ok());
    let place = place.filter(|place: &i64| *place >= 0);
    place.ok_or_else(|| ApiError::invalid_param("from: not a token of this list"))
}
