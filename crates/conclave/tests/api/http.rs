//! A node to ask, and the plainest of HTTP clients.

use std::{net::SocketAddr, path::Path};

use conclave::{Node, Surroundings};
use config::{Config, Loaded, Sources};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

/// An answer, whole.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

pub(crate) fn configuration(data_dir: &Path, more: &str) -> Loaded {
    let text = format!(
        "[metrics]\nlisten = \"127.0.0.1:0\"\n[server]\ndata_dir = {data_dir:?}\n\
         listen = [\"127.0.0.1:0\"]\n{more}"
    );
    Config::load(Sources::default().with_text("test", text)).unwrap()
}

pub(crate) async fn node(data_dir: &Path) -> Node {
    let loaded = configuration(data_dir, "");
    let started = Node::start(&loaded, Surroundings::of_this_machine()).await;
    started.unwrap()
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> Answer {
    let stream = TcpStream::connect(address).await.unwrap();
    ask(stream, path).await
}

pub(crate) async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, path: &str) -> Answer {
    let request = head("GET", path, "");
    stream.write_all(request.as_bytes()).await.unwrap();
    read_answer(stream).await
}

/// Asks as the owner of a token.
pub(crate) async fn get_as(address: SocketAddr, token: &str, path: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = head("GET", path, &format!("Authorization: Bearer {token}\r\n"));
    stream.write_all(request.as_bytes()).await.unwrap();
    read_answer(stream).await
}

/// Sends JSON as the owner of a token.
pub(crate) async fn send_as(
    address: SocketAddr,
    token: &str,
    method: &str,
    path: &str,
    body: &serde_json::Value,
) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let body = body.to_string();
    let more = format!(
        "Authorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n",
        body.len()
    );
    let request = head(method, path, &more) + &body;
    stream.write_all(request.as_bytes()).await.unwrap();
    read_answer(stream).await
}

pub(crate) async fn post(address: SocketAddr, path: &str, kind: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let more = format!("Content-Type: {kind}\r\nContent-Length: {}\r\n", body.len());
    let request = head("POST", path, &more) + body;
    stream.write_all(request.as_bytes()).await.unwrap();
    read_answer(stream).await
}

/// The head of a request, with the headers in `more`, each with its line end.
pub(crate) fn head(method: &str, path: &str, more: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{more}\r\n")
}

pub(crate) async fn read_answer(mut stream: impl AsyncRead + Unpin) -> Answer {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap();
    Answer {
        status: status.parse().unwrap(),
        head: head.to_lowercase(),
        body: body.to_owned(),
    }
}
