//! Push rules, one by one.

use serde_json::{Value, json};

use super::walk::Walk;

pub(super) async fn story(walk: &Walk) {
    let pia = walk.join("pia").await;
    let rule = "pushrules/global/content/lunch";
    let (enabled, actions) = (format!("{rule}/enabled"), format!("{rule}/actions"));
    walk.put(
        &pia,
        rule,
        json!({"pattern": "lunch", "actions": ["notify"]}),
    )
    .await;
    walk.put(&pia, &enabled, json!({"enabled": false})).await;
    assert_eq!(walk.get(&pia, &enabled).await, json!({"enabled": false}));
    let quiet = json!({"actions": []});
    walk.put(&pia, &actions, quiet.clone()).await;
    assert_eq!(walk.get(&pia, &actions).await, quiet);
    let read = walk.get(&pia, rule).await;
    assert_eq!(read["pattern"], "lunch");
    assert_eq!(read["enabled"], false);

    let global = walk.get(&pia, "pushrules/global/").await;
    assert!(global["content"].as_array().unwrap().contains(&read));
    let all = walk.get(&pia, "pushrules/").await;
    assert_eq!(all["global"], global);
    walk.delete(&pia, rule, Value::Null).await;
    walk.gone(&pia, rule).await;

    let piet = walk.join("piet").await;
    let room = walk.room(&pia, json!({"preset": "public_chat"})).await;
    walk.post(&piet, &format!("join/{room}"), json!({})).await;
    let said = walk.say(&piet, &room, "lunch").await;
    let pusher = json!({
        "kind": "http",
        "app_id": "org.example.app",
        "pushkey": "key",
        "app_display_name": "Example",
        "device_display_name": "Phone",
        "lang": "en",
        "data": { "url": "https://push.example.org/_matrix/push/v1/notify" },
    });
    walk.post(&piet, "pushers/set", pusher.clone()).await;
    assert_eq!(walk.get(&piet, "pushers").await["pushers"], json!([pusher]));
    let gone = json!({"kind": null, "app_id": "org.example.app", "pushkey": "key"});
    walk.post(&piet, "pushers/set", gone).await;
    assert_eq!(walk.get(&piet, "pushers").await["pushers"], json!([]));
    let told = walk.get(&pia, "notifications").await;
    assert_eq!(told["notifications"][0]["event"]["event_id"], said);
}
