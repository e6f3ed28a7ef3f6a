//! Messages without pause over many connections.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use hyper::Method;
use serde_json::{Map, json};
use tokio::task::JoinSet;
use url::Url;

use super::{Server, run_name};
use crate::{
    arguments::Send,
    faults::Faults,
    matrix::{Client, escaped},
    moment,
    process::{Meter, Processes},
    report::{count, mib, millis},
    stage::Stage,
};

/// What one connection was told.
struct Told {
    room: usize,
    /// Event id and body, in the order of sending.
    messages: Vec<(String, String)>,
    latencies: Vec<Duration>,
    /// Receipts, typing and messages to devices.
    others: usize,
}

/// When a connection stops sending.
#[derive(Clone, Copy)]
enum End {
    At(Instant),
    /// So many messages of its own.
    After(usize),
}

pub(super) async fn run(servers: &mut [Server], load: &Send, rounds: u32) -> Result<()> {
    let run = run_name()?;
    let mut stages = Vec::new();
    for server in &mut *servers {
        let stage = Stage::build(&server.nodes, &run, load.rooms, load.members).await?;
        stages.push(Arc::new(stage));
    }
    let mut told: Vec<Vec<Told>> = servers.iter().map(|_| Vec::new()).collect();
    let database = load.database_pid.map(|pid| vec![pid]);
    let database = database.and_then(Processes::new);
    for round in 0..rounds {
        for index in 0..servers.len() {
            let waiting = others(servers, index);
            let beside = Beside {
                database: database.as_ref().map(Processes::meter).transpose()?,
                waiting: waiting.as_ref().map(Processes::meter).transpose()?,
            };
            let server = &mut servers[index];
            let said = turn(server, &stages[index], load, round, &beside).await?;
            told[index].extend(said);
        }
    }
    for ((server, stage), told) in servers.iter_mut().zip(&stages).zip(&told) {
        server.faults.add(read_back(stage, told).await?);
        if let Some(processes) = &server.processes {
            server.figures.add(
                "resident after reading back, MiB",
                mib(processes.resident_bytes()?),
            );
        }
    }
    Ok(())
}

/// The processes of all servers but one.
fn others(servers: &[Server], one: usize) -> Option<Processes> {
    let (before, after) = servers.split_at(one);
    let others = before.iter().chain(after.iter().skip(1));
    let known = others.filter_map(|server| server.processes.clone());
    known.reduce(|all, other| all.and(&other))
}

/// What is measured in a turn besides the server whose turn it is.
struct Beside<'a> {
    database: Option<Meter<'a>>,
    /// Servers that have nothing to do, and are to disturb nobody.
    waiting: Option<Meter<'a>>,
}

async fn turn(
    server: &mut Server,
    stage: &Arc<Stage>,
    load: &Send,
    round: u32,
    beside: &Beside<'_>,
) -> Result<Vec<Told>> {
    let own = server
        .processes
        .as_ref()
        .map(Processes::meter)
        .transpose()?;
    let began = moment::now();
    let end = match load.messages {
        Some(messages) => End::After(messages.div_ceil(load.connections)),
        None => End::At(began + Duration::from_secs(load.seconds)),
    };
    let mut senders = JoinSet::new();
    for (number, url) in (0..load.connections).zip(stage.nodes.spread()) {
        let (stage, load, url) = (Arc::clone(stage), load.clone(), url.clone());
        senders.spawn(async move { sender(&stage, &url, &load, (round, number), end).await });
    }
    let mut told = Vec::new();
    while let Some(said) = senders.join_next().await {
        told.push(said??);
    }
    let took = began.elapsed().as_secs_f64();
    let latencies: Vec<Duration> = told
        .iter()
        .flat_map(|told| told.latencies.clone())
        .collect();
    let sent = count(latencies.len());
    let figures = &mut server.figures;
    figures.add("messages acknowledged, per second", sent / took);
    figures.add_latencies("send", latencies);
    let others: usize = told.iter().map(|told| told.others).sum();
    if others > 0 {
        figures.add("other requests, per second", count(others) / took);
    }
    if let Some(own) = own {
        let used = own.used()?.as_secs_f64();
        figures.add("server CPU per 1,000 messages, s", used / sent * 1e3);
    }
    if let Some(database) = &beside.database {
        let used = database.used()?.as_secs_f64();
        figures.add("database CPU per 1,000 messages, s", used / sent * 1e3);
    }
    if let Some(waiting) = &beside.waiting {
        let used = millis(waiting.used()?);
        figures.add("CPU of who waits, per second, ms", used / took);
    }
    if let Some(processes) = &server.processes {
        let resident = mib(processes.resident_bytes()?);
        figures.add("resident after the turn, MiB", resident);
    }
    Ok(told)
}

