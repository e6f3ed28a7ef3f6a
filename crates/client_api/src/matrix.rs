//! [`Matrix`]: ruma's request types as extractors, and its response types as answers.

use std::{pin::pin, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::{
        FromRequest, FromRequestParts, RawPathParams, Request, rejection::RawPathParamsRejection,
    },
    response::{IntoResponse, Response},
};
use futures_util::future::{BoxFuture, Either, select};
use http::{Method, StatusCode, header::CONTENT_LENGTH, request::Parts};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use model::time::Clock;
use ruma::api::{IncomingRequest, OutgoingResponse, OutgoingResponseExt, error::ErrorKind};

use serde_json::{Map, Value};

use crate::{
    ClientApi,
    blame::Reading,
    endpoint::{DEFAULT_BODY_LIMIT, EndpointInfo},
    error::ApiError,
    json,
};

/// How long a body may take to arrive, however small it is.
const ARRIVES_WITHIN: Duration = Duration::from_secs(60);

/// How fast a body must arrive beyond that, in bytes a second.
const SLOWEST: usize = 64 * 1024;

/// A request of type `T` read from path, query, headers and JSON body; or such an answer.
///
/// Reading asks for no token: that is [`Caller`](crate::caller::Caller), which stands before it.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<T>(pub T);

/// A request whose body is a file: `request` has all but the body, which is still to be read.
///
/// The body is not limited here, because the limit of an upload is its handler's to tell.
#[derive(Debug)]
pub struct MatrixStream<T> {
    /// The request, with its body field empty.
    pub request: T,
    /// The body as it arrives.
    pub body: Body,
}

impl<T: IncomingRequest> FromRequest<ClientApi> for Matrix<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &ClientApi) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let arguments = path_arguments(&mut parts, api).await?;
        let body = if T::METHOD == Method::GET {
            // What a GET carries has no meaning, so it is neither read nor judged.
            Bytes::new()
        } else {
            read_limited(&parts, body, api.clock()).await?
        };
        if !body.is_empty() {
            json::check(&body)?;
        }
        parse(parts, &body, &arguments).map(Self)
    }
}

/// A request whose body may be absent: everything in it may be, and some clients send none at all
/// although the specification wants an object.
#[derive(Clone, Copy, Debug)]
pub struct MaybeBare<T>(pub T);

impl<T: IncomingRequest> FromRequest<ClientApi> for MaybeBare<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &ClientApi) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let arguments = path_arguments(&mut parts, api).await?;
        let body = read_limited(&parts, body, api.clock()).await?;
        if body.is_empty() {
            return parse(parts, b"{}", &arguments).map(Self);
        }
        json::check(&body)?;
        parse(parts, &body, &arguments).map(Self)
    }
}

/// A request of which ruma asks for more than the specification does: what may be left out is
/// filled in before it is parsed.
#[derive(Clone, Copy, Debug)]
pub struct Completed<T>(pub T);

/// What a body means that leaves something out.
pub trait Complete: IncomingRequest {
    /// Fills in what was left out.
    fn complete(body: &mut Map<String, Value>);
}

impl<T: Complete> FromRequest<ClientApi> for Completed<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &ClientApi) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let arguments = path_arguments(&mut parts, api).await?;
        let mut body = read_limited(&parts, body, api.clock()).await?;
        if !body.is_empty() {
            json::check(&body)?;
            let mut members: Map<String, Value> =
                serde_json::from_slice(&body).map_err(ApiError::bad_json)?;
            T::complete(&mut members);
            body = serde_json::to_vec(&members)
                .map_err(ApiError::internal)?
                .into();
        }
        parse(parts, &body, &arguments).map(Self)
    }
}

impl<T: IncomingRequest> FromRequest<ClientApi> for MatrixStream<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &ClientApi) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let arguments = path_arguments(&mut parts, api).await?;
        let request = parse(parts, &[], &arguments)?;
        Ok(Self { request, body })
    }
}

