//! `GET /_matrix/client/v3/pushrules/global/` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3pushrulesglobal

use accounts::Accounts;
use axum::extract::State;
use ruma::{
    api::client::push::get_pushrules_global_scope::v3::{Request, Response},
    push::Ruleset,
};
use tracing::instrument;

use super::rules_of;
use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Shows the caller's global push rules, which are all there are.
#[instrument(name = "client.get_pushrules_global_scope", skip_all)]
pub(crate) async fn get_pushrules_global_scope(
    State(accounts): State<Accounts>,
    caller: Caller,
    Matrix(_): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let rules = rules_of(&accounts, &caller).await?;
    Ok(Matrix(Response::new(Ruleset::clone(&rules))))
}
