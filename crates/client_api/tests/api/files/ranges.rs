//! Parts of files, and files that the client has already.

use super::client::{DOWNLOAD, content, get, send, upload};
use crate::server::{Server, on_both_engines};

on_both_engines! { shared_postgres;
    a_part_is_what_stands_there,
    a_part_that_is_not_there_is_refused_with_the_size,
    several_ranges_are_answered_with_the_whole,
    a_download_is_taken_up_again_only_of_the_same_content,
    what_a_client_has_is_not_sent_again,
    head_tells_of_the_whole_and_sends_nothing,
}

async fn a_part_is_what_stands_there(server: Server) {
    let node = server.node().await;
    let alice = node.join("alice.parts").await;
    let plain = content(300_000);
    let path = upload(&node, &alice, "video/mp4", &plain).await;
    let named = format!("{DOWNLOAD}{path}/film.mp4");
    let path = format!("{DOWNLOAD}{path}");
    for (range, from, to) in [
        ("bytes=0-0", 0, 1),
        ("bytes=0-65535", 0, 65_536),
        ("bytes=65535-65536", 65_535, 65_537),
        ("bytes=100000-199999", 100_000, 200_000),
        ("bytes=299999-", 299_999, 300_000),
        ("bytes=250000-999999", 250_000, 300_000),
        ("bytes=-7", 299_993, 300_000),
        ("bytes=-999999", 0, 300_000),
    ] {
        for path in [&path, &named] {
            let got = get(&node, &alice, path, &[("Range", range)]).await;
            assert_eq!(got.status, 206, "{range}: {got:?}");
            assert!(got.bytes == plain[from..to], "{range}");
            let stated = format!("bytes {from}-{}/300000", to - 1);
            assert_eq!(got.header("content-range"), stated);
            assert_eq!(got.header("content-length"), (to - from).to_string());
            assert_eq!(got.header("content-type"), "video/mp4");
            assert_eq!(got.header("accept-ranges"), "bytes");
        }
    }
}

async fn a_part_that_is_not_there_is_refused_with_the_size(server: Server) {
    let node = server.node().await;
    let alice = node.join("alice.beyond").await;
    let path = upload(&node, &alice, "text/plain", b"12345").await;
    for range in ["bytes=5-", "bytes=5-9", "bytes=-0"] {
        let path = format!("{DOWNLOAD}{path}");
        let got = get(&node, &alice, &path, &[("Range", range)]).await;
        assert_eq!(got.refusal(), (416, "M_UNKNOWN".to_owned()), "{range}");
        assert_eq!(got.header("content-range"), "bytes */5");
    }
}

async fn several_ranges_are_answered_with_the_whole(server: Server) {
    let node = server.node().await;
    let alice = node.join("alice.several").await;
    let path = upload(&node, &alice, "text/plain", b"12345").await;
    for range in ["bytes=0-1,3-4", "lines=1-2", "bytes=4-2", "nonsense"] {
        let path = format!("{DOWNLOAD}{path}");
        let got = get(&node, &alice, &path, &[("Range", range)]).await;
        assert_eq!((got.status.as_u16(), &got.bytes[..]), (200, &b"12345"[..]));
        assert_eq!(got.header("content-range"), "");
    }
}

async fn a_download_is_taken_up_again_only_of_the_same_content(server: Server) {
    let node = server.node().await;
    let alice = node.join("alice.again").await;
    let path = upload(&node, &alice, "text/plain", b"12345").await;
    let path = format!("{DOWNLOAD}{path}");
    let whole = get(&node, &alice, &path, &[]).await;
    let tag = whole.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    let rest = [("Range", "bytes=3-"), ("If-Range", &tag)];
    let got = get(&node, &alice, &path, &rest).await;
    assert_eq!((got.status.as_u16(), &got.bytes[..]), (206, &b"45"[..]));
    for other in ["\"other\"", &format!("W/{tag}")] {
        let rest = [("Range", "bytes=3-"), ("If-Range", other)];
        let got = get(&node, &alice, &path, &rest).await;
        assert_eq!((got.status.as_u16(), &got.bytes[..]), (200, &b"12345"[..]));
    }
}

async fn what_a_client_has_is_not_sent_again(server: Server) {
    let node = server.node().await;
    let alice = node.join("alice.has").await;
    let path = upload(&node, &alice, "text/plain", b"12345").await;
    let path = format!("{DOWNLOAD}{path}");
    let whole = get(&node, &alice, &path, &[]).await;
    let tag = whole.header("etag").to_owned();
    for stated in [tag.clone(), format!("W/{tag}"), "*".to_owned()] {
        let got = get(&node, &alice, &path, &[("If-None-Match", &stated)]).await;
        assert_eq!((got.status.as_u16(), got.bytes.len()), (304, 0));
        assert_eq!(got.header("etag"), tag);
        assert_eq!(
            got.header("cache-control"),
            "private, max-age=31536000, immutable"
        );
    }
    let other = upload(&node, &alice, "text/plain", b"12345").await;
    let other = format!("{DOWNLOAD}{other}");
    let got = get(&node, &alice, &other, &[("If-None-Match", &tag)]).await;
    assert_eq!(got.status, 200, "another file has another tag");
}

async fn head_tells_of_the_whole_and_sends_nothing(server: Server) {
    let node = server.node().await;
    let alice = node.join("alice.head").await;
    let path = upload(&node, &alice, "text/plain", &content(100_000)).await;
    let path = format!("{DOWNLOAD}{path}");
    let range = [("Range", "bytes=0-1")];
    let got = send(&node, &alice, "HEAD", &path, &range, "").await;
    assert_eq!((got.status.as_u16(), got.bytes.len()), (200, 0));
    assert_eq!(got.header("content-length"), "100000");
    assert_eq!(got.header("accept-ranges"), "bytes");
}