impl<T: OutgoingResponse> IntoResponse for Matrix<T> {
    fn into_response(self) -> Response {
        match self.0.try_into_http_response::<Vec<u8>>() {
            Ok(response) => response.map(Body::from),
            Err(error) => ApiError::internal(error).into_response(),
        }
    }
}

/// A response in which what is absent is left out, where ruma writes `null` and the
/// specification knows none.
#[derive(Clone, Copy, Debug)]
pub struct Sparse<T>(pub T);

impl<T: OutgoingResponse> IntoResponse for Sparse<T> {
    fn into_response(self) -> Response {
        let written = self.0.try_into_http_response::<Vec<u8>>();
        let written = written.map_err(ApiError::internal).and_then(|response| {
            let (parts, body) = response.into_parts();
            let mut body: Value = serde_json::from_slice(&body).map_err(ApiError::internal)?;
            drop_nulls(&mut body);
            let body = serde_json::to_vec(&body).map_err(ApiError::internal)?;
            Ok(http::Response::from_parts(parts, Body::from(body)))
        });
        written.unwrap_or_else(IntoResponse::into_response)
    }
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// The parameters in the path, decoded once, in order.
async fn path_arguments(parts: &mut Parts, api: &ClientApi) -> Result<Vec<String>, ApiError> {
    let params = match RawPathParams::from_request_parts(parts, api).await {
        Ok(params) => params,
        Err(RawPathParamsRejection::InvalidUtf8InPathParam(_)) => {
            return Err(ApiError::invalid_param("the path is not valid UTF-8"));
        }
        Err(error) => return Err(ApiError::internal(error)),
    };
    let arguments: Vec<String> = params.iter().map(|(_, value)| value.to_owned()).collect();
    let query_has_nul = parts.uri.query().is_some_and(|query| query.contains("%00"));
    if query_has_nul || arguments.iter().any(|value| value.contains('\0')) {
        return Err(ApiError::invalid_param(
            "a NUL character cannot be part of a parameter",
        ));
    }
    Ok(arguments)
}

/// Boxed: what waits later, in the same future, would keep the room for this.
fn read_limited<'a>(
    parts: &'a Parts,
    body: Body,
    clock: &'a dyn Clock,
) -> BoxFuture<'a, Result<Bytes, ApiError>> {
    Box::pin(collect_limited(parts, body, clock))
}

async fn collect_limited(parts: &Parts, body: Body, clock: &dyn Clock) -> Result<Bytes, ApiError> {
    let limit = parts
        .extensions
        .get::<Arc<EndpointInfo>>()
        .map_or(DEFAULT_BODY_LIMIT, |info| info.body_limit_bytes);
    let too_large = || ApiError::too_large(format_args!("the body is larger than {limit} bytes"));
    // A body that says that it is too large is not read at all.
    let announced = parts
        .headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let seconds = u64::try_from(limit / SLOWEST).unwrap_or(u64::MAX);
    let patience = ARRIVES_WITHIN + Duration::from_secs(seconds);
    let arriving = pin!(Limited::new(body, limit).collect());
    let arrived = match select(arriving, clock.sleep(patience)).await {
        Either::Left((arrived, _)) => arrived,
        Either::Right(((), _)) => {
            return Err(ApiError::new(
                StatusCode::REQUEST_TIMEOUT,
                ErrorKind::Unknown,
                format_args!(
                    "the body did not arrive within {} seconds",
                    patience.as_secs()
                ),
            ));
        }
    };
    match arrived {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        // The client went away or broke the framing; it is the only one to hear of it.
        Err(error) => {
            tracing::debug!(%error, "a request body broke off");
            Err(ApiError::not_json("the body broke off before its end"))
        }
    }
}

fn parse<T: IncomingRequest>(
    parts: Parts,
    body: &[u8],
    arguments: &[String],
) -> Result<T, ApiError> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let reading = Reading {
        uri: parts.uri.clone(),
        arguments: &arguments,
        body,
    };
    let request = http::Request::from_parts(parts, body);
    T::try_from_http_request_inner(request, &arguments).map_err(|error| reading.refusal::<T>(error))
}
