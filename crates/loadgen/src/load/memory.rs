//! The memory of a server with many people in many rooms, some of whom sync.

mod plan;

use std::time::Duration;

use anyhow::{Context, Result};
use hyper::Method;
use serde_json::Value;
use tokio::task::JoinSet;
use url::Url;

use self::plan::Plan;
use super::{Server, run_name};
use crate::{
    arguments::Memory,
    crowd::{HANDS, share_out},
    faults::Faults,
    matrix::{Client, Person, message},
    moment,
    process::Processes,
    report::mib,
    stage,
    sync::{self, Members},
};

/// How long a poll is held; one that brings nothing for so long has nothing left to bring.
const HELD: Duration = Duration::from_secs(30);

/// How long a message is.
const BODY_BYTES: usize = 200;

/// How many events of each room a sync asks for.
const TIMELINE: usize = 10;

/// Memory is looked at after so many messages.
const LOOK_EVERY: usize = 50;

/// How many sync for the first time at once: as many as come back after a restart, and more than
/// the machine has cores.
const ARRIVING: usize = 16;

/// Somebody who syncs.
struct Syncer {
    client: Client,
    /// Who they are in the plan.
    person: usize,
    since: String,
    /// What they were told, as room and event.
    told: Vec<String>,
}

pub(super) async fn run(servers: &mut [Server], load: &Memory) -> Result<()> {
    let run = run_name()?;
    for server in servers {
        let plan = Plan {
            people: load.people,
            rooms: load.rooms,
            members: load.members.min(load.people),
        };
        let processes = server
            .processes
            .clone()
            .context("memory is measured of a process: give --pid and --against-pid")?;
        let url = server.nodes.first().clone();
        server
            .figures
            .add("resident before, MiB", mib(processes.resident_bytes()?));
        let people = stage::people(&url, &run, plan.people).await?;
        let rooms = fill(&url, &plan, &people).await?;
        let world = World {
            url,
            plan,
            people,
            rooms,
        };
        processes.settle().await?;
        server.figures.add(
            "resident with all of them, MiB",
            mib(processes.resident_bytes()?),
        );
        let syncers = world.arrive(server, load.syncing).await?;
        server.figures.add(
            "resident after the initial syncs, MiB",
            mib(processes.resident_bytes()?),
        );
        let syncers = world
            .talk(server, &processes, syncers, load.messages)
            .await?;
        hold(server, &processes, syncers).await?;
        server.faults.add(world.read_back().await?);
    }
    Ok(())
}

/// Makes the rooms and lets everybody into theirs.
async fn fill(url: &Url, plan: &Plan, people: &[Person]) -> Result<Vec<String>> {
    let rooms = share_out(url, HANDS, plan.rooms, async |connection, room| {
        let owner = &people[plan.member(room, 0)];
        owner.create_room(connection, &format!("Room {room}")).await
    });
    let rooms = rooms.await?;
    let others = plan.members.saturating_sub(1);
    let joined = share_out(
        url,
        HANDS,
        plan.rooms * others,
        async |connection, index| {
            let room = index / others;
            let person = &people[plan.member(room, 1 + index % others)];
            person.join(connection, &rooms[room]).await
        },
    );
    joined.await?;
    Ok(rooms)
}

struct World {
    url: Url,
    plan: Plan,
    people: Vec<Person>,
    rooms: Vec<String>,
}

impl World {
    /// Lets some people, evenly chosen, sync for the first time.
    async fn arrive(&self, server: &mut Server, syncing: usize) -> Result<Vec<Syncer>> {
        let arrived = share_out(&self.url, ARRIVING, syncing, async |connection, index| {
            let person = index * self.people.len() / syncing;
            let path = sync::path(&sync::filter(TIMELINE, Members::Lazy), None, 0);
            let asked = self.people[person].ask(connection, Method::GET, &path, &Value::Null);
            let answer = asked.await?;
            let told: Vec<String> = sync::joined(&answer).map(|(id, _)| id.clone()).collect();
            let rooms = self.plan.rooms_of(person);
            let expected: Vec<String> = rooms.map(|room| self.rooms[room].clone()).collect();
            let faults = Faults::in_any_order(&expected, &told);
            Ok((person, sync::next_batch(&answer)?, faults))
        });
        let mut syncers = Vec::new();
        for (person, since, faults) in arrived.await? {
            server.faults.add(faults);
            syncers.push(Syncer {
                client: Client::new(&self.url, &self.people[person]).await?,
                person,
                since,
                told: Vec::new(),
            });
        }
        Ok(syncers)
    }

