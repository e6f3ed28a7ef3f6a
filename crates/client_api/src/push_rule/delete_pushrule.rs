//! `DELETE /_matrix/client/v3/pushrules/global/{kind}/{ruleId}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3pushrulesglobalkindruleid

use accounts::{Accounts, push_rules::PushRuleEdit};
use axum::extract::State;
use ruma::api::client::push::delete_pushrule::v3::{Request, Response};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Removes a push rule that the caller made.
#[instrument(name = "client.delete_pushrule", skip_all)]
pub(crate) async fn delete_pushrule(
    State(accounts): State<Accounts>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let edit = PushRuleEdit::Remove(req.kind, req.rule_id);
    accounts
        .edit_push_rules(caller.user, &caller.user_id, edit)
        .await?;
    Ok(Matrix(Response::new()))
}
