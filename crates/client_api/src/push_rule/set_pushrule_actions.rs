//! `PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3pushrulesglobalkindruleidactions

use accounts::{Accounts, push_rules::PushRuleEdit};
use axum::extract::State;
use ruma::api::client::push::set_pushrule_actions::v3::{Request, Response};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Sets what one of the caller's push rules does.
#[instrument(name = "client.set_pushrule_actions", skip_all)]
pub(crate) async fn set_pushrule_actions(
    State(accounts): State<Accounts>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let edit = PushRuleEdit::Act(req.kind, req.rule_id, req.actions);
    accounts
        .edit_push_rules(caller.user, &caller.user_id, edit)
        .await?;
    Ok(Matrix(Response::new()))
}
