//! `POST /_matrix/client/v1/appservice/{appserviceId}/ping` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/application-service-api/#post_matrixclientv1appserviceappserviceidping

use axum::extract::State;
use bridging::{Bridging, PingError};
use ruma::api::client::appservice::request_ping::v1::{Request, Response};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Asks the service that calls whether it can be reached from here.
#[instrument(name = "client.request_ping", skip_all)]
pub(crate) async fn request_ping(
    State(bridging): State<Bridging>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let appservice = caller.appservice.as_ref();
    let appservice = appservice.filter(|appservice| appservice.id() == req.appservice_id);
    let appservice = appservice
        .ok_or_else(|| ApiError::forbidden("only the application service of this id does this"))?;
    let transaction_id = req.transaction_id.as_ref().map(|id| id.as_str());
    let took = bridging.ping(appservice, transaction_id).await?;
    Ok(Matrix(Response::new(took)))
}

impl From<PingError> for ApiError {
    fn from(error: PingError) -> Self {
        match error {
            PingError::NoUrl => Self::url_not_set(error),
            PingError::Status { status, ref body } => {
                Self::bad_status(status, body.clone(), &error)
            }
            PingError::TooSlow => Self::connection_timeout(error),
            PingError::Unreachable(ref source) => {
                Self::connection_failed(format_args!("{error}: {source}"))
            }
        }
    }
}
