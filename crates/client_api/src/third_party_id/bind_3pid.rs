//! `POST /_matrix/client/v3/account/3pid/bind` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidbind

use ruma::api::client::account::bind_3pid::v3::{Request, Response};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Refuses to tell an identity server whose an identifier is: this server trusts none.
#[instrument(name = "client.bind_3pid", skip_all)]
pub(crate) async fn bind_3pid(
    _: Caller,
    Matrix(_): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    Err(ApiError::server_not_trusted(
        "this server trusts no identity server",
    ))
}
