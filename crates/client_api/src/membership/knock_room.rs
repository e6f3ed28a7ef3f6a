//! `POST /_matrix/client/v3/knock/{roomIdOrAlias}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3knockroomidoralias

use accounts::Accounts;
use axum::extract::State;
use bridging::Bridging;
use rooms::{MemberChange, Rooms};
use ruma::api::client::knock::knock_room::v3::{Request, Response};
use store::Log;
use tracing::instrument;

use super::named;
use crate::{
    caller::Caller,
    error::ApiError,
    matrix::{Matrix, MaybeBare},
    people,
};

/// Asks to be let into a room.
#[instrument(name = "client.knock_room", skip_all, fields(user.id = %caller.user_id))]
pub(crate) async fn knock_room(
    State(rooms): State<Rooms>,
    State(accounts): State<Accounts>,
    State(log): State<Log>,
    State(bridging): State<Bridging>,
    caller: Caller,
    MaybeBare(req): MaybeBare<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let room_id = named(
        (&rooms, &bridging),
        caller.appservice.as_ref(),
        &req.room_id_or_alias,
    )
    .await?;
    let user_id = &caller.user_id;
    let knock = MemberChange::Knock(people::own(&accounts, user_id).await?);
    let reason = req.reason.as_deref();
    rooms
        .change_member(&log, &room_id, user_id, user_id, knock, reason)
        .await?;
    Ok(Matrix(Response::new(room_id)))
}
