//! `POST /_matrix/client/v3/account/3pid/unbind` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidunbind

use ruma::api::client::account::{
    ThirdPartyIdRemovalStatus,
    unbind_3pid::v3::{Request, Response},
};
use tracing::instrument;

use crate::{caller::Caller, matrix::Matrix};

/// Tells that no identity server was asked to forget an identifier: this server speaks to none.
#[instrument(name = "client.unbind_3pid", skip_all)]
pub(crate) async fn unbind_3pid(_: Caller, Matrix(_): Matrix<Request>) -> Matrix<Response> {
    Matrix(Response::new(ThirdPartyIdRemovalStatus::NoSupport))
}
