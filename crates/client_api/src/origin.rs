//! From where a request came, and the audit record of what it did.

use std::convert::Infallible;

use audit::{Act, Actor, AuditTrail, Origin, Record, Target};
use axum::extract::FromRequestParts;
use http::{header::USER_AGENT, request::Parts};
use store::Intent;

use crate::{ClientApi, address::ClientAddress, caller::Caller};

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

/// Adds the record of an act on the caller's own keys to what is committed.
pub(crate) fn add_record(intent: &mut Intent, act: Act, caller: &Caller, origin: &Origin) {
    let user_id = caller.user_id.to_string();
    let actor = match &caller.appservice {
        Some(appservice) => Actor::Appservice {
            appservice: appservice.id().to_owned(),
            user_id,
        },
        None => Actor::User {
            user_id,
            session: caller.device_id.as_ref().map(ToString::to_string),
        },
    };
    let target = Target::user(caller.user_id.as_str());
    let record = Record::new(act, actor).from(origin.clone()).on(target);
    intent.add::<AuditTrail>(record);
}
