//! Large rooms and accounts: each load has servers of its own, with empty databases.

use std::path::PathBuf;

use anyhow::Context as _;

use super::{
    Bench,
    part::Part,
    server::{Kind, Running},
};
/// How often the servers are started again for initial syncs.
const RESTARTS: u32 = 7;

/// How much smaller a trial is.
const TRIAL: u32 = 10;

/// A trial of initial syncs.
const SMALL: [&str; 4] = ["--rooms", "4", "--members", "5"];

/// A load that has servers of its own.
struct Load {
    part: Part,
    title: &'static str,
    /// What `loadgen` calls it.
    name: &'static str,
    sizes: &'static [(&'static str, u32)],
}

/// Loads of both servers in turn. Where the stage would take Synapse very long it is smaller
/// there, and what is measured is a rate.
const BESIDE: [Load; 4] = [
    Load {
        part: Part::Account,
        title: "syncs of somebody in 1,000 rooms",
        name: "account",
        sizes: &[("--rooms", 1_000)],
    },
    Load {
        part: Part::FanOut,
        title: "fan-out to 100 held syncs",
        name: "fan-out",
        sizes: &[("--listeners", 100)],
    },
    Load {
        part: Part::Joins,
        title: "5,000 people join one room",
        name: "joins",
        sizes: &[("--people", 5_000), ("--against-people", 1_000)],
    },
    Load {
        part: Part::History,
        title: "paging back over 10,000 events",
        name: "history",
        sizes: &[("--events", 10_000), ("--against-events", 2_500)],
    },
];

/// Loads whose figures are compared with our own, or with nothing.
const ALONE: [Load; 2] = [
    Load {
        part: Part::LargeRoom,
        title: "a room of 10,000 members",
        name: "large-room",
        sizes: &[("--members", 10_000)],
    },
    Load {
        part: Part::Memory,
        title: "memory with 10,000 people and 1,000,000 memberships",
        name: "memory",
        sizes: &[
            ("--people", 10_000),
            ("--rooms", 10_000),
            ("--syncing", 1_000),
        ],
    },
];

impl Bench<'_> {
    /// Everything of this file that was asked for; says whether nothing was lost.
    pub(super) fn large(&self) -> anyhow::Result<bool> {
        let mut clean = true;
        if self.wants(Part::Initial) {
            clean &= self.initial()?;
        }
        for load in BESIDE.iter().filter(|load| self.wants(load.part)) {
            clean &= self.sized(load, &self.start_both(load.name)?)?;
        }
        for load in ALONE.iter().filter(|load| self.wants(load.part)) {
            let server = self.ours.start(&self.folder(load.name)?)?;
            clean &= self.sized(load, &[server])?;
        }
        Ok(clean)
    }

    /// Initial syncs, warm, and then one after each of several restarts.
    fn initial(&self) -> anyhow::Result<bool> {
        let title = "initial sync, warm and just after restarts";
        let file = self.scratch.path().join("initial.json");
        let file = file.to_str().context("a folder without a name")?;
        let mut started: Vec<(&Kind, PathBuf)> = Vec::new();
        let mut servers: Vec<Running> = Vec::new();
        for kind in self.kinds() {
            let folder = self.folder(&format!("initial-{}", kind.name()))?;
            servers.push(kind.start(&folder)?);
            started.push((kind, folder));
        }
        let sizes: &[&str] = if self.options.trial { &SMALL } else { &[] };
        let load = [&["initial", "--keep", file], sizes].concat();
        let mut clean = self.load_silently(title, &servers, &load)?;
        let restarts = if self.options.trial { 2 } else { RESTARTS };
        for restart in 1..=restarts {
            let mut again = Vec::new();
            for (server, (kind, folder)) in servers.into_iter().zip(&started) {
                again.push(kind.restart(server, folder)?);
            }
            servers = again;
            let load = ["initial", "--again", file];
            // Each call tells the figures of those before it too.
            clean &= if restart == restarts {
                self.load(title, &servers, &load)?
            } else {
                self.load_silently(title, &servers, &load)?
            };
        }
        Ok(clean)
    }

    fn sized(&self, load: &Load, servers: &[Running]) -> anyhow::Result<bool> {
        let divisor = if self.options.trial { TRIAL } else { 1 };
        let mut command = vec![load.name.to_owned()];
        for (option, full) in load.sizes {
            command.extend([(*option).to_owned(), (full / divisor).to_string()]);
        }
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        self.load(load.title, servers, &command)
    }
}
