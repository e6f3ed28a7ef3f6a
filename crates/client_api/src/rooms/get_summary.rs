//! `GET /_matrix/client/v1/room_summary/{roomIdOrAlias}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1room_summaryroomidoralias

use axum::{Json, extract::State};
use bridging::Bridging;
use http::Uri;
use rooms::Rooms;
use ruma::{
    RoomVersionId, api::client::room::get_summary::v1::Request,
    events::room::member::MembershipState, room::RoomSummary,
};
use serde::Serialize;
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix, membership::named, summaries::shown};

/// The answer.
#[derive(Serialize)]
pub(crate) struct Answer {
    #[serde(flatten)]
    summary: RoomSummary,
    #[serde(skip_serializing_if = "Option::is_none")]
    membership: Option<MembershipState>,
    #[serde(flatten)]
    unstable: Option<UnstableFields>,
}

/// What clients that ask on an unstable path look for.
#[derive(Serialize)]
struct UnstableFields {
    #[serde(rename = "im.nheko.summary.room_version")]
    room_version: Option<RoomVersionId>,
    #[serde(
        rename = "im.nheko.summary.encryption",
        skip_serializing_if = "Option::is_none"
    )]
    encryption: Option<String>,
}

/// Shows what a room is like; one that the caller may not look at is answered like one that is
/// not there.
#[instrument(name = "client.get_summary", skip_all)]
pub(crate) async fn get_summary(
    State(rooms): State<Rooms>,
    State(bridging): State<Bridging>,
    uri: Uri,
    caller: Option<Caller>,
    Matrix(req): Matrix<Request>,
) -> Result<Json<Answer>, ApiError> {
    let appservice = caller
        .as_ref()
        .and_then(|caller| caller.appservice.as_ref());
    let room_id = named((&rooms, &bridging), appservice, &req.room_id_or_alias).await?;
    let user = caller.map(|caller| caller.user);
    let (summary, membership) = rooms.summary(&room_id, user).await?;
    let is_unstable = uri.path().contains("/unstable/");
    Ok(Json(Answer {
        summary: shown(&summary),
        membership,
        unstable: is_unstable.then(|| UnstableFields {
            room_version: Some(summary.version.clone()),
            encryption: summary.encryption.clone(),
        }),
    }))
}
