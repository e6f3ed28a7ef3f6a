//! `GET /_matrix/client/v3/login` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3login

use ruma::api::client::session::get_login_types::{
    self,
    v3::{ApplicationServiceLoginType, LoginType, PasswordLoginType, TokenLoginType},
};
use tracing::instrument;

use crate::matrix::Matrix;

/// Tells in which ways one can sign in.
#[instrument(name = "client.get_login_types", skip_all)]
pub(crate) async fn get_login_types(
    Matrix(_): Matrix<get_login_types::v3::Request>,
) -> Matrix<get_login_types::v3::Response> {
    let mut token = TokenLoginType::new();
    token.get_login_token = true;
    Matrix(get_login_types::v3::Response::new(vec![
        LoginType::Password(PasswordLoginType::new()),
        LoginType::Token(token),
        LoginType::ApplicationService(ApplicationServiceLoginType::new()),
    ]))
}
