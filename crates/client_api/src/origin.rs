//! [`From`]: where a request comes from, as the audit record keeps it.

use std::convert::Infallible;

use audit::Origin;
use axum::extract::FromRequestParts;
use http::{header::USER_AGENT, request::Parts};

use crate::{ClientApi, address::ClientAddress};

/// The address and the user agent of a request.
#[derive(Clone, Debug)]
pub struct From(pub Origin);

impl FromRequestParts<ClientApi> for From {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &ClientApi) -> Result<Self, Infallible> {
        let address = parts.extensions.get::<ClientAddress>();
        let agent = parts.headers.get(USER_AGENT);
        Ok(Self(Origin {
            address: address.map(|address| address.0),
            user_agent: agent
                .and_then(|agent| agent.to_str().ok())
                .map(str::to_owned),
        }))
    }
}
