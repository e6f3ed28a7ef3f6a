//! The Python of the client suite: an environment outside of the clone, with the packages that
//! `clients/python/requirements.txt` names, each by its digest, and no others.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, ensure};
use sha2::{Digest, Sha256};

/// Finds the environment, or makes it; gives its interpreter.
pub(crate) fn provide(requirements: &Path) -> anyhow::Result<PathBuf> {
    let listed = fs::read(requirements)
        .with_context(|| format!("cannot read {}", requirements.display()))?;
    let folder = cache()?.join(name(&listed, &version()?));
    if !folder.exists() {
        make(&folder, requirements)?;
    }
    Ok(folder.join("bin/python"))
}

/// Whether an environment has what bridges encrypt with: there are no wheels of it for Python 3.13
/// and newer.
pub(crate) fn encrypts_bridges(interpreter: &Path) -> bool {
    let output = Command::new(interpreter)
        .args(["-c", "import olm"])
        .output();
    output.is_ok_and(|output| output.status.success())
}

/// Where environments are kept, for the next run and the next clone.
fn cache() -> anyhow::Result<PathBuf> {
    let home = env::var_os("HOME").context("HOME is not set: there is no place for a cache")?;
    Ok(PathBuf::from(home).join(".cache/conclave/python"))
}

/// The interpreter that makes environments; one made by another does not run on.
fn version() -> anyhow::Result<Vec<u8>> {
    let output = Command::new("python3")
        .arg("--version")
        .output()
        .context("cannot start python3")?;
    Ok(output.stdout)
}

/// Another list of packages, or another interpreter, is another environment.
fn name(listed: &[u8], version: &[u8]) -> String {
    let digest = Sha256::new()
        .chain_update(listed)
        .chain_update(version)
        .finalize();
    let digits = digest.iter().take(8).map(|byte| format!("{byte:02x}"));
    digits.collect()
}

/// Makes an environment beside its place, and puts it there when it is whole: one that was broken
/// off is never taken for one that is there.
fn make(folder: &Path, requirements: &Path) -> anyhow::Result<()> {
    let parent = folder.parent().context("a cache has a parent")?;
    fs::create_dir_all(parent)?;
    let unfinished = tempfile::tempdir_in(parent)?;
    let environment = unfinished.path().join("environment");
    run(Command::new("python3")
        .args(["-m", "venv"])
        .arg(&environment))?;
    run(Command::new(environment.join("bin/python"))
        .args(["-m", "pip", "install", "--quiet", "--no-input"])
        .args(["--disable-pip-version-check", "--no-cache-dir"])
        .args(["--require-hashes", "--only-binary", ":all:"])
        .arg("--requirement")
        .arg(requirements))?;
    match fs::rename(&environment, folder) {
        // Another run was faster.
        Err(_) if folder.exists() => Ok(()),
        outcome => outcome.with_context(|| format!("cannot make {}", folder.display())),
    }
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output();
    let output = output.with_context(|| format!("cannot start {:?}", command.get_program()))?;
    ensure!(
        output.status.success(),
        "the Python client cannot be fetched: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn another_list_or_interpreter_is_another_environment() {
        let names = [
            name(b"nio==1", b"Python 3.11"),
            name(b"nio==2", b"Python 3.11"),
            name(b"nio==1", b"Python 3.13"),
        ];
        assert_eq!(names[0], name(b"nio==1", b"Python 3.11"));
        assert!(names[0] != names[1] && names[0] != names[2] && names[1] != names[2]);
        assert_eq!(names[0].len(), 16);
    }
}
