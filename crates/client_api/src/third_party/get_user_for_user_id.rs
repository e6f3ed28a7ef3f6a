//! `GET /_matrix/client/v3/thirdparty/user` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3thirdpartyuser

use axum::extract::State;
use bridging::Bridging;
use ruma::api::client::thirdparty::get_user_for_user_id::v3::{Request, Response};
use tracing::instrument;

use super::readable;
use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Finds the people on other networks who stand behind a user.
#[instrument(name = "client.get_user_for_user_id", skip_all)]
pub(crate) async fn get_user_for_user_id(
    State(bridging): State<Bridging>,
    _: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let told = bridging.users_of(&req.userid).await;
    Ok(Matrix(Response::new(readable(told))))
}
