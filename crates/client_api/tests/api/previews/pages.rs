//! A site on this machine, whose pages are asked for.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    extract::{Path, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use outbound::Policy;
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle};

/// Previews of what is on this machine.
pub(crate) fn here() -> Policy {
    Policy {
        allow_private_addresses: true,
        ..Policy::default()
    }
}

/// A GIF of two grey pixels beside each other.
const PICTURE: &[u8] =
    b"GIF89a\x02\0\x01\0\x80\0\0\x99\x99\x99\0\0\0,\0\0\0\0\x02\0\x01\0\0\x02\x02\x04\n\0;";

/// The site; dropping it closes it.
pub(crate) struct Pages {
    address: SocketAddr,
    site: Arc<Site>,
    serving: JoinHandle<()>,
}

#[derive(Default)]
struct Site {
    asked: AtomicUsize,
    gate: Notify,
}

impl Pages {
    pub(crate) async fn open() -> Self {
        let site = Arc::new(Site::default());
        let router = Router::new()
            .route("/{name}", get(page))
            .with_state(Arc::clone(&site));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            site,
            serving,
        }
    }

    /// The address of a page.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// How many requests came.
    pub(crate) fn asked(&self) -> usize {
        self.site.asked.load(Ordering::SeqCst)
    }

    /// Answers who waits for `/gated`.
    pub(crate) fn let_through(&self) {
        self.site.gate.notify_one();
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn page(State(site): State<Arc<Site>>, Path(name): Path<String>) -> Response {
    site.asked.fetch_add(1, Ordering::SeqCst);
    let html = |text: &'static str| ([(CONTENT_TYPE, "text/html")], text).into_response();
    match name.as_str() {
        "minutes" => html(
            "<title>no</title><meta property=og:title content='Minutes of the meeting'><meta \
             property=og:description content='What was said'><meta property=og:site_name \
             content=Office><meta property=og:type content=article><meta property=og:image \
             content=/table.gif>",
        ),
        "moved" => Redirect::permanent("/minutes").into_response(),
        "korean" => (
            [(CONTENT_TYPE, "text/html; charset=EUC-KR")],
            b"<title>\xc7\xd1\xb1\xdb</title>".as_slice(),
        )
            .into_response(),
        "inside" => {
            html("<title>A</title><meta property=og:image content=http://169.254.169.254/>")
        }
        "leading-inside" => Redirect::temporary("http://169.254.169.254/").into_response(),
        "broken-picture" => html("<title>A</title><meta property=og:image content=minutes>"),
        "nothing" => html("<p>nothing of itself"),
        "gated" => {
            site.gate.notified().await;
            html("<title>At last</title>")
        }
        "table.gif" => ([(CONTENT_TYPE, "image/gif")], PICTURE).into_response(),
        "drawing.svg" => (
            [(CONTENT_TYPE, "image/svg+xml")],
            "<svg><script>alert(1)</script></svg>",
        )
            .into_response(),
        "song.ogg" => ([(CONTENT_TYPE, "audio/ogg")], "OggS").into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
