//! What is kept for people: profile, account data, tags, filters, presence.

use serde_json::{Value, json};

use super::walk::Walk;

pub(super) async fn story(walk: &Walk) {
    profile(walk).await;
    let kim = walk.join("kim").await;
    let room = walk.room(&kim, json!({})).await;
    let own = format!("user/{}", kim.user_id);

    for path in [
        format!("{own}/account_data/x.note"),
        format!("{own}/rooms/{room}/account_data/x.note"),
    ] {
        let content = json!({"about": path});
        walk.put(&kim, &path, content.clone()).await;
        assert_eq!(walk.get(&kim, &path).await, content);
    }

    let tags = format!("{own}/rooms/{room}/tags");
    let tag = format!("{tags}/u.work");
    walk.put(&kim, &tag, json!({"order": 0.5})).await;
    let listed = walk.get(&kim, &tags).await;
    assert_eq!(listed, json!({"tags": {"u.work": {"order": 0.5}}}));
    walk.delete(&kim, &tag, Value::Null).await;
    assert_eq!(walk.get(&kim, &tags).await, json!({"tags": {}}));

    let filter = json!({"room": {"timeline": {"limit": 3}}});
    let made = walk
        .post(&kim, &format!("{own}/filter"), filter.clone())
        .await;
    let filter_id = made["filter_id"].as_str().unwrap();
    let read = walk.get(&kim, &format!("{own}/filter/{filter_id}")).await;
    assert_eq!(read, filter);

    let presence = format!("presence/{}/status", kim.user_id);
    let body = json!({"presence": "unavailable", "status_msg": "at lunch"});
    walk.put(&kim, &presence, body).await;
    let shown = walk.get(&kim, &presence).await;
    assert_eq!(shown["presence"], "unavailable");
    assert_eq!(shown["status_msg"], "at lunch");
}

async fn profile(walk: &Walk) {
    let paula = walk.join("paula").await;
    let of = |field: &str| format!("profile/{}{field}", paula.user_id);
    let name = json!({"displayname": "Paula"});
    walk.put(&paula, &of("/displayname"), name.clone()).await;
    let zone = json!({"m.tz": "Europe/Paris"});
    walk.put(&paula, &of("/m.tz"), zone).await;
    let all = walk.ok("", "GET", &of(""), Value::Null).await;
    assert_eq!(all, json!({"displayname": "Paula", "m.tz": "Europe/Paris"}));
    walk.delete(&paula, &of("/m.tz"), Value::Null).await;
    walk.gone(&paula, &of("/m.tz")).await;
    let one = walk.ok("", "GET", &of("/displayname"), Value::Null).await;
    assert_eq!(one, name);
}
