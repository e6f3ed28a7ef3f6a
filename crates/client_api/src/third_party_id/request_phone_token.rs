//! `POST /_matrix/client/v3/{account/3pid,account/password,register}/msisdn/requestToken` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidmsisdnrequesttoken

use ruma::api::client::account::{
    request_3pid_management_token_via_msisdn::v3 as of_an_account,
    request_password_change_token_via_msisdn::v3 as of_a_password,
    request_registration_token_via_msisdn::v3 as of_a_registration,
};
use tracing::instrument;

use crate::{error::ApiError, matrix::Matrix};

const NO_PHONES: &str = "this server sends nothing to phones";

/// Refuses to prove that a phone is the caller's: this server sends nothing to phones.
#[instrument(name = "client.request_phone_token", skip_all)]
pub(crate) async fn request_phone_token(
    Matrix(_): Matrix<of_an_account::Request>,
) -> Result<Matrix<of_an_account::Response>, ApiError> {
    Err(ApiError::medium_not_supported(NO_PHONES))
}

/// The same for somebody who has forgotten their password.
#[instrument(name = "client.request_phone_token_for_password", skip_all)]
pub(crate) async fn request_phone_token_for_password(
    Matrix(_): Matrix<of_a_password::Request>,
) -> Result<Matrix<of_a_password::Response>, ApiError> {
    Err(ApiError::threepid_denied(NO_PHONES))
}

/// The same for somebody who registers.
#[instrument(name = "client.request_phone_token_for_registration", skip_all)]
pub(crate) async fn request_phone_token_for_registration(
    Matrix(_): Matrix<of_a_registration::Request>,
) -> Result<Matrix<of_a_registration::Response>, ApiError> {
    Err(ApiError::threepid_denied(NO_PHONES))
}
