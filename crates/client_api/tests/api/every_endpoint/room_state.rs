//! Making a room, and its state.

use serde_json::{Value, json};

use super::walk::Walk;

pub(super) async fn story(walk: &Walk) {
    let rita = walk.join("rita").await;
    let room = walk.room(&rita, json!({"name": "Garden"})).await;
    let joined = walk.get(&rita, "joined_rooms").await;
    assert_eq!(joined, json!({"joined_rooms": [room]}));
    let of = |place: &str| format!("rooms/{room}/state{place}");
    let name = walk.get(&rita, &of("/m.room.name")).await;
    assert_eq!(name, json!({"name": "Garden"}));

    // An empty state key is left out, with or without its slash.
    for (written, read) in [
        ("/m.room.topic", "/m.room.topic/"),
        ("/m.room.topic/", "/m.room.topic"),
        ("/x.plant/rose", "/x.plant/rose"),
    ] {
        let content = json!({"topic": format!("set at {written}")});
        walk.put(&rita, &of(written), content.clone()).await;
        assert_eq!(walk.get(&rita, &of(read)).await, content);
    }
    let all = walk.get(&rita, &of("")).await;
    let has = |kind: &str, key: &str| {
        let is_it = |event: &Value| event["type"] == kind && event["state_key"] == key;
        all.as_array().unwrap().iter().any(is_it)
    };
    assert!(has("m.room.create", "") && has("m.room.topic", "") && has("x.plant", "rose"));
}
