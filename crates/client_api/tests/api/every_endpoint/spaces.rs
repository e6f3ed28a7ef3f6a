//! Rooms seen from outside, spaces, and rooms that are replaced.

use serde_json::{Value, json};

use super::walk::Walk;

pub(super) async fn story(walk: &Walk) {
    let sven = walk.join("sven").await;
    let child = walk.room(&sven, json!({"name": "Child"})).await;
    let space = json!({"preset": "public_chat", "creation_content": {"type": "m.space"}});
    let space = walk.room(&sven, space).await;
    let place = format!("rooms/{space}/state/m.space.child/{child}");
    walk.put(&sven, &place, json!({"via": ["localhost"]})).await;
    for path in [
        format!("/_matrix/client/v1/room_summary/{space}"),
        format!("/_matrix/client/unstable/im.nheko.summary/rooms/{space}/summary"),
        format!("/_matrix/client/unstable/im.nheko.summary/summary/{space}"),
    ] {
        let summary = walk.ok("", "GET", &path, Value::Null).await;
        assert_eq!(summary["room_id"], space);
        assert_eq!(summary["room_type"], "m.space");
    }
    let tree = format!("/_matrix/client/v1/rooms/{space}/hierarchy");
    let page = walk.get(&sven, &tree).await;
    assert_eq!(page["rooms"][1]["room_id"], child);

    let upgrade = format!("rooms/{space}/upgrade");
    let replaced = walk
        .post(&sven, &upgrade, json!({"new_version": "11"}))
        .await;
    let new = replaced["replacement_room"].as_str().unwrap();
    let tree = format!("/_matrix/client/v1/rooms/{new}/hierarchy");
    let page = walk.get(&sven, &tree).await;
    assert_eq!(page["rooms"][0]["room_version"], "11");
    assert_eq!(page["rooms"][1]["room_id"], child);
}
