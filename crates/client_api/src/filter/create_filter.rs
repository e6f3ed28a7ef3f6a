//! `POST /_matrix/client/v3/user/{userId}/filter` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3useruseridfilter

use accounts::{Accounts, filters::FilterError};
use axum::extract::State;
use model::filter::SyncFilter;
use ruma::api::client::filter::create_filter::v3::{Request, Response};
use serde_json::value::to_raw_value;
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Keeps a filter, and gives its id.
#[instrument(name = "client.create_filter", skip_all)]
pub(crate) async fn create_filter(
    State(accounts): State<Accounts>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    caller.check_is(&req.user_id)?;
    // What a sync would refuse is not kept.
    SyncFilter::compile(&req.filter).map_err(ApiError::invalid_param)?;
    let filter = to_raw_value(&req.filter).map_err(ApiError::internal)?;
    let filter_id = accounts.put_filter(caller.user, &filter).await?;
    Ok(Matrix(Response::new(filter_id)))
}

impl From<FilterError> for ApiError {
    fn from(error: FilterError) -> Self {
        match error {
            FilterError::TooLarge => Self::too_large(error),
            FilterError::TooMany(_) => Self::forbidden(error),
            FilterError::Store(error) => Self::internal(error),
        }
    }
}
