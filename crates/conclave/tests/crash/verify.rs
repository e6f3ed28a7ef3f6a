//! Reads everything back and compares it with what was acknowledged.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::{
    refusals::{REFUSED, SOMEBODY_ELSES},
    scene::Scene,
    support::Client,
    writers::{Acknowledged, Message},
};

/// What should not be so, each as a sentence.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) lost: Vec<String>,
    pub(crate) twice: Vec<String>,
    pub(crate) out_of_order: Vec<String>,
    /// Refused and there, or granted where it had to be refused.
    pub(crate) refused: Vec<String>,
    /// Not as it was acknowledged, or there without anybody having been told.
    pub(crate) otherwise: Vec<String>,
}

impl Findings {
    pub(crate) fn are_none(&self) -> bool {
        let all = [
            &self.lost,
            &self.twice,
            &self.out_of_order,
            &self.refused,
            &self.otherwise,
        ];
        all.iter().all(|kind| kind.is_empty())
    }
}

pub(crate) async fn all(scene: &Scene, acknowledged: &Acknowledged) -> Findings {
    let mut findings = Findings {
        otherwise: acknowledged.blamed.clone(),
        ..Findings::default()
    };
    let timeline = scene.alice.timeline(&scene.room).await;
    let places = messages(&mut findings, &timeline, &acknowledged.messages);
    account_data(&mut findings, &scene.alice, acknowledged).await;
    files(&mut findings, &scene.alice, acknowledged).await;
    receipts(&mut findings, scene, acknowledged, &places).await;
    to_device(&mut findings, &scene.away, acknowledged).await;
    refusals(&mut findings, scene, acknowledged, &timeline).await;
    findings
}

/// Each message is there once, and none stands before one that was acknowledged before it was sent.
fn messages(
    findings: &mut Findings,
    timeline: &[(String, String)],
    acknowledged: &[Message],
) -> HashMap<String, usize> {
    let mut places = HashMap::new();
    let mut bodies = HashSet::new();
    for (place, (event_id, body)) in timeline.iter().enumerate() {
        if places.insert(event_id.clone(), place).is_some() {
            findings.twice.push(format!("the event {event_id}"));
        }
        if !body.is_empty() && !bodies.insert(body.as_str()) {
            findings.twice.push(body.clone());
        }
    }
    let mut by_place = Vec::new();
    for message in acknowledged {
        bodies.remove(message.body.as_str());
        match places.get(&message.event_id) {
            Some(place) if timeline[*place].1 == message.body => by_place.push((*place, message)),
            Some(_) => findings.otherwise.push(message.body.clone()),
            None => findings.lost.push(message.body.clone()),
        }
    }
    // Everybody repeated their requests until they were answered, so nothing else can be there.
    let unknown = bodies.iter().filter(|body| **body != REFUSED);
    let unknown = unknown.map(|body| format!("{body} was never acknowledged"));
    findings.otherwise.extend(unknown);
    order(findings, by_place);
    places
}

fn order(findings: &mut Findings, mut by_place: Vec<(usize, &Message)>) {
    by_place.sort_by_key(|(place, _)| *place);
    let mut earliest = u64::MAX;
    for (_, message) in by_place.iter().rev() {
        if earliest < message.sent {
            findings.out_of_order.push(message.body.clone());
        }
        earliest = earliest.min(message.acknowledged);
    }
}

async fn account_data(findings: &mut Findings, alice: &Client, acknowledged: &Acknowledged) {
    for (writer, count) in &acknowledged.counts {
        let stands = alice.account_data(*writer).await;
        let sentence =
            || format!("account data of writer {writer}: {count} was told, {stands:?} stands");
        match stands {
            Some(stands) if stands == *count => {}
            Some(stands) if stands > *count => findings.otherwise.push(sentence()),
            _ => findings.lost.push(sentence()),
        }
    }
}

async fn files(findings: &mut Findings, alice: &Client, acknowledged: &Acknowledged) {
    for (file, content) in &acknowledged.files {
        match alice.download(file).await {
            Ok(stored) if stored == *content => {}
            Ok(_) => findings.otherwise.push(format!("the content of {file}")),
            Err(error) => findings.lost.push(format!("{file}: {error}")),
        }
    }
}

async fn receipts(
    findings: &mut Findings,
    scene: &Scene,
    acknowledged: &Acknowledged,
    places: &HashMap<String, usize>,
) {
    let read = scene.alice.receipts(&scene.room).await;
    for (thread, event_id) in &acknowledged.read {
        let stands = read.get(thread);
        if stands == Some(event_id) {
            continue;
        }
        let sentence = format!("a receipt at {event_id}: {stands:?} stands");
        let later = stands.is_some_and(|stands| places.get(stands) > places.get(event_id));
        if later {
            findings.otherwise.push(sentence);
        } else {
            findings.lost.push(sentence);
        }
    }
}

/// The other device, which was away all the time, gets everything once and in each writer's order.
async fn to_device(findings: &mut Findings, away: &Client, acknowledged: &Acknowledged) {
    let mut places: HashMap<String, usize> = HashMap::new();
    for (place, body) in away.sent_to_device().await.into_iter().enumerate() {
        if places.insert(body.clone(), place).is_some() {
            findings.twice.push(body);
        }
    }
    for sent in &acknowledged.to_device {
        let mut last = None;
        for body in sent {
            let place = places.remove(body);
            match place {
                None => findings.lost.push(body.clone()),
                Some(_) if place < last => findings.out_of_order.push(body.clone()),
                Some(_) => last = place,
            }
        }
    }
    let unknown = places.keys();
    let unknown = unknown.map(|body| format!("{body} was never acknowledged"));
    findings.otherwise.extend(unknown);
}

async fn refusals(
    findings: &mut Findings,
    scene: &Scene,
    acknowledged: &Acknowledged,
    timeline: &[(String, String)],
) {
    let granted = acknowledged.granted.iter();
    findings
        .refused
        .extend(granted.map(|kind| format!("{kind:?} was granted")));
    if timeline.iter().any(|(_, body)| body == REFUSED) {
        findings.refused.push("a message".to_owned());
    }
    let alice = &scene.alice.user_id;
    for path in [
        scene.in_room("state/m.room.topic"),
        format!("/_matrix/client/v3/user/{alice}/account_data/{SOMEBODY_ELSES}"),
    ] {
        let absent = scene.alice.refusal("GET", &path, &Value::Null).await;
        let (status, _) = absent.unwrap();
        if status != 404 {
            findings.refused.push(path);
        }
    }
}
