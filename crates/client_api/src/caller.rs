//! [`Caller`]: who makes a request, as an extractor that refuses everybody else.

use std::{convert::Infallible, error::Error, net::IpAddr, sync::Arc};

use accounts::{Accounts, ActAsError, AppserviceUser, By};
use appservices::Appservice;
use audit::Origin;
use axum::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use futures_util::future::BoxFuture;
use http::{HeaderMap, header::AUTHORIZATION, request::Parts};
use model::time::Timestamp;
use ruma::{DeviceId, MilliSecondsSinceUnixEpoch, OwnedDeviceId, OwnedUserId, UserId};
use serde::Deserialize;

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
    /// The device; an application service that does not say for which it speaks has none.
    pub device_id: Option<OwnedDeviceId>,
    /// The session the token belongs to, which outlives refreshed tokens; 0 without a device.
    pub session: i64,
    /// The application service that acts as the user.
    pub appservice: Option<Appservice>,
    /// Whether the account is a guest's.
    pub is_guest: bool,
    /// Whether the account administers this server; an application service never does.
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
    /// The caller's device; refuses an application service that does not speak for one.
    pub fn own_device(&self) -> Result<&DeviceId, ApiError> {
        self.device_id.as_deref().ok_or_else(|| {
            ApiError::forbidden(
                "this needs a device: an application service names one in the query, as device_id",
            )
        })
    }

    /// Who does something, for the record.
    pub(crate) fn by(&self, origin: Origin) -> Result<By, ApiError> {
        match &self.appservice {
            Some(appservice) => Ok(By::appservice(appservice, &self.user_id, origin)),
            None => Ok(By::session(&self.session()?, origin)),
        }
    }

    /// When an event is to have been sent, which application services alone may say ([spec]).
    ///
    /// [spec]: https://spec.matrix.org/v1.19/application-service-api/#timestamp-massaging
    pub(crate) fn sent_at(&self, ts: Option<MilliSecondsSinceUnixEpoch>) -> Option<Timestamp> {
        let ts = ts.filter(|_| self.appservice.is_some())?;
        Some(Timestamp::from_millis(ts.get().into()))
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
        let caller = match api.appservice_of(&token) {
            // Boxed: every request that waits for something keeps the room for this.
            Some(appservice) => Box::pin(acting(appservice, parts.uri.query(), api)).await?,
            None => person(&token, parts, api).await?,
        };
        let info = parts.extensions.get::<Arc<EndpointInfo>>();
        let class = info.map_or(Class::Default, |info| info.class);
        if caller.is_limited() {
            api.limits().check(class, Subject::User(caller.user))?;
        }
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

/// The person whose access token it is.
async fn person(token: &str, parts: &Parts, api: &ClientApi) -> Result<Caller, ApiError> {
    let address = parts.extensions.get::<ClientAddress>();
    let address = address.map(|address| address.0);
    match api.authenticator().authenticate(token, address).await {
        Ok(caller) => Ok(caller),
        Err(failure) => {
            // Guessing tokens, or asking with a dead one in a loop, is limited by address.
            check_stranger(parts, api)?;
            Err(failure.into())
        }
    }
}

/// As whom an application service acts ([spec]): in the query, or else itself.
///
/// [spec]: https://spec.matrix.org/v1.19/application-service-api/#identity-assertion
#[derive(Default, Deserialize)]
struct Assertion {
    user_id: Option<String>,
    device_id: Option<String>,
    /// Before it was stable.
    #[serde(rename = "org.matrix.msc3202.device_id")]
    msc3202_device_id: Option<String>,
}

/// The user as whom an application service acts, and the device for which it speaks.
async fn acting(
    appservice: &Appservice,
    query: Option<&str>,
    api: &ClientApi,
) -> Result<Caller, ApiError> {
    let assertion = query.map_or_else(
        || Ok(Assertion::default()),
        serde_html_form::from_str::<Assertion>,
    );
    let Assertion {
        user_id,
        device_id,
        msc3202_device_id,
    } = assertion.map_err(|_| {
        ApiError::invalid_param("user_id and device_id stand at most once in the query")
    })?;
    let asserted = user_id.as_deref().map(UserId::parse).transpose();
    let asserted = asserted.map_err(|_| ApiError::invalid_param("user_id: this is no user id"))?;
    let user_id = asserted.as_deref().unwrap_or(appservice.sender());
    let device_id = device_id.or(msc3202_device_id).map(OwnedDeviceId::from);
    let acts = Accounts::from_ref(api)
        .act_as(appservice, user_id, device_id.as_deref())
        .await?;
    Ok(Caller::of(appservice.clone(), acts))
}

impl Caller {
    fn of(appservice: Appservice, acts: AppserviceUser) -> Self {
        let (device_id, session) = acts.device.unzip();
        Self {
            user_id: acts.user_id,
            user: acts.user,
            device_id,
            session: session.unwrap_or_default(),
            appservice: Some(appservice),
            is_guest: acts.guest,
            is_admin: false,
            standing: match (acts.locked, acts.suspended) {
                (true, _) => Standing::Locked,
                (false, true) => Standing::Suspended,
                (false, false) => Standing::Good,
            },
        }
    }

    /// Whether requests draw on the user's limits. A service's own user has none, and the others
    /// have them where the service is registered so.
    fn is_limited(&self) -> bool {
        let exempt = |appservice: &Appservice| {
            !appservice.is_rate_limited() || *appservice.sender() == *self.user_id
        };
        !self.appservice.as_ref().is_some_and(exempt)
    }
}

impl From<ActAsError> for ApiError {
    fn from(error: ActAsError) -> Self {
        match error {
            ActAsError::Unclaimed | ActAsError::NoSuchUser => Self::forbidden(error),
            ActAsError::Deactivated => Self::user_deactivated(),
            ActAsError::NoSuchDevice => Self::unknown_device(error),
            ActAsError::Store(error) => Self::internal(error),
        }
    }
}

/// The application service that asks, where its token is no user's: making users, and signing in
/// as them.
#[derive(Debug)]
pub(crate) struct AskingAppservice(Result<Appservice, ApiError>);

impl AskingAppservice {
    /// The service; refuses everybody else.
    pub(crate) fn demand(self) -> Result<Appservice, ApiError> {
        self.0
    }
}

impl FromRequestParts<ClientApi> for AskingAppservice {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &ClientApi) -> Result<Self, Infallible> {
        let token = access_token(&parts.headers, parts.uri.query());
        let token = token.and_then(|token| token.ok_or_else(ApiError::missing_token));
        Ok(Self(token.and_then(|token| {
            let appservice = api.appservice_of(&token).cloned();
            appservice.ok_or_else(|| ApiError::forbidden("only an application service does this"))
        })))
    }
}

/// The application service whose token stands in a request.
pub(crate) fn asking<'a>(
    headers: &HeaderMap,
    query: Option<&str>,
    api: &'a ClientApi,
) -> Option<&'a Appservice> {
    let token = access_token(headers, query).ok().flatten()?;
    api.appservice_of(&token)
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
