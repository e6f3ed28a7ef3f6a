//! `GET /_matrix/client/v3/voip/turnServer` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3voipturnserver

use std::sync::Arc;

use aws_lc_rs::hmac;
use axum::{Json, extract::State};
use base64::{Engine, engine::general_purpose::STANDARD};
use model::time::{Clock, Timestamp};
use ruma::{UserId, api::client::voip::get_turn_server_info::v3::Request};
use serde::Serialize;
use tracing::instrument;

use super::TurnServers;
use crate::{Settings, caller::Caller, error::ApiError, matrix::Matrix};

/// The answer.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Access {
    username: String,
    password: String,
    uris: Vec<String>,
    /// In seconds.
    ttl: u64,
}

/// Gives the caller credentials for the TURN servers, which expire; without such servers there is
/// nothing to find.
#[instrument(name = "client.get_turn_server", skip_all)]
pub(crate) async fn get_turn_server(
    State(settings): State<Arc<Settings>>,
    State(clock): State<Arc<dyn Clock>>,
    caller: Caller,
    Matrix(_): Matrix<Request>,
) -> Result<Json<Access>, ApiError> {
    let servers = settings.turn.as_ref();
    let servers = servers.ok_or_else(|| ApiError::not_found("this server has no TURN servers"))?;
    Ok(Json(access(servers, &caller.user_id, clock.now())))
}

/// By the convention of TURN servers ([draft]): the name says until when it is good, and the
/// password is what only who has the secret can make of the name.
///
/// [draft]: https://datatracker.ietf.org/doc/html/draft-uberti-behave-turn-rest-00
fn access(servers: &TurnServers, user_id: &UserId, now: Timestamp) -> Access {
    let expires_at = now.plus(servers.lifetime).as_millis().div_euclid(1_000);
    let username = format!("{expires_at}:{user_id}");
    let algorithm = hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY;
    let key = hmac::Key::new(algorithm, servers.secret.as_bytes());
    let password = STANDARD.encode(hmac::sign(&key, username.as_bytes()));
    Access {
        username,
        password,
        uris: servers.uris.clone(),
        ttl: servers.lifetime.as_secs(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ruma::user_id;

    use super::*;

    /// Made with `openssl dgst -sha1 -hmac north -binary | base64`.
    #[test]
    fn credentials_are_those_that_a_turn_server_makes_itself() {
        let servers = TurnServers {
            uris: vec!["turn:turn.example.org".to_owned()],
            secret: "north".to_owned().into(),
            lifetime: Duration::from_secs(86_400),
        };
        let now = Timestamp::from_millis(1_443_693_231_999);
        let access = access(&servers, user_id!("@user:example.com"), now);
        assert_eq!(access.username, "1443779631:@user:example.com");
        assert_eq!(access.password, "lamN4QwbavBEEp/krb3yR5mgsEg=");
        assert_eq!(access.ttl, 86_400);
    }
}
