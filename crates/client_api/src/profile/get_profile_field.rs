//! `GET /_matrix/client/v3/profile/{userId}/{keyName}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3profileuseridkeyname

use std::collections::BTreeMap;

use accounts::Accounts;
use axum::{Json, extract::State};
use bridging::Bridging;
use ruma::api::client::profile::get_profile_field::v3::Request;
use serde_json::Value;
use tracing::instrument;

use super::profile_of;
use crate::{caller::AskingAppservice, error::ApiError, matrix::Matrix};

/// Shows one field of a person's profile, under its name.
#[instrument(name = "client.get_profile_field", skip_all)]
pub(crate) async fn get_profile_field(
    State(accounts): State<Accounts>,
    State(bridging): State<Bridging>,
    appservice: AskingAppservice,
    Matrix(req): Matrix<Request>,
) -> Result<Json<BTreeMap<String, Value>>, ApiError> {
    let mut profile = profile_of((&accounts, &bridging), appservice, &req.user_id).await?;
    let field = profile.remove_entry(req.field.as_str());
    let field = field.ok_or_else(|| ApiError::not_found("the profile has no such field"))?;
    Ok(Json([field].into()))
}
