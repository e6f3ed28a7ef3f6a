//! `POST /_matrix/client/v3/rooms/{roomId}/invite` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidinvite

use accounts::Accounts;
use axum::extract::State;
use rooms::{MemberChange, Rooms};
use ruma::api::client::membership::invite_user::v3::{InvitationRecipient, Request, Response};
use store::Log;
use tracing::instrument;

use crate::{
    caller::Caller,
    error::ApiError,
    matrix::Matrix,
    people,
    refusals::{not_joined, to_outsiders},
};

/// Asks somebody into a room.
///
/// Inviting twice succeeds. Who is on this server is told to members alone.
#[instrument(name = "client.invite_user", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn invite_user(
    State(rooms): State<Rooms>,
    State(accounts): State<Accounts>,
    State(log): State<Log>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let InvitationRecipient::UserId(recipient) = req.recipient else {
        return Err(ApiError::forbidden("this server invites by user id alone"));
    };
    let room = rooms.room(&req.room_id).await.map_err(to_outsiders)?;
    if !room.state.is_joined(&caller.user_id) {
        return Err(not_joined());
    }
    let invite = MemberChange::Invite {
        profile: people::invitable(&accounts, &recipient.user_id).await?,
        is_direct: false,
    };
    rooms
        .change_member(
            &log,
            &req.room_id,
            &caller.user_id,
            &recipient.user_id,
            invite,
            recipient.reason.as_deref(),
        )
        .await?;
    Ok(Matrix(Response::new()))
}
