//! `cargo xtask bench`: this server, and Synapse beside it when it is there, under the same loads.
//!
//! The two are measured in turn, never both under load, and all figures of a run come from one
//! machine and one hour: only their ratios mean anything elsewhere.

mod large;
mod messages;
mod part;
mod postgres;
mod server;
mod side;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, ensure};

use self::{
    part::Part,
    server::{Kind, Running},
    side::Side,
};
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
    /// Measures this part alone; can be given several times.
    #[arg(long, value_enum)]
    only: Vec<Part>,
    /// How often each server has its turn.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// How long one turn of sending takes.
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// How many messages stand in the database whose size and whose server's memory are measured.
    #[arg(long, default_value_t = 100_000)]
    messages: u32,
    /// A folder for the figures as JSON, one file for each load.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Measures this program of ours, instead of a build of what stands here.
    #[arg(long)]
    program: Option<PathBuf>,
    /// Makes rooms and crowds ten times smaller, to see that everything works: the figures mean
    /// nothing.
    #[arg(long)]
    trial: bool,
}

/// Builds what is needed and puts the loads on; says whether nothing was lost on the way.
pub(crate) fn run(options: &Options) -> anyhow::Result<bool> {
    let wants = |part: Part| part.is_among(&options.only);
    let theirs = options.synapse.clone().map(Kind::Synapse);
    if let Some(theirs) = theirs.as_ref().filter(|_| wants(Part::PostgresSend)) {
        theirs.require_postgres()?;
    }
    let mut build = vec!["build", "--release", "-p", "loadgen"];
    if options.program.is_none() {
        build.extend(["-p", "conclave"]);
    }
    ensure!(cargo(build).status()?.success(), "the release build failed");
    if let Some(folder) = &options.json {
        fs::create_dir_all(folder)?;
    }
    let bin = release_folder();
    let program = options.program.clone();
    let bench = Bench {
        options,
        ours: Kind::Conclave(program.unwrap_or_else(|| bin.join("conclave"))),
        theirs,
        loadgen: bin.join("loadgen"),
        scratch: tempfile::tempdir()?,
    };
    let messages = bench.messages()?;
    let large = bench.large()?;
    let postgres = bench.on_postgres()?;
    Ok(messages && large && postgres)
}

struct Bench<'a> {
    options: &'a Options,
    ours: Kind,
    theirs: Option<Kind>,
    loadgen: PathBuf,
    scratch: tempfile::TempDir,
}

impl Bench<'_> {
    fn wants(&self, part: Part) -> bool {
        part.is_among(&self.options.only)
    }

    /// The servers that are compared, ours first.
    fn kinds(&self) -> impl Iterator<Item = &Kind> {
        std::iter::once(&self.ours).chain(&self.theirs)
    }

    /// Starts each of them with an empty database.
    fn start_both(&self, name: &str) -> anyhow::Result<Vec<Running>> {
        let start = |kind: &Kind| kind.start(&self.folder(&format!("{name}-{}", kind.name()))?);
        self.kinds().map(start).collect()
    }

    fn load(&self, title: &str, servers: &[Running], load: &[&str]) -> anyhow::Result<bool> {
        self.load_sides(title, &sides(servers), load)
    }

    /// The same where a server has several nodes.
    fn load_sides(&self, title: &str, sides: &[Side], load: &[&str]) -> anyhow::Result<bool> {
        say(format_args!("== {title}"));
        let status = self.command(title, sides, load).status();
        Ok(status.context("cannot start loadgen")?.success())
    }

    /// The same without a word: a later call tells the figures of this one too.
    fn load_silently(
        &self,
        title: &str,
        servers: &[Running],
        load: &[&str],
    ) -> anyhow::Result<bool> {
        let mut command = self.command(title, &sides(servers), load);
        let status = command.stdout(Stdio::null()).status();
        Ok(status.context("cannot start loadgen")?.success())
    }

    fn command(&self, title: &str, sides: &[Side], load: &[&str]) -> Command {
        let mut command = Command::new(&self.loadgen);
        command.args(side::arguments(sides));
        command.args(["--rounds", &self.options.rounds.to_string()]);
        if let Some(folder) = &self.options.json {
            let name: String = title
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
                .collect();
            command.arg("--json").arg(folder.join(name + ".json"));
        }
        command.args(load);
        command
    }

    fn folder(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = Path::join(self.scratch.path(), name);
        fs::create_dir(&folder)?;
        Ok(folder)
    }
}

/// Servers of one node each.
fn sides(servers: &[Running]) -> Vec<Side> {
    let alone = |server| Side::of(std::slice::from_ref(server));
    servers.iter().map(alone).collect()
}
