//! `GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3pushrulesglobalkindruleidactions

use accounts::Accounts;
use axum::extract::State;
use ruma::api::client::push::get_pushrule_actions::v3::{Request, Response};
use tracing::instrument;

use super::rule_of;
use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Tells what one of the caller's push rules does.
#[instrument(name = "client.get_pushrule_actions", skip_all)]
pub(crate) async fn get_pushrule_actions(
    State(accounts): State<Accounts>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let rule = rule_of(&accounts, &caller, req.kind, &req.rule_id).await?;
    Ok(Matrix(Response::new(rule.as_ref().actions().to_vec())))
}
