//! The parts of which `test` and `ci` are made.

use std::{
    ops::Range,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::Context as _;
use clap::ValueEnum;

use crate::{
    cargo::{self, cargo},
    console::say,
    python,
    report::Report,
    servers::{self, Servers},
    tidy,
};

/// Names the variable that tells the client suite which server to start.
const SERVER_VARIABLE: &str = "CONCLAVE_TEST_SERVER";

/// Names the variable that tells the client suite which Python has its packages.
const PYTHON_VARIABLE: &str = "CONCLAVE_TEST_PYTHON";

/// Names the variable that says where the Matrix specification's data is.
const SPECIFICATION_VARIABLE: &str = "MATRIX_SPEC_DIR";

/// Names the variable that tells the crash test how many notifications wait for a gateway.
const LETTERS_VARIABLE: &str = "CONCLAVE_CRASH_LETTERS";

/// How many they are in its long form.
const LETTERS: u32 = 10_000;

/// Names the variable that tells the crash test how often to kill the server.
const KILLS_VARIABLE: &str = "CONCLAVE_CRASH_KILLS";

/// Names the variable that asks the cluster test for its long form.
const LONG_VARIABLE: &str = "CONCLAVE_CLUSTER_LONG";

/// Names the variable that tells the cluster test at which moments things happen.
const SEED_VARIABLE: &str = "CONCLAVE_CLUSTER_SEED";

/// The engines that a test with a twin on each of them runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
    Both,
}

impl Engine {
    /// The ending of the names of tests that are left out.
    fn left_out(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => Some("::postgres"),
            Self::Postgres => Some("::sqlite"),
            Self::Both => None,
        }
    }
}

/// Runs all there is, the quick parts first, and goes on when a part fails.
pub(crate) fn everything(report: &mut Report) -> anyhow::Result<()> {
    format(report)?;
    tidy(report)?;
    clippy(report)?;
    match servers::start(Engine::Both) {
        Ok(servers) => tests(report, &servers, None, Engine::Both),
        Err(error) => {
            say(format_args!("error: {error:#}"));
            report.skip("tests");
            Ok(())
        }
    }
}

/// Checks that the code is formatted.
pub(crate) fn format(report: &mut Report) -> anyhow::Result<()> {
    report.run("format", cargo(["fmt", "--all", "--check"]))?;
    for (part, manifest) in workspaces_beside() {
        let mut command = cargo(["fmt", "--all", "--check", "--manifest-path"]);
        command.arg(manifest);
        report.run(part, command)?;
    }
    Ok(())
}

/// Formats the code.
pub(crate) fn fix_format(report: &mut Report) -> anyhow::Result<()> {
    report.run("format", cargo(["fmt", "--all"]))?;
    for (part, manifest) in workspaces_beside() {
        let mut command = cargo(["fmt", "--all", "--manifest-path"]);
        command.arg(manifest);
        report.run(part, command)?;
    }
    Ok(())
}

/// The workspaces that stand beside this one, with the names of the parts that format them.
fn workspaces_beside() -> impl Iterator<Item = (&'static str, PathBuf)> {
    let clients = cargo::clients_manifest().map(|path| ("format of the client suite", path));
    let fuzz = cargo::fuzz_manifest().map(|path| ("format of the fuzz targets", path));
    clients.into_iter().chain(fuzz)
}

/// Runs the compiler's and clippy's lints, warnings denied.
pub(crate) fn clippy(report: &mut Report) -> anyhow::Result<()> {
    let arguments = ["clippy", "--workspace", "--all-targets", "--locked", "--"];
    let mut command = cargo(arguments);
    command.args(["-D", "warnings"]);
    report.run("clippy", command).map(drop)
}

/// Checks the rules of the house.
pub(crate) fn tidy(report: &mut Report) -> anyhow::Result<()> {
    let checked = report.part("tidy", |_| {
        let tree = tidy::Tree::read(cargo::root())?;
        let findings = tidy::check(&tree);
        for finding in &findings {
            say(finding);
        }
        say(tidy::longest(&tree));
        Ok(findings.is_empty())
    });
    checked.map(drop)
}

