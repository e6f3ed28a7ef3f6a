//! A bridge on this machine.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use parking_lot::Mutex;
use serde_json::{Value, json};
use testkit::{clock::FakeClock, eventually};
use tokio::{net::TcpListener, task::JoinHandle};

/// What the bridge does with what it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// It takes it.
    Takes,
    /// It answers with a status.
    Says(u16),
    /// It takes it, and says that it has not.
    TakesAndSays(u16),
}

/// The bridge; dropping it closes it.
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    desk: Arc<Desk>,
    serving: JoinHandle<()>,
    called: AtomicU64,
}

struct Desk {
    mood: Mutex<Mood>,
    /// Every transaction that came, with its name, whatever was answered.
    came: Mutex<Vec<(String, Value)>>,
    /// Those that were taken, each name once.
    took: Mutex<Vec<(String, Value)>>,
    /// What else was asked.
    asked: Mutex<Vec<String>>,
    /// What is answered to that, by its path.
    answers: Mutex<Vec<(String, u16, Value)>>,
}

impl Service {
    pub(crate) async fn open() -> Self {
        let desk = Arc::new(Desk {
            mood: Mutex::new(Mood::Takes),
            came: Mutex::default(),
            took: Mutex::default(),
            asked: Mutex::default(),
            answers: Mutex::default(),
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&desk));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            desk,
            serving,
            called: AtomicU64::new(0),
        }
    }

    /// The registration of a bridge that is here.
    pub(crate) fn registration(&self, more: &str) -> String {
        let url = format!("url: http://{}/bridge/", self.address);
        super::bridge(more).replace("url: null", &url)
    }

    pub(crate) fn is(&self, mood: Mood) {
        *self.desk.mood.lock() = mood;
    }

    /// Answers like this at a path from now on.
    pub(crate) fn answers(&self, path: &str, status: u16, body: Value) {
        let answer = (path.to_owned(), status, body);
        self.desk.answers.lock().insert(0, answer);
    }

    /// What else it was asked.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.desk.asked.lock().clone()
    }

    /// Every transaction that came, whatever was answered.
    pub(crate) fn came(&self) -> Vec<(String, Value)> {
        self.desk.came.lock().clone()
    }

    /// The transactions that it took.
    pub(crate) fn took(&self) -> Vec<(String, Value)> {
        self.desk.took.lock().clone()
    }

    /// What stands under a name in all that it took, in order.
    pub(crate) fn told(&self, name: &str) -> Vec<Value> {
        let took = self.desk.took.lock();
        let lists = took.iter().filter_map(|(_, body)| body[name].as_array());
        lists.flatten().cloned().collect()
    }

    /// The ids of the events that it took, in order.
    pub(crate) fn events(&self) -> Vec<String> {
        let events = self.told("events");
        let ids = events.iter().map(|event| event["event_id"].as_str());
        ids.map(|id| id.unwrap().to_owned()).collect()
    }

    /// Waits until something stands in what it took.
    pub(crate) async fn until<T>(&self, claim: &str, look: impl Fn(&Self) -> Option<T>) -> T {
        eventually(claim, || async { look(self) }).await
    }

    /// Lets time pass, now and then of many times that it is called: what is on its way has time
    /// to arrive in between.
    pub(crate) fn lets_pass(&self, clock: &FakeClock, step: Duration) {
        if self
            .called
            .fetch_add(1, Ordering::Relaxed)
            .is_multiple_of(10)
        {
            clock.advance(step);
        }
    }

    /// Lets time pass, so much at a time, until the bridge was sent so many transactions more.
    pub(crate) async fn tries(&self, clock: &FakeClock, count: usize, step: Duration) {
        let before = self.came().len();
        eventually("the bridge is tried again", || async {
            self.lets_pass(clock, step);
            (self.came().len() >= before + count).then_some(())
        })
        .await;
    }

    /// Waits until it has taken an event, and gives it.
    pub(crate) async fn got(&self, event_id: &str) -> Value {
        let claim = format!("the bridge is told of {event_id}");
        self.until(&claim, |service| {
            let events = service.told("events");
            events
                .into_iter()
                .find(|event| event["event_id"] == event_id)
        })
        .await
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(
    State(desk): State<Arc<Desk>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let proof = headers.get("authorization");
    let proof = proof.and_then(|proof| proof.to_str().ok());
    if !proof.is_some_and(|proof| proof.starts_with("Bearer hs-token-of-")) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let path = uri.path_and_query().map_or("", |path| path.as_str());
    let Some(path) = path.strip_prefix("/bridge/_matrix/app/v1/") else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if let Some(name) = path.strip_prefix("transactions/") {
        assert_eq!(method, Method::PUT);
        let body: Value = serde_json::from_slice(&body).unwrap();
        return transaction(&desk, name.to_owned(), body);
    }
    desk.asked.lock().push(format!("{method} {path}"));
    let answers = desk.answers.lock();
    let known = answers.iter().find(|(known, ..)| known == path);
    match known {
        Some((_, status, body)) => {
            let status = StatusCode::from_u16(*status).unwrap();
            (status, Json(body.clone())).into_response()
        }
        None => (StatusCode::NOT_FOUND, Json(json!({}))).into_response(),
    }
}

fn transaction(desk: &Desk, name: String, body: Value) -> Response {
    desk.came.lock().push((name.clone(), body.clone()));
    let mood = *desk.mood.lock();
    if matches!(mood, Mood::Takes | Mood::TakesAndSays(_)) {
        let mut took = desk.took.lock();
        let names: BTreeSet<&str> = took.iter().map(|(name, _)| name.as_str()).collect();
        if !names.contains(name.as_str()) {
            took.push((name, body));
        }
    }
    match mood {
        Mood::Takes => Json(json!({})).into_response(),
        Mood::Says(status) | Mood::TakesAndSays(status) => {
            StatusCode::from_u16(status).unwrap().into_response()
        }
    }
}
