//! From where a request came, for the audit record.

use std::convert::Infallible;

use audit::Origin;
use axum::extract::FromRequestParts;
use http::{header::USER_AGENT, request::Parts};

use crate::{ClientApi, address::ClientAddress};

/// The address and the program that made the request.
#[derive(Clone, Debug)]
pub struct CameFrom(pub Origin);

impl FromRequestParts<ClientApi> for CameFrom {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &ClientApi) -> Result<Self, Infallible> {
        let address = parts.extensions.get::<ClientAddress>();
        let agent = parts.headers.get(USER_AGENT);
        let agent = agent.and_then(|agent| agent.to_str().ok());
        Ok(Self(Origin {
            address: address.map(|address| address.0),
            user_agent: agent.map(str::to_owned),
        }))
    }
}
