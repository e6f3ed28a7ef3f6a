//! `GET /_matrix/client/v3/login` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3login

use appservices::Appservices;
use axum::extract::State;
use ruma::api::client::session::get_login_types::{
    self,
    v3::{ApplicationServiceLoginType, LoginType, PasswordLoginType, TokenLoginType},
};
use tracing::instrument;

use crate::matrix::Matrix;

/// Tells in which ways one can sign in: application services too, where there are any.
#[instrument(name = "client.get_login_types", skip_all)]
pub(crate) async fn get_login_types(
    State(appservices): State<Appservices>,
    Matrix(_): Matrix<get_login_types::v3::Request>,
) -> Matrix<get_login_types::v3::Response> {
    let mut token = TokenLoginType::new();
    token.get_login_token = true;
    let mut flows = vec![
        LoginType::Password(PasswordLoginType::new()),
        LoginType::Token(token),
    ];
    if !appservices.is_empty() {
        let appservice = ApplicationServiceLoginType::new();
        flows.push(LoginType::ApplicationService(appservice));
    }
    Matrix(get_login_types::v3::Response::new(flows))
}
