//! `cargo xtask bench`: this server, and Synapse beside it when it is there, under the same loads.
//!
//! The two are measured in turn, never both under load, and all figures of a run come from one
//! machine and one hour: only their ratios mean anything elsewhere.

mod server;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, ensure};

use self::server::{Kind, Running};
use crate::{
    cargo::{cargo, release_folder},
    console::say,
};

/// What is asked on the command line.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// A Python environment with Synapse in it (`docs/performance.md` says how to make one).
    #[arg(long)]
    synapse: Option<PathBuf>,
    /// How often each server has its turn.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// How long one turn takes.
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// How many messages stand in the database whose size and whose server's memory are measured.
    #[arg(long, default_value_t = 100_000)]
    messages: u32,
    /// A folder for the figures as JSON, one file for each load.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// Builds what is needed and puts every load on; says whether nothing was lost on the way.
pub(crate) fn run(options: &Options) -> anyhow::Result<bool> {
    let status = cargo(["build", "--release", "-p", "conclave", "-p", "loadgen"]).status()?;
    ensure!(status.success(), "the release build failed");
    if let Some(folder) = &options.json {
        fs::create_dir_all(folder)?;
    }
    let bench = Bench {
        options,
        bin: release_folder(),
        scratch: tempfile::tempdir()?,
    };
    let mut kinds = vec![Kind::Conclave(bench.bin.join("conclave"))];
    kinds.extend(options.synapse.clone().map(Kind::Synapse));
    bench.cold_starts(&kinds)?;
    let beside = bench.side_by_side(&kinds)?;
    let under_a_reader = bench.under_a_reader(&kinds[0])?;
    let kept = bench.kept(&kinds[0])?;
    Ok(beside && under_a_reader && kept)
}

struct Bench<'a> {
    options: &'a Options,
    bin: PathBuf,
    scratch: tempfile::TempDir,
}

impl Bench<'_> {
    /// From the start of the process to the first answer, with an empty database.
    fn cold_starts(&self, kinds: &[Kind]) -> anyhow::Result<()> {
        let mut times: Vec<Vec<Duration>> = kinds.iter().map(|_| Vec::new()).collect();
        for round in 0..self.options.rounds.max(5) {
            for (kind, times) in kinds.iter().zip(&mut times) {
                let folder = self.folder(&format!("cold-{}-{round}", kind.name()))?;
                let running = kind.start(&folder)?;
                times.push(running.took);
            }
        }
        say("== cold start, from the process to the first answer");
        for (kind, times) in kinds.iter().zip(&mut times) {
            times.sort_unstable();
            let median = times[times.len() / 2];
            say(format_args!("  {:<10} {median:?}   {times:?}", kind.name()));
        }
        Ok(())
    }

    fn side_by_side(&self, kinds: &[Kind]) -> anyhow::Result<bool> {
        let mut servers = Vec::new();
        for kind in kinds {
            let folder = self.folder(kind.name())?;
            let running = kind.start(&folder)?;
            let resident = running.resident_kib()? / 1024;
            say(format_args!(
                "== resident after the start of {}: {resident} MiB",
                kind.name()
            ));
            servers.push(running);
        }
        let seconds = self.options.seconds.to_string();
        let loads: [(&str, &[&str]); 6] = [
            ("send: 20 rooms, 64 connections", &["send"]),
            ("send: one connection", &["send", "--connections", "1"]),
            (
                "send: 64 connections in one room",
                &["send", "--rooms", "1"],
            ),
            (
                "send, with receipts, typing and messages to devices",
                &["send", "--mixed"],
            ),
            ("2,000 held polls", &["hold"]),
            ("files of 64 MiB", &["files"]),
        ];
        let mut clean = true;
        for (title, load) in loads {
            let mut load = load.to_vec();
            if load[0] == "send" {
                load.extend(["--seconds", &seconds]);
            }
            clean &= self.load(title, &servers, &load)?;
        }
        Ok(clean)
    }

    /// The first load while somebody reads one moment of the database, as a backup does.
    fn under_a_reader(&self, kind: &Kind) -> anyhow::Result<bool> {
        let folder = self.folder("reader")?;
        let server = [kind.start(&folder)?];
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
    fn kept(&self, kind: &Kind) -> anyhow::Result<bool> {
        let folder = self.folder("kept")?;
        let server = kind.start(&folder)?;
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

    fn load(&self, title: &str, servers: &[Running], load: &[&str]) -> anyhow::Result<bool> {
        say(format_args!("== {title}"));
        let mut command = Command::new(self.bin.join("loadgen"));
        for (server, flags) in servers
            .iter()
            .zip([["--url", "--pid"], ["--against", "--against-pid"]])
        {
            command.arg(flags[0]).arg(&server.url);
            command.arg(flags[1]).arg(server.pid().to_string());
        }
        command.args(["--rounds", &self.options.rounds.to_string()]);
        if let Some(folder) = &self.options.json {
            let name: String = title
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
                .collect();
            command.arg("--json").arg(folder.join(name + ".json"));
        }
        let status = command
            .args(load)
            .status()
            .context("cannot start loadgen")?;
        Ok(status.success())
    }

    fn folder(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = Path::join(self.scratch.path(), name);
        fs::create_dir(&folder)?;
        Ok(folder)
    }
}
