//! [`Endpoint`]: a handler, its paths, and how it authenticates, made from the handler alone.

use std::{fmt, sync::Arc};

use axum::{
    extract::{Request, State},
    handler::Handler,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, on},
};
use http::Method;
use ruma::api::{IncomingRequest, Metadata, path_builder::PathBuilder};

use crate::{
    ClientApi,
    address::ClientAddress,
    arguments::{EndsInRequest, OpenToAnyone, TakesCaller, TakesCallerIfAny},
    caller::{Standing, asking},
    limits::{Class, Subject},
};

/// How large a JSON body may be where an endpoint says nothing else.
pub const DEFAULT_BODY_LIMIT: usize = 1024 * 1024;

/// How an endpoint authenticates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// An access token is required.
    Caller,
    /// An access token is read when there is one.
    CallerIfAny,
    /// Nobody is asked.
    Anyone,
}

impl Auth {
    /// The name of this way in the inventory.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::CallerIfAny => "caller if any",
            Self::Anyone => "anyone",
        }
    }
}

/// What the layers need to know of the endpoint that a request is for; an extension of requests.
#[derive(Debug)]
pub struct EndpointInfo {
    /// The name in metrics and inventory, like `membership::leave_room::v3`.
    pub name: String,
    /// How it authenticates.
    pub auth: Auth,
    /// The last standing of a caller for which it answers.
    pub standing: Standing,
    /// Whether it answers to guests.
    pub guests: bool,
    /// Which rate limit it draws on.
    pub class: Class,
    /// How large its body may be.
    pub body_limit_bytes: usize,
}

/// One line of the inventory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// The path, its parameters in braces.
    pub path: String,
    /// The method.
    pub method: String,
    /// The endpoint that answers.
    pub endpoint: String,
    /// How it authenticates.
    pub auth: &'static str,
    /// The last standing of a caller for which it answers; without a caller it says nothing.
    pub standing: &'static str,
    /// Whether it answers to guests; without a caller it answers to everybody.
    pub guests: bool,
    /// Which rate limit it draws on.
    pub class: &'static str,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            method,
            endpoint,
            auth,
            standing,
            guests,
            class,
        } = self;
        // Where a token is read if there is one, everybody may ask.
        let guests = match *guests && *auth == Auth::Caller.as_str() {
            true => " or guest",
            false => "",
        };
        match *standing {
            "" => write!(f, "{method} {path} → {endpoint} ({auth}, {class})"),
            standing => write!(
                f,
                "{method} {path} → {endpoint} ({auth}: {standing}{guests}, {class})"
            ),
        }
    }
}

/// A handler with everything that registering it needs.
pub struct Endpoint {
    info: EndpointInfo,
    method: Method,
    stable_paths: Vec<&'static str>,
    unstable_paths: Vec<&'static str>,
    answers_unstable: bool,
    handler: MethodRouter<ClientApi>,
}

/// An endpoint that needs an access token: its handler ends in `Caller, Matrix<Request>`.
///
/// It says for whom it answers: for people in good standing alone, also for those who are
/// suspended, or even for those who are locked. Others are refused before the handler. So are
/// guests, unless it is [open to them](Endpoint::open_to_guests).
///
/// ```
/// use client_api::{caller::{Caller, Standing}, endpoint::by_caller, matrix::Matrix};
/// use ruma::api::client::session::logout;
///
/// async fn log_out(_: Caller, _: Matrix<logout::v3::Request>) -> String { String::new() }
/// by_caller(log_out, Standing::Locked);
/// ```
///
/// A handler that forgets the caller does not compile:
///
/// ```compile_fail,E0277
/// use client_api::{caller::Standing, endpoint::by_caller, matrix::Matrix};
/// use ruma::api::client::session::logout;
///
/// async fn log_out(_: Matrix<logout::v3::Request>) -> String { String::new() }
/// by_caller(log_out, Standing::Locked);
/// ```
pub fn by_caller<H, T>(handler: H, standing: Standing) -> Endpoint
where
    H: Handler<T, ClientApi>,
    T: TakesCaller + 'static,
{
    Endpoint::new::<T::Request, H, T>(Auth::Caller, standing, handler)
}

/// An endpoint that reads an access token when there is one: its handler ends in
/// `Option<Caller>, Matrix<Request>`. Whoever calls needs the standing that it says; guests may do
/// what anybody may.
pub fn by_caller_if_any<H, T>(handler: H, standing: Standing) -> Endpoint
where
    H: Handler<T, ClientApi>,
    T: TakesCallerIfAny + 'static,
    <T::Request as Metadata>::Authentication: OpenToAnyone,
{
    Endpoint::new::<T::Request, H, T>(Auth::CallerIfAny, standing, handler)
}

/// An endpoint that asks nobody; compiles only where the specification requires no token.
///
/// ```
/// use client_api::{endpoint::by_anyone, matrix::Matrix};
/// use ruma::api::client::session::get_login_types;
///
/// async fn types(_: Matrix<get_login_types::v3::Request>) -> String { String::new() }
/// by_anyone(types);
/// ```
///
/// ```compile_fail,E0277
/// use client_api::{endpoint::by_anyone, matrix::Matrix};
/// use ruma::api::client::session::logout;
///
/// async fn log_out(_: Matrix<logout::v3::Request>) -> String { String::new() }
/// by_anyone(log_out);
/// ```
pub fn by_anyone<H, T>(handler: H) -> Endpoint
where
    H: Handler<T, ClientApi>,
    T: EndsInRequest + 'static,
    <T::Request as Metadata>::Authentication: OpenToAnyone,
{
    Endpoint::new::<T::Request, H, T>(Auth::Anyone, Standing::Good, handler)
}

