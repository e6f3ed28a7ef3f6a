//! `POST /_matrix/client/v3/rooms/{roomId}/read_markers` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidread_markers

use std::sync::Arc;

use accounts::Accounts;
use axum::extract::State;
use model::time::Clock;
use rooms::{Rooms, RoomsChange};
use ruma::api::client::read_marker::set_read_marker::v3::{Request, Response};
use store::{Intent, Log};
use tracing::instrument;

use super::{add_marker, receipt};
use crate::{
    caller::Caller,
    error::ApiError,
    matrix::Matrix,
    refusals::{not_joined, to_outsiders},
};

/// Moves the caller's read marker and receipts, all of them or none.
#[instrument(name = "client.set_read_markers", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn set_read_markers(
    State(rooms): State<Rooms>,
    State(accounts): State<Accounts>,
    State(log): State<Log>,
    State(clock): State<Arc<dyn Clock>>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let room = rooms.room(&req.room_id).await.map_err(to_outsiders)?;
    if !room.state.is_joined(&caller.user_id) {
        return Err(not_joined());
    }
    let mut intent = Intent::new();
    if let Some(event_id) = &req.fully_read {
        let owners = (&rooms, &accounts);
        add_marker(owners, &clock, &caller, &req.room_id, event_id, &mut intent).await?;
    }
    let given = [
        ("m.read", req.read_receipt),
        ("m.read.private", req.private_read_receipt),
    ];
    for (kind, event_id) in given {
        if let Some(event_id) = event_id {
            let receipt = receipt(&caller, &req.room_id, (kind, ""), event_id, &*clock);
            intent.add::<Rooms>(RoomsChange::Receipt(receipt));
        }
    }
    rooms.commit_all(&log, intent).await.map_err(to_outsiders)?;
    Ok(Matrix(Response::new()))
}
