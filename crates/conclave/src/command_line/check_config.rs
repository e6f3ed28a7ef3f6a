//! `conclave config check`: reads the configuration and changes nothing.

use config::{Config, Sources};

use crate::{output, registrations, storage};

/// Prints every key with its value and origin, or every problem, also of registration files.
pub(super) fn check_config(sources: Sources) -> anyhow::Result<()> {
    let loaded = Config::load(sources)?;
    registrations::read(&loaded.config)?;
    let reachable = storage::location(&loaded.config).check();
    reachable.map_err(|error| storage::explain_store(&error, &loaded))?;
    for warning in &loaded.warnings {
        output::complain(format_args!("warning: {warning}"));
    }
    output::say(loaded.to_string().trim_end());
    Ok(())
}
