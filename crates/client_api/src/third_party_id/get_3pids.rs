//! `GET /_matrix/client/v3/account/3pid` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3account3pid

use accounts::Accounts;
use axum::{Json, extract::State};
use ruma::{api::client::account::get_3pids::v3::Request, thirdparty::Medium};
use serde::Serialize;
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// The answer, written out: ruma's type leaves an empty list out, and clients look for it.
#[derive(Serialize)]
pub(crate) struct Answer {
    threepids: Vec<Identifier>,
}

#[derive(Serialize)]
struct Identifier {
    medium: Medium,
    address: String,
    validated_at: i64,
    added_at: i64,
}

/// Lists what stands for the caller's account beside its id: addresses of mail.
#[instrument(name = "client.get_3pids", skip_all)]
pub(crate) async fn get_3pids(
    State(accounts): State<Accounts>,
    caller: Caller,
    Matrix(_): Matrix<Request>,
) -> Result<Json<Answer>, ApiError> {
    let addresses = accounts.emails(caller.user).await;
    let addresses = addresses.map_err(ApiError::internal)?.into_iter();
    let threepids = addresses.map(|email| Identifier {
        medium: Medium::Email,
        address: email.address.as_str().to_owned(),
        validated_at: email.validated_at.as_millis(),
        added_at: email.added_at.as_millis(),
    });
    Ok(Json(Answer {
        threepids: threepids.collect(),
    }))
}
