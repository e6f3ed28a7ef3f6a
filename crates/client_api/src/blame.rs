//! What a request is refused for when it cannot be read, told by the name of the part at fault:
//! parsers tell what is wrong, and often not where.

mod members;
mod parameters;

use http::Uri;
use model::json::complaint;
use ruma::api::{
    IncomingRequest,
    error::{DeserializationError, HeaderDeserializationError},
};

use crate::{error::ApiError, json};

/// What was read: enough to read parts of it again.
pub(crate) struct Reading<'a> {
    pub(crate) uri: Uri,
    pub(crate) arguments: &'a [&'a str],
    pub(crate) body: &'a [u8],
}

impl Reading<'_> {
    /// The refusal of a request of which this was said.
    pub(crate) fn refusal<T: IncomingRequest>(&self, error: DeserializationError) -> ApiError {
        match error {
            DeserializationError::Json(error) if self.body.is_empty() => {
                let told = complaint(&error);
                ApiError::bad_json(format_args!("this request needs a JSON body: {told}"))
            }
            DeserializationError::Json(error) => {
                let told = complaint(&error);
                let path = self.member_at_fault::<T>(&told);
                let path = path.unwrap_or_else(|| json::path_of(self.body, &error));
                match path.as_str() {
                    "" => ApiError::bad_json(told),
                    path => ApiError::bad_json(format_args!("{path}: {told}")),
                }
            }
            // Path and query are parsed by the same kind of parser and share this variant.
            DeserializationError::Query(error) => self.parameter_refused::<T>(&error.to_string()),
            DeserializationError::Header(HeaderDeserializationError::MissingHeader(name)) => {
                ApiError::missing_param(format_args!("header {name} is missing"))
            }
            // Utf8, Ident, other headers, and whatever a later release adds: the input is at
            // fault.
            error => self.parameter_refused::<T>(&error.to_string()),
        }
    }

    /// Reads again, with another query or body, and gives the complaint.
    fn again<T: IncomingRequest>(&self, uri: Uri, body: &[u8]) -> Result<T, DeserializationError> {
        let mut request = http::Request::new(body);
        *request.method_mut() = T::METHOD;
        *request.uri_mut() = uri;
        T::try_from_http_request_inner(request, self.arguments)
    }
}
