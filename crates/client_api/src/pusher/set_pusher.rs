//! `POST /_matrix/client/v3/pushers/set` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3pushersset

use axum::extract::State;
use push::Gateways;
use pushers::Pushers;
use ruma::api::client::push::{
    PusherKind,
    set_pusher::v3::{PusherAction, Request, Response},
};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Adds, replaces or removes one of the caller's pushers.
///
/// It belongs to the session that sets it, and goes with it.
#[instrument(name = "client.set_pusher", skip_all)]
pub(crate) async fn set_pusher(
    State(pushers): State<Pushers>,
    State(gateways): State<Gateways>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let post = match req.action {
        PusherAction::Delete(ids) => {
            pushers.remove(caller.user, &ids).await?;
            return Ok(Matrix(Response::new()));
        }
        PusherAction::Post(post) => post,
        _ => return Err(ApiError::invalid_param("kind: it is http or null")),
    };
    match &post.pusher.kind {
        PusherKind::Http(data) => {
            let read = gateways.read(&data.url);
            read.map_err(|error| ApiError::invalid_param(format_args!("data.url: {error}")))?;
        }
        PusherKind::Email(_) => {
            let sentence = "kind: this server tells nobody by e-mail of what notifies them";
            return Err(ApiError::invalid_param(sentence));
        }
        _ => return Err(ApiError::invalid_param("kind: it is http or null")),
    }
    let session = (caller.user, caller.own_device()?, caller.session);
    pushers.set(session, &post.pusher, post.append).await?;
    Ok(Matrix(Response::new()))
}
