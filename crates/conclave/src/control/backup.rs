//! A copy of everything, made by the process that has the database.

use std::{path::Path, sync::Arc};

use audit::{Act, Actor, AuditTrail, Record};
use copy::{CopyError, Manifest, Source, Tell};
use store::{CommitError, Intent, StoreError};

use super::{
    Administration, Answer, CopyLine,
    administration::{Refusal, failed},
};

impl Administration {
    /// Makes a copy and proves it. The record says that it was begun before anything is read:
    /// whoever breaks it off has still taken something.
    pub(super) async fn back_up(&self, folder: &str, tell: Tell<'_>) -> Result<Answer, Refusal> {
        let path = Path::new(folder);
        if !path.is_absolute() {
            return Err(format!(
                "no copy was made: {folder} is not named from the root"
            ));
        }
        let begun = record(Act::CopyBegun, folder);
        let begun = self.record(begun).await;
        begun.map_err(|error| failed("no copy was made", &error))?;
        let made = self.make_copy(path, tell).await;
        let ended = match &made {
            Ok(manifest) => record(Act::CopyFinished, folder)
                .with("head", manifest.head.to_string())
                .with("manifest", manifest.digest.clone()),
            Err(error) => record(Act::CopyFinished, folder).refused(error.to_string()),
        };
        let ended = self.record(ended).await;
        let manifest = made.map_err(|error| failed("no copy was made", &error))?;
        ended.map_err(|error| failed("the copy was made, and not recorded", &error))?;
        Ok(Answer::BackedUp(Box::new(line_of(&manifest))))
    }

    async fn make_copy(&self, folder: &Path, tell: Tell<'_>) -> Result<Manifest, CopyError> {
        let owners = &self.owners;
        let source = Source {
            database: &self.database,
            voucher: self.keyring.voucher(),
            media: &owners.media,
            blobs: &owners.blobs,
            clock: Arc::clone(owners.log.clock()),
            server_name: owners.accounts.server_name().as_str(),
            version: env!("CARGO_PKG_VERSION"),
            left_out: accounts::FLEETING_TABLES,
        };
        copy::make(&source, folder, tell).await
    }

    async fn record(&self, record: Record) -> Result<(), StoreError> {
        let mut intent = Intent::new();
        intent.add::<AuditTrail>(record);
        let committed = self.owners.log.commit(intent).await;
        committed.map(drop).map_err(CommitError::into_store)
    }
}

fn record(act: Act, folder: &str) -> Record {
    Record::new(act, Actor::CommandLine).with("folder", folder)
}

fn line_of(manifest: &Manifest) -> CopyLine {
    let parts = [&manifest.keyring, &manifest.database];
    let rows = parts.iter().flat_map(|part| part.tables.values());
    let sizes = parts.iter().map(|part| part.size_bytes);
    CopyLine {
        rows: rows.map(|table| table.rows).sum(),
        files: manifest.files.count,
        size_bytes: sizes.sum::<u64>() + manifest.files.size_bytes,
        head: manifest.head,
        taken_at: manifest.taken_at,
        missing: manifest.files.missing_count,
        master_key: manifest.master_key.clone(),
    }
}
