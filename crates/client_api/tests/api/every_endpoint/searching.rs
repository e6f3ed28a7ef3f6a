//! Searching for messages.

use serde_json::json;
use testkit::eventually;

use super::walk::Walk;

pub(super) async fn story(walk: &Walk) {
    let quinn = walk.join("quinn").await;
    let room = walk.room(&quinn, json!({"preset": "public_chat"})).await;
    let said = walk
        .say(&quinn, &room, "The meeting, 会议, is at three")
        .await;
    for term in ["MEETING three", "会议"] {
        let criteria = json!({
            "search_term": term,
            "keys": ["content.body"],
            "order_by": "recent",
            "event_context": {"before_limit": 0, "after_limit": 0, "include_profile": true},
            "groupings": {"group_by": [{"key": "room_id"}]},
        });
        let body = json!({"search_categories": {"room_events": criteria}});
        let found = eventually("what was said is found", || async {
            let answer = walk.post(&quinn, "search", body.clone()).await;
            let found = answer["search_categories"]["room_events"].clone();
            (found["count"] == 1).then_some(found)
        });
        let found = found.await;
        assert_eq!(found["results"][0]["result"]["event_id"], said);
        assert_eq!(found["groups"]["room_id"][&room]["results"], json!([said]));
    }
}
