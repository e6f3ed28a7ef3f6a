//! `GET /_matrix/client/v3/directory/room/{roomAlias}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3directoryroomroomalias

use axum::extract::State;
use bridging::Bridging;
use rooms::Rooms;
use ruma::api::client::alias::get_alias::v3::{Request, Response};
use tracing::instrument;

use crate::{caller::AskingAppservice, error::ApiError, matrix::Matrix, membership::aliased};

/// Tells which room an alias points at.
#[instrument(name = "client.get_alias", skip_all)]
pub(crate) async fn get_alias(
    State(rooms): State<Rooms>,
    State(bridging): State<Bridging>,
    appservice: AskingAppservice,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let asking = appservice.demand().ok();
    let asked = (&rooms, &bridging);
    let room_id = aliased(asked, asking.as_ref(), &req.room_alias).await?;
    let servers = vec![rooms.server_name().to_owned()];
    Ok(Matrix(Response::new(room_id, servers)))
}
