//! One connection that is kept alive, as a client of HTTP/1.1.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, StatusCode,
    body::Incoming,
    client::conn::http1::{self, SendRequest},
    header,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use url::Url;

use crate::moment;

/// A whole answer that has not been read yet, so that reading it is not measured.
pub(crate) struct Answer {
    pub(crate) bytes: Bytes,
    /// When the last of it had come.
    pub(crate) at: Instant,
    /// From the first byte of the request to the last of the answer.
    pub(crate) took: Duration,
}

impl Answer {
    pub(crate) fn json(&self) -> Result<Value> {
        Ok(serde_json::from_slice(&self.bytes)?)
    }
}

/// How long a connection may rest: servers close those that rest for a minute or so, and one that
/// is closed just now takes a request with it.
const RESTS: Duration = Duration::from_secs(10);

/// A connection to one server, opened again after a rest.
pub(crate) struct Connection {
    url: Url,
    host: String,
    sender: SendRequest<Full<Bytes>>,
    used: Instant,
}

impl Connection {
    #[expect(
        clippy::disallowed_methods,
        reason = "it asks the server that it is to measure, and no other"
    )]
    pub(crate) async fn open(url: &Url) -> Result<Self> {
        let name = url.host_str().context("the URL has no host")?;
        let port = url.port_or_known_default().context("the URL has no port")?;
        if url.scheme() != "http" {
            bail!("{url}: only http is measured");
        }
        let stream = TcpStream::connect((name, port)).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            // An error here is an error of the request that waits.
            let _: Result<(), hyper::Error> = connection.await;
        });
        Ok(Self {
            url: url.clone(),
            host: format!("{name}:{port}"),
            sender,
            used: moment::now(),
        })
    }

    /// Opens it again if it was closed, or might be any moment.
    async fn refresh(&mut self) -> Result<()> {
        if self.sender.is_closed() || self.used.elapsed() > RESTS {
            let url = self.url.clone();
            *self = Self::open(&url).await?;
        }
        Ok(())
    }

    /// Sends JSON and takes JSON; anything but a success is an error.
    pub(crate) async fn ask(
        &mut self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: &Value,
    ) -> Result<Value> {
        let answer = self.timed(method, path, token, body).await?;
        answer.json()
    }

    /// Sends JSON and measures how long the whole answer takes to come; anything but a success is
    /// an error.
    pub(crate) async fn timed(
        &mut self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: &Value,
    ) -> Result<Answer> {
        let body = match method {
            Method::GET => Bytes::new(),
            _ => Bytes::from(serde_json::to_vec(body)?),
        };
        self.refresh().await?;
        let began = moment::now();
        let (status, bytes) = self
            .exchange(method, path, token, "application/json", body)
            .await?;
        let at = moment::now();
        if !status.is_success() {
            bail!("{path}: {status}: {}", String::from_utf8_lossy(&bytes));
        }
        let took = at - began;
        Ok(Answer { bytes, at, took })
    }

    /// Sends bytes and takes bytes.
    pub(crate) async fn exchange(
        &mut self,
        method: Method,
        path: &str,
        token: Option<&str>,
        kind: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes)> {
        let answer = self.begin(method, path, token, kind, body).await?;
        let status = answer.status();
        Ok((status, answer.into_body().collect().await?.to_bytes()))
    }

    /// Sends a request and gives the answer's body as it comes.
    pub(crate) async fn begin(
        &mut self,
        method: Method,
        path: &str,
        token: Option<&str>,
        kind: &str,
        body: Bytes,
    ) -> Result<hyper::Response<Incoming>> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.host)
            .header(header::CONTENT_TYPE, kind);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        self.refresh().await?;
        let failed = |error| anyhow!("{path}: {error}");
        self.sender.ready().await.map_err(failed)?;
        let answer = self.sender.send_request(request.body(Full::new(body))?);
        let answer = answer.await.map_err(failed);
        self.used = moment::now();
        answer
    }
}
