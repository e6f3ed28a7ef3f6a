//! A long room, read from its end to its beginning.

use std::time::Duration;

use anyhow::Result;
use url::Url;

use super::{Server, run_name, sizes};
use crate::{
    arguments::History,
    crowd::{HANDS, share_out},
    faults::Faults,
    matrix::{Client, message, text},
    report::count,
    stage,
};

struct Stage {
    room_id: String,
    reader: Client,
    /// Event ids; every `HANDS`th comes from the same connection, one after another.
    messages: Vec<String>,
}

pub(super) async fn run(servers: &mut [Server], load: &History, rounds: u32) -> Result<()> {
    let run = run_name()?;
    let mut stages = Vec::new();
    for (server, events) in servers.iter().zip(sizes(load.events, load.against_events)) {
        stages.push(Stage::build(server.nodes.first(), &run, events, load).await?);
    }
    for _ in 0..rounds {
        for (server, stage) in servers.iter_mut().zip(&mut stages) {
            server.settle().await?;
            turn(server, stage, load).await?;
        }
    }
    Ok(())
}

async fn turn(server: &mut Server, stage: &mut Stage, load: &History) -> Result<()> {
    let mut told = Vec::new();
    let mut latencies = Vec::new();
    let mut events = 0;
    let mut pages = stage.reader.pages(&stage.room_id, load.page);
    while let Some(page) = pages.next().await? {
        latencies.push(page.took);
        events += page.events.len();
        for event in page
            .events
            .iter()
            .filter(|one| one["type"] == "m.room.message")
        {
            told.push(text(event, "event_id")?);
        }
    }
    told.reverse();
    server.faults.add(faults(&stage.messages, &told));
    let took: Duration = latencies.iter().sum();
    let figures = &mut server.figures;
    figures.add(
        "events of history per second",
        count(events) / took.as_secs_f64(),
    );
    figures.add_latencies("page of history", latencies);
    Ok(())
}

/// Nothing is lost, doubled or foreign, and what one connection sent has its order.
fn faults(written: &[String], told: &[String]) -> Faults {
    let mut faults = Faults::in_any_order(written, told);
    for hand in 0..HANDS.min(written.len()) {
        let own: Vec<String> = written.iter().skip(hand).step_by(HANDS).cloned().collect();
        faults.reordered += Faults::in_order(&own, told).reordered;
    }
    faults
}

impl Stage {
    async fn build(url: &Url, run: &str, events: usize, load: &History) -> Result<Self> {
        let people = stage::people(url, run, 2).await?;
        let (author, reader) = (&people[0], &people[1]);
        let mut reader = Client::new(url, reader).await?;
        let connection = &mut reader.connection;
        let name = format!("Room of {run}");
        let room_id = author.create_room(connection, &name).await?;
        reader.join(&room_id).await?;
        let messages = share_out(url, HANDS, events, async |connection, index| {
            let content = message(&format!("message {index}"), load.body_bytes);
            let txn = format!("m{index}");
            author.send(connection, &room_id, &txn, &content).await
        });
        Ok(Self {
            messages: messages.await?,
            room_id,
            reader,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_asked_of_what_one_connection_sent() {
        let written: Vec<String> = (0..HANDS * 2).map(|index| format!("${index}")).collect();
        assert!(faults(&written, &written).is_none());
        let mut told = written.clone();
        told.swap(0, 1);
        assert!(faults(&written, &told).is_none());
        told.swap(3, HANDS + 3);
        assert_eq!(faults(&written, &told).reordered, 1);
        told.pop();
        assert_eq!(faults(&written, &told).lost, 1);
    }
}
