//! `GET /_matrix/client/v3/rooms/{roomId}/joined_members` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidjoined_members

use std::collections::BTreeMap;

use axum::extract::State;
use model::event::Pdu;
use rooms::Rooms;
use ruma::{
    OwnedMxcUri, UserId,
    api::client::membership::joined_members::v3::{Request, Response, RoomMember},
    events::room::member::MembershipState,
};
use serde::Deserialize;
use tracing::instrument;

use crate::{
    caller::Caller,
    error::ApiError,
    matrix::Matrix,
    refusals::{not_joined, to_outsiders},
};

/// Lists who is in a room, and how they are shown, to those who are in it; to an application
/// service also when any of its users is.
#[instrument(name = "client.joined_members", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn joined_members(
    State(rooms): State<Rooms>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let room = rooms.room(&req.room_id).await.map_err(to_outsiders)?;
    let is_theirs = |user_id: &UserId| {
        let appservice = caller.appservice.as_ref();
        appservice.is_some_and(|appservice| appservice.acts_for(user_id))
    };
    let joined = || room.state.members_with(MembershipState::Join);
    let is_in = room.state.is_joined(&caller.user_id);
    if !is_in && !joined().any(|(user_id, _)| is_theirs(user_id)) {
        return Err(not_joined());
    }
    let joined = joined();
    let joined: BTreeMap<_, _> = joined
        .map(|(user_id, event)| (user_id.to_owned(), shown_in(event)))
        .collect();
    Ok(Matrix(Response::new(joined)))
}

fn shown_in(event: &Pdu) -> RoomMember {
    #[derive(Deserialize)]
    struct Content {
        displayname: Option<String>,
        avatar_url: Option<OwnedMxcUri>,
    }
    let mut member = RoomMember::new();
    if let Ok(content) = event.content_as::<Content>() {
        member.display_name = content.displayname;
        member.avatar_url = content.avatar_url;
    }
    member
}