/// Runs the tests of the workspace, its examples and the client suite; with a filter, only tests.
pub(crate) fn tests(
    report: &mut Report,
    servers: &Servers,
    filter: Option<&str>,
    engine: Engine,
) -> anyhow::Result<()> {
    say(conformance());
    let nextest = cargo::has_nextest();
    // Building is a part of its own, so that it is seen what takes long.
    let runner: &[&str] = if nextest {
        &["nextest", "run"]
    } else {
        &["test"]
    };
    let build = [runner, &["--workspace", "--no-run"]].concat();
    if report.run("build of the tests", cargo(build))? {
        let mut command = cargo(test_arguments(nextest, filter, engine));
        servers.announce(&mut command);
        report.run("tests", command)?;
    } else {
        report.skip("tests");
    }
    if filter.is_some() {
        return Ok(());
    }
    if nextest {
        // Nextest leaves the examples in documentation to cargo.
        report.run("examples", cargo(["test", "--workspace", "--doc"]))?;
    }
    clients(report, servers, None)
}

/// Says whether what passes in the tests is held against the specification.
fn conformance() -> String {
    match std::env::var_os(SPECIFICATION_VARIABLE) {
        Some(folder) if !folder.is_empty() => format!(
            "requests and answers are held against the specification in {}",
            folder.display()
        ),
        _ => format!(
            "{SPECIFICATION_VARIABLE} is not set: no request or answer is held against the specification"
        ),
    }
}

/// Runs the crash test in its long form: the same as among the tests, with more kills.
pub(crate) fn crash_test(
    report: &mut Report,
    engine: Engine,
    kills: u32,
    release: bool,
) -> anyhow::Result<()> {
    servers::provide(engine)?;
    let mut command = cargo(crash_test_arguments(engine, release));
    command.env(KILLS_VARIABLE, kills.to_string());
    command.env(LETTERS_VARIABLE, LETTERS.to_string());
    report.run("crash test", command).map(drop)
}

fn crash_test_arguments(engine: Engine, release: bool) -> Vec<&'static str> {
    // The whole workspace, so that nothing is built in another way than for the other tests.
    let mut arguments = vec!["test", "--workspace", "--test", "crash"];
    arguments.extend(release.then_some("--release"));
    arguments.extend(["--", "--nocapture", "--test-threads=1"]);
    arguments.extend(match engine {
        Engine::Sqlite => Some("sqlite::"),
        Engine::Postgres => Some("postgres::"),
        Engine::Both => None,
    });
    arguments
}

/// Runs the cluster test in its long form, with each of these seeds.
pub(crate) fn cluster_test(
    report: &mut Report,
    seeds: Range<u64>,
    release: bool,
) -> anyhow::Result<()> {
    let servers = servers::start(Engine::Both)?;
    for seed in seeds {
        let mut command = cargo(cluster_test_arguments(release));
        command.env(LONG_VARIABLE, "1");
        command.env(SEED_VARIABLE, seed.to_string());
        servers.announce(&mut command);
        report.run("cluster test", command)?;
    }
    Ok(())
}

fn cluster_test_arguments(release: bool) -> Vec<&'static str> {
    let mut arguments = vec!["test", "--workspace", "--test", "cluster"];
    arguments.extend(release.then_some("--release"));
    arguments.extend(["--", "--nocapture", "--test-threads=1"]);
    arguments
}

