//! Small pictures of large ones.

use super::client::{get, send, upload};
use crate::server::{Server, on_both_engines};

on_both_engines! { shared_postgres;
    a_thumbnail_is_a_small_picture_that_is_shown_in_place,
    what_cannot_be_shown_small_is_refused_as_the_specification_says,
    sizes_that_cannot_be_are_refused,
}

const THUMBNAIL: &str = "/_matrix/client/v1/media/thumbnail";

/// A GIF of two grey pixels beside each other.
const PICTURE: &[u8] =
    b"GIF89a\x02\0\x01\0\x80\0\0\x99\x99\x99\0\0\0,\0\0\0\0\x02\0\x01\0\0\x02\x02\x04\n\0;";

async fn a_thumbnail_is_a_small_picture_that_is_shown_in_place(server: Server) {
    let node = server.node().await;
    let alice = node.join("alice.small").await;
    let bob = node.join("bob.small").await;
    // Whatever its sender says that it is.
    let place = upload(&node, &alice, "text/html", PICTURE).await;
    for wanted in [
        "width=32&height=32&method=crop",
        "width=1&height=1&method=scale&animated=true",
        "width=5000&height=5000",
    ] {
        let path = format!("{THUMBNAIL}{place}?{wanted}");
        let got = get(&node, &bob, &path, &[]).await;
        assert_eq!(got.status, 200, "{got:?}");
        // GIFs may be seen through.
        assert_eq!(got.header("content-type"), "image/png");
        assert!(got.bytes.starts_with(b"\x89PNG"));
        assert_eq!(
            got.header("content-disposition"),
            "inline; filename=thumbnail.png"
        );
        assert!(
            got.header("content-security-policy")
                .starts_with("sandbox;")
        );
        let again = [("If-None-Match", got.header("etag"))];
        assert_eq!(get(&node, &bob, &path, &again).await.status, 304);
        let head = send(&node, &bob, "HEAD", &path, &[], "").await;
        assert_eq!(head.header("content-length"), got.bytes.len().to_string());
    }
}

async fn what_cannot_be_shown_small_is_refused_as_the_specification_says(server: Server) {
    let node = server.node().await;
    let alice = node.join("alice.sealed").await;
    let sealed = upload(&node, &alice, "application/octet-stream", &[0xa5; 4_000]).await;
    let broken = upload(&node, &alice, "image/gif", &PICTURE[..20]).await;
    let mut bomb = PICTURE.to_vec();
    bomb[6..10].fill(0xff);
    bomb[24..28].fill(0xff);
    let bomb = upload(&node, &alice, "image/gif", &bomb).await;
    let unknown = format!("/localhost/{}", "u".repeat(32));
    for (place, status, errcode) in [
        (&sealed, 400, "M_UNKNOWN"),
        (&broken, 400, "M_UNKNOWN"),
        (&bomb, 413, "M_TOO_LARGE"),
        (&unknown, 404, "M_NOT_FOUND"),
    ] {
        for _ in 0..2 {
            let path = format!("{THUMBNAIL}{place}?width=32&height=32");
            let got = get(&node, &alice, &path, &[]).await;
            assert_eq!(got.refusal(), (status, errcode.to_owned()));
        }
    }
    let created = send(&node, &alice, "POST", "/_matrix/media/v1/create", &[], "").await;
    let place = super::client::place(&created);
    let path = format!("{THUMBNAIL}{place}?width=32&height=32&timeout_ms=0");
    let got = get(&node, &alice, &path, &[]).await;
    assert_eq!(got.refusal(), (504, "M_NOT_YET_UPLOADED".to_owned()));
}

async fn sizes_that_cannot_be_are_refused(server: Server) {
    let node = server.node().await;
    let alice = node.join("alice.sizes").await;
    let place = upload(&node, &alice, "image/gif", PICTURE).await;
    for (wanted, errcode) in [
        ("width=0&height=5", "M_INVALID_PARAM"),
        ("width=5&height=-5", "M_INVALID_PARAM"),
        ("width=5&height=1.5", "M_INVALID_PARAM"),
        ("width=5&height=5&method=stretch", "M_INVALID_PARAM"),
        ("width=5", "M_MISSING_PARAM"),
    ] {
        let path = format!("{THUMBNAIL}{place}?{wanted}");
        let got = get(&node, &alice, &path, &[]).await;
        assert_eq!(got.refusal(), (400, errcode.to_owned()), "{wanted}");
    }
}
