//! A push gateway that is away until it is called back.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::Client;

pub(crate) struct Gateway {
    address: SocketAddr,
    desk: Arc<Desk>,
}

#[derive(Default)]
struct Desk {
    is_there: AtomicBool,
    asked: AtomicUsize,
    told: Mutex<Vec<Option<String>>>,
}

impl Gateway {
    pub(crate) async fn open() -> Self {
        let desk = Arc::new(Desk::default());
        let router = Router::new()
            .route("/_matrix/push/v1/notify", post(notify))
            .with_state(Arc::clone(&desk));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, desk }
    }

    /// From now on it takes what it is told.
    pub(crate) fn comes_back(&self) {
        self.desk.is_there.store(true, Ordering::SeqCst);
    }

    /// How often it was asked, also while it was away.
    pub(crate) fn asked(&self) -> usize {
        self.desk.asked.load(Ordering::SeqCst)
    }

    /// What it was told, in order: the id of the event, where a notification is about one.
    pub(crate) fn told(&self) -> Vec<Option<String>> {
        self.desk.told.lock().unwrap().clone()
    }

    /// Has somebody's notifications sent here.
    pub(crate) async fn tell_of(&self, client: &Client) {
        let pusher = json!({
            "kind": "http", "app_id": "org.example", "pushkey": "phone", "lang": "en",
            "app_display_name": "App", "device_display_name": "Phone",
            "data": {
                "url": format!("http://{}/_matrix/push/v1/notify", self.address),
                "format": "event_id_only",
            },
        });
        let path = "/_matrix/client/v3/pushers/set";
        client.ask("POST", path, &pusher).await.unwrap();
    }
}

async fn notify(
    State(desk): State<Arc<Desk>>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, StatusCode> {
    desk.asked.fetch_add(1, Ordering::SeqCst);
    if !desk.is_there.load(Ordering::SeqCst) {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    let event = body["notification"]["event_id"].as_str();
    desk.told.lock().unwrap().push(event.map(str::to_owned));
    Ok(Json(json!({ "rejected": [] })))
}
