//! [`EarlyStateAfter`]: `use_state_after` under the name that it had before it was specified.

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::error::ApiError;

const NAME: &str = "org.matrix.msc4222.use_state_after";

/// What the client says of `use_state_after` by its early name, if it does.
pub(crate) struct EarlyStateAfter(Option<String>);

impl EarlyStateAfter {
    /// Whether the client wants the state of the end, told by its early name.
    pub(crate) fn is_wanted(&self) -> Result<bool, ApiError> {
        match self.0.as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(ApiError::invalid_param(format_args!(
                "query parameter `{NAME}`: neither true nor false"
            ))),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for EarlyStateAfter {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        // Most clients do not know that name.
        if !query.contains(NAME) {
            return Ok(Self(None));
        }
        let pairs: Vec<(String, String)> =
            serde_html_form::from_str(query).map_err(ApiError::invalid_param)?;
        let named = pairs.into_iter().find(|(name, _)| name == NAME);
        Ok(Self(named.map(|(_, value)| value)))
    }
}
