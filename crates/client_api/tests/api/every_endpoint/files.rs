//! Uploading a file and having it back.

use serde_json::{Value, json};

use super::walk::Walk;
use crate::{previews::pages::Pages, stage::encoded};

/// A GIF of one grey pixel.
pub(crate) const PICTURE: &[u8] =
    b"GIF89a\x01\0\x01\0\x80\0\0\x99\x99\x99\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";

pub(super) async fn story(walk: &Walk) {
    const AUTHENTICATED: &str = "/_matrix/client/v1/media";
    let finn = walk.join("finn").await;
    // A file like any other, which the answer's reader understands.
    let file = json!({"minutes": "of the meeting"});
    let path = "/_matrix/media/v3/upload?filename=minutes.json";
    let uploaded = walk.post(&finn, path, file.clone()).await;
    let address = uploaded["content_uri"].as_str().unwrap();
    let place = address.strip_prefix("mxc:/").unwrap();
    let download = format!("{AUTHENTICATED}/download{place}");
    assert_eq!(walk.get(&finn, &download).await, file);
    let named = format!("{download}/minutes.json");
    assert_eq!(walk.get(&finn, &named).await, file);

    // One whose address was known before.
    let created = walk
        .post(&finn, "/_matrix/media/v1/create", Value::Null)
        .await;
    let address = created["content_uri"].as_str().unwrap();
    let place = address.strip_prefix("mxc:/").unwrap();
    let path = format!("/_matrix/media/v3/upload{place}");
    walk.put(&finn, &path, file.clone()).await;
    let path = format!("{AUTHENTICATED}/download{place}");
    assert_eq!(walk.get(&finn, &path).await, file);
    // To anybody, where the operator wants it so.
    for path in [
        format!("/_matrix/media/v3/download{place}"),
        format!("/_matrix/media/v3/download{place}/minutes.json"),
    ] {
        assert_eq!(walk.ok("", "GET", &path, Value::Null).await, file);
    }

    let path = "/_matrix/media/v3/upload";
    let (status, uploaded) = walk.node.ask(&finn.token, "POST", path, PICTURE).await;
    assert_eq!(status, 200);
    let address = uploaded["content_uri"].as_str().unwrap();
    let place = address.strip_prefix("mxc:/").unwrap();
    let path = format!("{AUTHENTICATED}/thumbnail{place}?width=32&height=32&method=crop");
    walk.get(&finn, &path).await;
    let path = format!("/_matrix/media/v3/thumbnail{place}?width=32&height=32");
    walk.ok("", "GET", &path, Value::Null).await;

    // What stands behind a link.
    let pages = Pages::open().await;
    let asked = encoded(&pages.url("/minutes"));
    for path in [
        format!("{AUTHENTICATED}/preview_url?url={asked}&ts=1510610716656"),
        format!("/_matrix/media/v3/preview_url?url={asked}"),
    ] {
        let told = walk.get(&finn, &path).await;
        assert_eq!(told["og:title"], "Minutes of the meeting");
    }

    let config = json!({"m.upload.size": 1_000_000});
    let path = format!("{AUTHENTICATED}/config");
    assert_eq!(walk.get(&finn, &path).await, config);
    let old = walk.get(&finn, "/_matrix/media/v3/config").await;
    assert_eq!(old, config);
}
