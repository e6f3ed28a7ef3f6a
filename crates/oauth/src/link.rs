//! What a link to a page carries.

use std::convert::Infallible;

use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};
use serde::Deserialize;

/// The secret in a link, which allows what its page offers; empty, and good for nothing, where
/// there is none.
pub(crate) struct LinkToken(pub(crate) String);

#[derive(Deserialize)]
struct Link {
    token: String,
}

impl<S: Send + Sync> FromRequestParts<S> for LinkToken {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let link = Query::<Link>::from_request_parts(parts, state).await;
        Ok(Self(link.map(|link| link.0.token).unwrap_or_default()))
    }
}