impl Endpoint {
    fn new<R, H, T>(auth: Auth, standing: Standing, handler: H) -> Self
    where
        R: IncomingRequest,
        H: Handler<T, ClientApi>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(R::METHOD)
            .expect("the specification's methods are axum's methods");
        let (unstable_paths, stable_paths) = R::PATH_BUILDER
            .all_paths()
            .partition(|path| path.contains("/unstable/"));
        Self {
            info: EndpointInfo {
                name: endpoint_name::<R>(),
                auth,
                standing,
                // What asks for no token asks for no account.
                guests: auth != Auth::Caller,
                class: Class::Default,
                body_limit_bytes: DEFAULT_BODY_LIMIT,
            },
            method: R::METHOD,
            stable_paths,
            unstable_paths,
            answers_unstable: false,
            handler: on(filter, handler),
        }
    }

    /// Answers to guests too: only what the specification lists for them ([spec]).
    ///
    /// [spec]: https://spec.matrix.org/v1.19/client-server-api/#guest-access
    #[must_use]
    pub fn open_to_guests(mut self) -> Self {
        self.info.guests = true;
        self
    }

    /// Draws on another rate limit than the default one.
    #[must_use]
    pub fn class(mut self, class: Class) -> Self {
        self.info.class = class;
        self
    }

    /// Takes bodies up to this size.
    #[must_use]
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.info.body_limit_bytes = bytes;
        self
    }

    /// Answers on the unstable paths too, which some clients still ask first.
    #[must_use]
    pub fn with_unstable_paths(mut self) -> Self {
        self.answers_unstable = true;
        self
    }

    /// Answers on one more path, which has the same parameters, or fewer at its end.
    #[must_use]
    pub fn also_at(mut self, path: &'static str) -> Self {
        self.stable_paths.push(path);
        self
    }

    fn paths(&self) -> impl Iterator<Item = &'static str> {
        let unstable = self.unstable_paths.iter().filter(|_| self.answers_unstable);
        // An endpoint that never became stable has no other paths.
        let only = self
            .unstable_paths
            .iter()
            .filter(|_| !self.answers_unstable && self.stable_paths.is_empty());
        self.stable_paths
            .iter()
            .chain(unstable)
            .chain(only)
            .copied()
    }

    pub(crate) fn inventory(&self) -> impl Iterator<Item = Route> {
        self.paths().map(|path| Route {
            path: path.to_owned(),
            method: self.method.to_string(),
            endpoint: self.info.name.clone(),
            auth: self.info.auth.as_str(),
            standing: match self.info.auth {
                Auth::Caller | Auth::CallerIfAny => self.info.standing.as_str(),
                Auth::Anyone => "",
            },
            guests: self.info.guests,
            class: self.info.class.as_str(),
        })
    }

    /// Adds the endpoint to a router, behind what its registration promises.
    pub(crate) fn register(
        self,
        router: axum::Router<ClientApi>,
        api: &ClientApi,
    ) -> axum::Router<ClientApi> {
        let paths: Vec<&str> = self.paths().collect();
        let guard = Guard {
            api: api.clone(),
            info: Arc::new(self.info),
        };
        let handler = self
            .handler
            .route_layer(middleware::from_fn_with_state(guard, admit));
        paths.into_iter().fold(router, |router, path| {
            router.route(&positional(path), handler.clone())
        })
    }
}

#[derive(Clone)]
struct Guard {
    api: ClientApi,
    info: Arc<EndpointInfo>,
}

/// Tells the extractors and the outer layers which endpoint this is; limits strangers by address.
///
/// Callers are limited by user, where they are authenticated.
///
/// Not an `async fn`, whose future would keep room for the request while the answer is made.
fn admit(
    State(guard): State<Guard>,
    mut request: Request,
    next: Next,
) -> impl Future<Output = Response> + Send {
    let info = guard.info;
    let address = request.extensions().get::<ClientAddress>().copied();
    let admitted = match (info.auth, address) {
        (Auth::Caller, _) | (_, None) => Ok(()),
        // A service that makes its users is no stranger.
        _ if asking(request.headers(), request.uri().query(), &guard.api).is_some() => Ok(()),
        (Auth::CallerIfAny | Auth::Anyone, Some(address)) => guard
            .api
            .limits()
            .check(info.class, Subject::address(address.0)),
    };
    request.extensions_mut().insert(Arc::clone(&info));
    let answering = admitted.map(|()| next.run(request));
    async move {
        let mut response = match answering {
            Ok(answering) => answering.await,
            Err(refusal) => refusal.into_response(),
        };
        response.extensions_mut().insert(info);
        response
    }
}

/// `ruma_client_api::membership::leave_room::v3::Request` → `membership::leave_room::v3`.
fn endpoint_name<R>() -> String {
    let name = std::any::type_name::<R>();
    let name = name.split_once("::").map_or(name, |(_, rest)| rest);
    name.strip_suffix("::Request").unwrap_or(name).to_owned()
}

/// Names the parameters by position: two endpoints at one path may name them differently, which
/// the router would refuse, and ruma wants them in order, not by name.
fn positional(path: &str) -> String {
    let mut count = 0;
    let segments: Vec<String> = path
        .split('/')
        .map(|segment| {
            if segment.starts_with('{') {
                count += 1;
                format!("{{p{count}}}")
            } else {
                segment.to_owned()
            }
        })
        .collect();
    segments.join("/")
}
