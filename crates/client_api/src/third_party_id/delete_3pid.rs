//! `POST /_matrix/client/v3/account/3pid/delete` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3piddelete

use accounts::{Accounts, By};
use axum::extract::State;
use model::mail_address::MailAddress;
use ruma::{
    api::client::account::{
        ThirdPartyIdRemovalStatus,
        delete_3pid::v3::{Request, Response},
    },
    thirdparty::Medium,
};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix, origin::CameFrom};

/// Takes an address from the caller's account; one that it does not have is gone already. No
/// identity server is known from which it would have to go.
#[instrument(name = "client.delete_3pid", skip_all)]
pub(crate) async fn delete_3pid(
    State(accounts): State<Accounts>,
    CameFrom(origin): CameFrom,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    if req.medium == Medium::Email
        && let Ok(address) = MailAddress::parse(&req.address)
    {
        let by = By::session(&caller.session()?, origin);
        let whose = (caller.user, &*caller.user_id);
        let removed = accounts.remove_email(whose, &address, &by).await;
        removed.map_err(ApiError::internal)?;
    }
    Ok(Matrix(Response::new(ThirdPartyIdRemovalStatus::NoSupport)))
}
