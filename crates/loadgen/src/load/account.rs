//! Syncs of somebody who is in many rooms: what is new in one, and a window onto all of them.

use std::time::Duration;

use anyhow::{Context, Result};
use hyper::Method;
use serde_json::{Value, json};
use url::Url;

use super::{Server, run_name};
use crate::{
    arguments::Account,
    crowd::{HANDS, share_out},
    faults::Faults,
    matrix::{Client, Person, message, text},
    report::{millis, percentile},
    sync::{self, Members},
};

const SLIDING: &str = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync?timeout=0";

/// How long a message is.
const BODY_BYTES: usize = 200;

/// Two people with rooms of their own, and somebody who writes to both.
struct Stage {
    many: Reader,
    few: Reader,
    writer: Client,
    /// How often anybody wrote.
    written: usize,
}

/// Somebody whose syncs are measured.
struct Reader {
    client: Client,
    /// The liveliest first, as far as anybody wrote to them.
    rooms: Vec<Room>,
    /// The rooms where the writer is too.
    shared: Vec<String>,
    since: String,
}

struct Room {
    room_id: String,
    /// The last message, if there is one.
    last: Option<String>,
}

pub(super) async fn run(servers: &mut [Server], load: &Account, rounds: u32) -> Result<()> {
    let run = run_name()?;
    let mut stages = Vec::new();
    for server in &mut *servers {
        stages.push(Stage::build(server, &run, load).await?);
    }
    for round in 0..rounds {
        for (server, stage) in servers.iter_mut().zip(&mut stages) {
            server.settle().await?;
            next_syncs(server, stage, load).await?;
            first_windows(server, stage, load, round).await?;
        }
    }
    Ok(())
}

/// Something is new in one room, now of the one person and now of the other, who then syncs.
async fn next_syncs(server: &mut Server, stage: &mut Stage, load: &Account) -> Result<()> {
    let mut latencies = [Vec::new(), Vec::new()];
    for index in 0..load.syncs * 2 {
        let reader = if index % 2 == 0 {
            &mut stage.many
        } else {
            &mut stage.few
        };
        let number = stage.written;
        stage.written += 1;
        let told = reader.hear(&mut stage.writer, number).await?;
        latencies[index % 2].push(told.0);
        server.faults.add(told.1);
    }
    let [many, few] = latencies;
    let ratio = millis(median(&many)) / millis(median(&few));
    let figures = &mut server.figures;
    figures.add_latencies("next sync, many rooms,", many);
    figures.add_latencies("next sync, few rooms,", few);
    figures.add("next sync, p50, many / few", ratio);
    Ok(())
}

/// First answers of sliding syncs; each is a connection of its own.
async fn first_windows(
    server: &mut Server,
    stage: &mut Stage,
    load: &Account,
    round: u32,
) -> Result<()> {
    let mut latencies = Vec::new();
    for index in 0..load.syncs {
        let asks = sliding(&format!("{round}-{index}"), load);
        let client = &mut stage.many.client;
        let answer = client.timed(Method::POST, SLIDING, &asks).await?;
        latencies.push(answer.took);
        let rooms = &stage.many.rooms;
        server
            .faults
            .add(of_window(rooms, load.window, &answer.json()?)?);
    }
    let figures = &mut server.figures;
    figures.add_latencies("sliding sync, first answer,", latencies);
    Ok(())
}

/// What a client asks for that shows a list of rooms.
fn sliding(connection: &str, load: &Account) -> Value {
    let state = [
        "m.room.name",
        "m.room.encryption",
        "m.room.topic",
        "m.room.avatar",
        "m.room.canonical_alias",
        "m.room.power_levels",
        "m.room.join_rules",
        "m.room.tombstone",
        "m.room.create",
    ];
    let members = ["$LAZY", "$ME"].map(|who| ["m.room.member", who]);
    let state: Vec<[&str; 2]> = state
        .map(|kind| [kind, ""])
        .into_iter()
        .chain(members)
        .collect();
    json!({
        "conn_id": connection,
        "lists": { "all": {
            "ranges": [[0, load.window.saturating_sub(1)]],
            "timeline_limit": load.timeline,
            "required_state": state,
        } },
        "extensions": {
            "account_data": { "enabled": true },
            "receipts": { "enabled": true },
            "typing": { "enabled": true },
        },
    })
}

