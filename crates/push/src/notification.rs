//! What a gateway is told ([spec]).
//!
//! [spec]: https://spec.matrix.org/v1.19/push-gateway-api/#post_matrixpushv1notify

use ruma::{
    api::client::push::Pusher,
    push::{Action, HttpPusherData, PushFormat},
};
use serde::Serialize;
use serde_json::{Map, Value, value::RawValue};

use crate::news::EventNews;

#[derive(Serialize)]
struct Envelope<'a> {
    notification: Notification<'a>,
}

#[derive(Serialize)]
struct Notification<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prio: Option<&'static str>,
    #[serde(flatten)]
    details: Option<Details<'a>>,
    counts: Counts,
    devices: [Device<'a>; 1],
}

/// What is told in full format only.
#[derive(Serialize)]
struct Details<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    sender: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sender_display_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room_alias: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    membership: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    user_is_target: bool,
    content: &'a RawValue,
}

#[derive(Serialize)]
struct Counts {
    unread: u64,
}

#[derive(Serialize)]
struct Device<'a> {
    app_id: &'a str,
    pushkey: &'a str,
    data: &'a Data<'a>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    tweaks: Map<String, Value>,
}

/// The pusher's data without its address.
#[derive(Serialize)]
struct Data<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'a PushFormat>,
    #[serde(flatten)]
    other: &'a ruma::serde::JsonObject,
}

/// Writes what a gateway is told: of an event, or with `None` of how much is unread alone.
pub(crate) fn write(
    pusher: &Pusher,
    to: &HttpPusherData,
    news: Option<&EventNews>,
    unread: u64,
) -> Vec<u8> {
    let is_brief = to.format == Some(PushFormat::EventIdOnly);
    let data = Data {
        format: to.format.as_ref(),
        other: &to.data,
    };
    let device = Device {
        app_id: &pusher.ids.app_id,
        pushkey: &pusher.ids.pushkey,
        data: &data,
        tweaks: news.map(|news| tweaks(&news.actions)).unwrap_or_default(),
    };
    let envelope = Envelope {
        notification: Notification {
            event_id: news.map(|news| news.event.pdu.event_id().as_str()),
            room_id: news.map(|news| news.event.pdu.room_id().as_str()),
            prio: news.map(priority),
            details: news.filter(|_| !is_brief).map(details),
            counts: Counts { unread },
            devices: [device],
        },
    };
    serde_json::to_vec(&envelope).expect("strings and numbers always serialise")
}

fn details(news: &EventNews) -> Details<'_> {
    let pdu = &news.event.pdu;
    Details {
        kind: pdu.type_name(),
        sender: pdu.sender().as_str(),
        sender_display_name: news.sender_name.as_deref(),
        room_name: news.room_name.as_deref(),
        room_alias: news.room_alias.as_ref().map(|alias| alias.as_str()),
        membership: pdu.membership().map(|membership| membership.as_str()),
        user_is_target: news.is_target,
        content: pdu.content(),
    }
}

/// What wakes a person at once: what stands out or sounds, and what may do so once it is decrypted.
fn priority(news: &EventNews) -> &'static str {
    let wakes = |action: &Action| action.is_highlight() || action.sound().is_some();
    let is_encrypted = news.event.pdu.type_name() == "m.room.encrypted";
    match is_encrypted || news.actions.iter().any(wakes) {
        true => "high",
        false => "low",
    }
}

/// How it is presented, as the rule says: each tweak as a key with its value.
fn tweaks(actions: &[Action]) -> Map<String, Value> {
    let mut tweaks = Map::new();
    for action in actions {
        // An action that sets a tweak is `{"set_tweak": name, "value": …}`.
        let Ok(Value::Object(mut action)) = serde_json::to_value(action) else {
            continue;
        };
        let Some(Value::String(name)) = action.remove("set_tweak") else {
            continue;
        };
        // Without a value it is meant to stand out.
        let value = action.remove("value").unwrap_or(Value::Bool(true));
        tweaks.insert(name, value);
    }
    tweaks
}
