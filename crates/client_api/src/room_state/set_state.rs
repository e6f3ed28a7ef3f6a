//! `PUT /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3roomsroomidstateeventtypestatekey

use accounts::Accounts;
use axum::extract::State;
use bridging::Bridging;
use rooms::{DelayedDraft, Rooms};
use ruma::{
    CanonicalJsonObject, UserId,
    api::client::state::send_state_event::v3::{Request, Response},
    events::{StateEventType, TimelineEventType},
};
use store::Log;
use tracing::instrument;

use crate::{
    caller::Caller,
    delayed_events::{Delay, Sent, schedule},
    error::ApiError,
    matrix::Matrix,
    people,
    refusals::{content_of, not_joined, to_outsiders},
};

/// Sets a piece of a room's state; setting what stands already changes nothing.
///
/// With a delay in the query it is scheduled.
#[instrument(name = "client.set_state", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn set_state(
    State(rooms): State<Rooms>,
    State(accounts): State<Accounts>,
    State(log): State<Log>,
    State(bridging): State<Bridging>,
    delay: Delay,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Sent<Response>, ApiError> {
    let content = content_of("content", &req.body)?;
    let kind: TimelineEventType = req.event_type.to_string().into();
    if let Some(delay) = delay.wanted()? {
        let draft = DelayedDraft {
            room_id: req.room_id,
            sender: caller.user_id,
            kind,
            state_key: Some(req.state_key),
            content,
            delay,
            transaction: None,
        };
        return Ok(Sent::Later(schedule(&rooms, &log, draft).await?));
    }
    if let Some(invited) = invited(&req, &content) {
        let room = rooms.room(&req.room_id).await.map_err(to_outsiders)?;
        if !room.state.is_joined(&caller.user_id) {
            return Err(not_joined());
        }
        people::invitable((&accounts, &bridging), &caller, invited).await?;
    }
    let event_id = rooms
        .set_state(
            &log,
            &req.room_id,
            &caller.user_id,
            (kind, &req.state_key),
            content,
            caller.sent_at(req.timestamp),
        )
        .await
        .map_err(to_outsiders)?;
    Ok(Sent::Now(Response::new(event_id)))
}

/// Whom this event invites: whoever is invited this way must exist too.
fn invited<'a>(req: &'a Request, content: &CanonicalJsonObject) -> Option<&'a UserId> {
    let membership = content.get("membership")?.as_str()?;
    let invites = req.event_type == StateEventType::RoomMember && membership == "invite";
    <&UserId>::try_from(req.state_key.as_str())
        .ok()
        .filter(|_| invites)
}
