//! `PUT /_matrix/client/v3/profile/{userId}/{keyName}` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3profileuseridkeyname

use accounts::profile::{AVATAR_URL, DISPLAY_NAME};
use axum::extract::State;
use lifecycle::Lifecycle;
use ruma::{
    OwnedUserId,
    api::{
        IncomingRequest,
        auth_scheme::AccessToken,
        client::profile::set_profile_field::v3::Response,
        error::{DeserializationError, Error},
    },
    metadata,
};
use serde::{Deserialize, de};
use serde_json::{Map, Value};
use tracing::instrument;

use crate::{caller::Caller, error::ApiError, matrix::Matrix};

/// Sets a field of the caller's profile; rooms learn of a new name or avatar.
///
/// Clients take a name or an avatar back by setting it to nothing.
#[instrument(name = "client.set_profile_field", skip_all)]
pub(crate) async fn set_profile_field(
    State(lifecycle): State<Lifecycle>,
    caller: Caller,
    Matrix(req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    caller.check_is(&req.user_id)?;
    let field = req.field.as_str();
    if caller.is_guest && field != DISPLAY_NAME {
        return Err(ApiError::guest_access_forbidden(
            "a guest has a name, and tells nothing else",
        ));
    }
    let value = req.body.get(field).ok_or_else(|| {
        ApiError::missing_param(format_args!("the body has no {field}, which is to be set"))
    })?;
    let shown_in_rooms = matches!(field, DISPLAY_NAME | AVATAR_URL);
    if shown_in_rooms && !value.is_string() {
        return Err(ApiError::bad_json(format_args!("{field}: it is a text")));
    }
    let taken_back = shown_in_rooms && value.as_str() == Some("");
    let value = (!taken_back).then_some(value);
    let whose = (caller.user, &*caller.user_id);
    lifecycle.set_profile_field(whose, field, value).await?;
    Ok(Matrix(Response::new()))
}

/// The request. Ruma's own takes a body without the field for one that is not JSON.
pub(crate) struct Request {
    user_id: OwnedUserId,
    field: String,
    body: Map<String, Value>,
}

metadata! {
    method: PUT,
    rate_limited: true,
    authentication: AccessToken,
    history: {
        unstable("uk.tcpip.msc4133") => "/_matrix/client/unstable/uk.tcpip.msc4133/profile/{user_id}/{field}",
        1.0 => "/_matrix/client/r0/profile/{user_id}/{field}",
        1.1 => "/_matrix/client/v3/profile/{user_id}/{field}",
    }
}

impl IncomingRequest for Request {
    type EndpointError = Error;
    type OutgoingResponse = Response;

    fn try_from_http_request_inner(
        request: http::Request<&[u8]>,
        arguments: &[&str],
    ) -> Result<Self, DeserializationError> {
        let arguments = arguments.iter().copied();
        let arguments = de::value::SeqDeserializer::<_, de::value::Error>::new(arguments);
        let (user_id, field) = Deserialize::deserialize(arguments)?;
        let body = serde_json::from_slice(request.body())?;
        Ok(Self {
            user_id,
            field,
            body,
        })
    }
}
