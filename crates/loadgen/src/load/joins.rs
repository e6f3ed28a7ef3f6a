//! People who join one room.

use anyhow::Result;
use url::Url;

use super::{Server, run_name, sizes};
use crate::{
    arguments::Joins,
    crowd::share_out,
    faults::Faults,
    matrix::{Client, Person},
    moment,
    report::{count, millis},
    stage,
};

pub(super) async fn run(servers: &mut [Server], load: &Joins, rounds: u32) -> Result<()> {
    let run = run_name()?;
    let mut crowds = Vec::new();
    for (server, people) in servers.iter().zip(sizes(load.people, load.against_people)) {
        crowds.push(stage::people(server.nodes.first(), &run, people + 1).await?);
    }
    for round in 0..rounds {
        for (server, people) in servers.iter_mut().zip(&crowds) {
            turn(server, people, load, &format!("Room {round} of {run}")).await?;
        }
    }
    Ok(())
}

async fn turn(server: &mut Server, people: &[Person], load: &Joins, name: &str) -> Result<()> {
    let url = server.nodes.first().clone();
    let (owner, others) = people.split_at(1);
    let mut owner = Client::new(&url, &owner[0]).await?;
    let room = owner.create_room(name).await?;
    server.settle().await?;
    let before = server.cpu_time()?;
    let began = moment::now();
    let latencies = share_out(
        &url,
        load.connections,
        others.len(),
        async |connection, index| {
            let began = moment::now();
            others[index].join(connection, &room).await?;
            Ok(began.elapsed())
        },
    );
    let latencies = latencies.await?;
    let took = began.elapsed().as_secs_f64();
    let after = server.cpu_time()?;
    let joined = count(others.len());
    let figures = &mut server.figures;
    figures.add("joins per second", joined / took);
    figures.add_latencies("join", latencies);
    if let (Some(before), Some(after)) = (before, after) {
        let used = millis(after.saturating_sub(before));
        figures.add("server CPU per join, ms", used / joined);
    }
    server.faults.add(read_back(&url, people, &room).await?);
    Ok(())
}

/// Compares who is in the room, and whose joining its history tells, with who joined.
async fn read_back(url: &Url, people: &[Person], room: &str) -> Result<Faults> {
    let everybody: Vec<String> = people.iter().map(|one| one.user_id.clone()).collect();
    let mut reader = Client::new(url, &people[0]).await?;
    let connection = &mut reader.connection;
    let members = reader.person.joined_members(connection, room).await?;
    let mut faults = Faults::in_any_order(&everybody, &members);
    let mut joined = Vec::new();
    let mut pages = reader.pages(room, 1_000);
    while let Some(page) = pages.next().await? {
        let members = page
            .events
            .iter()
            .filter(|one| one["type"] == "m.room.member");
        joined.extend(members.filter_map(|one| Some(one["state_key"].as_str()?.to_owned())));
    }
    faults.add(Faults::in_any_order(&everybody, &joined));
    Ok(faults)
}