async fn sender(
    stage: &Stage,
    url: &Url,
    load: &Send,
    (round, number): (u32, usize),
    end: End,
) -> Result<Told> {
    let room = number % stage.rooms.len();
    let members = &stage.rooms[room].members;
    let sender = &members[(number / stage.rooms.len()) % members.len()];
    let room_id = &stage.rooms[room].room_id;
    let mut client = Client::new(url, sender).await?;
    let mut told = Told {
        room,
        messages: Vec::new(),
        latencies: Vec::new(),
        others: 0,
    };
    let filling = "x".repeat(load.body_bytes);
    loop {
        let index = told.messages.len();
        let is_over = match end {
            End::At(moment) => moment::now() >= moment,
            End::After(messages) => index >= messages,
        };
        if is_over {
            break;
        }
        let txn = format!("{round}-{number}-{index}");
        let mut body = format!("{txn} {filling}");
        body.truncate(load.body_bytes.max(txn.len()));
        let content = json!({ "msgtype": "m.text", "body": body });
        let began = moment::now();
        let event_id = client.send(room_id, &txn, &content).await?;
        told.latencies.push(began.elapsed());
        if load.mixed {
            told.others += other(&mut client, room_id, &event_id, index).await?;
        }
        told.messages.push((event_id, body));
    }
    Ok(told)
}

/// One of what clients do between messages, in turn.
async fn other(client: &mut Client, room: &str, event_id: &str, index: usize) -> Result<usize> {
    let (room, event_id) = (escaped(room), escaped(event_id));
    let user_id = escaped(&client.person.user_id);
    match index % 4 {
        0 => {
            let path = format!("/_matrix/client/v3/rooms/{room}/receipt/m.read/{event_id}");
            client.ask(Method::POST, &path, &json!({})).await?;
        }
        1 => {
            let path = format!("/_matrix/client/v3/rooms/{room}/typing/{user_id}");
            let typing = json!({ "typing": true, "timeout": 10_000 });
            client.ask(Method::PUT, &path, &typing).await?;
        }
        2 => {
            let path = format!("/_matrix/client/v3/sendToDevice/org.example.load/{event_id}");
            let mut devices = Map::new();
            devices.insert(client.person.device_id.clone(), json!({ "n": index }));
            let mut people = Map::new();
            people.insert(client.person.user_id.clone(), devices.into());
            let messages = json!({ "messages": people });
            client.ask(Method::PUT, &path, &messages).await?;
        }
        _ => return Ok(0),
    }
    Ok(1)
}

/// Compares each room with what was acknowledged, at each node: also what was written at another.
async fn read_back(stage: &Stage, told: &[Told]) -> Result<Faults> {
    let mut faults = Faults::default();
    for url in stage.nodes.all() {
        faults.add(read_back_at(url, stage, told).await?);
    }
    Ok(faults)
}

async fn read_back_at(url: &Url, stage: &Stage, told: &[Told]) -> Result<Faults> {
    let mut faults = Faults::default();
    for (index, room) in stage.rooms.iter().enumerate() {
        let reader = room.members.first().context("a room without members")?;
        let mut client = Client::new(url, reader).await?;
        let timeline = client.timeline(&room.room_id).await?;
        let mut places: HashMap<&str, (usize, &str)> = HashMap::new();
        let mut bodies: HashMap<&str, usize> = HashMap::new();
        for (place, (event_id, body)) in timeline.iter().enumerate() {
            if places.insert(event_id, (place, body)).is_some() {
                faults.doubled += 1;
            }
            *bodies.entry(body).or_default() += 1;
        }
        faults.doubled += bodies.values().filter(|times| **times > 1).count();
        for said in told.iter().filter(|said| said.room == index) {
            let mut last = None;
            for (event_id, body) in &said.messages {
                match places.get(event_id.as_str()) {
                    None => faults.lost += 1,
                    Some((place, stands)) => {
                        faults.altered += usize::from(stands != body);
                        faults.reordered += usize::from(last > Some(*place));
                        last = Some(*place);
                    }
                }
            }
        }
    }
    Ok(faults)
}