/// Compares a window with the liveliest rooms and their last messages.
fn of_window(rooms: &[Room], window: usize, answer: &Value) -> Result<Faults> {
    let listed = answer["lists"]["all"]["count"]
        .as_u64()
        .context("no count")?;
    let mut faults = Faults::in_number(rooms.len(), listed.try_into()?);
    let shown = answer["rooms"].as_object().context("no rooms")?;
    let expected: Vec<String> = rooms.iter().take(window).map(Room::end).collect();
    let mut told = Vec::new();
    for (room_id, room) in shown {
        let last = room["timeline"].as_array().and_then(|events| events.last());
        let last = last.map(|event| text(event, "event_id")).transpose()?;
        let room_id = room_id.clone();
        told.push(Room { room_id, last }.end());
    }
    faults.add(Faults::in_any_order(&expected, &told));
    Ok(faults)
}

impl Room {
    /// The room and how it ends, as one name.
    fn end(&self) -> String {
        format!(
            "{} {}",
            self.room_id,
            self.last.as_deref().unwrap_or_default()
        )
    }
}

impl Stage {
    async fn build(server: &mut Server, run: &str, load: &Account) -> Result<Self> {
        let url = server.nodes.first();
        let writer = Client::register(url, &format!("load-{run}-writer")).await?;
        let shared = load.few.min(load.rooms);
        let [many, few] = ["many", "few"].map(|who| format!("load-{run}-{who}"));
        let mut many = Reader::new(url, &many, load.rooms).await?;
        let mut few = Reader::new(url, &few, load.few).await?;
        many.share(&writer.person, shared).await?;
        few.share(&writer.person, shared).await?;
        let written = many.enliven(load.window + load.few).await?;
        let took = many.begin().await?;
        server.faults.add(took.1);
        server
            .figures
            .add("initial sync, many rooms, lazy, ms", millis(took.0));
        server.faults.add(few.begin().await?.1);
        Ok(Self {
            many,
            few,
            writer,
            written,
        })
    }
}

impl Reader {
    async fn new(url: &Url, name: &str, rooms: usize) -> Result<Self> {
        let client = Client::register(url, name).await?;
        let person = &client.person;
        let rooms = share_out(url, HANDS, rooms, async |connection, index| {
            let name = format!("Room {index} of {name}");
            let room_id = person.create_room(connection, &name).await?;
            Ok(Room {
                room_id,
                last: None,
            })
        });
        Ok(Self {
            rooms: rooms.await?,
            client,
            shared: Vec::new(),
            since: String::new(),
        })
    }

    /// Lets somebody else into the first rooms.
    async fn share(&mut self, person: &Person, rooms: usize) -> Result<()> {
        let shared = self
            .rooms
            .iter()
            .take(rooms)
            .map(|room| room.room_id.clone());
        self.shared = shared.collect();
        for room in &self.shared {
            person.join(&mut self.client.connection, room).await?;
        }
        Ok(())
    }

    /// Writes to the last rooms, one after another, so that they are the liveliest, and says how
    /// many they were.
    async fn enliven(&mut self, rooms: usize) -> Result<usize> {
        let first = self.rooms.len().saturating_sub(rooms);
        let chosen: Vec<String> = self.rooms[first..]
            .iter()
            .map(|room| room.room_id.clone())
            .collect();
        for (number, room) in chosen.iter().enumerate() {
            let content = message(&format!("message {number}"), BODY_BYTES);
            let event_id = self
                .client
                .send(room, &format!("m{number}"), &content)
                .await?;
            touch(&mut self.rooms, room, event_id)?;
        }
        Ok(chosen.len())
    }

