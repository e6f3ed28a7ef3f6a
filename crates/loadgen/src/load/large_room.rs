//! A room with very many members, beside one with few.

use std::time::Duration;

use anyhow::{Context, Result};
use hyper::Method;
use serde_json::Value;

use super::{Server, run_name};
use crate::{
    arguments::LargeRoom,
    faults::Faults,
    matrix::{Client, Person, message},
    moment,
    report::{millis, percentile},
    stage,
    sync::{self, Members},
};

/// How long a message is.
const BODY_BYTES: usize = 200;

/// How many events of the room a sync asks for, if there are so many messages.
const TIMELINE: usize = 20;

/// A room whose members are in no other.
struct Room {
    room_id: String,
    members: Vec<Person>,
    sender: Client,
    reader: Client,
    /// Event ids, oldest first.
    messages: Vec<String>,
}

pub(super) async fn run(servers: &mut [Server], load: &LargeRoom, rounds: u32) -> Result<()> {
    let run = run_name()?;
    let mut stages = Vec::new();
    for server in &*servers {
        let large = Room::build(server, &format!("{run}-large"), load.members).await?;
        let small = Room::build(server, &format!("{run}-small"), load.few).await?;
        stages.push([large, small]);
    }
    for round in 0..rounds {
        for (server, rooms) in servers.iter_mut().zip(&mut stages) {
            server.settle().await?;
            sends(server, rooms, load).await?;
            server.settle().await?;
            syncs(server, rooms, load, round).await?;
        }
    }
    for (server, rooms) in servers.iter_mut().zip(&mut stages) {
        for room in rooms {
            server.faults.add(room.read_back().await?);
        }
    }
    Ok(())
}

/// Messages to the one room and to the other, in turn.
async fn sends(server: &mut Server, rooms: &mut [Room; 2], load: &LargeRoom) -> Result<()> {
    let mut latencies = [Vec::new(), Vec::new()];
    for _ in 0..load.messages {
        for (room, latencies) in rooms.iter_mut().zip(&mut latencies) {
            latencies.push(room.send().await?);
        }
    }
    add(server, "send", latencies);
    Ok(())
}

/// Initial syncs of people who are in the one room or in the other alone.
async fn syncs(
    server: &mut Server,
    rooms: &mut [Room; 2],
    load: &LargeRoom,
    round: u32,
) -> Result<()> {
    let mut latencies = [Vec::new(), Vec::new()];
    for index in 0..load.syncs {
        let number = usize::try_from(round)? * load.syncs + index;
        for (room, latencies) in rooms.iter_mut().zip(&mut latencies) {
            let (took, faults) = room.sync(number).await?;
            latencies.push(took);
            server.faults.add(faults);
        }
    }
    add(server, "initial sync, lazy", latencies);
    Ok(())
}

fn add(server: &mut Server, what: &str, [mut large, mut small]: [Vec<Duration>; 2]) {
    large.sort_unstable();
    small.sort_unstable();
    let median = |latencies: &[Duration]| millis(percentile(latencies, 0.5));
    let ratio = median(&large) / median(&small);
    let figures = &mut server.figures;
    figures.add(format!("{what}, p50, large / small"), ratio);
    figures.add_latencies(&format!("{what}, large room,"), large);
    figures.add_latencies(&format!("{what}, small room,"), small);
}

impl Room {
    async fn build(server: &Server, name: &str, members: usize) -> Result<Self> {
        let url = server.nodes.first();
        let members = stage::people(url, name, members).await?;
        let (owner, others) = members.split_first().context("a room without members")?;
        let mut sender = Client::new(url, owner).await?;
        let room_id = sender.create_room(&format!("Room of {name}")).await?;
        stage::join(url, others, &room_id).await?;
        let reader = Client::new(url, others.last().unwrap_or(owner)).await?;
        Ok(Self {
            room_id,
            sender,
            reader,
            members,
            messages: Vec::new(),
        })
    }

    async fn send(&mut self) -> Result<Duration> {
        let number = self.messages.len();
        let content = message(&format!("message {number}"), BODY_BYTES);
        let began = moment::now();
        let event_id = self
            .sender
            .send(&self.room_id, &format!("m{number}"), &content)
            .await?;
        let took = began.elapsed();
        self.messages.push(event_id);
        Ok(took)
    }

    /// An initial sync; `number` is another one for each, so that no answer is one given before.
    async fn sync(&mut self, number: usize) -> Result<(Duration, Faults)> {
        let newest = self.messages.len().saturating_sub(TIMELINE);
        // Messages alone are asked for: whoever joined would be told of.
        let filter = sync::filter(self.messages.len() - newest, Members::Lazy);
        let path = sync::path(&filter, None, number as u128);
        let answer = self.reader.timed(Method::GET, &path, &Value::Null).await?;
        let answered = answer.took;
        let answer = answer.json()?;
        let rooms: Vec<String> = sync::joined(&answer).map(|(id, _)| id.clone()).collect();
        let mut faults = Faults::in_any_order(std::slice::from_ref(&self.room_id), &rooms);
        let room = &answer["rooms"]["join"][&self.room_id];
        let messages = sync::messages(room)?;
        faults.add(Faults::in_order(&self.messages[newest..], &messages));
        faults.add(self.faults_of_members(room)?);
        Ok((answered, faults))
    }

    /// The number of members is told, and of themselves only the one who wrote, and the reader.
    fn faults_of_members(&self, room: &Value) -> Result<Faults> {
        let told = room["summary"]["m.joined_member_count"].as_u64();
        let told = told.context("the number of members is not told")?;
        let mut faults = Faults::in_number(self.members.len(), told.try_into()?);
        let needed = [&self.sender, &self.reader].map(|client| client.person.user_id.clone());
        let members = sync::members(room)?;
        faults.add(Faults {
            // Whether the reader is told of themselves is left to the server.
            lost: usize::from(!members.contains(&needed[0])),
            ..Faults::in_any_order(&needed, &members)
        });
        Ok(faults)
    }

    /// Compares the room with who joined it and what was sent to it.
    async fn read_back(&mut self) -> Result<Faults> {
        let everybody: Vec<String> = self.members.iter().map(|one| one.user_id.clone()).collect();
        let reader = &mut self.reader;
        let connection = &mut reader.connection;
        let members = reader.person.joined_members(connection, &self.room_id);
        let mut faults = Faults::in_any_order(&everybody, &members.await?);
        let timeline = reader.timeline(&self.room_id).await?;
        let told: Vec<String> = timeline.into_iter().map(|(event_id, _)| event_id).collect();
        faults.add(Faults::in_order(&self.messages, &told));
        Ok(faults)
    }
}
