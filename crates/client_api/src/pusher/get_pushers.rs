//! `GET /_matrix/client/v3/pushers` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3pushers

use accounts::{Accounts, Standing};
use axum::extract::State;
use pushers::Pushers;
use ruma::api::client::push::get_pushers::v3::{Request, Response};
use store::Database;
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Gives the caller's pushers, those of all their devices.
#[instrument(name = "client.get_pushers", skip_all)]
pub(crate) async fn get_pushers(
    State(database): State<Database>,
    State(pushers): State<Pushers>,
    State(accounts): State<Accounts>,
    caller: Caller,
    Matrix(_): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let snapshot = database.snapshot().await.map_err(ApiError::internal)?;
    let stored = pushers.of_user(&snapshot, caller.user).await;
    drop(snapshot);
    let mut told = Vec::new();
    for stored in stored.map_err(ApiError::internal)? {
        let standing = accounts.standing(stored.user, &stored.device_id, stored.session);
        if standing.await.map_err(ApiError::internal)? != Standing::Ended {
            told.push(stored.pusher);
        }
    }
    Ok(Matrix(Response::new(told)))
}
