//! Making a copy while everything goes on.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use blobs::Blobs;
use media::Media;
use model::time::{Clock, Timestamp};
use seal::Voucher;
use store::{Database, Pos, Snapshot, StoreError, Table, TableFile};

use crate::{
    CopyError, Tell,
    files::{check_files, copy_files, named_blobs},
    folder::{DATABASE, Folder, KEYRING, blocking},
    manifest::{FORMAT, Manifest},
    tables::{Summaries, TableCopier, read_back},
};

/// The log that all positions are of.
const LOG_ID: i64 = 1;

/// What is copied.
pub struct Source<'a> {
    /// The database.
    pub database: &'a Database,
    /// What the master key vouches with.
    pub voucher: &'a Voucher,
    /// Who keeps files from being removed meanwhile.
    pub media: &'a Media,
    /// The files.
    pub blobs: &'a Blobs,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Whose data it is.
    pub server_name: &'a str,
    /// The version of the program.
    pub version: &'a str,
    /// The tables whose rows must not come back.
    pub left_out: &'a [&'a str],
}

/// Writes a copy of one moment into a new or empty folder, and reads all of it back.
///
/// Nothing that goes on waits for it: the tables are read in one snapshot, which ends before the
/// files are copied. Only the manifest, written last, makes it a copy.
pub async fn make(
    source: &Source<'_>,
    folder: &Path,
    tell: Tell<'_>,
) -> Result<Manifest, CopyError> {
    let path = folder.to_owned();
    let folder = blocking(move || Folder::make(&path)).await?;
    // Before the snapshot: what it names must not go.
    source.media.keep_blobs_for_a_copy().await?;
    tokio::select! {
        made = write(source, &folder, tell) => made,
        error = keep_blobs(source) => Err(error.into()),
    }
}

/// Renews the lease on the files for as long as it is polled.
async fn keep_blobs(source: &Source<'_>) -> StoreError {
    loop {
        source.clock.sleep(Media::KEEP_EVERY).await;
        if let Err(error) = source.media.keep_blobs_for_a_copy().await {
            return error;
        }
    }
}

/// What the snapshot gives.
struct Tables {
    taken_at: Timestamp,
    epoch: i64,
    head: Pos,
    schema: BTreeMap<String, Vec<i64>>,
    database: Summaries,
    keyring: Summaries,
}

async fn write(
    source: &Source<'_>,
    folder: &Folder,
    tell: Tell<'_>,
) -> Result<Manifest, CopyError> {
    let tables = copy_tables(source, folder, tell).await?;
    tell("the database is copied");
    let keyring = read_back(folder, KEYRING, tables.keyring).await?;
    let database = read_back(folder, DATABASE, tables.database).await?;
    let file = TableFile::open(folder.entry(DATABASE)).await?;
    let ids = named_blobs(&file, &file.tables().await?).await?;
    drop(file);
    let files = copy_files(source.blobs, folder, ids, tell).await?;
    check_files(folder, &files, tell).await?;
    let manifest = Manifest {
        format: FORMAT,
        conclave: source.version.to_owned(),
        server_name: source.server_name.to_owned(),
        log_id: LOG_ID,
        epoch: tables.epoch,
        head: tables.head.get(),
        taken_at: tables.taken_at.as_millis(),
        engine: source.database.engine_name().to_owned(),
        schema: tables.schema,
        master_key: source.voucher.fingerprint().to_owned(),
        database,
        keyring,
        files,
        digest: String::new(),
        proof: String::new(),
    };
    let (manifest, bytes) = manifest.sealed(source.voucher);
    let folder = folder.clone();
    blocking(move || folder.seal_with(&bytes)).await?;
    Ok(manifest)
}

async fn copy_tables(
    source: &Source<'_>,
    folder: &Folder,
    tell: Tell<'_>,
) -> Result<Tables, CopyError> {
    let snapshot = source.database.snapshot().await?;
    let taken_at = source.clock.now();
    let tables = snapshot.tables(source.database).await?;
    let is_key = |table: &&Table| seal::TABLES.contains(&table.name.as_str());
    let (keys, content): (Vec<&Table>, Vec<&Table>) = tables.iter().partition(is_key);
    let schema = schema_of(&snapshot).await?;
    let mut copier = TableCopier::new(&snapshot, source.left_out, tell);
    let keyring = copier.copy(folder, KEYRING, &keys).await?;
    let database = copier.copy(folder, DATABASE, &content).await?;
    Ok(Tables {
        taken_at,
        epoch: snapshot.epoch(),
        head: snapshot.head(),
        schema,
        database,
        keyring,
    })
}

async fn schema_of(snapshot: &Snapshot) -> Result<BTreeMap<String, Vec<i64>>, StoreError> {
    const READ: &str = "SELECT owner, number FROM schema_migrations ORDER BY owner, number";
    let mut schema: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for row in snapshot.query(READ, &[]).await? {
        let steps = schema.entry(row.text(0)?.to_owned()).or_default();
        steps.push(row.int(1)?);
    }
    Ok(schema)
}
