//! What the server keeps for somebody: account data, tags, push rules, pushers, filters.

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
    pusher(alice, markers).await;
    kind
}

/// Nobody answers at the gateway: what is to be told waits.
async fn pusher(alice: &Client, markers: &mut Markers) {
    let gateway = markers.new_for("the address of a push gateway");
    let pusher = json!({
        "kind": "http",
        "app_id": markers.new_for("the app of a pusher"),
        "pushkey": markers.new_for("a push key"),
        "app_display_name": markers.new_for("the name of an app"),
        "device_display_name": "Phone",
        "lang": "en",
        "data": { "url": format!("https://{gateway}.invalid/_matrix/push/v1/notify") },
    });
    ask(alice, "POST", "pushers/set", pusher).await;
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
