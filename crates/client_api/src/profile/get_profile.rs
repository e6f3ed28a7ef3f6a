//! `GET /_matrix/client/v3/profile/{userId}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3profileuserid

use accounts::Accounts;
use axum::extract::State;
use bridging::Bridging;
use ruma::api::client::profile::get_profile::v3::{Request, Response};
use tracing::instrument;

use super::profile_of;
use crate::{caller::AskingAppservice, error::ApiError, matrix::Matrix};

/// Shows a person's profile.
#[instrument(name = "client.get_profile", skip_all)]
pub(crate) async fn get_profile(
    State(accounts): State<Accounts>,
    State(bridging): State<Bridging>,
    appservice: AskingAppservice,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let profile = profile_of((&accounts, &bridging), appservice, &req.user_id).await?;
    Ok(Matrix(profile.into_iter().collect()))
}
