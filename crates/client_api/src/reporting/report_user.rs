//! `POST /_matrix/client/v3/users/{userId}/report` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3usersuseridreport

use accounts::Accounts;
use axum::extract::State;
use reports::{About, Reports};
use ruma::api::client::reporting::report_user::v3::{Request, Response};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix, origin::CameFrom};

/// Reports somebody; whether they exist the caller does not learn.
#[instrument(name = "client.report_user", skip_all)]
pub(crate) async fn report_user(
    State(accounts): State<Accounts>,
    State(reports): State<Reports>,
    CameFrom(origin): CameFrom,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let account = accounts.account(&req.user_id).await;
    let exists = account.map_err(ApiError::internal)?.is_some();
    let (reporter, about) = ((caller.user, &*caller.user_id), About::User(req.user_id));
    reports
        .report(reporter, about, exists, req.reason, origin)
        .await?;
    Ok(Matrix(Response::new()))
}
