//! Links, and what stands behind them.

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::files::noted_picture;
use crate::{markers::Markers, support::Client};

/// Has the server look behind a link, and gives the number of files that it then has.
pub(super) async fn previews(alice: &Client, markers: &mut Markers) -> usize {
    let path = markers.new_for("a link");
    let title = markers.new_for("the title of a page");
    let described = markers.new_for("what a page is about");
    let picture = noted_picture(&markers.new_for("a note in the picture of a page"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let page = format!(
        "<title>{title}</title><meta name=description content={described}>\
         <meta property=og:image content=/picture>"
    );
    let site = tokio::spawn(async move {
        answer(&listener, "text/html", page.as_bytes()).await;
        answer(&listener, "image/gif", &picture).await;
    });
    let url = format!("http%3A%2F%2F{address}%2F{path}");
    let asked = format!("/_matrix/client/v1/media/preview_url?url={url}");
    let preview = alice.ask("GET", &asked, &Value::Null).await.unwrap();
    site.await.unwrap();
    assert_eq!(preview["og:title"], title.as_str());
    assert_eq!(preview["og:description"], described.as_str());
    assert!(preview["og:image"].is_string());
    1
}

/// Answers whoever comes next.
async fn answer(listener: &TcpListener, kind: &str, content: &[u8]) {
    let (mut stream, _) = listener.accept().await.unwrap();
    read_head(&mut stream).await;
    let length = content.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(content).await.unwrap();
    stream.shutdown().await.unwrap();
}

async fn read_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
}
