//! Initial syncs: everything at once, warm, and just after a restart.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use hyper::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::{Server, run_name};
use crate::{
    arguments::Initial,
    crowd::{HANDS, share_out},
    faults::Faults,
    matrix::{Client, Person, message},
    report::{Figures, count, mib, millis},
    stage,
    sync::{self, Members},
};

/// One figure for each restart; their median is what the report shows.
const AFTER_A_RESTART: &str = "initial sync just after a restart, ms";

/// Everybody is in each room.
#[derive(Serialize, Deserialize)]
struct Company {
    people: Vec<Person>,
    rooms: Vec<Room>,
}

#[derive(Serialize, Deserialize)]
struct Room {
    room_id: String,
    /// Event ids, oldest first.
    messages: Vec<String>,
}

/// What of a server is kept while it is started again.
#[derive(Serialize, Deserialize)]
struct Kept {
    company: Company,
    figures: Figures,
    faults: Faults,
}

pub(super) async fn run(servers: &mut [Server], load: &Initial, rounds: u32) -> Result<()> {
    if let Some(file) = &load.again {
        return again(servers, file).await;
    }
    let run = run_name()?;
    let mut companies = Vec::new();
    for server in &*servers {
        companies.push(Company::gather(server.nodes.first(), &run, load).await?);
    }
    for round in 0..rounds {
        for (server, company) in servers.iter_mut().zip(&companies) {
            turn(server, company, load, round).await?;
        }
    }
    let Some(file) = &load.keep else {
        return Ok(());
    };
    let kept = servers.iter().zip(companies).map(|(server, company)| Kept {
        company,
        figures: server.figures.clone(),
        faults: server.faults,
    });
    let kept: Vec<Kept> = kept.collect();
    Ok(fs::write(file, serde_json::to_vec(&kept)?)?)
}

/// One sync of servers that have just been started again.
async fn again(servers: &mut [Server], file: &Path) -> Result<()> {
    let mut kept: Vec<Kept> = serde_json::from_slice(&fs::read(file)?)?;
    ensure!(kept.len() == servers.len(), "other servers were kept");
    for (server, kept) in servers.iter_mut().zip(&mut kept) {
        let restarts = kept.figures.rounds(AFTER_A_RESTART);
        let person = kept.company.someone(restarts);
        let mut client = Client::new(server.nodes.first(), person).await?;
        let measured = kept.company.sync(&mut client, restarts).await?;
        kept.figures.add(AFTER_A_RESTART, millis(measured.took));
        kept.faults.add(measured.faults);
        server.figures = kept.figures.clone();
        server.faults = kept.faults;
    }
    Ok(fs::write(file, serde_json::to_vec(&kept)?)?)
}

async fn turn(server: &mut Server, company: &Company, load: &Initial, round: u32) -> Result<()> {
    let mut latencies = Vec::new();
    let mut bytes = 0;
    let before = server.cpu_time()?;
    for index in 0..load.syncs {
        let mut client = Client::new(server.nodes.first(), company.someone(index)).await?;
        let number = usize::try_from(round)? * load.syncs + index;
        let measured = company.sync(&mut client, number).await?;
        latencies.push(measured.took);
        bytes = measured.bytes;
        server.faults.add(measured.faults);
    }
    let after = server.cpu_time()?;
    let figures = &mut server.figures;
    figures.add_latencies("initial sync, warm,", latencies);
    figures.add("initial sync, KiB", mib(bytes) * 1024.0);
    if let (Some(before), Some(after)) = (before, after) {
        let each = millis(after.saturating_sub(before)) / count(load.syncs);
        figures.add("server CPU per initial sync, ms", each);
    }
    Ok(())
}

struct Measured {
    took: Duration,
    bytes: u64,
    faults: Faults,
}

impl Company {
    async fn gather(url: &Url, run: &str, load: &Initial) -> Result<Self> {
        let people = stage::people(url, run, load.members).await?;
        let rooms = share_out(url, HANDS, load.rooms, async |connection, index| {
            let owner = &people[index % people.len()];
            let name = format!("Room {index} of {run}");
            let room_id = owner.create_room(connection, &name).await?;
            for other in people.iter().filter(|other| other.user_id != owner.user_id) {
                other.join(connection, &room_id).await?;
            }
            let mut messages = Vec::new();
            for number in 0..load.messages {
                let content = message(&format!("{index}-{number}"), load.body_bytes);
                let author = &people[number % people.len()];
                let txn = format!("{index}-{number}");
                messages.push(author.send(connection, &room_id, &txn, &content).await?);
            }
            Ok(Room { room_id, messages })
        });
        let rooms = rooms.await?;
        Ok(Self { people, rooms })
    }

