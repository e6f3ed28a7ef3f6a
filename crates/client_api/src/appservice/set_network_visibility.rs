//! `PUT /_matrix/client/v3/directory/list/appservice/{networkId}/{roomId}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/application-service-api/#put_matrixclientv3directorylistappservicenetworkidroomid

use axum::extract::State;
use bridging::instance_id;
use rooms::Rooms;
use ruma::api::client::{
    appservice::set_room_visibility::v3::{Request, Response},
    room::Visibility,
};
use store::Log;
use tracing::instrument;

use crate::{
    caller::Caller,
    error::ApiError,
    matrix::Matrix,
    refusals::{not_joined, to_outsiders},
};

/// The longest name of a network.
const MAX_NETWORK_BYTES: usize = 255;

/// Shows a room among those of a network of the service that calls, or no longer. One of its users
/// has to be in the room.
#[instrument(name = "client.set_network_visibility", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn set_network_visibility(
    State(rooms): State<Rooms>,
    State(log): State<Log>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let appservice = caller.appservice.as_ref();
    let appservice =
        appservice.ok_or_else(|| ApiError::forbidden("only an application service does this"))?;
    let listed = match req.visibility {
        Visibility::Public => true,
        Visibility::Private => false,
        other => {
            let sentence = format!("visibility: {other} is neither public nor private");
            return Err(ApiError::bad_json(sentence));
        }
    };
    if req.network_id.len() > MAX_NETWORK_BYTES {
        return Err(ApiError::invalid_param("networkId: this is too long"));
    }
    let room = rooms.room(&req.room_id).await.map_err(to_outsiders)?;
    let mut members = room.state.members();
    if !members.any(|(user_id, _)| room.state.is_joined(user_id) && appservice.acts_for(user_id)) {
        return Err(not_joined());
    }
    let network = instance_id(appservice.id(), &req.network_id);
    rooms
        .show_in_network(&log, &req.room_id, network, listed)
        .await?;
    Ok(Matrix(Response::new()))
}
