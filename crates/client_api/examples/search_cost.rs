//! What a search for two words costs among many messages, measured beside one among few:
//! `cargo run --release --example search_cost -p client_api [-- MESSAGES MESSAGES]`.
//!
//! The words of a message are drawn as those of a language are: the hundredth in rank comes a
//! hundredth as often as the first. A quarter of the messages are Chinese.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement on a terminal"
)]

#[path = "../tests/api/conformance.rs"]
mod conformance;
#[path = "../tests/api/deployment.rs"]
mod deployment;
#[expect(unused, reason = "the tests' fixture, of which this uses a part")]
#[path = "../tests/api/server.rs"]
mod server;
#[expect(dead_code, reason = "the tests' fixture, of which this uses a part")]
#[path = "../tests/api/stage.rs"]
mod stage;

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use ruma::{CanonicalJsonObject, RoomId, UserId, events::TimelineEventType};
use serde_json::{Value, json};
use server::{Node, Server, User};

/// How many searches are made in each order.
const ROUNDS: usize = 300;

/// How many messages are sent at once.
const AT_ONCE: usize = 256;

#[tokio::main]
async fn main() {
    let mut sizes = std::env::args().skip(1).map(|size| size.parse().unwrap());
    let few = sizes.next().unwrap_or(10_000);
    let many = sizes.next().unwrap_or(1_000_000);
    for engine in ["SQLite", "PostgreSQL"] {
        println!("{engine}: a search for two words, median and p95 of {ROUNDS}");
        let few = cost(engine, few).await;
        let many = cost(engine, many).await;
        for (order, few, many) in [("recent", few[0], many[0]), ("rank", few[1], many[1])] {
            let ratio = many[1].as_secs_f64() / few[1].as_secs_f64();
            println!("  {order}: {ratio:.2} times as long (p95)");
        }
    }
}

/// The newest first, and the best first: median and p95 of each.
async fn cost(engine: &str, messages: usize) -> [[Duration; 2]; 2] {
    let mut server = match engine {
        "SQLite" => Server::sqlite(),
        _ => Server::postgres().await,
    };
    server.deployment.keeps_index = true;
    let node = server.node().await;
    let alice = node.someone("alice").await;
    let room = node.public(&alice).await;
    let mut random = Random(1);
    let began = Instant::now();
    for part in 0..messages.div_ceil(AT_ONCE) {
        let size = AT_ONCE.min(messages - part * AT_ONCE);
        let texts: Vec<String> = (0..size).map(|_| random.text()).collect();
        let sent = texts.iter().map(|text| send(&node, &alice, &room, text));
        join_all(sent).await;
    }
    let sent_in = began.elapsed();
    send(&node, &alice, &room, "marker").await;
    let is_there = async || search(&node, &alice, "marker", "recent").await["count"] == 1;
    while !is_there().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let indexed_in = began.elapsed() - sent_in;
    let mut all = [[Duration::ZERO; 2]; 2];
    for (place, order) in ["recent", "rank"].into_iter().enumerate() {
        let (mut times, mut found) = (Vec::new(), 0);
        for _ in 0..ROUNDS {
            let term = format!("{} {}", random.word(10, 1_000), random.word(10, 1_000));
            let began = Instant::now();
            let answer = search(&node, &alice, &term, order).await;
            times.push(began.elapsed());
            found += answer["count"].as_u64().unwrap();
        }
        times.sort_unstable();
        all[place] = [times[ROUNDS / 2], times[ROUNDS * 95 / 100]];
        let [median, p95] = all[place];
        let found = found / ROUNDS as u64;
        println!("  among {messages}, {order}: {median:?}, {p95:?}; {found} found on average");
    }
    println!("  sent in {sent_in:?}, indexed {indexed_in:?} after that");
    node.parts.log.stop().await;
    all
}

async fn send(node: &Node, user: &User, room: &str, text: &str) {
    let content = json!({ "msgtype": "m.text", "body": text });
    let content: CanonicalJsonObject = serde_json::from_value(content).unwrap();
    let (room, user) = (RoomId::parse(room), UserId::parse(&user.user_id));
    let (room, user) = (room.unwrap(), user.unwrap());
    let kind = TimelineEventType::RoomMessage;
    let sent = node.parts.rooms.send(
        &node.parts.log,
        &room,
        &user,
        kind,
        content,
        rooms::SendRequest::default(),
    );
    sent.await.unwrap();
}

async fn search(node: &Node, user: &User, term: &str, order: &str) -> Value {
    let criteria = json!({ "search_term": term, "order_by": order });
    let body = json!({ "search_categories": { "room_events": criteria } });
    let path = "/_matrix/client/v3/search";
    let answer = node.ok(&user.token, "POST", path, body).await;
    answer["search_categories"]["room_events"].clone()
}

/// Numbers that are the same in every run (xorshift).
struct Random(u64);

impl Random {
    /// At least `low` and less than `high`, the low ones as much more often as they are lower.
    fn rank(&mut self, low: u32, high: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let part = (self.0 >> 11) as f64 / (1_u64 << 53) as f64;
        let rank = f64::from(low) * (f64::from(high) / f64::from(low)).powf(part);
        rank as u32
    }

    fn word(&mut self, low: u32, high: u32) -> String {
        format!("w{}", self.rank(low, high))
    }

    fn text(&mut self) -> String {
        if self.rank(1, 16) >= 8 {
            let letter = |random: &mut Self| char::from_u32(0x4e00 + random.rank(1, 4_000));
            return (0..16).filter_map(|_| letter(self)).collect();
        }
        let words: Vec<String> = (0..12).map(|_| self.word(1, 20_000)).collect();
        words.join(" ")
    }
}
