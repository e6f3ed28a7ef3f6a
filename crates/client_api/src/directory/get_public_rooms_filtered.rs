//! `POST /_matrix/client/v3/publicRooms` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3publicrooms

use axum::extract::State;
use rooms::{DirectoryNetwork, Rooms};
use ruma::{
    api::client::directory::get_public_rooms_filtered::v3::{Request, Response},
    directory::RoomNetwork,
};
use tracing::instrument;

use super::list;
use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Searches the published rooms, largest first: those of this server, those that an application
/// service shows as a network's, or all.
#[instrument(name = "client.get_public_rooms_filtered", skip_all)]
pub(crate) async fn get_public_rooms_filtered(
    State(rooms): State<Rooms>,
    _: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let (server, since) = (req.server.as_deref(), req.since.as_deref());
    let network = match &req.room_network {
        RoomNetwork::All => DirectoryNetwork::All,
        RoomNetwork::ThirdParty(instance_id) => DirectoryNetwork::Of(instance_id),
        _ => DirectoryNetwork::Matrix,
    };
    let listed = list(&rooms, server, req.limit, since, (network, &req.filter)).await?;
    let mut response = Response::new();
    response.chunk = listed.chunk;
    response.next_batch = listed.next_batch;
    response.prev_batch = listed.prev_batch;
    response.total_room_count_estimate = listed.total;
    Ok(Matrix(response))
}