    /// Sends messages while people sync, until everybody has heard what was said in their rooms.
    async fn talk(
        &self,
        server: &mut Server,
        processes: &Processes,
        syncers: Vec<Syncer>,
        messages: usize,
    ) -> Result<Vec<Syncer>> {
        let evenly = |number| number * self.rooms.len() / messages;
        let chosen: Vec<usize> = (0..messages).map(evenly).collect();
        let mut listening = JoinSet::new();
        for mut syncer in syncers {
            let heard = |room: &&usize| self.plan.is_member(**room, syncer.person);
            let awaited = chosen.iter().filter(heard).count();
            listening.spawn(async move {
                syncer.listen(awaited).await?;
                anyhow::Ok(syncer)
            });
        }
        let mut highest = processes.resident_bytes()?;
        let mut sent = Vec::new();
        let mut client = Client::new(&self.url, &self.people[0]).await?;
        for (number, room) in chosen.iter().enumerate() {
            let author = &self.people[self.plan.member(*room, 0)];
            let (txn, content) = (format!("m{number}"), message("hello", BODY_BYTES));
            let (connection, room_id) = (&mut client.connection, &self.rooms[*room]);
            let event_id = author.send(connection, room_id, &txn, &content).await?;
            sent.push((*room, format!("{room_id} {event_id}")));
            if number % LOOK_EVERY == 0 {
                highest = highest.max(processes.resident_bytes()?);
            }
        }
        let mut syncers = Vec::new();
        while let Some(syncer) = listening.join_next().await {
            let syncer = syncer??;
            let own = sent
                .iter()
                .filter(|(room, _)| self.plan.is_member(*room, syncer.person));
            let own: Vec<String> = own.map(|(_, id)| id.clone()).collect();
            server.faults.add(Faults::in_any_order(&own, &syncer.told));
            syncers.push(syncer);
        }
        highest = highest.max(processes.resident_bytes()?);
        server
            .figures
            .add("resident while they sync, highest, MiB", mib(highest));
        Ok(syncers)
    }

    /// Compares every room's members with who joined it.
    async fn read_back(&self) -> Result<Faults> {
        let found = share_out(
            &self.url,
            ARRIVING,
            self.rooms.len(),
            async |connection, room| {
                let member = |place| &self.people[self.plan.member(room, place)];
                let members = member(0)
                    .joined_members(connection, &self.rooms[room])
                    .await?;
                let expected = (0..self.plan.members).map(|place| member(place).user_id.clone());
                Ok(Faults::in_any_order(
                    &expected.collect::<Vec<_>>(),
                    &members,
                ))
            },
        );
        let mut faults = Faults::default();
        found.await?.into_iter().for_each(|found| faults.add(found));
        Ok(faults)
    }
}

/// Holds everybody's sync, and measures.
async fn hold(server: &mut Server, processes: &Processes, syncers: Vec<Syncer>) -> Result<()> {
    let mut polls = JoinSet::new();
    for mut syncer in syncers {
        polls.spawn(async move { syncer.poll().await.map(drop) });
    }
    // Tasks begin when this one waits.
    moment::pause(HELD / 10).await;
    processes.settle().await?;
    server.figures.add(
        "resident with all syncs held, MiB",
        mib(processes.resident_bytes()?),
    );
    polls.abort_all();
    while polls.join_next().await.is_some() {}
    Ok(())
}

impl Syncer {
    /// Syncs until so many messages have come, or none for as long as a poll is held.
    async fn listen(&mut self, awaited: usize) -> Result<()> {
        while self.told.len() < awaited {
            let (news, took) = self.poll().await?;
            if news.is_empty() && took >= HELD {
                break;
            }
            self.told.extend(news);
        }
        Ok(())
    }

    /// Waits for news; the messages among it, as room and event.
    async fn poll(&mut self) -> Result<(Vec<String>, Duration)> {
        let filter = sync::filter(TIMELINE, Members::Lazy);
        let path = sync::path(&filter, Some(&self.since), HELD.as_millis());
        let answer = self.client.timed(Method::GET, &path, &Value::Null).await?;
        let took = answer.took;
        let answer = answer.json()?;
        self.since = sync::next_batch(&answer)?;
        let mut news = Vec::new();
        for (room, part) in sync::joined(&answer) {
            let messages = sync::messages(part)?;
            news.extend(messages.iter().map(|id| format!("{room} {id}")));
        }
        Ok((news, took))
    }
}
