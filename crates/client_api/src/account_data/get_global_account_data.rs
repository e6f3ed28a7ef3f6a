//! `GET /_matrix/client/v3/user/{userId}/account_data/{type}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3useruseridaccount_datatype

use accounts::{Accounts, push_rules::PUSH_RULES};
use axum::extract::State;
use ruma::{
    api::client::config::get_global_account_data::v3::{Request, Response},
    serde::Raw,
};
use serde_json::{json, value::to_raw_value};
use tracing::instrument;

use super::not_set;
use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Shows an entry of the caller's global account data.
#[instrument(name = "client.get_global_account_data", skip_all)]
pub(crate) async fn get_global_account_data(
    State(accounts): State<Accounts>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    caller.check_is(&req.user_id)?;
    let kind = req.event_type.to_string();
    let content = if kind == PUSH_RULES {
        // There are always rules: the server's.
        let rules = accounts.push_rules(caller.user, &caller.user_id).await;
        let rules = rules.map_err(ApiError::internal)?;
        to_raw_value(&json!({ "global": *rules })).map_err(ApiError::internal)?
    } else {
        let content = accounts.account_data(caller.user, None, &kind).await;
        content.map_err(ApiError::internal)?.ok_or_else(not_set)?
    };
    Ok(Matrix(Response::new(Raw::from_json(content))))
}
