//! Many connections that write without pause and retry until they are answered.

use std::{collections::HashMap, io, sync::Arc};

use serde_json::{Map, json};
use tokio::task::JoinSet;

use crate::{
    load::{Asked, Load},
    refusals::Refusal,
    scene::Scene,
};

/// A message that the server has acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) transaction: String,
    pub(crate) event_id: String,
    pub(crate) body: String,
    /// The step at which it was sent first.
    pub(crate) sent: u64,
    /// The step at which its acknowledgement was read.
    pub(crate) acknowledged: u64,
}

/// Everything that the server has acknowledged, and how often it refused.
#[derive(Debug, Default)]
pub(crate) struct Acknowledged {
    pub(crate) messages: Vec<Message>,
    /// By writer, the last value of its own account data.
    pub(crate) counts: HashMap<usize, u64>,
    pub(crate) counted: usize,
    pub(crate) files: Vec<(String, Vec<u8>)>,
    /// What was sent to the other device, by writer in its order.
    pub(crate) to_device: Vec<Vec<String>>,
    /// By thread, the last event that was read. A writer's thread begins with its first message.
    pub(crate) read: HashMap<String, String>,
    pub(crate) receipts: usize,
    pub(crate) refused: usize,
    /// What should have been refused and was not.
    pub(crate) granted: Vec<Refusal>,
    /// What was refused and should not have been, each as a sentence.
    pub(crate) blamed: Vec<String>,
}

pub(crate) struct Writers {
    tasks: JoinSet<Acknowledged>,
}

impl Writers {
    pub(crate) fn start(scene: &Arc<Scene>, load: &Arc<Load>, count: usize) -> Self {
        let mut tasks = JoinSet::new();
        for number in 0..count {
            let writer = Writer {
                scene: Arc::clone(scene),
                load: Arc::clone(load),
                number,
                acknowledged: Acknowledged {
                    to_device: vec![Vec::new()],
                    ..Acknowledged::default()
                },
            };
            tasks.spawn(writer.write());
        }
        Self { tasks }
    }

    /// Lets everybody finish what they have begun.
    pub(crate) async fn finish(self, load: &Load) -> Acknowledged {
        load.stop();
        let mut all = Acknowledged::default();
        for one in self.tasks.join_all().await {
            all.messages.extend(one.messages);
            all.counts.extend(one.counts);
            all.counted += one.counted;
            all.files.extend(one.files);
            all.to_device.extend(one.to_device);
            all.read.extend(one.read);
            all.receipts += one.receipts;
            all.refused += one.refused;
            all.granted.extend(one.granted);
        }
        all.blamed = load.blamed();
        all
    }
}

struct Writer {
    scene: Arc<Scene>,
    load: Arc<Load>,
    number: usize,
    acknowledged: Acknowledged,
}

impl Writer {
    /// Goes on until it is stopped; what was begun is retried until it is answered.
    async fn write(mut self) -> Acknowledged {
        let mut round: u64 = 0;
        while !self.load.is_stopped() {
            match (self.number % 6, round % 8) {
                (0, 3) => self.upload(round).await,
                (1, 3) => self.send_to_device(round).await,
                (2 | 3, 7) => self.read().await,
                (4 | 5, 3) => self.try_what_is_refused(round).await,
                (_, 5) => self.count(round).await,
                _ => self.send(round).await,
            }
            round += 1;
        }
        self.acknowledged
    }

    async fn send(&mut self, round: u64) {
        let body = format!("message {round} of writer {}", self.number);
        let transaction = format!("{}-{round}", self.number);
        let path = self
            .scene
            .in_room(&format!("send/m.room.message/{transaction}"));
        let mut content = json!({ "msgtype": "m.text", "body": body });
        // Each writer has a thread, and with it a receipt, of its own.
        if let Some(first) = self.acknowledged.messages.first() {
            content["m.relates_to"] = json!({ "rel_type": "m.thread", "event_id": first.event_id });
        }
        let sent = self.load.step();
        let asked = Asked::Message(body.clone());
        let alice = &self.scene.alice;
        let answer = self
            .until_answered(asked, || alice.ask("PUT", &path, &content))
            .await;
        let Some(answer) = answer else { return };
        self.acknowledged.messages.push(Message {
            transaction,
            event_id: answer["event_id"].as_str().unwrap().to_owned(),
            body,
            sent,
            acknowledged: self.load.step(),
        });
    }

    async fn send_to_device(&mut self, round: u64) {
        let writer = self.number;
        let body = format!("to the device: {round} of writer {writer}");
        let path = format!("/_matrix/client/v3/sendToDevice/org.example.note/{writer}-{round}");
        let alice = &self.scene.alice;
        let mut devices = Map::new();
        devices.insert(self.scene.away.device_id.clone(), json!({ "body": body }));
        let mut people = Map::new();
        people.insert(alice.user_id.clone(), devices.into());
        let content = json!({ "messages": people });
        let answer = self
            .until_answered(Asked::Other, || alice.ask("PUT", &path, &content))
            .await;
        let sent = answer.map(|_| body);
        self.acknowledged.to_device[0].extend(sent);
    }

    async fn read(&mut self) {
        let messages = &self.acknowledged.messages;
        let (Some(first), Some(last)) = (messages.first(), messages.last()) else {
            return;
        };
        let (thread, event_id) = (first.event_id.clone(), last.event_id.clone());
        let path = self.scene.in_room(&format!("receipt/m.read/{event_id}"));
        let content = json!({ "thread_id": thread });
        let alice = &self.scene.alice;
        let answer = self
            .until_answered(Asked::Other, || alice.ask("POST", &path, &content))
            .await;
        if answer.is_some() {
            self.acknowledged.read.insert(thread, event_id);
            self.acknowledged.receipts += 1;
        }
    }

    async fn count(&mut self, round: u64) {
        let alice = &self.scene.alice;
        let path = alice.counter(self.number);
        let content = json!({ "count": round });
        let asked = Asked::Count(self.number, round);
        let answer = self
            .until_answered(asked, || alice.ask("PUT", &path, &content))
            .await;
        if answer.is_some() {
            self.acknowledged.counts.insert(self.number, round);
            self.acknowledged.counted += 1;
        }
    }

    async fn upload(&mut self, round: u64) {
        let content = format!("file {round} of writer {} ", self.number)
            .repeat(4_000)
            .into_bytes();
        let alice = &self.scene.alice;
        let file = self
            .until_answered(Asked::Other, || alice.upload(&content))
            .await;
        let file = file.map(|file| (file, content));
        self.acknowledged.files.extend(file);
    }

    async fn try_what_is_refused(&mut self, round: u64) {
        let Some(last) = self.acknowledged.messages.last() else {
            return;
        };
        let kinds = Refusal::ALL;
        let kind = kinds[usize::try_from(round / 8).unwrap() % kinds.len()];
        let transaction = format!("{}-{round}", self.number);
        let refused = self
            .until_answered(Asked::Other, || {
                kind.attempt(&self.scene, &transaction, last)
            })
            .await;
        match refused {
            Some(true) => self.acknowledged.refused += 1,
            Some(false) => self.acknowledged.granted.push(kind),
            None => {}
        }
    }

    async fn until_answered<T, F>(&self, asked: Asked, ask: impl Fn() -> F) -> Option<T>
    where
        F: Future<Output = io::Result<T>>,
    {
        self.load.until_answered(self.number, asked, ask).await
    }
}
