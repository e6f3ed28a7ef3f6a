//! `conclave doctor`: says what is wrong with what the server needs, and changes nothing.

use anyhow::bail;
use config::Sources;
use serde_json::json;

use crate::{
    Surroundings,
    doctor::{self, Verdict},
    output,
};

/// Prints what was found, line by line or as one JSON object.
///
/// # Errors
///
/// When something is wrong: how much. What, was printed.
pub(super) async fn doctor(
    sources: Sources,
    is_json: bool,
    is_thorough: bool,
) -> anyhow::Result<()> {
    let surroundings = Surroundings::of_this_machine();
    let tell = |finding: &doctor::Finding| {
        if !is_json {
            output::say(finding);
        }
    };
    let findings = doctor::examine(sources, &surroundings, is_thorough, tell).await;
    if is_json {
        let checks: Vec<_> = findings.iter().collect();
        let report = json!({ "verdict": findings.verdict(), "checks": checks });
        output::say(report);
    }
    match findings.count(Verdict::Wrong) {
        0 => Ok(()),
        1 => bail!("1 thing is wrong"),
        count => bail!("{count} things are wrong"),
    }
}
