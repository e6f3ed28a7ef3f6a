//! Whatever anybody uploads, a browser that is shown it runs nothing of it.

use super::client::{DOWNLOAD, UPLOAD, get, place, send, upload};
use crate::server::{Server, on_both_engines};

on_both_engines! { shared_postgres;
    nothing_that_could_run_is_shown_in_place,
    every_answer_with_content_is_sandboxed,
    names_are_written_so_that_every_client_reads_them,
}

async fn nothing_that_could_run_is_shown_in_place(server: Server) {
    let node = server.node().await;
    let alice = node.join("alice.run").await;
    for (kind, way) in [
        ("text/html", "attachment"),
        ("image/svg+xml", "attachment"),
        ("application/xhtml+xml", "attachment"),
        ("application/pdf", "attachment"),
        ("text/javascript", "attachment"),
        ("", "attachment"),
        ("image/png; charset=utf-8", "inline"),
        ("image/webp", "inline"),
        ("text/plain", "inline"),
        ("audio/ogg", "inline"),
    ] {
        let path = upload(&node, &alice, kind, b"<script>alert(1)</script>").await;
        let got = get(&node, &alice, &format!("{DOWNLOAD}{path}"), &[]).await;
        assert_eq!(got.header("content-disposition"), way, "{kind}");
    }
}

async fn every_answer_with_content_is_sandboxed(server: Server) {
    let node = server.node().await;
    let alice = node.join("alice.sandbox").await;
    let path = upload(&node, &alice, "text/html", b"<script>").await;
    let path = format!("{DOWNLOAD}{path}");
    for headers in [&[][..], &[("Range", "bytes=0-3")]] {
        let got = get(&node, &alice, &path, headers).await;
        let policy = got.header("content-security-policy");
        assert!(policy.starts_with("sandbox; default-src 'none'; script-src 'none';"));
        assert_eq!(got.header("x-content-type-options"), "nosniff");
        assert_eq!(got.header("cross-origin-resource-policy"), "cross-origin");
        assert_eq!(got.header("access-control-allow-origin"), "*");
        let exposed = got.header("access-control-expose-headers");
        for name in ["Content-Range", "Content-Disposition", "ETag"] {
            assert!(exposed.contains(name), "{exposed}");
        }
    }
}

async fn names_are_written_so_that_every_client_reads_them(server: Server) {
    let node = server.node().await;
    let alice = node.join("alice.names").await;
    for (name, written) in [
        ("cat.png", "inline; filename=cat.png"),
        ("my%20cat.png", "inline; filename=\"my cat.png\""),
        ("%E7%8C%AB.png", "inline; filename*=utf-8''%E7%8C%AB.png"),
        (
            "a%0D%0ASet-Cookie:%20b",
            "inline; filename=\"aSet-Cookie: b\"",
        ),
    ] {
        let path = format!("{UPLOAD}?filename={name}");
        let kind = [("Content-Type", "image/png")];
        let got = send(&node, &alice, "POST", &path, &kind, "x").await;
        let path = format!("{DOWNLOAD}{}", place(&got));
        for path in [path.clone(), format!("{path}/{name}")] {
            let got = get(&node, &alice, &path, &[]).await;
            assert_eq!(got.header("content-disposition"), written, "{path}");
            assert_eq!(got.header("set-cookie"), "");
        }
    }
}
