//! How many changes a second one log takes, and how long they wait, by a model of its lock:
//! `cargo run --release -p store --example log_model [-- KEY=VALUE …]`.
//!
//! Nodes have queues; each has one committer, which waits for the lock in the order of asking, takes
//! what is queued by then (at most 256), and holds the lock for three ways to the database and the
//! work of the batch. Changes come at random (Poisson). Keys and defaults, in milliseconds: `flush=0.3` one
//! flush of PostgreSQL's log, `row=0.03` PostgreSQL's work for a change, `node=0.03` the node's work
//! for a change under the lock, `follow=0.005` its work for a change of another's that it applies
//! under the lock, `batch=1` what a batch costs whatever is in it. Who waits applies what is
//! committed meanwhile as it comes, so under the lock there is the batch before alone.

#![expect(clippy::print_stdout, reason = "a table on a terminal")]

use std::{collections::VecDeque, error::Error};

/// The most changes in a batch, as the committer has it.
const BATCH: usize = 256;

/// How long is simulated, in milliseconds, of which the first fifth is not counted.
const LASTS: f64 = 20_000.0;

/// What costs how long, in milliseconds.
#[derive(Clone, Copy)]
struct Costs {
    flush: f64,
    row: f64,
    node: f64,
    follow: f64,
    batch: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut costs = Costs {
        flush: 0.3,
        row: 0.03,
        node: 0.03,
        follow: 0.005,
        batch: 1.0,
    };
    for argument in std::env::args().skip(1) {
        let (key, value) = argument.split_once('=').ok_or("a key has a value")?;
        *(match key {
            "flush" => &mut costs.flush,
            "row" => &mut costs.row,
            "node" => &mut costs.node,
            "follow" => &mut costs.follow,
            "batch" => &mut costs.batch,
            _ => return Err(format!("{key} is no key of the model").into()),
        }) = value.parse()?;
    }
    println!(
        "Round trip · nodes · most changes a second · p50 and p99 at 300 a second · 1,000 · 3,000"
    );
    for round_trip in [0.1, 0.5, 2.0, 10.0, 50.0] {
        for nodes in [1, 3, 10, 30] {
            let most = Model::new(costs, round_trip, nodes, f64::INFINITY)
                .run()
                .rate;
            let waits = [300.0, 1_000.0, 3_000.0].map(|rate| {
                if rate > 0.95 * most {
                    return "–".to_owned();
                }
                let waits = Model::new(costs, round_trip, nodes, rate).run();
                format!("{:.1} · {:.1} ms", waits.p50, waits.p99)
            });
            let [few, some, many] = waits;
            println!("{round_trip} ms · {nodes} · {most:.0} · {few} · {some} · {many}");
        }
    }
    Ok(())
}

struct Model {
    costs: Costs,
    round_trip: f64,
    /// Changes a millisecond that come to each node; without an end, every batch is full.
    rate: f64,
    nodes: Vec<Node>,
    random: Random,
}

struct Node {
    /// When each change came that waits.
    queue: VecDeque<f64>,
    next: f64,
    /// When the committer asks for the lock, if anything is queued by then.
    free: f64,
}

struct Outcome {
    /// Changes a second.
    rate: f64,
    p50: f64,
    p99: f64,
}

impl Model {
    fn new(costs: Costs, round_trip: f64, nodes: usize, rate: f64) -> Self {
        let mut random = Random(7);
        let each = rate / 1_000.0 / nodes as f64;
        let nodes = (0..nodes).map(|_| Node {
            queue: VecDeque::new(),
            next: random.until_next(each),
            free: 0.0,
        });
        let nodes = nodes.collect();
        Self {
            costs,
            round_trip,
            rate: each,
            nodes,
            random,
        }
    }

    fn run(mut self) -> Outcome {
        let (mut lock_free, mut done) = (0.0_f64, 0_usize);
        // Whose the last batch was, and how many changes were in it.
        let mut before = (0, 0.0);
        let mut waits = Vec::new();
        loop {
            // Whoever asks first is let in first.
            let asks = |node: &Node| {
                let first = node.queue.front().copied().unwrap_or(node.next);
                first.max(node.free)
            };
            let node = (0..self.nodes.len())
                .min_by(|one, other| asks(&self.nodes[*one]).total_cmp(&asks(&self.nodes[*other])))
                .expect("there are nodes");
            let asked = asks(&self.nodes[node]);
            if asked > LASTS {
                break;
            }
            let granted = lock_free.max(asked + self.round_trip / 2.0);
            // A batch is what is queued when its node learns that it has the lock.
            let taken = self.take(node, granted + self.round_trip / 2.0);
            let Costs {
                flush,
                row,
                node: own,
                follow,
                batch,
            } = self.costs;
            let behind = if before.0 == node { 0.0 } else { before.1 };
            // Under the lock: the answer and the way back to the statements that checks depend on,
            // their answer, and the way of what is written.
            let count = taken.len() as f64;
            let released = granted
                + 2.0 * self.round_trip
                + batch
                + flush
                + count * (row + own)
                + behind * follow;
            lock_free = released;
            let told = released + self.round_trip / 2.0;
            self.nodes[node].free = told;
            before = (node, count);
            if asked > LASTS / 5.0 {
                done += taken.len();
                waits.extend(taken.iter().map(|came| told - came));
            }
        }
        waits.sort_by(f64::total_cmp);
        let at = |part: f64| waits[((waits.len() - 1) as f64 * part) as usize];
        Outcome {
            rate: done as f64 / (LASTS * 0.8) * 1_000.0,
            p50: at(0.5),
            p99: at(0.99),
        }
    }

    /// What has come to a node by now, as far as a batch goes.
    fn take(&mut self, node: usize, now: f64) -> Vec<f64> {
        let Node { queue, next, .. } = &mut self.nodes[node];
        if self.rate.is_infinite() {
            return vec![now; BATCH];
        }
        while *next <= now {
            queue.push_back(*next);
            *next += self.random.until_next(self.rate);
        }
        queue.drain(..queue.len().min(BATCH)).collect()
    }
}

/// The same in every run (Marsaglia: Xorshift RNGs).
struct Random(u64);

impl Random {
    /// How long until the next of so many a millisecond.
    fn until_next(&mut self, rate: f64) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let part = ((self.0 >> 11) as f64 + 1.0) / (1_u64 << 53) as f64;
        -part.ln() / rate
    }
}
