//! Events that are sent later: scheduled, looked at, restarted, sent and cancelled.

use serde_json::{Value, json};

use super::walk::Walk;

const BASE: &str = "/_matrix/client/unstable/org.matrix.msc4140";

pub(super) async fn story(walk: &Walk) {
    let dana = walk.join("dana").await;
    let room = walk.room(&dana, json!({})).await;
    let schedule = async |txn_id: &str, text: &str| {
        let path = format!("{BASE}/rooms/{room}/delayed_event/m.room.message/{txn_id}");
        let content = json!({"msgtype": "m.text", "body": text});
        let body = json!({"delay": 60_000, "content": content});
        let scheduled = walk.put(&dana, &path, body).await;
        scheduled["delay_id"].as_str().unwrap().to_owned()
    };
    let listed = async || {
        let listed = walk.get(&dana, &format!("{BASE}/delayed_events")).await;
        let listed = listed["delayed_events"].as_array().unwrap().iter();
        listed
            .map(|event| event["delay_id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let first = schedule("one", "first").await;
    let second = schedule("two", "second").await;
    assert_eq!(schedule("one", "first").await, first);
    assert_eq!(listed().await, [first.as_str(), &second]);

    let of = |delay_id: &str| format!("{BASE}/delayed_events/{delay_id}");
    let told = walk.get(&dana, &of(&first)).await;
    assert_eq!(told["content"]["body"], "first");
    assert_eq!(
        (&told["room_id"], &told["delay"]),
        (&json!(room), &json!(60_000))
    );
    walk.post(&dana, &of(&second), json!({"action": "cancel"}))
        .await;
    assert_eq!(listed().await, [first.as_str()]);
    // Nobody in particular: the delay id is enough.
    for action in ["restart", "send"] {
        let path = format!("{}/{action}", of(&first));
        assert_eq!(walk.ok("", "POST", &path, json!({})).await, json!({}));
    }
    let told = walk.get(&dana, &of(&first)).await;
    let path = format!("rooms/{room}/event/{}", told["event_id"].as_str().unwrap());
    let event: Value = walk.get(&dana, &path).await;
    assert_eq!(event["content"]["body"], "first");
    assert_eq!(event["unsigned"]["org.matrix.msc4140.delay_id"], first);
}
