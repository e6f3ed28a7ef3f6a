//! The face as a client sees it, with endpoints made for the purpose.

mod answers;
mod encryption;
mod errors;
mod files;
mod fuzz;
mod home;
mod inventory;
mod limited;
mod refusals;
mod rooms;

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, extract::ConnectInfo};
use futures_util::future::BoxFuture;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use model::{
    entropy::Entropy,
    time::{Clock, Sleep, Timestamp},
};
use ruma::{
    RoomVersionId,
    api::client::{
        membership::{invite_user, leave_room},
        message::send_message_event,
        room::create_room,
        session::logout,
        sync::sync_events,
    },
    api::error::{ErrorKind, IncompatibleRoomVersionErrorData},
    owned_device_id, owned_room_id, owned_server_name, owned_user_id,
};
use serde_json::Value;
use tower::ServiceExt;

use self::home::Home;
use crate::{
    ClientApi, Settings,
    address::TrustedProxies,
    caller::{AuthFailure, Authenticate, Caller, Standing},
    endpoint::{Endpoint, by_anyone, by_caller, by_caller_if_any},
    error::ApiError,
    limits::Class,
    matrix::{Matrix, MatrixStream},
    routes,
};

/// A clock that stands until it is moved.
#[derive(Default)]
struct HandClock(AtomicU64);

impl HandClock {
    fn advance(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).unwrap();
        self.0.fetch_add(millis, Ordering::Relaxed);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::default().plus(self.uptime())
    }

    fn uptime(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }

    fn sleep(&self, _: Duration) -> Sleep {
        Box::pin(std::future::pending())
    }
}

/// Counts instead of being random, so that two ids differ.
#[derive(Default)]
struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        let count = self.0.fetch_add(1, Ordering::Relaxed).to_le_bytes();
        for (byte, value) in buffer.iter_mut().zip(count.into_iter().cycle()) {
            *byte = value;
        }
    }
}

/// Knows `alice`, `bob` and `carol`; every other token fails in the way it is named.
struct Tokens;

fn caller(user: i64, user_id: ruma::OwnedUserId) -> Caller {
    Caller {
        appservice: None,
        user_id,
        user,
        device_id: Some(owned_device_id!("DEVICE")),
        session: user,
        is_guest: false,
        is_admin: false,
        standing: Standing::Good,
    }
}

impl Authenticate for Tokens {
    fn authenticate<'a>(
        &'a self,
        token: &'a str,
        _: Option<std::net::IpAddr>,
    ) -> BoxFuture<'a, Result<Caller, AuthFailure>> {
        Box::pin(async move {
            match token {
                "alice" => Ok(caller(1, owned_user_id!("@alice:localhost"))),
                "bob" => Ok(caller(2, owned_user_id!("@bob:localhost"))),
                "carol" => Ok(caller(3, owned_user_id!("@carol:localhost"))),
                // The same person, at another device.
                "alice's laptop" => Ok(Caller {
                    device_id: Some(owned_device_id!("LAPTOP")),
                    ..caller(1, owned_user_id!("@alice:localhost"))
                }),
                "expired" => Err(AuthFailure::Expired),
                "locked" => Ok(Caller {
                    standing: Standing::Locked,
                    ..caller(4, owned_user_id!("@locked:localhost"))
                }),
                "suspended" => Ok(Caller {
                    standing: Standing::Suspended,
                    ..caller(5, owned_user_id!("@suspended:localhost"))
                }),
                "deactivated" => Err(AuthFailure::Deactivated),
                "broken" => Err(AuthFailure::Internal("the store is gone".into())),
                _ => Err(AuthFailure::Unknown),
            }
        })
    }
}

async fn leave(
    _caller: Caller,
    Matrix(request): Matrix<leave_room::v3::Request>,
) -> Result<Matrix<leave_room::v3::Response>, ApiError> {
    match request.reason.as_deref() {
        Some("panic") => panic!("the handler was told to"),
        Some("fail") => Err(ApiError::internal(io::Error::other(Wrapping(
            io::Error::other("the disk is full"),
        )))),
        Some("v99") => Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            ErrorKind::IncompatibleRoomVersion(IncompatibleRoomVersionErrorData::new(
                RoomVersionId::V12,
            )),
            "no",
        )),
        _ => Ok(Matrix(leave_room::v3::Response::new())),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("cannot write the log")]
