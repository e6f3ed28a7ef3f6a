//! Nodes with their faces, asked without a network between.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use axum::{Router, body::Body, extract::ConnectInfo};
use bytes::Bytes;
use client_api::{ClientApi, Owners, Settings, address::TrustedProxies, routes};
use http::{Request, StatusCode, response::Parts};
use http_body_util::BodyExt;
use ruma::{RoomVersionId, owned_server_name};
use seal::KeySource;
use serde_json::{Value, json};
use store::Location;
use testkit::{entropy::SeededEntropy, postgres::TestDatabase};
use tokio::sync::OnceCell;
use tower::ServiceExt;

use crate::{conformance, deployment::Deployment};

/// Runs each test on both engines; on PostgreSQL with a database of its own, or one that it shares.
macro_rules! on_both_engines {
    ($($test:ident),* $(,)?) => {
        crate::server::on_both_engines! { postgres; $($test),* }
    };
    ($postgres:ident; $($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $test() {
                super::$test(crate::server::Server::sqlite()).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $test() {
                super::$test(crate::server::Server::$postgres().await).await;
            })*
        }
    };
}
pub(crate) use on_both_engines;

/// Counts faces, so that no two of them draw the same randomness.
static FACES: AtomicU64 = AtomicU64::new(1_000_000);

/// A deployment, and the PostgreSQL database it may be on.
pub(crate) struct Server {
    pub(crate) deployment: Deployment,
    _database: Option<TestDatabase>,
}

/// A node that can be asked.
pub(crate) struct Node {
    pub(crate) parts: Owners,
    router: Router,
}

/// The password of everybody here.
pub(crate) const PASSWORD: &str = "correct horse";

impl Server {
    pub(crate) fn sqlite() -> Self {
        Self {
            deployment: Deployment::sqlite(),
            _database: None,
        }
    }

    pub(crate) async fn postgres() -> Self {
        let database = testkit::postgres::database().await;
        let location = Location::Postgres(database.url.clone());
        Self {
            deployment: Deployment::over(location, tempfile::tempdir().unwrap()),
            _database: Some(database),
        }
    }

    /// On the database that many tests share, where each has its own people and rooms: making a
    /// database costs a second.
    pub(crate) async fn shared_postgres() -> Self {
        static SHARED: OnceCell<TestDatabase> = OnceCell::const_new();
        let database = SHARED.get_or_init(testkit::postgres::database).await;
        let location = Location::Postgres(database.url.clone());
        let key = KeySource::Text(format!("{}Bwc=", "BwcH".repeat(10)).into());
        Self {
            deployment: Deployment::with_key(location, key, tempfile::tempdir().unwrap()),
            _database: None,
        }
    }

    pub(crate) async fn node(&self) -> Node {
        let parts = self.deployment.node().await;
        let settings = Settings {
            server_name: owned_server_name!("localhost"),
            public_url: "http://localhost:8008".to_owned(),
            trusted_proxies: TrustedProxies::new(Vec::new()),
            rate_limits_enabled: self.deployment.rate_limits,
            default_room_version: RoomVersionId::V12,
            allow_unauthenticated_files: self.deployment.allow_unauthenticated_files,
            turn: self.deployment.turn.clone(),
            livekit_urls: self.deployment.livekit_urls.clone(),
            support: self.deployment.support.clone(),
        };
        let seed = FACES.fetch_add(1, Ordering::Relaxed);
        let api = ClientApi::new(
            settings,
            Arc::new(self.deployment.clock.clone()),
            Arc::new(SeededEntropy::new(seed)),
            Arc::new(parts.accounts.clone()),
            parts.clone(),
        );
        Node {
            parts,
            router: routes::router(api),
        }
    }
}

/// Somebody who is signed in.
pub(crate) struct User {
    pub(crate) user_id: String,
    pub(crate) token: String,
}

impl Node {
    /// Asks, with a token unless it is empty.
    pub(crate) async fn ask(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: impl Into<Body>,
    ) -> (StatusCode, Value) {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let (parts, bytes) = self.answer(request.body(body.into()).unwrap()).await;
        let body = serde_json::from_slice(&bytes);
        (parts.status, body.unwrap_or(Value::Null))
    }

    /// Sends any request, and gives all that comes back, which is as the specification says.
    pub(crate) async fn answer(&self, mut request: Request<Body>) -> (Parts, Bytes) {
        let peer = std::net::SocketAddr::from(([192, 0, 2, 1], 1));
        request.extensions_mut().insert(ConnectInfo(peer));
        let (request, asked) = conformance::note(request).await;
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        asked.judge(&parts, &body);
        (parts, body)
    }

    /// Asks what must succeed.
    pub(crate) async fn ok(&self, token: &str, method: &str, path: &str, body: Value) -> Value {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let (status, answer) = self.ask(token, method, path, body).await;
        assert_eq!(status, 200, "{method} {path}: {answer}");
        answer
    }

    /// Asks what must be refused, and gives the status and the errcode.
    pub(crate) async fn refused(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: &str,
    ) -> (u16, String) {
        let (status, answer) = self.ask(token, method, path, body.to_owned()).await;
        assert_ne!(status, 200, "{method} {path}: {answer}");
        if answer.get("errcode").is_some() {
            assert!(!answer["error"].as_str().unwrap().is_empty(), "{answer}");
        }
        let errcode = answer["errcode"].as_str().unwrap_or("").to_owned();
        (status.as_u16(), errcode)
    }

    /// Registers somebody where registration is open.
    pub(crate) async fn join(&self, name: &str) -> User {
        let body = json!({
            "username": name,
            "password": PASSWORD,
            "device_id": "PHONE",
            "auth": { "type": "m.login.dummy" },
        });
        let answer = self
            .ok("", "POST", "/_matrix/client/v3/register", body)
            .await;
        User {
            user_id: answer["user_id"].as_str().unwrap().to_owned(),
            token: answer["access_token"].as_str().unwrap().to_owned(),
        }
    }

    /// Whether a token is accepted.
    pub(crate) async fn knows(&self, token: &str) -> bool {
        let path = "/_matrix/client/v3/account/whoami";
        self.ask(token, "GET", path, "").await.0 == 200
    }
}

/// The password, proved to user-interactive authentication.
pub(crate) fn password_of(name: &str) -> Value {
    json!({
        "type": "m.login.password",
        "identifier": { "type": "m.id.user", "user": name },
        "password": PASSWORD,
    })
}
