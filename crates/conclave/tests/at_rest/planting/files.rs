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
    // A picture, and a thumbnail of it.
    let picture = noted_picture(&markers.new_for("a note in a picture"));
    let address = alice.upload(&picture).await.unwrap();
    let place = address.strip_prefix("mxc:/").unwrap();
    let path = format!("/_matrix/client/v1/media/thumbnail{place}?width=32&height=32");
    let small = alice.send("GET", &path, "", b"").await.unwrap();
    assert!(small.starts_with(b"\x89PNG"));
    4
}

/// A GIF of one pixel, with a comment.
pub(super) fn noted_picture(note: &str) -> Vec<u8> {
    let length = u8::try_from(note.len()).unwrap();
    [
        b"GIF89a\x01\0\x01\0\x80\0\0\x99\x99\x99\0\0\0",
        &b"!\xfe"[..],
        &[length],
        note.as_bytes(),
        b"\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;",
    ]
    .concat()
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
