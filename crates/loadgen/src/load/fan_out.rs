//! A message to a room where everybody waits for it.

use std::time::{Duration, Instant};

use anyhow::Result;
use futures_util::future::{try_join, try_join_all};
use hyper::Method;
use serde_json::Value;

use super::{Server, run_name};
use crate::{
    arguments::FanOut,
    faults::Faults,
    http::Answer,
    matrix::{Client, message},
    moment,
    report::{count, millis},
    stage,
    sync::{self, Members},
};

/// How long a poll is held: longer than anything here takes.
const HELD: Duration = Duration::from_secs(90);

struct Stage {
    room_id: String,
    sender: Client,
    listeners: Vec<Listener>,
    sent: usize,
}

/// Somebody who waits.
struct Listener {
    client: Client,
    since: String,
}

pub(super) async fn run(servers: &mut [Server], load: &FanOut, rounds: u32) -> Result<()> {
    let run = run_name()?;
    let mut stages = Vec::new();
    for (number, server) in servers.iter().enumerate() {
        // Both may be nodes of one deployment.
        stages.push(Stage::build(server, &format!("{run}-{number}"), load).await?);
    }
    for _ in 0..rounds {
        for (server, stage) in servers.iter_mut().zip(&mut stages) {
            turn(server, stage, load).await?;
        }
    }
    Ok(())
}

async fn turn(server: &mut Server, stage: &mut Stage, load: &FanOut) -> Result<()> {
    server.settle().await?;
    let (mut each, mut all) = (Vec::new(), Vec::new());
    let before = server.cpu_time()?;
    for _ in 0..load.messages {
        let (latencies, faults) = stage.tell(server, load.body_bytes).await?;
        server.faults.add(faults);
        all.extend(latencies.iter().max());
        each.extend(latencies);
    }
    let after = server.cpu_time()?;
    let deliveries = count(each.len());
    let figures = &mut server.figures;
    figures.add_latencies("fan-out, to each,", each);
    figures.add_latencies("fan-out, to the last,", all);
    if let (Some(before), Some(after)) = (before, after) {
        let used = millis(after.saturating_sub(before));
        figures.add("server CPU per delivery, ms", used / deliveries);
    }
    Ok(())
}

impl Stage {
    async fn build(server: &Server, run: &str, load: &FanOut) -> Result<Self> {
        let url = server.nodes.first();
        let mut people = stage::people(url, run, load.listeners + 1).await?;
        let owner = people.remove(0);
        let mut sender = Client::new(url, &owner).await?;
        let room_id = sender.create_room(&format!("Room of {run}")).await?;
        stage::join(url, &people, &room_id).await?;
        let mut listeners = Vec::new();
        for (person, url) in people.iter().zip(server.nodes.spread_beyond_first()) {
            let client = Client::new(url, person).await?;
            listeners.push(Listener::begin(client).await?);
        }
        Ok(Self {
            room_id,
            sender,
            listeners,
            sent: 0,
        })
    }

    /// Sends a message when everybody waits, and measures from the beginning of the sending to
    /// each arrival.
    async fn tell(
        &mut self,
        server: &Server,
        body_bytes: usize,
    ) -> Result<(Vec<Duration>, Faults)> {
        let text = format!("message {} of {}.", self.sent, self.room_id);
        let txn = format!("m{}", self.sent);
        self.sent += 1;
        let polls = self
            .listeners
            .iter_mut()
            .map(|listener| listener.hear(&text));
        let (sender, room_id) = (&mut self.sender, &self.room_id);
        let send = async {
            server.settle().await?;
            let content = message(&text, body_bytes);
            let began = moment::now();
            let event_id = sender.send(room_id, &txn, &content).await?;
            Ok((began, event_id))
        };
        let (answers, (began, event_id)) = try_join(try_join_all(polls), send).await?;
        let mut faults = Faults::default();
        for (listener, answer) in self.listeners.iter_mut().zip(&answers) {
            let told = listener.read(answer, &self.room_id)?;
            faults.add(Faults::in_order(std::slice::from_ref(&event_id), &told));
        }
        let latency = |answer: &Answer| answer.at.saturating_duration_since(began);
        Ok((answers.iter().map(latency).collect(), faults))
    }
}

impl Listener {
    async fn begin(mut client: Client) -> Result<Self> {
        let path = sync::path(&filter(), None, 0);
        let answer = client.ask(Method::GET, &path, &Value::Null).await?;
        let since = sync::next_batch(&answer)?;
        Ok(Self { client, since })
    }

    /// Waits until a text arrives. What comes without it says nothing of the room, and is read
    /// here; the answer with it is read later, when it delays nobody.
    async fn hear(&mut self, text: &str) -> Result<Answer> {
        let until: Instant = moment::now() + HELD;
        loop {
            let path = sync::path(&filter(), Some(&self.since), HELD.as_millis());
            let answer = self.client.timed(Method::GET, &path, &Value::Null).await?;
            if contains(&answer.bytes, text) || answer.at >= until {
                return Ok(answer);
            }
            self.since = sync::next_batch(&answer.json()?)?;
        }
    }

    /// The messages of an answer.
    fn read(&mut self, answer: &Answer, room_id: &str) -> Result<Vec<String>> {
        let json = answer.json()?;
        self.since = sync::next_batch(&json)?;
        sync::messages(&json["rooms"]["join"][room_id])
    }
}

fn filter() -> String {
    sync::filter(10, Members::Lazy)
}

fn contains(bytes: &[u8], text: &str) -> bool {
    let mut windows = bytes.windows(text.len());
    windows.any(|window| window == text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_wherever_it_stands() {
        assert!(contains(b"{\"body\":\"message 1.\"}", "message 1."));
        assert!(contains(b"message 1.", "message 1."));
        assert!(!contains(b"message 12.", "message 1."));
        assert!(!contains(b"", "message 1."));
    }
}
