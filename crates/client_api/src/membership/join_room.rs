//! `POST /_matrix/client/v3/join/{roomIdOrAlias}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3joinroomidoralias

use accounts::Accounts;
use axum::extract::State;
use bridging::Bridging;
use rooms::{MemberChange, Rooms};
use ruma::{
    RoomId,
    api::client::membership::{join_room_by_id, join_room_by_id_or_alias},
};
use store::Log;
use tracing::instrument;

use super::named;
use crate::{
    caller::Caller,
    error::ApiError,
    matrix::{Matrix, MaybeBare},
    people,
};

/// Joins a room by its id or an alias.
///
/// Joining again succeeds, and shows the caller as their profile does now.
#[instrument(name = "client.join_room", skip_all, fields(user.id = %caller.user_id))]
pub(crate) async fn join_room(
    State(rooms): State<Rooms>,
    State(accounts): State<Accounts>,
    State(log): State<Log>,
    State(bridging): State<Bridging>,
    caller: Caller,
    MaybeBare(req): MaybeBare<join_room_by_id_or_alias::v3::Request>,
) -> Result<Matrix<join_room_by_id_or_alias::v3::Response>, ApiError> {
    let room_id = named(
        (&rooms, &bridging),
        caller.appservice.as_ref(),
        &req.room_id_or_alias,
    )
    .await?;
    join(&rooms, &accounts, &log, &caller, &room_id, req.reason).await?;
    Ok(Matrix(join_room_by_id_or_alias::v3::Response::new(room_id)))
}

/// Joins a room by its id ([spec]).
///
/// [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidjoin
#[instrument(name = "client.join_room_by_id", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn join_room_by_id(
    State(rooms): State<Rooms>,
    State(accounts): State<Accounts>,
    State(log): State<Log>,
    caller: Caller,
    MaybeBare(req): MaybeBare<join_room_by_id::v3::Request>,
) -> Result<Matrix<join_room_by_id::v3::Response>, ApiError> {
    join(&rooms, &accounts, &log, &caller, &req.room_id, req.reason).await?;
    Ok(Matrix(join_room_by_id::v3::Response::new(req.room_id)))
}

async fn join(
    rooms: &Rooms,
    accounts: &Accounts,
    log: &Log,
    caller: &Caller,
    room_id: &RoomId,
    reason: Option<String>,
) -> Result<(), ApiError> {
    let user_id = &caller.user_id;
    let join = MemberChange::Join(people::own(accounts, user_id).await?);
    rooms
        .change_member(log, room_id, user_id, user_id, join, reason.as_deref())
        .await?;
    Ok(())
}
