//! The project's commands: `cargo xtask run | test | crash-test | cluster-test | fuzz | ci | check | fix |
//! tidy | bench`.

mod bench;
mod cargo;
mod console;
mod fuzz;
mod parts;
mod python;
mod report;
mod servers;
mod tidy;

use std::{ffi::OsString, process::ExitCode};

use clap::{Parser, Subcommand, ValueEnum};

use crate::{parts::Engine, report::Report};

#[derive(Parser)]
#[command(bin_name = "cargo xtask", about = "The project's commands")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds the server and starts it, without any configuration.
    Run {
        /// Goes to `conclave serve` as it is.
        #[arg(last = true)]
        arguments: Vec<OsString>,
    },
    /// Runs every test, on throw-away servers of its own.
    Test {
        /// Runs only the tests whose names contain this (and leaves the client suite out).
        filter: Option<String>,
        /// Leaves out the twins of tests that run on the other engine.
        #[arg(long, value_enum, default_value_t = Engine::Both)]
        engine: Engine,
        /// Runs only the suite of real clients.
        #[arg(long)]
        clients: bool,
    },
    /// Kills the server under load, again and again, and counts what was lost.
    CrashTest {
        /// How often, on each engine.
        #[arg(long, default_value_t = 100)]
        kills: u32,
        #[arg(long, value_enum, default_value_t = Engine::Both)]
        engine: Engine,
        /// Kills a release build: it answers faster, and the moments are others.
        #[arg(long)]
        release: bool,
    },
    /// Lets nodes, their network and the servers that they share fail under load, and counts what
    /// was lost.
    ClusterTest {
        /// How often all of it is done, each time at other moments.
        #[arg(long, default_value_t = 1)]
        seeds: u64,
        /// The first of the seeds: those that a report shows repeat its run.
        #[arg(long, default_value_t = 1)]
        first_seed: u64,
        /// Runs a release build: it answers faster, and the moments are others.
        #[arg(long)]
        release: bool,
    },
    /// Runs the fuzz targets, each for an hour (`docs/hostile-input.md`).
    Fuzz(fuzz::Options),
    /// Does everything that must be green before a change lands.
    Ci,
    /// Does one of the checks.
    Check {
        #[arg(value_enum)]
        what: Check,
    },
    /// Repairs what a check complains about.
    Fix {
        #[arg(value_enum)]
        what: Fix,
    },
    /// Checks the rules of the house that the compiler does not know.
    Tidy,
    /// Measures a release build under load, side by side with Synapse when that is there.
    Bench(bench::Options),
}

#[derive(Clone, Copy, ValueEnum)]
enum Check {
    Fmt,
    Clippy,
    Tidy,
}

#[derive(Clone, Copy, ValueEnum)]
enum Fix {
    Fmt,
}

fn main() -> ExitCode {
    match execute(Arguments::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            console::say(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Says whether all went well; what did not has been told already.
fn execute(command: Command) -> anyhow::Result<bool> {
    let mut report = Report::default();
    match command {
        Command::Run { arguments } => return Err(cargo::become_server(arguments)),
        Command::Test {
            filter,
            engine,
            clients,
        } => {
            let servers = servers::start(engine)?;
            if clients {
                parts::clients(&mut report, &servers, filter.as_deref())?;
            } else {
                parts::tests(&mut report, &servers, filter.as_deref(), engine)?;
            }
        }
        Command::CrashTest {
            kills,
            engine,
            release,
        } => parts::crash_test(&mut report, engine, kills, release)?,
        Command::ClusterTest {
            seeds,
            first_seed,
            release,
        } => parts::cluster_test(&mut report, first_seed..first_seed + seeds, release)?,
        Command::Fuzz(options) => return fuzz::run(&options),
        Command::Ci => parts::everything(&mut report)?,
        Command::Check { what: Check::Fmt } => parts::format(&mut report)?,
        Command::Check {
            what: Check::Clippy,
        } => parts::clippy(&mut report)?,
        Command::Tidy | Command::Check { what: Check::Tidy } => parts::tidy(&mut report)?,
        Command::Bench(options) => return bench::run(&options),
        Command::Fix { what: Fix::Fmt } => parts::fix_format(&mut report)?,
    }
    report.print();
    Ok(report.is_green())
}
