//! The audit record of a configuration that is another one than at this node's last start.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context;
use appservices::{Appservice, Appservices};
use audit::{Act, Actor, AuditTrail, Record, Target};
use config::{Loaded, Origin};
use seal::Keyring;
use store::Intent;

use crate::{data_dir::DataDir, node::Owners, whole_file};

/// Remembers the last start: keys and keyed hashes of their values.
const FILE: &str = "configuration.seen";

/// Keys that say how this node is watched, and change nothing for anybody else.
const WATCHING: [&str; 2] = ["log.", "metrics."];

/// The key behind whose value stand files.
const REGISTRATIONS: &str = "appservices.registrations";

/// Records each key whose value has changed since the last start; at first, each that somebody
/// has set.
///
/// The file is written after the commit: a crash between the two records a change twice, and
/// losing the file records all that is set. No change goes unrecorded.
pub(crate) async fn keep(
    loaded: &Loaded,
    keyring: &Keyring,
    owners: &Owners,
    data_dir: &DataDir,
) -> anyhow::Result<()> {
    let path = data_dir.path().join(FILE);
    let before = read(&path)?;
    let appservices = owners.accounts.appservices();
    let now = hashes(loaded, appservices, keyring);
    let mut intent = Intent::new();
    let mut changed = false;
    for entry in &loaded.entries {
        let Some(hash) = now.get(entry.key) else {
            continue;
        };
        let is_new = match &before {
            Some(before) => before.get(entry.key) != Some(hash),
            None => entry.origin != Origin::Default,
        };
        if is_new {
            changed = true;
            let record = Record::new(Act::ConfigurationChanged, Actor::System)
                .on(Target::configuration(entry.key))
                // Secrets are masked in it.
                .with("value", entry.value.clone())
                .with("origin", entry.origin.to_string());
            let record = match entry.key {
                REGISTRATIONS => record.with("appservices", ids(appservices)),
                _ => record,
            };
            intent.add::<AuditTrail>(record);
        }
    }
    if changed {
        let committed = owners.log.commit(intent).await;
        committed.map_err(store::CommitError::into_store)?;
    }
    if before.as_ref() != Some(&now) {
        whole_file::replace(&path, &serde_json::to_vec_pretty(&now)?)
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}

type Hashes = BTreeMap<String, String>;

/// The services that are registered.
fn ids(appservices: &Appservices) -> String {
    let ids: Vec<&str> = appservices.iter().map(Appservice::id).collect();
    ids.join(", ")
}

fn hashes(loaded: &Loaded, appservices: &Appservices, keyring: &Keyring) -> Hashes {
    let watched = |key: &&str| !WATCHING.iter().any(|watching| key.starts_with(watching));
    let entries = loaded.entries.iter().map(|entry| (entry.key, &entry.value));
    entries
        .filter(|(key, _)| watched(key))
        .map(|(key, value)| {
            let mut text = format!("{key} = {value}");
            // Its value is masked like any secret's, and yet one is not like another.
            let secret = match key {
                "registration.shared_secret" => &loaded.config.registration.shared_secret,
                "calls.turn_shared_secret" => &loaded.config.calls.turn_shared_secret,
                _ => &None,
            };
            if let Some(secret) = secret {
                text.push_str(secret.expose());
            }
            if key == REGISTRATIONS {
                // What stands in the files is what is decided by them.
                for appservice in appservices.iter() {
                    text.push_str(&format!(" {:02x?}", appservice.fingerprint()));
                }
            }
            let hash = keyring.blind("configuration", text.as_bytes());
            let digits = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            (key.to_owned(), digits)
        })
        .collect()
}

fn read(path: &Path) -> anyhow::Result<Option<Hashes>> {
    let text = whole_file::read(path)?;
    // A file that is not understood is as good as none: all is recorded anew.
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}
