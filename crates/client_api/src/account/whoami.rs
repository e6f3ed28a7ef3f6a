//! `GET /_matrix/client/v3/account/whoami` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3accountwhoami

use ruma::api::client::account::whoami::v3::{Request, Response};
use tracing::instrument;

use crate::{caller::Caller, matrix::Matrix};

/// Tells whose the access token is.
#[instrument(name = "client.whoami", skip_all)]
pub(crate) async fn whoami(caller: Caller, Matrix(_): Matrix<Request>) -> Matrix<Response> {
    let mut response = Response::new(caller.user_id, caller.is_guest);
    response.device_id = caller.device_id;
    Matrix(response)
}
