//! `GET /_matrix/client/v3/pushrules/` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3pushrules

use accounts::Accounts;
use axum::extract::State;
use ruma::{
    api::client::push::get_pushrules_all::v3::{Request, Response},
    push::Ruleset,
};
use tracing::instrument;

use super::rules_of;
use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Shows all of the caller's push rules.
#[instrument(name = "client.get_pushrules_all", skip_all)]
pub(crate) async fn get_pushrules_all(
    State(accounts): State<Accounts>,
    caller: Caller,
    Matrix(_): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let rules = rules_of(&accounts, &caller).await?;
    Ok(Matrix(Response::new(Ruleset::clone(&rules))))
}
