//! Uploading a file and having it back.

use serde_json::json;

use super::walk::Walk;

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

    let config = json!({"m.upload.size": 1_000_000});
    let path = format!("{AUTHENTICATED}/config");
    assert_eq!(walk.get(&finn, &path).await, config);
    let old = walk.get(&finn, "/_matrix/media/v3/config").await;
    assert_eq!(old, config);
}
