//! The configuration, and the registration files that it names.

use config::{Config, Loaded, SourceFile, Sources};

use super::Findings;
use crate::registrations;

const CHECK: &str = "configuration";

/// Reads it as a start would; without one there is nothing to check.
pub(super) fn examine(sources: Sources, findings: &mut Findings) -> Option<Loaded> {
    let from = match &sources.file {
        Some(SourceFile::Path(path)) => format!("{} is read", path.display()),
        Some(SourceFile::Text { name, .. }) => format!("{name} is read"),
        None => "there is no file: defaults and the environment count".to_owned(),
    };
    let loaded = match Config::load(sources) {
        Ok(loaded) => loaded,
        Err(error) => {
            for problem in error.problems() {
                findings.wrong(CHECK, problem);
            }
            return None;
        }
    };
    findings.ok(CHECK, from);
    for warning in &loaded.warnings {
        findings.warning(CHECK, warning);
    }
    match registrations::read(&loaded.config) {
        Err(error) => {
            for problem in format!("{error:#}").lines() {
                findings.wrong("application services", problem);
            }
        }
        Ok(appservices) if appservices.iter().next().is_some() => {
            let count = appservices.iter().count();
            let says = format_args!("the registration files can be read ({count})");
            findings.ok("application services", says);
        }
        Ok(_) => {}
    }
    Some(loaded)
}
