//! How much one user may upload.

use super::client::{DOWNLOAD, UPLOAD, get, place, send, upload};
use crate::server::{Server, on_both_engines};

on_both_engines! { shared_postgres;
    who_has_uploaded_as_much_as_allowed_is_refused,
}

async fn who_has_uploaded_as_much_as_allowed_is_refused(server: Server) {
    let node = server.node().await;
    let alice = node.join("alice.quota").await;
    let bob = node.join("bob.quota").await;
    // Three times what one file may be is what one user may have.
    let largest = vec![7; 1_000_000];
    let first = upload(&node, &alice, "text/plain", &largest).await;
    upload(&node, &alice, "text/plain", &largest).await;
    upload(&node, &alice, "text/plain", &largest[1..]).await;
    let refused = send(&node, &alice, "POST", UPLOAD, &[], "ab").await;
    assert_eq!(refused.refusal(), (403, "M_FORBIDDEN".to_owned()));
    let sentence = refused.json()["error"].as_str().unwrap().to_owned();
    assert!(
        sentence.contains("as much as this server keeps"),
        "{sentence}"
    );
    // What is announced is not even read.
    let announced = [("Content-Length", "999999")];
    let refused = send(&node, &alice, "POST", UPLOAD, &announced, "ab").await;
    assert_eq!(refused.refusal(), (403, "M_FORBIDDEN".to_owned()));
    // An address that was given out before is no way around it.
    let created = send(&node, &alice, "POST", "/_matrix/media/v1/create", &[], "").await;
    let path = format!("{UPLOAD}{}", place(&created));
    let refused = send(&node, &alice, "PUT", &path, &[], "ab").await;
    assert_eq!(refused.refusal(), (403, "M_FORBIDDEN".to_owned()));
    assert_eq!(
        send(&node, &alice, "PUT", &path, &[], "a").await.status,
        200
    );
    // What is there stays, and others have their own.
    let got = get(&node, &alice, &format!("{DOWNLOAD}{first}"), &[]).await;
    assert_eq!(got.bytes.len(), 1_000_000);
    upload(&node, &bob, "text/plain", b"b").await;
}
