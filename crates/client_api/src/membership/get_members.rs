//! `GET /_matrix/client/v3/rooms/{roomId}/members` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidmembers

use std::sync::Arc;

use axum::extract::State;
use model::{event::Pdu, time::Clock};
use rooms::Rooms;
use ruma::{
    api::client::membership::get_member_events::v3::{Request, Response},
    events::room::member::MembershipState,
};
use sync::{BadToken, Boundary};
use tracing::instrument;

use crate::{
    caller::Caller,
    error::ApiError,
    events::RoomView,
    matrix::Matrix,
    refusals::{not_joined, to_outsiders},
};

const KNOWN: [MembershipState; 5] = [
    MembershipState::Ban,
    MembershipState::Invite,
    MembershipState::Join,
    MembershipState::Knock,
    MembershipState::Leave,
];

/// Lists the member events of a room, now or at a token; who has left sees those of their leaving.
#[instrument(name = "client.get_members", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn get_members(
    State(rooms): State<Rooms>,
    State(clock): State<Arc<dyn Clock>>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    for (name, asked) in [
        ("membership", &req.membership),
        ("not_membership", &req.not_membership),
    ] {
        if let Some(asked) = asked.as_ref().filter(|asked| !KNOWN.contains(asked)) {
            let sentence = format_args!("{name}: {asked} is unknown");
            return Err(ApiError::invalid_param(sentence));
        }
    }
    let view = RoomView::open(&rooms, &*clock, &caller, &req.room_id).await;
    let view = view.map_err(to_outsiders)?;
    let readable = view.history.state_before().ok_or_else(not_joined)?;
    let at = req.at.as_deref().map(str::parse::<Boundary>).transpose();
    let at = at.map_err(|error: BadToken| ApiError::invalid_param(format_args!("at: {error}")))?;
    let before = match at {
        Some(at) => {
            let at = at.ord_in(&view.snapshot).await;
            at.map_err(ApiError::internal)?.min(readable)
        }
        None => readable,
    };
    let state = view
        .state_before(before)
        .await
        .map_err(ApiError::internal)?;
    let wanted = |event: &&Arc<Pdu>| {
        let is = |membership: &MembershipState| event.membership() == Some(membership);
        event.membership().is_some()
            && req.membership.as_ref().is_none_or(is)
            && !req.not_membership.as_ref().is_some_and(is)
    };
    let members = state.iter().filter(wanted);
    let chunk = members.map(|event| view.state(event)).collect();
    Ok(Matrix(Response::new(chunk)))
}
