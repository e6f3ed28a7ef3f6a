//! One person's client: plain HTTP, and it survives that nobody answers.

use std::{collections::HashMap, io, net::SocketAddr, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Longer than anything takes that is going to be answered.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Client {
    address: SocketAddr,
    pub(crate) user_id: String,
    pub(crate) device_id: String,
    token: String,
}

impl Client {
    pub(crate) async fn sign_in(address: SocketAddr, name: &str, password: &str) -> Self {
        let mut client = Self {
            address,
            user_id: String::new(),
            device_id: String::new(),
            token: String::new(),
        };
        let login = json!({
            "type": "m.login.password",
            "identifier": { "type": "m.id.user", "user": name },
            "password": password,
        });
        let session = client
            .ask("POST", "/_matrix/client/v3/login", &login)
            .await
            .unwrap();
        client.user_id = session["user_id"].as_str().unwrap().to_owned();
        client.device_id = session["device_id"].as_str().unwrap().to_owned();
        client.token = session["access_token"].as_str().unwrap().to_owned();
        client
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

    pub(crate) async fn upload(&self, content: &[u8]) -> io::Result<String> {
        let path = "/_matrix/media/v3/upload";
        let answer = self
            .send("POST", path, "application/octet-stream", content)
            .await?;
        let answer: Value = serde_json::from_slice(&answer)
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        Ok(answer["content_uri"].as_str().unwrap().to_owned())
    }

    pub(crate) async fn download(&self, file: &str) -> Vec<u8> {
        let path = file.strip_prefix("mxc://").unwrap();
        let path = format!("/_matrix/client/v1/media/download/{path}");
        self.send("GET", &path, "", &[]).await.unwrap()
    }

    /// Every message of a room, oldest first: event id and body.
    pub(crate) async fn timeline(&self, room: &str) -> Vec<(String, String)> {
        let mut events = Vec::new();
        let mut from = String::new();
        loop {
            let path = format!("/_matrix/client/v3/rooms/{room}/messages?dir=f&limit=1000{from}");
            let page = self.ask("GET", &path, &Value::Null).await.unwrap();
            for event in page["chunk"].as_array().unwrap() {
                let body = event["content"]["body"].as_str().unwrap_or_default();
                events.push((
                    event["event_id"].as_str().unwrap().to_owned(),
                    body.to_owned(),
                ));
            }
            match page["end"].as_str() {
                Some(end) => from = format!("&from={end}"),
                None => return events,
            }
        }
    }

    /// What was sent to this device, in order; it asks until nothing more comes.
    pub(crate) async fn sent_to_device(&self) -> Vec<String> {
        let mut bodies = Vec::new();
        let mut since = String::new();
        loop {
            let path = format!("/_matrix/client/v3/sync?timeout=0{since}");
            let answer = self.ask("GET", &path, &Value::Null).await.unwrap();
            let events = answer["to_device"]["events"].as_array();
            let bodies_of = |events: &Vec<Value>| -> Vec<String> {
                let body = |event: &Value| event["content"]["body"].as_str().unwrap().to_owned();
                events.iter().map(body).collect()
            };
            match events.map(bodies_of) {
                Some(more) if !more.is_empty() => bodies.extend(more),
                _ => return bodies,
            }
            since = format!("&since={}", answer["next_batch"].as_str().unwrap());
        }
    }

    /// How far this person has read: by thread, the event.
    pub(crate) async fn receipts(&self, room: &str) -> HashMap<String, String> {
        let path = "/_matrix/client/v3/sync?timeout=0";
        let answer = self.ask("GET", path, &Value::Null).await.unwrap();
        let events = &answer["rooms"]["join"][room]["ephemeral"]["events"];
        let receipts = events.as_array().unwrap().iter();
        let receipts = receipts.filter(|event| event["type"] == "m.receipt");
        let mut read = HashMap::new();
        for (event_id, kinds) in receipts.flat_map(|event| event["content"].as_object().unwrap()) {
            let receipt = &kinds["m.read"][&self.user_id];
            if let Some(thread) = receipt["thread_id"].as_str() {
                read.insert(thread.to_owned(), event_id.clone());
            }
        }
        read
    }

    pub(crate) fn counter(&self, writer: usize) -> String {
        format!(
            "/_matrix/client/v3/user/{}/account_data/org.example.count.{writer}",
            self.user_id
        )
    }

    pub(crate) async fn account_data(&self, writer: usize) -> u64 {
        let stands = self
            .ask("GET", &self.counter(writer), &Value::Null)
            .await
            .unwrap();
        stands["count"].as_u64().unwrap()
    }

    async fn send(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> io::Result<Vec<u8>> {
        let sending = self.exchange(method, path, kind, body);
        tokio::time::timeout(PATIENCE, sending)
            .await
            .map_err(|_| io::ErrorKind::TimedOut)?
    }

    async fn exchange(
        &self,
        method: &str,
        path: &str,
        kind: &str,
        body: &[u8],
    ) -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(self.address).await?;
        let path = path.replace('@', "%40").replace('!', "%21");
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
             Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            self.token,
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
        if head.split(' ').nth(1) != Some("200") {
            return Err(io::Error::other(head));
        }
        // A connection that was cut inside the body has acknowledged nothing.
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let body = answer.split_off(end + 4);
        match length.and_then(|length| length.trim().parse().ok()) {
            Some(length) if body.len() < length => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(body),
        }
    }
}
