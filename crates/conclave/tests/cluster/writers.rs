//! People who write at one node, and look for it at another as soon as they are told that it
//! stands.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
};

use serde_json::{Value, json};
use tokio::{task::JoinSet, time::Instant};

use crate::{
    form::{Chance, pause},
    load::Shared,
    scene::{PATIENCE, Reply, Scene, ask},
};

/// A message that was acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) event_id: String,
    pub(crate) body: String,
    /// The step at which it was sent first.
    pub(crate) sent: u64,
    /// The step at which its acknowledgement was read.
    pub(crate) acknowledged: u64,
}

/// Everything that was acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Acknowledged {
    pub(crate) messages: Vec<Message>,
    /// By path, the person and the last value of account data.
    pub(crate) counts: HashMap<String, (usize, u64)>,
    pub(crate) counted: usize,
}

pub(crate) struct Writers {
    tasks: JoinSet<Acknowledged>,
}

impl Writers {
    pub(crate) fn start(scene: &Arc<Scene>, shared: &Arc<Shared>, seed: u64, count: usize) -> Self {
        let mut tasks = JoinSet::new();
        for number in 0..count {
            let writer = Writer {
                scene: Arc::clone(scene),
                shared: Arc::clone(shared),
                chance: Chance::new(seed ^ (number as u64 + 1)),
                number,
                generation: 0,
                acknowledged: Acknowledged::default(),
            };
            tasks.spawn(writer.write());
        }
        Self { tasks }
    }

    pub(crate) async fn finish(self) -> Acknowledged {
        let mut all = Acknowledged::default();
        for one in self.tasks.join_all().await {
            all.messages.extend(one.messages);
            all.counts.extend(one.counts);
            all.counted += one.counted;
        }
        all
    }
}

struct Writer {
    scene: Arc<Scene>,
    shared: Arc<Shared>,
    chance: Chance,
    number: usize,
    /// Which of its account data it writes.
    generation: usize,
    acknowledged: Acknowledged,
}

/// How a request was acknowledged in the end.
struct Done {
    answer: Value,
    node: usize,
    /// Some node may do it yet, although another has.
    is_abandoned: bool,
}

impl Writer {
    async fn write(mut self) -> Acknowledged {
        let mut round: u64 = 0;
        while !self.shared.is_stopped() {
            self.shared.rest().await;
            match round % 4 {
                3 => self.count(round).await,
                _ => self.send(round).await,
            }
            round += 1;
        }
        self.acknowledged
    }

    fn person(&self) -> usize {
        self.number % self.scene.people.len()
    }

    async fn send(&mut self, round: u64) {
        let body = format!("message {round} of writer {}", self.number);
        let transaction = format!("{}-{round}", self.number);
        let path = format!("send/m.room.message/{transaction}");
        let path = self.scene.in_room(&path);
        let content = json!({ "msgtype": "m.text", "body": body });
        let sent = self.shared.step();
        let Some(done) = self.until_done(None, "PUT", &path, &content).await else {
            return;
        };
        let acknowledged = self.shared.step();
        let event_id = done.answer["event_id"].as_str().unwrap().to_owned();
        let event = self.scene.in_room(&format!("event/{event_id}"));
        if let Some(stands) = self.read_elsewhere(done.node, &event).await
            && stands["content"]["body"] != body
        {
            let sentence = format!("{event_id} says {stands} and not {body}");
            self.shared.find(sentence);
        }
        self.acknowledged.messages.push(Message {
            event_id,
            body,
            sent,
            acknowledged,
        });
    }

    async fn count(&mut self, round: u64) {
        let person = self.person();
        let user_id = &self.scene.people[person].user_id;
        let path = format!(
            "/_matrix/client/v3/user/{user_id}/account_data/org.example.count.{}.{}",
            self.number, self.generation
        );
        let content = json!({ "count": round });
        let Some(done) = self.until_done(None, "PUT", &path, &content).await else {
            return;
        };
        if done.is_abandoned {
            // A request that nobody waits for may be done at any later time, as one that the
            // network delays: from here on this value says nothing.
            self.acknowledged.counts.remove(&path);
            self.generation += 1;
            return;
        }
        self.acknowledged.counted += 1;
        let stands = self.read_elsewhere(done.node, &path).await;
        if let Some(stands) = stands
            && stands["count"] != round
        {
            let sentence = format!("{path} is {stands} and not {round}");
            self.shared.find(sentence);
        }
        self.acknowledged.counts.insert(path, (person, round));
    }

    /// Reads at another node what was just acknowledged at this one.
    async fn read_elsewhere(&self, node: usize, path: &str) -> Option<Value> {
        let other = self.chance.other_than(node, self.scene.nodes());
        let read = self
            .until_done(Some(other), "GET", path, &Value::Null)
            .await?;
        self.shared.read_back.fetch_add(1, Ordering::SeqCst);
        Some(read.answer)
    }

    /// Asks one node after another until one has done it; none when it was refused.
    async fn until_done(
        &self,
        first: Option<usize>,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Option<Done> {
        let nodes = self.scene.nodes();
        let mut node = first.unwrap_or_else(|| self.chance.below(nodes));
        let (asked, mut was_retried, mut is_abandoned) = (Instant::now(), false, false);
        loop {
            let client = self.scene.at(self.person(), node);
            match ask(&client, method, path, body).await {
                Reply::Done(answer) => {
                    self.shared.note_answer(asked, was_retried);
                    return Some(Done {
                        answer,
                        node,
                        is_abandoned,
                    });
                }
                Reply::Refused(error) => {
                    let sentence = format!("{method} {path} at node {node}: {error}");
                    self.shared.find(sentence);
                    return None;
                }
                Reply::Abandoned => is_abandoned = true,
                Reply::Nothing => {}
            }
            if asked.elapsed() > PATIENCE {
                let sentence = format!("{method} {path}: no node answered for {PATIENCE:?}");
                self.shared.find(sentence);
                return None;
            }
            was_retried = true;
            node = self.chance.other_than(node, nodes);
            pause(std::time::Duration::from_millis(20)).await;
        }
    }
}
