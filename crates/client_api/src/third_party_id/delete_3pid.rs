//! `POST /_matrix/client/v3/account/3pid/delete` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3piddelete

use ruma::api::client::account::{
    ThirdPartyIdRemovalStatus,
    delete_3pid::v3::{Request, Response},
};
use tracing::instrument;

use crate::{caller::Caller, matrix::Matrix};

/// Takes an identifier from the caller's account, which has none: it is gone already. No identity
/// server is known from which it would have to go.
#[instrument(name = "client.delete_3pid", skip_all)]
pub(crate) async fn delete_3pid(_: Caller, Matrix(_): Matrix<Request>) -> Matrix<Response> {
    Matrix(Response::new(ThirdPartyIdRemovalStatus::NoSupport))
}