    /// Syncs for the first time.
    async fn begin(&mut self) -> Result<(Duration, Faults)> {
        let path = sync::path(&sync::filter(10, Members::Lazy), None, 0);
        let answer = self.client.timed(Method::GET, &path, &Value::Null).await?;
        let json = answer.json()?;
        self.since = sync::next_batch(&json)?;
        let expected: Vec<String> = self.rooms.iter().map(|room| room.room_id.clone()).collect();
        let told: Vec<String> = sync::joined(&json).map(|(id, _)| id.clone()).collect();
        Ok((answer.took, Faults::in_any_order(&expected, &told)))
    }

    /// Lets the writer say something in one of the rooms, and syncs: that and nothing else is news.
    async fn hear(&mut self, writer: &mut Client, number: usize) -> Result<(Duration, Faults)> {
        let room = &self.shared[(number / 2) % self.shared.len()];
        let content = message(&format!("message {number}"), BODY_BYTES);
        let event_id = writer.send(room, &format!("m{number}"), &content).await?;
        let filter = sync::filter(10, Members::Lazy);
        let path = sync::path(&filter, Some(&self.since), 0);
        let answer = self.client.timed(Method::GET, &path, &Value::Null).await?;
        let json = answer.json()?;
        self.since = sync::next_batch(&json)?;
        let mut told = Vec::new();
        for (room_id, news) in sync::joined(&json) {
            let messages = sync::messages(news)?;
            told.extend(messages.iter().map(|id| format!("{room_id} {id}")));
        }
        let faults = Faults::in_order(&[format!("{room} {event_id}")], &told);
        let room = room.clone();
        touch(&mut self.rooms, &room, event_id)?;
        Ok((answer.took, faults))
    }
}

/// Notes that a room is the liveliest now.
fn touch(rooms: &mut [Room], room_id: &str, last: String) -> Result<()> {
    let place = rooms.iter().position(|room| room.room_id == room_id);
    let place = place.context("nobody's room")?;
    rooms[..=place].rotate_right(1);
    rooms[0].last = Some(last);
    Ok(())
}

fn median(latencies: &[Duration]) -> Duration {
    let mut sorted = latencies.to_vec();
    sorted.sort_unstable();
    percentile(&sorted, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rooms(ids: &[&str]) -> Vec<Room> {
        let room = |id: &&str| Room {
            room_id: (*id).to_owned(),
            last: None,
        };
        ids.iter().map(room).collect()
    }

    #[test]
    fn the_room_that_was_written_to_last_is_the_first() {
        let mut rooms = rooms(&["!a", "!b", "!c"]);
        touch(&mut rooms, "!b", "$1".to_owned()).unwrap();
        touch(&mut rooms, "!c", "$2".to_owned()).unwrap();
        let ends: Vec<String> = rooms.iter().map(Room::end).collect();
        assert_eq!(ends, ["!c $2", "!b $1", "!a "]);
        assert!(touch(&mut rooms, "!d", "$3".to_owned()).is_err());
    }

    #[test]
    fn a_window_is_the_liveliest_rooms_and_how_they_end() {
        let mut rooms = rooms(&["!a", "!b", "!c"]);
        touch(&mut rooms, "!b", "$1".to_owned()).unwrap();
        touch(&mut rooms, "!c", "$2".to_owned()).unwrap();
        let answer = |count: u32, b: &str| {
            let shown =
                |id: &str| json!({ "timeline": [{ "event_id": "$0" }, { "event_id": id }] });
            let lists = json!({ "all": { "count": count } });
            json!({ "lists": lists, "rooms": { "!c": shown("$2"), "!b": shown(b) } })
        };
        let faults = |window, answer| of_window(&rooms, window, &answer).unwrap();
        assert!(faults(2, answer(3, "$1")).is_none());
        assert_eq!(faults(2, answer(2, "$1")).lost, 1);
        assert_eq!(faults(2, answer(3, "$9")).lost, 1);
        assert_eq!(faults(1, answer(3, "$1")).foreign, 1);
        assert!(of_window(&rooms, 2, &json!({})).is_err());
    }
}
