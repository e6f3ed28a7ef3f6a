//! [`Caller`]: who makes a request, as an extractor that refuses everybody else.

use std::{error::Error, net::IpAddr, sync::Arc};

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use futures_util::future::BoxFuture;
use http::{HeaderMap, header::AUTHORIZATION, request::Parts};
use ruma::{DeviceId, OwnedDeviceId, OwnedUserId, UserId};

use crate::{
    ClientApi,
    address::ClientAddress,
    endpoint::EndpointInfo,
    error::ApiError,
    limits::{Class, Subject},
};

/// The longest access token that is looked up.
const MAX_TOKEN_BYTES: usize = 1024;

/// The user, device and session that a request's access token belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user's id.
    pub user_id: OwnedUserId,
    /// The same, interned.
    pub user: i64,
    /// The device; application services have none.
    pub device_id: Option<OwnedDeviceId>,
    /// The session the token belongs to, which outlives refreshed tokens.
    pub session: i64,
    /// Whether the account is a guest's.
    pub is_guest: bool,
    /// Whether the account administers this server.
    pub is_admin: bool,
    /// What an administrator has left them.
    pub standing: Standing,
}

/// What an administrator has left a person, from the most to the least.
///
/// An endpoint names the last one for which it answers ([`by_caller`](crate::endpoint::by_caller)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Everything.
    Good,
    /// Little but reading: suspended ([spec]).
    ///
    /// [spec]: https://spec.matrix.org/v1.19/client-server-api/#account-suspension
    Suspended,
    /// Nothing but signing out: locked ([spec]).
    ///
    /// [spec]: https://spec.matrix.org/v1.19/client-server-api/#account-locking
    Locked,
}

impl Standing {
    /// The name in the inventory.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Suspended => "suspended",
            Self::Locked => "locked",
        }
    }
}

impl Caller {
    /// The caller's device; refuses application services, which have none.
    pub fn own_device(&self) -> Result<&DeviceId, ApiError> {
        self.device_id
            .as_deref()
            .ok_or_else(|| ApiError::forbidden("this session has no device"))
    }

    /// Refuses what the caller asks for in another's name.
    pub(crate) fn check_is(&self, user_id: &UserId) -> Result<(), ApiError> {
        if self.user_id == user_id {
            return Ok(());
        }
        Err(ApiError::forbidden(
            "one can do this for one's own account only",
        ))
    }
}

/// Why an access token is not accepted.
#[derive(Debug)]
pub enum AuthFailure {
    /// No session has this token.
    Unknown,
    /// No session has this token; a restore may have lost it, so the client keeps its keys.
    Lost,
    /// The token has expired; its session lives on and can be refreshed or signed in to again.
    Expired,
    /// The account is closed.
    Deactivated,
    /// It could not be found out.
    Internal(Box<dyn Error + Send + Sync>),
}

impl From<AuthFailure> for ApiError {
    fn from(failure: AuthFailure) -> Self {
        match failure {
            AuthFailure::Unknown => Self::unknown_token(false),
            AuthFailure::Lost => {
                Self::lost_session("the session may have been lost in a restore: sign in again")
            }
            AuthFailure::Expired => Self::unknown_token(true),
            AuthFailure::Deactivated => Self::user_deactivated(),
            AuthFailure::Internal(error) => Self::internal(error),
        }
    }
}

/// Tells whom an access token belongs to.
pub trait Authenticate: Send + Sync + 'static {
    /// Looks the token up, and notes from where it was used.
    fn authenticate<'a>(
        &'a self,
        token: &'a str,
        address: Option<IpAddr>,
    ) -> BoxFuture<'a, Result<Caller, AuthFailure>>;
}

impl FromRequestParts<ClientApi> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &ClientApi) -> Result<Self, ApiError> {
        let Some(token) = access_token(&parts.headers, parts.uri.query())? else {
            check_stranger(parts, api)?;
            return Err(ApiError::missing_token());
        };
        let address = parts.extensions.get::<ClientAddress>();
        let address = address.map(|address| address.0);
        let caller = match api.authenticator().authenticate(&token, address).await {
            Ok(caller) => caller,
            Err(failure) => {
                // Guessing tokens, or asking with a dead one in a loop, is limited by address.
                check_stranger(parts, api)?;
                return Err(failure.into());
            }
        };
        let info = parts.extensions.get::<Arc<EndpointInfo>>();
        let class = info.map_or(Class::Default, |info| info.class);
        api.limits().check(class, Subject::User(caller.user))?;
        let answers = info.map_or(Standing::Good, |info| info.standing);
        let guests = info.is_some_and(|info| info.guests);
        match caller.standing {
            standing if standing <= answers => {}
            Standing::Locked => return Err(ApiError::user_locked()),
            Standing::Good | Standing::Suspended => return Err(ApiError::user_suspended()),
        }
        match caller.is_guest && !guests {
            true => Err(ApiError::guest_access_forbidden("guests may not do this")),
            false => Ok(caller),
        }
    }
}

impl OptionalFromRequestParts<ClientApi> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        api: &ClientApi,
    ) -> Result<Option<Self>, ApiError> {
        // A token that is there must be good: a client that has lost its session is to learn it.
        match access_token(&parts.headers, parts.uri.query())? {
            None => Ok(None),
            Some(_) => <Self as FromRequestParts<ClientApi>>::from_request_parts(parts, api)
                .await
                .map(Some),
        }
    }
}

fn check_stranger(parts: &Parts, api: &ClientApi) -> Result<(), ApiError> {
    match parts.extensions.get::<ClientAddress>() {
        Some(address) => api
            .limits()
            .check(Class::Default, Subject::address(address.0)),
        None => Ok(()),
    }
}

/// The access token of a request, from the header or else the query.
///
/// The `access_token` query parameter is deprecated since v1.11 and gone from v1.19; it stays
/// readable as long as [`versions`](crate::discovery::versions) offers a version that has it.
fn access_token(headers: &HeaderMap, query: Option<&str>) -> Result<Option<String>, ApiError> {
    let token = match headers.get(AUTHORIZATION) {
        Some(value) => {
            let bearer = value.to_str().ok().and_then(|value| {
                let (scheme, token) = value.split_once(' ')?;
                scheme
                    .eq_ignore_ascii_case("bearer")
                    .then(|| token.trim().to_owned())
            });
            Some(bearer.ok_or_else(ApiError::missing_token)?)
        }
        None => query.and_then(token_in_query),
    };
    match token {
        Some(token) if token.is_empty() => Err(ApiError::missing_token()),
        Some(token) if token.len() > MAX_TOKEN_BYTES => Err(ApiError::unknown_token(false)),
        token => Ok(token),
    }
}

fn token_in_query(query: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Parameters {
        access_token: Option<String>,
    }
    // Through the parser that reads every other query parameter.
    serde_html_form::from_str::<Parameters>(query)
        .ok()?
        .access_token
}
