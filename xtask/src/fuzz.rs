//! `cargo xtask fuzz`: the properties of `hostile`, each with a fuzzer that sees which code it
//! reaches.

mod progress;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, bail, ensure};

use self::progress::Progress;
use crate::{
    cargo::{cargo, root},
    console::say,
};

/// What a fuzzer may take; more of it is a finding.
const MEMORY_MIB: u32 = 2_048;

/// How long one input may take; more is a finding.
const SECONDS_FOR_ONE: u32 = 25;

/// How the targets are built: sanitizers need a nightly compiler, and one unit of code for each
/// crate, as is usual, takes most of an hour to compile.
const BUILT: [&str; 4] = ["--sanitizer", "none", "--codegen-units", "16"];

/// What is asked on the command line.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only this target.
    #[arg(long)]
    target: Option<String>,
    /// How long each target runs.
    #[arg(long, default_value_t = 60)]
    minutes: u32,
    /// Runs all targets at once instead of one after the other.
    #[arg(long)]
    at_once: bool,
}

/// Builds the targets and runs them; says whether nothing was found.
pub(crate) fn run(options: &Options) -> anyhow::Result<bool> {
    let targets = chosen(targets()?, options.target.as_deref())?;
    ensure!(
        cargo(["fuzz", "--version"]).output()?.status.success(),
        "cargo-fuzz is not installed: run `cargo install cargo-fuzz` (it also needs g++)"
    );
    let mut build = cargo(["fuzz", "build"]);
    build.args(BUILT).args(&options.target);
    ensure!(build.status()?.success(), "the fuzz targets do not build");
    let group = if options.at_once { targets.len() } else { 1 };
    let mut clean = true;
    for targets in targets.chunks(group) {
        let begin = |name: &String| Running::begin(name, options.minutes);
        let running: Vec<Running> = targets.iter().map(begin).collect::<anyhow::Result<_>>()?;
        for running in running {
            clean &= running.finish()?;
        }
    }
    Ok(clean)
}

/// The names of all targets.
fn targets() -> anyhow::Result<Vec<String>> {
    let folder = root().join("fuzz/fuzz_targets");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).context("there are no fuzz targets")? {
        let path = entry?.path();
        let stem = path.file_stem().context("a fuzz target has no name")?;
        names.push(stem.to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn chosen(targets: Vec<String>, only: Option<&str>) -> anyhow::Result<Vec<String>> {
    let Some(only) = only else {
        return Ok(targets);
    };
    if !targets.iter().any(|target| target == only) {
        bail!(
            "there is no target {only}; there are {}",
            targets.join(", ")
        );
    }
    Ok(vec![only.to_owned()])
}

/// A target that runs.
struct Running {
    name: String,
    process: Child,
    log: PathBuf,
    artifacts: PathBuf,
}

impl Running {
    fn begin(name: &str, minutes: u32) -> anyhow::Result<Self> {
        let folder = root().join("fuzz");
        let corpus = folder.join("corpus").join(name);
        let artifacts = folder.join("artifacts").join(name);
        let logs = folder.join("target/logs");
        for folder in [&corpus, &artifacts, &logs] {
            fs::create_dir_all(folder)?;
        }
        let log = logs.join(format!("{name}.log"));
        let output = File::create(&log)?;
        let mut command = cargo(["fuzz", "run"]);
        command
            .args(BUILT)
            .arg(name)
            .args([&corpus, &folder.join("corpus-of-findings").join(name)])
            .arg("--")
            .arg(format!("-max_total_time={}", u64::from(minutes) * 60))
            .arg(format!("-rss_limit_mb={MEMORY_MIB}"))
            .arg(format!("-timeout={SECONDS_FOR_ONE}"))
            .arg(format!("-dict={}", folder.join("words.dict").display()))
            .arg("-print_final_stats=1")
            // Each thread's own heap would keep what hashing a password took.
            .env("MALLOC_ARENA_MAX", "2")
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        in_memory(&mut command);
        say(format_args!(
            "{name}: runs for {minutes} min; its log is {}",
            log.display()
        ));
        Ok(Self {
            name: name.to_owned(),
            process: command.spawn().context("cannot start cargo")?,
            log,
            artifacts,
        })
    }

    /// Waits for the end, and says in a line how far it came; tells whether nothing was found.
    fn finish(mut self) -> anyhow::Result<bool> {
        let status = self.process.wait()?;
        let log = String::from_utf8_lossy(&fs::read(&self.log)?).into_owned();
        let findings = findings(&self.artifacts)?;
        let progress = Progress::read(&log);
        say(format_args!(
            "{}: {progress}, {} findings",
            self.name,
            findings.len()
        ));
        for finding in &findings {
            say(format_args!("  {}", finding.display()));
        }
        if !status.success() && findings.is_empty() {
            say(format_args!("  it did not run: see {}", self.log.display()));
        }
        Ok(status.success() && findings.is_empty())
    }
}

/// Databases of the nodes that are fuzzed are thrown away: they need no disk.
fn in_memory(command: &mut Command) {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        command.env("TMPDIR", memory);
    }
}

/// The inputs that a property did not hold of and that are not mended yet.
fn findings(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut paths: Vec<PathBuf> = entries.collect::<anyhow::Result<_>>()?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_is_not_there_is_named_beside_those_that_are() {
        let all = || vec!["event".to_owned(), "image".to_owned()];
        assert_eq!(chosen(all(), None).unwrap(), all());
        assert_eq!(chosen(all(), Some("image")).unwrap(), ["image"]);
        let refused = chosen(all(), Some("imago")).unwrap_err().to_string();
        assert_eq!(refused, "there is no target imago; there are event, image");
    }

    #[test]
    fn every_target_is_found() {
        assert!(targets().unwrap().iter().any(|name| name == "request_body"));
    }
}