/// Runs the suite of real clients against the server, where that suite is there.
pub(crate) fn clients(
    report: &mut Report,
    servers: &Servers,
    filter: Option<&str>,
) -> anyhow::Result<()> {
    let Some(manifest) = cargo::clients_manifest() else {
        return Ok(());
    };
    servers::provide_npm()?;
    servers::provide_python()?;
    let mut server = None;
    report.part("build of the server", |_| {
        server = build_server()?;
        Ok(server.is_some())
    })?;
    let Some(server) = server else {
        report.skip("clients");
        return Ok(());
    };
    let packages = report.run("packages of the JavaScript client", npm_ci(&manifest))?;
    let mut python = None;
    report.part("packages of the Python client", |_| {
        let requirements = manifest.with_file_name("python").join("requirements.txt");
        python = Some(python::provide(&requirements)?);
        Ok(true)
    })?;
    let build = client_tests(&manifest, &["--no-run"]);
    if !packages || !report.run("build of the clients", build)? {
        report.skip("clients");
        return Ok(());
    }
    let mut command = client_tests(&manifest, filter.as_slice());
    command.env(SERVER_VARIABLE, server);
    let mut skipped = Vec::new();
    if !servers.have_postgres() {
        skipped.push("on_postgres");
    }
    if !python.as_deref().is_some_and(python::encrypts_bridges) {
        say("there is no python-olm for this Python: no story of a bridge is played");
        skipped.push("a_bridge");
    }
    command.envs(python.map(|python| (PYTHON_VARIABLE, python)));
    servers.announce(&mut command);
    if !skipped.is_empty() {
        command.arg("--");
    }
    for name in skipped {
        command.args(["--skip", name]);
    }
    report.run("clients", command).map(drop)
}

/// Fetches the JavaScript client, and the Node that it runs in, as its lock file says.
fn npm_ci(manifest: &Path) -> Command {
    let mut command = Command::new("npm");
    command
        .args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(manifest.with_file_name("js"));
    command
}

fn client_tests(manifest: &Path, arguments: &[&str]) -> Command {
    let mut command = cargo(["test", "--workspace", "--manifest-path"]);
    command.arg(manifest).args(arguments);
    command
}

/// Builds the server and finds its program; none when it does not build.
fn build_server() -> anyhow::Result<Option<PathBuf>> {
    let mut command = cargo(["build", "--workspace", "--bin", "conclave"]);
    let output = command
        .arg("--message-format=json-render-diagnostics")
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        return Ok(None);
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let program = messages.lines().find_map(executable);
    Ok(Some(program.context("cargo named no program")?))
}

fn executable(message: &str) -> Option<PathBuf> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    message["executable"].as_str().map(PathBuf::from)
}

fn test_arguments(nextest: bool, filter: Option<&str>, engine: Engine) -> Vec<String> {
    let runner: &[&str] = if nextest {
        &["nextest", "run", "--no-fail-fast"]
    } else {
        &["test", "--no-fail-fast"]
    };
    let mut arguments: Vec<String> = runner.iter().copied().map(String::from).collect();
    arguments.push("--workspace".to_owned());
    arguments.extend(filter.map(String::from));
    if let Some(ending) = engine.left_out() {
        arguments.extend(if nextest {
            ["-E".to_owned(), format!("not test(/{ending}$/)")].to_vec()
        } else {
            ["--", "--skip", ending].map(String::from).to_vec()
        });
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_engine_leaves_the_twins_on_the_other_out() {
        assert_eq!(
            test_arguments(true, Some("leave"), Engine::Sqlite).join(" "),
            "nextest run --no-fail-fast --workspace leave -E not test(/::postgres$/)"
        );
        assert_eq!(
            test_arguments(false, None, Engine::Postgres).join(" "),
            "test --no-fail-fast --workspace -- --skip ::sqlite"
        );
        let both = test_arguments(true, None, Engine::Both);
        assert!(!both.contains(&"-E".to_owned()));
    }

    #[test]
    fn the_crash_test_runs_on_the_engines_that_are_asked_for() {
        assert_eq!(
            crash_test_arguments(Engine::Sqlite, true).join(" "),
            "test --workspace --test crash --release -- --nocapture --test-threads=1 sqlite::"
        );
        let both = crash_test_arguments(Engine::Both, false);
        assert_eq!(both.last(), Some(&"--test-threads=1"));
    }

    #[test]
    fn the_cluster_test_shows_its_reports_and_does_one_fault_at_a_time() {
        assert_eq!(
            cluster_test_arguments(true).join(" "),
            "test --workspace --test cluster --release -- --nocapture --test-threads=1"
        );
    }

    #[test]
    fn the_program_is_the_one_that_cargo_names() {
        assert_eq!(executable(r#"{"reason":"x","executable":null}"#), None);
        assert_eq!(executable("Compiling"), None);
        let named = executable(r#"{"executable":"/t/debug/conclave"}"#);
        assert_eq!(named, Some(PathBuf::from("/t/debug/conclave")));
    }
}
