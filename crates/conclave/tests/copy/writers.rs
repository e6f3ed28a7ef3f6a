//! Many connections that write without pause and retry until they are answered.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Map, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::Client;

/// A message that the server has acknowledged.
pub(crate) struct Message {
    pub(crate) writer: usize,
    pub(crate) event_id: String,
    pub(crate) body: String,
}

/// Everything that the server has acknowledged.
#[derive(Default)]
pub(crate) struct Acknowledged {
    pub(crate) messages: Vec<Message>,
    /// By writer, the last value of its own account data.
    pub(crate) counts: HashMap<usize, u64>,
    pub(crate) files: Vec<(String, Vec<u8>)>,
    /// What was sent to the other device.
    pub(crate) to_device: Vec<String>,
    /// By thread, the last event that was read. A writer's thread begins with its first message.
    pub(crate) read: HashMap<String, String>,
}

pub(crate) struct Writers {
    tasks: JoinSet<Acknowledged>,
    answered: Arc<AtomicUsize>,
}

impl Writers {
    pub(crate) fn start(
        client: &Arc<Client>,
        other_device: &str,
        room: &str,
        count: usize,
        stop: &CancellationToken,
    ) -> Self {
        let answered = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        for writer in 0..count {
            let writer = Writer {
                client: Arc::clone(client),
                room: room.to_owned(),
                other_device: other_device.to_owned(),
                number: writer,
                stop: stop.clone(),
                answered: Arc::clone(&answered),
            };
            tasks.spawn(writer.write());
        }
        Self { tasks, answered }
    }

    /// How many requests have been answered since the start.
    pub(crate) fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    pub(crate) async fn finish(self) -> Acknowledged {
        let mut all = Acknowledged::default();
        for one in self.tasks.join_all().await {
            all.messages.extend(one.messages);
            all.counts.extend(one.counts);
            all.files.extend(one.files);
            all.to_device.extend(one.to_device);
            all.read.extend(one.read);
        }
        all
    }
}

struct Writer {
    client: Arc<Client>,
    room: String,
    other_device: String,
    number: usize,
    stop: CancellationToken,
    answered: Arc<AtomicUsize>,
}

impl Writer {
    /// Goes on until it is stopped; what was begun is retried until it is answered.
    async fn write(self) -> Acknowledged {
        let mut acknowledged = Acknowledged::default();
        let mut round: u64 = 0;
        while !self.stop.is_cancelled() {
            match (self.number % 6, round % 8) {
                (0, 3) => self.upload(round, &mut acknowledged).await,
                (1, 3) => self.send_to_device(round, &mut acknowledged).await,
                (2 | 3, 7) => self.read(&mut acknowledged).await,
                (_, 5) => self.count(round, &mut acknowledged).await,
                _ => self.send(round, &mut acknowledged).await,
            }
            round += 1;
        }
        acknowledged
    }

    async fn send(&self, round: u64, acknowledged: &mut Acknowledged) {
        let writer = self.number;
        let body = format!("message {round} of writer {writer}");
        let path = format!(
            "/_matrix/client/v3/rooms/{}/send/m.room.message/{writer}-{round}",
            self.room
        );
        let content = json!({ "msgtype": "m.text", "body": body });
        let answer = self
            .until_answered(|| self.client.ask("PUT", &path, &content))
            .await;
        let event_id = answer["event_id"].as_str().unwrap().to_owned();
        acknowledged.messages.push(Message {
            writer,
            event_id,
            body,
        });
    }

    async fn send_to_device(&self, round: u64, acknowledged: &mut Acknowledged) {
        let writer = self.number;
        let body = format!("to the device: {round} of writer {writer}");
        let path = format!("/_matrix/client/v3/sendToDevice/org.example.note/{writer}-{round}");
        let mut devices = Map::new();
        devices.insert(self.other_device.clone(), json!({ "body": body }));
        let mut people = Map::new();
        people.insert(self.client.user_id.clone(), devices.into());
        let content = json!({ "messages": people });
        self.until_answered(|| self.client.ask("PUT", &path, &content))
            .await;
        acknowledged.to_device.push(body);
    }

    async fn read(&self, acknowledged: &mut Acknowledged) {
        let messages = &acknowledged.messages;
        let (Some(first), Some(last)) = (messages.first(), messages.last()) else {
            return;
        };
        let (thread, event_id) = (first.event_id.clone(), last.event_id.clone());
        let path = format!(
            "/_matrix/client/v3/rooms/{}/receipt/m.read/{event_id}",
            self.room
        );
        let content = json!({ "thread_id": thread });
        self.until_answered(|| self.client.ask("POST", &path, &content))
            .await;
        acknowledged.read.insert(thread, event_id);
    }

    async fn count(&self, round: u64, acknowledged: &mut Acknowledged) {
        let path = self.client.counter(self.number);
        let content = json!({ "count": round });
        self.until_answered(|| self.client.ask("PUT", &path, &content))
            .await;
        acknowledged.counts.insert(self.number, round);
    }

    async fn upload(&self, round: u64, acknowledged: &mut Acknowledged) {
        let content = format!("file {round} of writer {} ", self.number)
            .repeat(4_000)
            .into_bytes();
        let file = self.until_answered(|| self.client.upload(&content)).await;
        acknowledged.files.push((file, content));
    }

    async fn until_answered<T, F>(&self, ask: impl Fn() -> F) -> T
    where
        F: Future<Output = std::io::Result<T>>,
    {
        loop {
            match ask().await {
                Ok(answer) => {
                    self.answered.fetch_add(1, Ordering::Relaxed);
                    return answer;
                }
                #[expect(
                    clippy::disallowed_methods,
                    reason = "the server comes back in real time"
                )]
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}
