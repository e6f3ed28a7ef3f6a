//! Starting, sending, waiting, and files.

use std::{fs, time::Duration};

use super::{Bench, part::Part};
use crate::console::say;

/// The loads that one pair of servers bears, one after another, with their titles.
const SIDE_BY_SIDE: [(Part, &str, &[&str]); 6] = [
    (Part::Send, "send: 20 rooms, 64 connections", &["send"]),
    (
        Part::OneConnection,
        "send: one connection",
        &["send", "--connections", "1"],
    ),
    (
        Part::OneRoom,
        "send: 64 connections in one room",
        &["send", "--rooms", "1"],
    ),
    (
        Part::Mixed,
        "send, with receipts, typing and messages to devices",
        &["send", "--mixed"],
    ),
    (Part::Hold, "2,000 held polls", &["hold"]),
    (Part::Files, "files of 64 MiB", &["files"]),
];

impl Bench<'_> {
    /// Everything of this file that was asked for; says whether nothing was lost.
    pub(super) fn messages(&self) -> anyhow::Result<bool> {
        if self.wants(Part::ColdStart) {
            self.cold_starts()?;
        }
        let mut clean = self.side_by_side()?;
        if self.wants(Part::Snapshot) {
            clean &= self.under_a_reader()?;
        }
        if self.wants(Part::Kept) {
            clean &= self.kept()?;
        }
        Ok(clean)
    }

    /// From the start of the process to the first answer, with an empty database.
    fn cold_starts(&self) -> anyhow::Result<()> {
        let mut times: Vec<Vec<Duration>> = self.kinds().map(|_| Vec::new()).collect();
        for round in 0..self.options.rounds.max(5) {
            for (kind, times) in self.kinds().zip(&mut times) {
                let folder = self.folder(&format!("cold-{}-{round}", kind.name()))?;
                let running = kind.start(&folder)?;
                times.push(running.took);
            }
        }
        say("== cold start, from the process to the first answer");
        for (kind, times) in self.kinds().zip(&mut times) {
            times.sort_unstable();
            let median = times[times.len() / 2];
            say(format_args!("  {:<10} {median:?}   {times:?}", kind.name()));
        }
        Ok(())
    }

    fn side_by_side(&self) -> anyhow::Result<bool> {
        let wanted = SIDE_BY_SIDE.iter().filter(|(part, ..)| self.wants(*part));
        let mut wanted = wanted.peekable();
        if wanted.peek().is_none() {
            return Ok(true);
        }
        let servers = self.start_both("beside")?;
        for (kind, server) in self.kinds().zip(&servers) {
            let resident = server.resident_kib()? / 1024;
            say(format_args!(
                "== resident after the start of {}: {resident} MiB",
                kind.name()
            ));
        }
        let seconds = self.options.seconds.to_string();
        let mut clean = true;
        for (_, title, load) in wanted {
            let mut load = load.to_vec();
            if load[0] == "send" {
                load.extend(["--seconds", &seconds]);
            }
            clean &= self.load(title, &servers, &load)?;
        }
        Ok(clean)
    }

    /// The first load while somebody reads one moment of the database, as a backup does.
    fn under_a_reader(&self) -> anyhow::Result<bool> {
        let folder = self.folder("reader")?;
        let server = [self.ours.start(&folder)?];
        let seconds = self.options.seconds.to_string();
        let load = ["send", "--seconds", &seconds];
        let before = self.load("send, before a snapshot is held", &server, &load)?;
        let reader = rusqlite::Connection::open(folder.join("data/conclave.db"))?;
        reader.execute_batch("BEGIN; SELECT COUNT(*) FROM log;")?;
        let during = self.load("send, while a snapshot is held", &server, &load)?;
        reader.execute_batch("ROLLBACK")?;
        Ok(before && during)
    }

    /// What so many messages leave in memory and on disk.
    fn kept(&self) -> anyhow::Result<bool> {
        let folder = self.folder("kept")?;
        let server = self.ours.start(&folder)?;
        let messages = self.options.messages.to_string();
        let load = ["send", "--messages", &messages];
        let title = format!("{messages} messages, in memory and on disk");
        let servers = [server];
        let clean = self.load(&title, &servers, &load)?;
        let [server] = servers;
        server.stop()?;
        let bytes = fs::metadata(folder.join("data/conclave.db"))?.len();
        // The figure is what the load wrote, and twenty rooms besides.
        let each = bytes / (u64::from(self.options.messages) * u64::from(self.options.rounds));
        say(format_args!(
            "  on disk: {bytes} bytes, {each} for each message"
        ));
        Ok(clean)
    }
}
