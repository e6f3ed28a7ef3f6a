//! What a refused request must leave as it was.

use serde_json::{Value, json};

use super::{row::Who, stage::Stage};
use crate::{server::User, stage::encoded};

/// All that people can see of themselves, of each other and of the room.
pub(super) async fn traces(stage: &Stage) -> Value {
    let mut seen = Vec::new();
    for user in stage.people() {
        seen.push(of_account(stage, user).await);
    }
    json!({ "accounts": seen, "room": of_room(stage).await })
}

async fn of_account(stage: &Stage, user: &User) -> Value {
    let filter = encoded(r#"{"room":{"include_leave":true,"timeline":{"limit":50}}}"#);
    let sync = format!("sync?set_presence=offline&filter={filter}");
    let mut seen = stage.node.get(user, &sync).await;
    // Tokens name a place in the log, where refused sign-ins are recorded too.
    seen["next_batch"].take();
    let mut paths = vec![
        "account/whoami".to_owned(),
        "devices".to_owned(),
        "joined_rooms".to_owned(),
        "pushrules/".to_owned(),
        format!("profile/{}", user.user_id),
        format!("presence/{}/status", user.user_id),
    ];
    if user.user_id == stage.user(Who::Owner).user_id {
        for version in ["1", "2"] {
            paths.push(format!("room_keys/version/{version}"));
            paths.push(format!("room_keys/keys?version={version}"));
        }
    }
    let mut things = Vec::new();
    for path in paths {
        let path = format!("/_matrix/client/v3/{path}");
        things.push(stage.node.ask(&user.token, "GET", &path, "").await.1);
    }
    let query = json!({ "device_keys": { &user.user_id: [] } });
    things.push(stage.node.call(user, "POST", "keys/query", query).await);
    json!({ "sync": seen, "things": things })
}

async fn of_room(stage: &Stage) -> Value {
    let owner = stage.user(Who::Owner);
    let room = stage.named("room_id").unwrap();
    let mut things = Vec::new();
    for path in [
        format!("rooms/{room}/state"),
        format!("rooms/{room}/messages?dir=b&limit=1"),
        format!("rooms/{room}/aliases"),
        format!("directory/list/room/{room}"),
        "publicRooms".to_owned(),
    ] {
        let mut thing = stage.node.get(owner, &path).await;
        // A token, like `next_batch` above.
        if let Some(start) = thing.get_mut("start") {
            start.take();
        }
        things.push(thing);
    }
    Value::Array(things)
}

/// Where two things seen differ.
pub(super) fn differences(before: &Value, after: &Value) -> Vec<String> {
    let mut differences = Vec::new();
    compare("", before, after, &mut differences);
    differences
}

fn compare(place: &str, before: &Value, after: &Value, differences: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) if old.keys().eq(new.keys()) => {
            for (key, old) in old {
                compare(&format!("{place}/{key}"), old, &new[key], differences);
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                compare(&format!("{place}/{index}"), old, new, differences);
            }
        }
        _ if before == after => {}
        _ => differences.push(format!("{place}: {before} became {after}")),
    }
}
