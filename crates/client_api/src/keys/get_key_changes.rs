//! `GET /_matrix/client/v3/keys/changes` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3keyschanges

use axum::extract::State;
use ruma::api::client::keys::get_key_changes::v3::{Request, Response};
use sync::{Sync, SyncToken};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Tells whose devices changed between two syncs, for a client that has lost track of them.
#[instrument(name = "client.get_key_changes", skip_all)]
pub(crate) async fn get_key_changes(
    State(sync): State<Sync>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let from = token("from", &req.from)?;
    let to = token("to", &req.to)?;
    let user = (caller.user, &*caller.user_id);
    let lists = sync.device_list_changes(user, from, to).await;
    let lists = lists.map_err(ApiError::internal)?;
    Ok(Matrix(Response::new(lists.changed, lists.left)))
}

fn token(name: &str, text: &str) -> Result<SyncToken, ApiError> {
    let token = text.parse();
    token.map_err(|error| ApiError::invalid_param(format_args!("{name}: {error}")))
}
