//! A file as an answer: whole, in part, or not again.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use media::StoredFile;
use ruma::api::error::ErrorKind;

use super::{
    conditions::{Conditions, Portion},
    served,
};
use crate::error::ApiError;

/// How a file is shown to who asked for it.
pub(super) struct Shown {
    /// What names this content, and no other.
    pub(super) tag: String,
    /// The name to save it under.
    pub(super) name: Option<String>,
}

/// Streams as much of a file as was asked for.
pub(super) async fn answer(
    file: StoredFile,
    shown: Shown,
    conditions: &Conditions,
) -> Result<Response, ApiError> {
    let tag = HeaderValue::try_from(format!("\"{}\"", shown.tag)).map_err(ApiError::internal)?;
    let size_bytes = file.size_bytes();
    let (status, from, length) = match conditions.portion(&tag, size_bytes) {
        Portion::None => return Ok(not_modified(tag)),
        Portion::Unsatisfiable => return Ok(unsatisfiable(size_bytes)),
        Portion::Whole => (StatusCode::OK, 0, size_bytes),
        Portion::Part { from, length } => (StatusCode::PARTIAL_CONTENT, from, length),
    };
    let content = file.open_range(from, length).await?;
    let mut response = Response::new(Body::from_stream(content));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    served::describe(headers, file.content_type.as_deref(), shown.name, tag);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if status == StatusCode::PARTIAL_CONTENT {
        let last = from + length - 1;
        let range = format!("bytes {from}-{last}/{size_bytes}");
        let range = HeaderValue::try_from(range).map_err(ApiError::internal)?;
        headers.insert(header::CONTENT_RANGE, range);
    }
    Ok(response)
}

fn not_modified(tag: HeaderValue) -> Response {
    let mut response = StatusCode::NOT_MODIFIED.into_response();
    served::tell_kept(response.headers_mut(), tag);
    response
}

fn unsatisfiable(size_bytes: u64) -> Response {
    let refusal = ApiError::new(
        StatusCode::RANGE_NOT_SATISFIABLE,
        ErrorKind::Unknown,
        format_args!("the file has {size_bytes} bytes, and none of the range"),
    );
    let mut response = refusal.into_response();
    if let Ok(range) = HeaderValue::try_from(format!("bytes */{size_bytes}")) {
        response.headers_mut().insert(header::CONTENT_RANGE, range);
    }
    response
}
