//! A push gateway on this machine.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::post,
};
use parking_lot::Mutex;
use serde_json::{Value, json};
use testkit::eventually;
use tokio::{net::TcpListener, task::JoinHandle};

/// What the gateway does with what it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// It takes it.
    Takes,
    /// It knows no push key.
    Rejects,
    /// It answers with a status.
    Says(u16),
    /// It answers with what is no JSON.
    Babbles,
    /// Its answer has no end.
    NeverEnds,
    /// It leads to an address inside.
    LeadsInside,
}

/// The gateway; dropping it closes it.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    desk: Arc<Desk>,
    serving: JoinHandle<()>,
}

struct Desk {
    mood: Mutex<Mood>,
    /// What it was told, whatever it answered.
    asked: Mutex<Vec<Value>>,
    /// What it took.
    told: Mutex<Vec<Value>>,
}

impl Gateway {
    pub(crate) async fn open() -> Self {
        let desk = Arc::new(Desk {
            mood: Mutex::new(Mood::Takes),
            asked: Mutex::default(),
            told: Mutex::default(),
        });
        let router = Router::new()
            .route("/_matrix/push/v1/notify", post(notify))
            .with_state(Arc::clone(&desk));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            desk,
            serving,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/_matrix/push/v1/notify", self.address)
    }

    pub(crate) fn is(&self, mood: Mood) {
        *self.desk.mood.lock() = mood;
    }

    /// How often it was asked, whatever it answered.
    pub(crate) fn asked(&self) -> usize {
        self.desk.asked.lock().len()
    }

    /// What it took, in order, once it is so many notifications.
    pub(crate) async fn took(&self, count: usize) -> Vec<Value> {
        let claim = format!("the gateway takes {count} notifications");
        eventually(&claim, || async {
            let told = self.desk.told.lock();
            (told.len() >= count).then(|| told.clone())
        })
        .await
    }

    /// The events that it took, in order.
    pub(crate) fn events(&self) -> Vec<String> {
        let told = self.desk.told.lock();
        let events = told.iter().filter_map(|told| told["event_id"].as_str());
        events.map(str::to_owned).collect()
    }

    /// Waits until it has taken these events and no others.
    pub(crate) async fn took_events(&self, expected: &[String]) {
        let claim = format!("the gateway takes {expected:?}");
        eventually(&claim, || async {
            (self.events().len() >= expected.len()).then_some(())
        })
        .await;
        assert_eq!(self.events(), expected);
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn notify(State(desk): State<Arc<Desk>>, Json(body): Json<Value>) -> Response {
    let told = body["notification"].clone();
    desk.asked.lock().push(told.clone());
    let mood = *desk.mood.lock();
    match mood {
        Mood::Takes => {
            desk.told.lock().push(told);
            Json(json!({ "rejected": [] })).into_response()
        }
        Mood::Rejects => {
            let key = told["devices"][0]["pushkey"].clone();
            Json(json!({ "rejected": [key] })).into_response()
        }
        Mood::Says(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Mood::Babbles => "<html>".into_response(),
        Mood::NeverEnds => {
            let piece = || Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 8_192]));
            Body::from_stream(futures_util::stream::repeat_with(piece)).into_response()
        }
        Mood::LeadsInside => Redirect::temporary("http://169.254.169.254/").into_response(),
    }
}
