//! `PUT /_matrix/client/v3/rooms/{roomId}/typing/{userId}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3roomsroomidtypinguserid

use axum::extract::State;
use rooms::Rooms;
use ruma::api::client::typing::create_typing_event::v3::{Request, Response, Typing};
use serde_json::{Map, Value};
use sync::Sync;
use tracing::instrument;

use crate::{
    caller::Caller,
    error::ApiError,
    matrix::{Complete, Completed, Matrix},
    refusals::{not_joined, to_outsiders},
};

/// How long somebody types who does not say, in milliseconds: as the specification's example.
const TIMEOUT_MS: u32 = 30_000;

impl Complete for Request {
    fn complete(body: &mut Map<String, Value>) {
        body.entry("timeout").or_insert_with(|| TIMEOUT_MS.into());
    }
}

/// Tells the others in a room that the caller types, or has stopped.
#[instrument(name = "client.set_typing", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn set_typing(
    State(rooms): State<Rooms>,
    State(sync): State<Sync>,
    caller: Caller,
    Completed(req): Completed<Request>,
) -> Result<Matrix<Response>, ApiError> {
    caller.check_is(&req.user_id)?;
    let room = rooms.room(&req.room_id).await.map_err(to_outsiders)?;
    if !room.state.is_joined(&caller.user_id) {
        return Err(not_joined());
    }
    let for_how_long = match req.state {
        Typing::Yes(info) => Some(info.timeout),
        Typing::No => None,
    };
    sync.set_typing(room.room, caller.user, for_how_long);
    Ok(Matrix(Response::new()))
}
