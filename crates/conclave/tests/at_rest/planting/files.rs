//! Files, whole and on their way.

use std::time::Duration;

use testkit::server::TestServer;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{markers::Markers, scan::bytes_in, support::Client};

/// Uploads files, and gives their number.
pub(super) async fn files(alice: &Client, markers: &mut Markers) -> usize {
    let name = markers.new_for("the name of a file");
    let kind = format!("text/{}", markers.new_for("the type of a file"));
    let path = format!("/_matrix/media/v3/upload?filename={name}");
    let content = markers.new_for("the content of a file");
    let small = alice.send("POST", &path, &kind, content.as_bytes());
    small.await.unwrap();
    // Several chunks.
    let content = markers.new_for("the content of a large file");
    let content = content.repeat(10_000);
    alice.upload(content.as_bytes()).await.unwrap();
    2
}

/// Begins an upload that the server will not live to see the end of.
pub(super) async fn begin_upload(
    server: &TestServer,
    alice: &Client,
    markers: &mut Markers,
) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let head = format!(
        "POST /_matrix/media/v3/upload?filename={} HTTP/1.1\r\nHost: localhost\r\n\
         Authorization: Bearer {}\r\nContent-Type: text/plain\r\nContent-Length: 9000000\r\n\r\n",
        markers.new_for("the name of a file that does not arrive"),
        alice.token,
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let content = markers.new_for("a temporary upload").repeat(40_000);
    stream.write_all(content.as_bytes()).await.unwrap();
    let incoming = server.data_dir().join("files/incoming");
    let patience = Duration::from_secs(10);
    testkit::eventually_within(patience, "much of the upload is on disk", || {
        let written = bytes_in(&incoming) > 500_000;
        async move { written.then_some(()) }
    })
    .await;
    stream
}
