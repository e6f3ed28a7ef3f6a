//! Reads everything back at every node, and compares it with what was acknowledged.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use serde_json::Value;
use testkit::eventually_within;

use crate::{
    followers::{Followed, step},
    load::Seen,
    scene::{PATIENCE, Scene},
    support::Client,
    writers::Message,
};

/// How many tokens of each follower are used again, at most.
const TOKENS: usize = 4;

/// What should not be so, each as a sentence.
pub(crate) async fn all(scene: &Scene, seen: &Seen) -> Vec<String> {
    let mut findings = seen.findings.clone();
    let mut first = None;
    for node in 0..scene.nodes() {
        let client = scene.at(0, node);
        let timeline = timeline(&client, &scene.room).await;
        match &first {
            None => {
                messages(&mut findings, &timeline, &seen.acknowledged.messages);
                first = Some(timeline);
            }
            Some(first) if *first == timeline => {}
            Some(_) => findings.push(format!("node {node} has another history than node 0")),
        }
        for (path, (person, count)) in &seen.acknowledged.counts {
            let stands = scene.at(*person, node).ask("GET", path, &Value::Null).await;
            if !stands
                .as_ref()
                .is_ok_and(|stands| stands["count"] == *count)
            {
                findings.push(format!("{path} is {stands:?} at node {node}, not {count}"));
            }
        }
    }
    let timeline = first.unwrap_or_default();
    let ids: Vec<&String> = timeline.iter().map(|(event_id, _)| event_id).collect();
    for (number, followed) in seen.followed.iter().enumerate() {
        if !is_end_of(&followed.events, &ids) {
            let sentence = difference(&followed.events, &ids);
            findings.push(format!(
                "follower {number} was told something else: {sentence}"
            ));
        }
        tokens(&mut findings, scene, followed).await;
    }
    findings
}

fn is_end_of(events: &[String], ids: &[&String]) -> bool {
    ids.len() >= events.len() && ids[ids.len() - events.len()..].iter().copied().eq(events)
}

fn difference(events: &[String], ids: &[&String]) -> String {
    let told: HashSet<&String> = events.iter().collect();
    let begins = events
        .first()
        .and_then(|event| ids.iter().position(|id| *id == event));
    let missing = ids[begins.unwrap_or(0)..]
        .iter()
        .filter(|id| !told.contains(**id));
    format!(
        "{} events of which {} are different, {} of the room's missing",
        events.len(),
        told.len(),
        missing.count()
    )
}

/// Each message is there once, and none stands before one that was acknowledged before it was
/// sent.
fn messages(findings: &mut Vec<String>, timeline: &[(String, String)], acknowledged: &[Message]) {
    let mut places = HashMap::new();
    let mut bodies = HashSet::new();
    for (place, (event_id, body)) in timeline.iter().enumerate() {
        if places.insert(event_id, place).is_some() || !bodies.insert(body) {
            findings.push(format!("{event_id} is there twice: {body}"));
        }
    }
    let mut by_place = Vec::new();
    for message in acknowledged {
        match places.get(&message.event_id) {
            Some(place) if timeline[*place].1 == message.body => by_place.push((*place, message)),
            Some(place) => findings.push(format!("{message:?} is {:?}", timeline[*place])),
            None => findings.push(format!("{message:?} is lost")),
        }
    }
    by_place.sort_by_key(|(place, _)| *place);
    let mut earliest = u64::MAX;
    for (_, message) in by_place.iter().rev() {
        if earliest < message.sent {
            findings.push(format!("{message:?} stands before an earlier one"));
        }
        earliest = earliest.min(message.acknowledged);
    }
}

/// Every message of a room, oldest first: event id and body.
async fn timeline(client: &Client, room: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut from = String::new();
    loop {
        let path = format!("/_matrix/client/v3/rooms/{room}/messages?dir=f&limit=1000{from}");
        let page = eventually_within(PATIENCE, "the room is read", || async {
            client.ask("GET", &path, &Value::Null).await.ok()
        });
        let page = page.await;
        let events = page["chunk"].as_array().unwrap().iter();
        for event in events.filter(|event| event["type"] == "m.room.message") {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            all.push((text(&event["event_id"]), text(&event["content"]["body"])));
        }
        match page["end"].as_str() {
            Some(end) => from = format!("&from={end}"),
            None => return all,
        }
    }
}

/// A token of any node and any time leads on, at any node, to what came after it.
async fn tokens(findings: &mut Vec<String>, scene: &Scene, followed: &Followed) {
    let every = followed.tokens.len().div_ceil(TOKENS).max(1);
    for (number, (token, told)) in followed.tokens.iter().step_by(every).enumerate() {
        let client = scene.at(1, number % scene.nodes());
        let mut since = token.clone();
        let mut events = Vec::new();
        loop {
            let heard = eventually_within(PATIENCE, "a sync", || async {
                step(&client, &scene.room, &since, Duration::ZERO).await
            });
            let (next, more) = heard.await;
            if more.is_empty() {
                break;
            }
            events.extend(more);
            since = next;
        }
        let expected = &followed.events[*told..];
        if events != expected {
            let agree = events
                .iter()
                .zip(expected)
                .take_while(|(one, other)| one == other);
            findings.push(format!(
                "{token} led to {} events instead of {}, of which {} are as expected",
                events.len(),
                expected.len(),
                agree.count()
            ));
        }
    }
}
