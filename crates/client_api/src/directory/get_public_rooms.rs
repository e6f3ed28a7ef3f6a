//! `GET /_matrix/client/v3/publicRooms` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3publicrooms

use axum::extract::State;
use rooms::{DirectoryNetwork, Rooms};
use ruma::{
    api::client::directory::get_public_rooms::v3::{Request, Response},
    directory::Filter,
};
use tracing::instrument;

use super::list;
use crate::{error::ApiError, matrix::Matrix};

/// Lists the published rooms, largest first.
#[instrument(name = "client.get_public_rooms", skip_all)]
pub(crate) async fn get_public_rooms(
    State(rooms): State<Rooms>,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let (server, since) = (req.server.as_deref(), req.since.as_deref());
    let wanted = (DirectoryNetwork::Matrix, &Filter::new());
    let listed = list(&rooms, server, req.limit, since, wanted).await?;
    let mut response = Response::new(listed.chunk);
    response.next_batch = listed.next_batch;
    response.prev_batch = listed.prev_batch;
    response.total_room_count_estimate = listed.total;
    Ok(Matrix(response))
}
