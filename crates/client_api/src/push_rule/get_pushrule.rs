//! `GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3pushrulesglobalkindruleid

use accounts::Accounts;
use axum::extract::State;
use ruma::api::client::push::get_pushrule::v3::{Request, Response};
use tracing::instrument;

use super::rule_of;
use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Shows one of the caller's push rules.
#[instrument(name = "client.get_pushrule", skip_all)]
pub(crate) async fn get_pushrule(
    State(accounts): State<Accounts>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let rule = rule_of(&accounts, &caller, req.kind, &req.rule_id).await?;
    Ok(Matrix(Response::new(rule.into())))
}
