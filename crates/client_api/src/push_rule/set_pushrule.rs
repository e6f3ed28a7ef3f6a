//! `PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3pushrulesglobalkindruleid

use accounts::{Accounts, push_rules::PushRuleEdit};
use axum::extract::State;
use ruma::api::client::push::set_pushrule::v3::{Request, Response};
use serde_json::{Map, Value};
use tracing::instrument;

use crate::{
    caller::Caller,
    error::ApiError,
    matrix::{Complete, Completed, Matrix},
};

impl Complete for Request {
    fn complete(body: &mut Map<String, Value>) {
        // Kinds of rules that have no conditions take no notice.
        body.entry("conditions")
            .or_insert_with(|| Value::Array(Vec::new()));
    }
}

/// Adds or replaces one of the caller's push rules, and places it.
#[instrument(name = "client.set_pushrule", skip_all)]
pub(crate) async fn set_pushrule(
    State(accounts): State<Accounts>,
    caller: Caller,
    Completed(req): Completed<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let edit = PushRuleEdit::Put {
        rule: req.rule,
        after: req.after,
        before: req.before,
    };
    accounts
        .edit_push_rules(caller.user, &caller.user_id, edit)
        .await?;
    Ok(Matrix(Response::new()))
}
