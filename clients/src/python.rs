//! The Python that has the packages of `clients/python`.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use tokio::process::Command;

/// Names the variable that tells which Python that is.
const VARIABLE: &str = "CONCLAVE_TEST_PYTHON";

/// A call of a program of `clients/python`.
///
/// # Errors
///
/// When no Python is named.
pub fn program(name: &str) -> Result<Command> {
    let interpreter = env::var_os(VARIABLE).with_context(|| {
        format!("{VARIABLE} names no Python with the clients: run `cargo xtask test --clients`")
    })?;
    let mut python = Command::new(PathBuf::from(interpreter));
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("python")
        .join(name);
    // It leaves nothing beside the sources.
    python.arg("-B").arg(script);
    Ok(python)
}
