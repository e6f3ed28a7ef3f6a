//! Calling cargo, with the right folders and target directory.

use std::{
    env,
    ffi::OsString,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};

use crate::console;

/// The folder of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask is a folder of the workspace")
}

/// The manifest of the client suite, which is a workspace of its own, if it is there.
pub(crate) fn clients_manifest() -> Option<PathBuf> {
    Some(root().join("clients/Cargo.toml")).filter(|manifest| manifest.is_file())
}

/// The manifest of the fuzz targets, which are a workspace of their own too.
pub(crate) fn fuzz_manifest() -> Option<PathBuf> {
    Some(root().join("fuzz/Cargo.toml")).filter(|manifest| manifest.is_file())
}

/// A call of cargo in the workspace's folder.
pub(crate) fn cargo<A: Into<OsString>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(program());
    command
        .args(arguments.into_iter().map(Into::into))
        .current_dir(root());
    if console::is_watched() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    if let Some(folder) = target_dir(|name| env::var_os(name)) {
        command.env("CARGO_TARGET_DIR", folder);
    }
    command
}

/// Says whether cargo-nextest is on this machine.
pub(crate) fn has_nextest() -> bool {
    cargo(["nextest", "--version"])
        .output()
        .is_ok_and(|output| output.status.success())
}

/// Turns this process into the server, so that signals reach it and its exit code is ours.
///
/// It returns only when that fails. The folder stays the caller's: the data is made there.
pub(crate) fn become_server(arguments: Vec<OsString>) -> anyhow::Error {
    let failure = Command::new(program())
        .args([
            "run",
            "--quiet",
            "--package",
            "conclave",
            "--bin",
            "conclave",
        ])
        .arg("--manifest-path")
        .arg(root().join("Cargo.toml"))
        .args(["--", "serve"])
        .args(arguments)
        .exec();
    anyhow::Error::new(failure).context("cannot start cargo")
}

fn program() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Where release builds stand.
pub(crate) fn release_folder() -> PathBuf {
    let variable = |name: &str| env::var_os(name);
    let told = variable("CARGO_TARGET_DIR").map(PathBuf::from);
    let folder = told.or_else(|| target_dir(variable));
    let folder = folder.unwrap_or_else(|| "target".into());
    root().join(folder).join("release")
}

/// Where to build, if cargo is not to decide: on a build machine outside of the clone, so that it
/// outlives the clone and makes the next build shorter.
fn target_dir(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    if variable("CARGO_TARGET_DIR").is_some() {
        return None;
    }
    if let Some(folder) = variable("CONCLAVE_TARGET_DIR") {
        return Some(folder.into());
    }
    variable("CI").filter(|value| value == "true")?;
    Some(PathBuf::from(variable("HOME")?).join(".cache/conclave/target"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(variables: &[(&str, &str)]) -> Option<PathBuf> {
        target_dir(|name| {
            let (_, value) = variables.iter().find(|(known, _)| *known == name)?;
            Some(OsString::from(value))
        })
    }

    #[test]
    fn a_build_machine_builds_outside_of_the_clone() {
        let ci = [("CI", "true"), ("HOME", "/h")];
        assert_eq!(chosen(&ci), Some("/h/.cache/conclave/target".into()));
        let elsewhere = [
            ("CI", "true"),
            ("HOME", "/h"),
            ("CONCLAVE_TARGET_DIR", "/t"),
        ];
        assert_eq!(chosen(&elsewhere), Some("/t".into()));
    }

    #[test]
    fn elsewhere_and_when_told_cargo_decides() {
        assert_eq!(chosen(&[("HOME", "/h")]), None);
        assert_eq!(chosen(&[("CI", "true"), ("CARGO_TARGET_DIR", "/t")]), None);
    }
}
