//! `POST /_matrix/client/v3/publicRooms` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3publicrooms

use axum::extract::State;
use rooms::Rooms;
use ruma::{
    api::client::directory::get_public_rooms_filtered::v3::{Request, Response},
    directory::RoomNetwork,
};
use tracing::instrument;

use super::list;
use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Searches the published rooms, largest first.
///
/// No other network is bridged here, so all networks have the rooms of this one, and a
/// third-party network has none.
#[instrument(name = "client.get_public_rooms_filtered", skip_all)]
pub(crate) async fn get_public_rooms_filtered(
    State(rooms): State<Rooms>,
    _: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let (server, since) = (req.server.as_deref(), req.since.as_deref());
    let mut listed = list(&rooms, server, req.limit, since, &req.filter).await?;
    if let RoomNetwork::ThirdParty(_) = req.room_network {
        listed = super::ListedRooms::none();
    }
    let mut response = Response::new();
    response.chunk = listed.chunk;
    response.next_batch = listed.next_batch;
    response.prev_batch = listed.prev_batch;
    response.total_room_count_estimate = listed.total;
    Ok(Matrix(response))
}
