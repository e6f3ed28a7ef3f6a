//! `PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3pushrulesglobalkindruleidenabled

use accounts::{Accounts, push_rules::PushRuleEdit};
use axum::extract::State;
use ruma::api::client::push::set_pushrule_enabled::v3::{Request, Response};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Switches one of the caller's push rules on or off.
#[instrument(name = "client.set_pushrule_enabled", skip_all)]
pub(crate) async fn set_pushrule_enabled(
    State(accounts): State<Accounts>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let edit = PushRuleEdit::Enable(req.kind, req.rule_id, req.enabled);
    accounts
        .edit_push_rules(caller.user, &caller.user_id, edit)
        .await?;
    Ok(Matrix(Response::new()))
}
