//! `GET /_matrix/client/v3/profile/{userId}/{keyName}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3profileuseridkeyname

use std::collections::BTreeMap;

use accounts::Accounts;
use axum::{Json, extract::State};
use ruma::api::client::profile::get_profile_field::v3::Request;
use serde_json::Value;
use tracing::instrument;

use crate::{error::ApiError, matrix::Matrix};

/// Shows one field of a person's profile, under its name.
#[instrument(name = "client.get_profile_field", skip_all)]
pub(crate) async fn get_profile_field(
    State(accounts): State<Accounts>,
    Matrix(req): Matrix<Request>,
) -> Result<Json<BTreeMap<String, Value>>, ApiError> {
    let profile = accounts.profile(&req.user_id).await;
    let profile = profile.map_err(ApiError::internal)?;
    let mut profile = profile.ok_or_else(|| ApiError::not_found("there is no such user"))?;
    let field = profile.remove_entry(req.field.as_str());
    let field = field.ok_or_else(|| ApiError::not_found("the profile has no such field"))?;
    Ok(Json([field].into()))
}
