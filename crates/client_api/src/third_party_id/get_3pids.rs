//! `GET /_matrix/client/v3/account/3pid` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3account3pid

use axum::Json;
use ruma::{api::client::account::get_3pids::v3::Request, thirdparty::ThirdPartyIdentifier};
use serde::Serialize;
use tracing::instrument;

use crate::{caller::Caller, matrix::Matrix};

/// The answer, written out: ruma's type leaves an empty list out, and clients look for it.
#[derive(Serialize)]
pub(crate) struct Answer {
    threepids: Vec<ThirdPartyIdentifier>,
}

/// Lists what stands for the caller's account beside its id: nothing does.
#[instrument(name = "client.get_3pids", skip_all)]
pub(crate) async fn get_3pids(_: Caller, Matrix(_): Matrix<Request>) -> Json<Answer> {
    let threepids = Vec::new();
    Json(Answer { threepids })
}