    fn someone(&self, number: usize) -> &Person {
        &self.people[number % self.people.len()]
    }

    /// Syncs for the first time, and looks whether everything is there.
    ///
    /// `number` is another one for each sync of a server, and makes its query another: Synapse
    /// answers the same initial sync of one device from memory for two minutes.
    async fn sync(&self, client: &mut Client, number: usize) -> Result<Measured> {
        let timeline = self.rooms.first().map_or(1, |room| room.messages.len());
        let filter = sync::filter(timeline.max(1), Members::All);
        let path = sync::path(&filter, None, number as u128);
        let answer = client.timed(Method::GET, &path, &Value::Null).await?;
        Ok(Measured {
            took: answer.took,
            bytes: answer.bytes.len().try_into()?,
            faults: self.faults(&answer.json()?)?,
        })
    }

    fn faults(&self, answer: &Value) -> Result<Faults> {
        let expected: Vec<String> = self.rooms.iter().map(|room| room.room_id.clone()).collect();
        let told: Vec<String> = sync::joined(answer).map(|(id, _)| id.clone()).collect();
        let mut faults = Faults::in_any_order(&expected, &told);
        let everybody: Vec<String> = self.people.iter().map(|one| one.user_id.clone()).collect();
        for room in &self.rooms {
            let told = answer["rooms"]["join"].get(&room.room_id);
            let told = told.context("a room is missing")?;
            let members = sync::members(told)?;
            faults.add(Faults::in_any_order(&everybody, &members));
            faults.add(Faults::in_order(&room.messages, &sync::messages(told)?));
        }
        Ok(faults)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn company() -> Company {
        let person = |name: &str| Person {
            user_id: format!("@{name}:x"),
            device_id: "D".to_owned(),
            token: "T".to_owned(),
        };
        Company {
            people: vec![person("a"), person("b")],
            rooms: vec![Room {
                room_id: "!r".to_owned(),
                messages: vec!["$1".to_owned(), "$2".to_owned()],
            }],
        }
    }

    fn answer(members: &[&str], messages: &[&str]) -> Value {
        let members = members.iter().map(|who| {
            let content = json!({ "membership": "join" });
            json!({ "type": "m.room.member", "state_key": who, "content": content })
        });
        let messages = messages
            .iter()
            .map(|id| json!({ "type": "m.room.message", "event_id": id }));
        let (state, timeline): (Vec<Value>, Vec<Value>) = (members.collect(), messages.collect());
        let room = json!({ "state": { "events": state }, "timeline": { "events": timeline } });
        json!({ "rooms": { "join": { "!r": room } } })
    }

    #[test]
    fn an_answer_with_everything_is_clean() {
        let faults = company().faults(&answer(&["@a:x", "@b:x"], &["$1", "$2"]));
        assert!(faults.unwrap().is_none());
    }

    #[test]
    fn what_is_missing_or_too_much_is_counted() {
        let faults = |answer| company().faults(&answer).unwrap();
        assert_eq!(faults(answer(&["@a:x"], &["$1", "$2"])).lost, 1);
        assert_eq!(faults(answer(&["@a:x", "@b:x"], &["$2"])).lost, 1);
        assert_eq!(
            faults(answer(&["@a:x", "@b:x"], &["$2", "$1"])).reordered,
            1
        );
        assert_eq!(
            faults(answer(&["@a:x", "@b:x", "@a:x"], &["$1", "$2"])).doubled,
            1
        );
        assert!(company().faults(&json!({})).is_err());
    }

    #[test]
    fn what_is_kept_is_read_again() {
        let kept = Kept {
            company: company(),
            figures: Figures::default(),
            faults: Faults::default(),
        };
        let json = serde_json::to_vec(&[kept]).unwrap();
        let again: Vec<Kept> = serde_json::from_slice(&json).unwrap();
        assert_eq!(again[0].company.rooms[0].messages, ["$1", "$2"]);
        assert_eq!(again[0].company.someone(3).user_id, "@b:x");
    }
}
