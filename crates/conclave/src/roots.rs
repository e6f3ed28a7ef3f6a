//! Who may vouch for the servers that an operator names.

use std::{fs, path::Path};

use anyhow::Context;
use rustls::RootCertStore;

/// The certificates of a file, or without one those that this machine trusts.
pub(crate) fn roots(key: &str, ca_file: Option<&Path>) -> anyhow::Result<RootCertStore> {
    let Some(file) = ca_file else {
        return Ok(trust::system_roots());
    };
    let shown = file.display();
    let pem = fs::read(file).with_context(|| format!("{key}: cannot read {shown}"))?;
    trust::roots_in(&pem).with_context(|| format!("{key}: {shown}"))
}