struct Wrapping(#[source] io::Error);

async fn log_out(_: Caller, _: Matrix<logout::v3::Request>) -> Matrix<logout::v3::Response> {
    Matrix(logout::v3::Response::new())
}

async fn create(
    _: Caller,
    Matrix(_): Matrix<create_room::v3::Request>,
) -> Matrix<create_room::v3::Response> {
    Matrix(create_room::v3::Response::new(owned_room_id!(
        "!r:localhost"
    )))
}

async fn invite(
    _: Caller,
    _: Matrix<invite_user::v3::Request>,
) -> Matrix<invite_user::v3::Response> {
    Matrix(invite_user::v3::Response::new())
}

async fn send(
    _: Caller,
    Matrix(request): Matrix<send_message_event::v3::Request>,
) -> Result<Matrix<send_message_event::v3::Response>, ApiError> {
    // The transaction id comes back, to show how the path was decoded.
    let event_id = format!("${}", request.txn_id)
        .try_into()
        .map_err(ApiError::internal)?;
    Ok(Matrix(send_message_event::v3::Response::new(event_id)))
}

async fn sync(
    _: Caller,
    Matrix(_): Matrix<sync_events::v3::Request>,
) -> Matrix<sync_events::v3::Response> {
    Matrix(sync_events::v3::Response::new("s".to_owned()))
}

async fn messages(
    _: Caller,
    _: Matrix<ruma::api::client::message::get_message_events::v3::Request>,
) -> String {
    String::new()
}

async fn set_state(
    _: Caller,
    Matrix(request): Matrix<ruma::api::client::state::send_state_event::v3::Request>,
) -> Result<Matrix<ruma::api::client::state::send_state_event::v3::Response>, ApiError> {
    let event_id = format!("${}", request.state_key)
        .try_into()
        .map_err(ApiError::internal)?;
    Ok(Matrix(
        ruma::api::client::state::send_state_event::v3::Response::new(event_id),
    ))
}

async fn upload(
    _: Caller,
    upload: MatrixStream<ruma::api::client::media::create_content::v3::Request>,
) -> Result<String, ApiError> {
    let bytes = upload.body.collect().await.map_err(ApiError::internal)?;
    let name = upload.request.filename.unwrap_or_default();
    Ok(format!("{name} {}", bytes.to_bytes().len()))
}

async fn login_types(
    _: Matrix<ruma::api::client::session::get_login_types::v3::Request>,
) -> Matrix<ruma::api::client::session::get_login_types::v3::Response> {
    Matrix(ruma::api::client::session::get_login_types::v3::Response::new(vec![]))
}

async fn deactivate(
    caller: Option<Caller>,
    _: Matrix<ruma::api::client::account::deactivate::v3::Request>,
) -> String {
    caller.map_or_else(|| "nobody".to_owned(), |caller| caller.user_id.to_string())
}

fn sample_endpoints() -> Vec<Endpoint> {
    vec![
        by_caller(leave, Standing::Good),
        by_caller(log_out, Standing::Locked),
        by_caller(create, Standing::Good).body_limit(4096),
        by_caller(invite, Standing::Good).class(Class::Invite),
        by_caller(send, Standing::Good).class(Class::Send),
        by_caller(sync, Standing::Suspended),
        by_caller(messages, Standing::Good),
        by_caller(set_state, Standing::Good)
            .also_at("/_matrix/client/v3/rooms/{room_id}/state/{event_type}")
            .also_at("/_matrix/client/v3/rooms/{room_id}/state/{event_type}/"),
        by_caller(upload, Standing::Good)
            .class(Class::Upload)
            .body_limit(10),
        by_anyone(login_types).class(Class::Login),
        by_caller_if_any(deactivate, Standing::Good),
    ]
}

/// A face over the sample endpoints, and the clock it runs on.
struct Face {
    router: Router,
    clock: Arc<HandClock>,
    home: Home,
}

impl Face {
    fn new(limited: bool) -> Self {
        Self::over(Home::empty(), limited)
    }

    /// With `alice` and `bob` in the database.
    fn with_people() -> Self {
        Self::over(Home::with_people(), false)
    }

    fn over(home: Home, limited: bool) -> Self {
        let with_samples = |api: ClientApi| {
            routes::assemble(sample_endpoints(), api.clone())
                // The real endpoints have the same layers; what is not a sample goes to them.
                .fallback_service(routes::router(api))
        };
        Self::routed(home, limited, with_samples)
    }

    /// The real endpoints alone, where a sample stands at the path of one.
    fn without_samples() -> Self {
        Self::routed(Home::empty(), false, routes::router)
    }

    /// The real endpoints alone, with people in the database.
    fn at_home() -> Self {
        Self::routed(Home::with_people(), false, routes::router)
    }

    fn routed(home: Home, limited: bool, route: impl FnOnce(ClientApi) -> Router) -> Self {
        let clock = Arc::new(HandClock::default());
        let proxies = vec!["10.0.0.0/8".parse().unwrap()];
        let settings = Settings {
            server_name: owned_server_name!("localhost"),
            public_url: "http://localhost:8008".to_owned(),
            trusted_proxies: TrustedProxies::new(proxies),
            rate_limits_enabled: limited,
            default_room_version: RoomVersionId::V12,
            allow_unauthenticated_files: false,
            turn: None,
            livekit_urls: Vec::new(),
            support: None,
        };
        let api = ClientApi::new(
            settings,
            Arc::<HandClock>::clone(&clock),
            Arc::new(Counting::default()),
            Arc::new(Tokens),
            home.owners.clone(),
        );
        Self {
            router: route(api),
            clock,
            home,
        }
    }

    async fn ask(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_slice(&bytes)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned())),
        }
    }

    /// Asks as alice.
    async fn call(&self, method: &str, path: &str, body: impl Into<Body>) -> Answer {
        self.ask(request("alice", method, path, body)).await
    }
}

fn request(token: &str, method: &str, path: &str, body: impl Into<Body>) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(path)
        .header("Authorization", format!("Bearer {token}"))
        .body(body.into())
        .unwrap()
}

fn bare(method: &str, path: &str) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(path)
        .body(Body::empty())
        .unwrap()
}

fn from_peer(mut request: Request<Body>, peer: &str) -> Request<Body> {
    let peer: SocketAddr = peer.parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(peer));
    request
}

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    fn errcode(&self) -> &str {
        self.body["errcode"].as_str().unwrap_or("")
    }

    fn sentence(&self) -> &str {
        self.body["error"].as_str().unwrap_or("")
    }
}
