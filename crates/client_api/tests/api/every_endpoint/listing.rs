//! Finding a room: by its alias, and in the directory.

use serde_json::{Value, json};

use super::walk::Walk;

pub(super) async fn story(walk: &Walk) {
    let lena = walk.join("lena").await;
    let room = walk.room(&lena, json!({})).await;
    let alias = format!("#{}:localhost", walk.name("plaza"));
    let path = format!("directory/room/%23{}:localhost", walk.name("plaza"));
    walk.put(&lena, &path, json!({"room_id": room})).await;
    let found = walk.ok("", "GET", &path, Value::Null).await;
    assert_eq!(found["room_id"], room);
    let aliases = format!("rooms/{room}/aliases");
    let listed = walk.get(&lena, &aliases).await;
    assert_eq!(listed, json!({"aliases": [alias]}));
    walk.delete(&lena, &path, Value::Null).await;
    walk.gone(&lena, &path).await;

    let listing = format!("directory/list/room/{room}");
    for (visibility, shown) in [("public", 1), ("private", 0)] {
        let set = json!({"visibility": visibility});
        walk.put(&lena, &listing, set.clone()).await;
        assert_eq!(walk.ok("", "GET", &listing, Value::Null).await, set);
        let all = walk.ok("", "GET", "publicRooms", Value::Null).await;
        let body = json!({"filter": {"room_types": [null]}});
        let filtered = walk.post(&lena, "publicRooms", body).await;
        for page in [all, filtered] {
            assert_eq!(page["total_room_count_estimate"], shown);
            let chunk = page["chunk"].as_array().unwrap();
            assert_eq!(chunk.len(), shown);
            assert!(chunk.iter().all(|entry| entry["room_id"] == room));
        }
    }
}
