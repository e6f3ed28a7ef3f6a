//! One person's client: plain HTTP, and it survives that nobody answers.

use std::{io, net::SocketAddr, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Longer than anything takes that is going to be answered.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Client {
    address: SocketAddr,
    /// Further lines of each request's head.
    headers: String,
    pub(crate) user_id: String,
    pub(crate) device_id: String,
    pub(crate) token: String,
}

impl Client {
    /// Nobody yet, whose requests carry these headers.
    pub(crate) fn anonymous(address: SocketAddr, headers: &[(&str, &str)]) -> Self {
        let lines = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"));
        Self {
            address,
            headers: lines.collect(),
            user_id: String::new(),
            device_id: String::new(),
            token: String::new(),
        }
    }

    pub(crate) async fn sign_in(address: SocketAddr, name: &str, password: &str) -> Self {
        let login = json!({
            "type": "m.login.password",
            "identifier": { "type": "m.id.user", "user": name },
            "password": password,
        });
        let mut client = Self::anonymous(address, &[("User-Agent", "conclave-tests")]);
        client
            .begin_session("/_matrix/client/v3/login", &login)
            .await;
        client
    }

    /// Signs in or registers: whatever gives an access token. Gives the whole answer.
    pub(crate) async fn begin_session(&mut self, path: &str, body: &Value) -> Value {
        let session = self.ask("POST", path, body).await.unwrap();
        let text = |key: &str| session[key].as_str().unwrap().to_owned();
        self.user_id = text("user_id");
        self.device_id = text("device_id");
        self.token = text("access_token");
        session
    }

    /// Where it asks.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same session, at a server that listens elsewhere.
    pub(crate) fn at(&self, address: SocketAddr) -> Self {
        Self {
            address,
            headers: self.headers.clone(),
            user_id: self.user_id.clone(),
            device_id: self.device_id.clone(),
            token: self.token.clone(),
        }
    }

    /// Asks, and gives the answer of a success; anything else is no acknowledgement.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: &Value) -> io::Result<Value> {
        let body = match method {
            "GET" => Vec::new(),
            _ => serde_json::to_vec(body).unwrap(),
        };
        let answer = self.send(method, path, "application/json", &body).await?;
        serde_json::from_slice(&answer).map_err(|_| io::ErrorKind::InvalidData.into())
    }

    /// Asks for what is going to be refused, and gives the status and what the refusal says.
    pub(crate) async fn refusal(
        &self,
        method: &str,
        path: &str,
        body: &Value,
    ) -> io::Result<(u16, Value)> {
        let body = serde_json::to_vec(body).unwrap();
        let exchange = self.exchange(method, path, "application/json", &body);
        let answer = tokio::time::timeout(PATIENCE, exchange).await;
        let (head, body) = answer.map_err(|_| io::ErrorKind::TimedOut)??;
        let status = status_of(&head);
        let status = status.ok_or(io::ErrorKind::InvalidData)?;
        let said = serde_json::from_slice(&body).map_err(|_| io::ErrorKind::InvalidData)?;
        Ok((status, said))
    }

    pub(crate) async fn upload(&self, content: &[u8]) -> io::Result<String> {
        let path = "/_matrix/media/v3/upload";
        let answer = self
            .send("POST", path, "application/octet-stream", content)
            .await?;
        let answer: Value = serde_json::from_slice(&answer)
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        Ok(answer["content_uri"].as_str().unwrap().to_owned())
    }

    /// Sends bytes, and gives those of a success.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        kind: &str,
        body: &[u8],
    ) -> io::Result<Vec<u8>> {
        let exchange = self.exchange(method, path, kind, body);
        let answer = tokio::time::timeout(PATIENCE, exchange).await;
        let (head, body) = answer.map_err(|_| io::ErrorKind::TimedOut)??;
        match status_of(&head) {
            Some(200 | 206) => Ok(body),
            _ => Err(io::Error::other(head)),
        }
    }

    async fn exchange(
        &self,
        method: &str,
        path: &str,
        kind: &str,
        body: &[u8],
    ) -> io::Result<(String, Vec<u8>)> {
        let mut stream = TcpStream::connect(self.address).await?;
        let path = path.replace('@', "%40").replace('!', "%21");
        let token = match self.token.as_str() {
            "" => String::new(),
            token => format!("Authorization: Bearer {token}\r\n"),
        };
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: localhost\r\n{}{token}\
             Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            self.headers,
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
        // A connection that was cut inside the body has acknowledged nothing.
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let body = answer.split_off(end + 4);
        match length.and_then(|length| length.trim().parse().ok()) {
            Some(length) if body.len() < length => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok((head, body)),
        }
    }
}

fn status_of(head: &str) -> Option<u16> {
    head.split(' ').nth(1)?.parse().ok()
}
