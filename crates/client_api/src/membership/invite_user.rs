//! `POST /_matrix/client/v3/rooms/{roomId}/invite` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidinvite

use accounts::Accounts;
use axum::extract::State;
use bridging::Bridging;
use rooms::{MemberChange, Rooms};
use ruma::api::{
    IncomingRequest, Metadata,
    client::membership::invite_user::v3::{self, InvitationRecipient, InviteUserId, Response},
    error::DeserializationError,
};
use store::Log;
use tracing::instrument;

use crate::{
    caller::Caller,
    email_invites::EmailInvites,
    error::ApiError,
    matrix::Matrix,
    people,
    refusals::{not_joined, to_outsiders},
};

/// Asks somebody into a room, by user id or by an address of mail.
///
/// Inviting twice succeeds. Who is on this server is told to members alone, and whose an address is
/// to those who may invite: they see the user whom they have invited.
#[instrument(name = "client.invite_user", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn invite_user(
    State(rooms): State<Rooms>,
    State(accounts): State<Accounts>,
    State(log): State<Log>,
    State(bridging): State<Bridging>,
    State(by_email): State<EmailInvites>,
    caller: Caller,
    Matrix(Request(req)): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let room = rooms.room(&req.room_id).await.map_err(to_outsiders)?;
    if !room.state.is_joined(&caller.user_id) {
        return Err(not_joined());
    }
    let (user_id, reason) = match req.recipient {
        InvitationRecipient::UserId(recipient) => (recipient.user_id, recipient.reason),
        InvitationRecipient::ThirdPartyId(invite) => {
            match by_email.invite(&room, &caller, &invite).await? {
                Some(user_id) => (user_id, None),
                None => return Ok(Matrix(Response::new())),
            }
        }
        _ => return Err(ApiError::bad_json("user_id: it is missing")),
    };
    let asked = (&accounts, &bridging);
    let profile = people::invitable(asked, &caller, &user_id).await?;
    let invite = MemberChange::Invite {
        profile,
        is_direct: false,
    };
    rooms
        .change_member(
            &log,
            &req.room_id,
            &caller.user_id,
            &user_id,
            invite,
            reason.as_deref(),
        )
        .await?;
    Ok(Matrix(Response::new()))
}

/// The request, in which an invitation by user id is looked for first: the type behind it takes
/// either kind, and tells what is wrong with none.
pub(crate) struct Request(v3::Request);

impl Metadata for Request {
    const METHOD: http::Method = v3::Request::METHOD;
    const RATE_LIMITED: bool = v3::Request::RATE_LIMITED;
    type Authentication = <v3::Request as Metadata>::Authentication;
    type PathBuilder = <v3::Request as Metadata>::PathBuilder;
    const PATH_BUILDER: Self::PathBuilder = v3::Request::PATH_BUILDER;
}

impl IncomingRequest for Request {
    type EndpointError = <v3::Request as IncomingRequest>::EndpointError;
    type OutgoingResponse = Response;

    fn try_from_http_request_inner(
        request: http::Request<&[u8]>,
        path_args: &[&str],
    ) -> Result<Self, DeserializationError> {
        let body = *request.body();
        let read = v3::Request::try_from_http_request_inner(request, path_args);
        match read {
            Err(DeserializationError::Json(error)) => {
                let by_id: Result<InviteUserId, _> = serde_json::from_slice(body);
                Err(by_id.err().unwrap_or(error).into())
            }
            read => read.map(Self),
        }
    }
}
