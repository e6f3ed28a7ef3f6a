//! NATS: whether each server lets this node in, and whether what it says comes back.

use bus::{Examined, NodeId};
use config::DatabaseUrl;

use super::{ANSWER_WITHIN, Findings, Scene, shown};
use crate::{node, storage::chain};

const CHECK: &str = "bus";

/// Speaks on a subject of its own on each server.
pub(super) async fn examine(scene: &Scene<'_>) -> Findings {
    let mut findings = Findings::default();
    let config = &scene.loaded.config;
    // The subject of the deployment is found with its keys; this uses another.
    let options = match node::bus_options(config, [0; 16]) {
        Ok(Some(options)) => options,
        Ok(None) => {
            absent(&config.database.url, &mut findings);
            return findings;
        }
        Err(error) => {
            findings.wrong(CHECK, format_args!("{error:#}"));
            return findings;
        }
    };
    let node = NodeId::generate(&*scene.surroundings.entropy);
    let examined = match bus::examine(&options, node, ANSWER_WITHIN).await {
        Ok(examined) => examined,
        Err(error) => {
            findings.wrong(CHECK, format_args!("bus.url cannot be used: {error}"));
            return findings;
        }
    };
    let is_reached = examined.iter().any(|server| server.outcome.is_ok());
    for Examined { server, outcome } in examined {
        match outcome {
            Ok(time) => {
                let time = shown(time);
                let says = format_args!("what is said at {server} is heard again after {time}");
                findings.ok(CHECK, says);
            }
            Err(error) => {
                let says = format!(
                    "{server} cannot be used ({}): check that NATS runs there, that bus.url is \
                     right, and that its user may publish and subscribe to conclave.>",
                    chain(&error)
                );
                match is_reached {
                    // Nodes take another.
                    true => findings.warning(CHECK, says),
                    false => findings.wrong(CHECK, says),
                }
            }
        }
    }
    findings
}

fn absent(database: &DatabaseUrl, findings: &mut Findings) {
    match database {
        DatabaseUrl::Sqlite(_) => {
            findings.ok(CHECK, "none is needed: on SQLite there is one node");
        }
        DatabaseUrl::Postgres(_) => findings.warning(
            CHECK,
            "bus.url is not set: with more than one node, the others hear of changes within half a \
             second instead of at once, and of typing and presence not at all",
        ),
    }
}
