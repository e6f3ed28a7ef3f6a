//! The master key: whether it can be read, by nobody else, and opens what is in the database.

use seal::{KeyFound, MasterKey, SealError};
use store::{Examination, Row};

use super::{Findings, Scene, database::failed};
use crate::storage;

const CHECK: &str = "master key";

/// Looks at the key; the database is `None` where it could not be opened, and `Some(None)` where
/// there is none yet.
pub(super) async fn examine(
    database: Option<&Option<Examination>>,
    scene: &Scene<'_>,
    findings: &mut Findings,
) {
    let stored: Option<Vec<Row>> = match database {
        None => None,
        Some(None) => Some(Vec::new()),
        Some(Some(examination)) => match MasterKey::sealed_in(examination).await {
            Ok(rows) => Some(rows),
            Err(error) => return failed(CHECK, &error, scene, findings),
        },
    };
    let source = storage::key_source(&scene.loaded.config);
    let place = source.place();
    match MasterKey::find(&source, stored.as_deref()) {
        Ok(KeyFound::Absent) if stored.is_some() => {
            findings.ok(CHECK, "there is none yet: the first start makes it");
        }
        Ok(KeyFound::Absent) => findings.warning(
            CHECK,
            format_args!("{place} is not there; whether one is needed, the database would tell"),
        ),
        Ok(KeyFound::Unproved(fingerprint)) => {
            let why = match stored {
                Some(_) => "nothing is sealed with any key yet",
                None => "whether it opens the database cannot be told",
            };
            let says = format_args!("{place} is the key {fingerprint}; {why}");
            findings.ok(CHECK, says);
        }
        Ok(KeyFound::Opens(fingerprint)) => {
            let says = format_args!("{place} is the key {fingerprint}, and opens this database");
            findings.ok(CHECK, says);
        }
        Err(SealError::Store(error)) => failed(CHECK, &error, scene, findings),
        Err(error) => findings.wrong(CHECK, error),
    }
}
