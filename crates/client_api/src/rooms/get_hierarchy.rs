//! `GET /_matrix/client/v1/rooms/{roomId}/hierarchy` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidhierarchy

use axum::extract::State;
use model::event::Pdu;
use rooms::{HierarchyError, HierarchyRequest, RoomSummary, Rooms};
use ruma::{
    UInt,
    api::client::space::{
        SpaceHierarchyRoomsChunk,
        get_hierarchy::v1::{Request, Response},
    },
    events::space::child::HierarchySpaceChildEvent,
    serde::Raw,
};
use serde_json::{json, value::to_raw_value};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix, summaries::shown};

/// How many rooms a page has when the client does not say, and at most.
const PAGE: usize = 50;
const LONGEST_PAGE: usize = 100;

/// Lists a space and what is in it, page by page, as far as the caller may look at it.
#[instrument(name = "client.get_hierarchy", skip_all, fields(room.id = %req.room_id))]
pub(crate) async fn get_hierarchy(
    State(rooms): State<Rooms>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let request = HierarchyRequest {
        room_id: &req.room_id,
        user: caller.user,
        suggested_only: req.suggested_only,
        max_depth: req.max_depth.map(u64::from),
        limit: page_length(req.limit)?,
        from: req.from.as_deref(),
    };
    let page = rooms.hierarchy(&request).await?;
    let mut response = Response::new();
    let chunk = |summary: &std::sync::Arc<RoomSummary>| chunk(summary, req.suggested_only);
    response.rooms = page.rooms.iter().map(chunk).collect();
    response.next_batch = page.next;
    Ok(Matrix(response))
}

fn page_length(limit: Option<UInt>) -> Result<usize, ApiError> {
    match limit {
        None => Ok(PAGE),
        Some(UInt::MIN) => Err(ApiError::invalid_param(
            "limit: a page has at least one room",
        )),
        Some(limit) => Ok(usize::try_from(limit)
            .unwrap_or(usize::MAX)
            .min(LONGEST_PAGE)),
    }
}

fn chunk(summary: &RoomSummary, suggested_only: bool) -> SpaceHierarchyRoomsChunk {
    let children = summary.children.iter();
    let children = children.filter(|child| child.suggested || !suggested_only);
    let children = children.map(|child| stripped(&child.event)).collect();
    SpaceHierarchyRoomsChunk::new(shown(summary), children)
}

/// The stripped form of a child event, with its time.
fn stripped(event: &Pdu) -> Raw<HierarchySpaceChildEvent> {
    let stripped = to_raw_value(&json!({
        "type": event.type_name(),
        "state_key": event.state_key(),
        "content": event.content(),
        "sender": event.sender(),
        "origin_server_ts": event.origin_server_ts().as_millis(),
    }));
    Raw::from_json(stripped.expect("texts, a number and JSON always serialise"))
}

impl From<HierarchyError> for ApiError {
    fn from(error: HierarchyError) -> Self {
        match error {
            HierarchyError::Hidden => Self::forbidden(error),
            HierarchyError::BadToken | HierarchyError::Expired => {
                Self::invalid_param(format_args!("from: {error}"))
            }
            HierarchyError::OtherRequest => Self::invalid_param(error),
            HierarchyError::Store(error) => Self::internal(error),
        }
    }
}
