//! What the server keeps for somebody: account data, tags, push rules, filters.

use serde_json::json;

use super::ask;
use crate::{
    markers::{Markers, word},
    support::Client,
};

/// Gives a type of account data, which is readable.
pub(super) async fn kept(alice: &Client, room: &str, markers: &mut Markers) -> String {
    let mine = format!("user/{}", alice.user_id);
    let kind = word();
    let draft = json!({ "draft": markers.new_for("a draft") });
    ask(alice, "PUT", &format!("{mine}/account_data/{kind}"), draft).await;
    let draft = json!({ "draft": markers.new_for("a draft in a room") });
    let path = format!("{mine}/rooms/{room}/account_data/{kind}");
    ask(alice, "PUT", &path, draft).await;
    let tag = markers.new_for("a tag");
    let path = format!("{mine}/rooms/{room}/tags/u.{tag}");
    ask(alice, "PUT", &path, json!({ "order": 0.5 })).await;
    let filter = json!({ "room": { "timeline": { "types": [markers.new_for("a filter")] } } });
    ask(alice, "POST", &format!("{mine}/filter"), filter).await;
    push_rules(alice, markers).await;
    kind
}

async fn push_rules(alice: &Client, markers: &mut Markers) {
    let sound =
        json!({ "set_tweak": "sound", "value": markers.new_for("the sound of a push rule") });
    let content = json!({
        "actions": ["notify", sound],
        "pattern": markers.new_for("the pattern of a push rule"),
    });
    let condition = json!({
        "kind": "event_match", "key": "content.body",
        "pattern": markers.new_for("the condition of a push rule"),
    });
    let over = json!({ "actions": ["notify"], "conditions": [condition] });
    for (kind, rule) in [("content", content), ("override", over)] {
        let id = markers.new_for("the id of a push rule");
        ask(alice, "PUT", &format!("pushrules/global/{kind}/{id}"), rule).await;
    }
}
