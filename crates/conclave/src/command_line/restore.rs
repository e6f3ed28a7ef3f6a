//! `conclave restore`: a copy becomes a deployment, in an empty place.

use std::{fs::File, path::Path};

use anyhow::{Context, bail};
use audit::{Act, Actor, Record};
use config::Loaded;
use copy::{Begun, Copy};
use seal::MasterKey;
use store::{EpochCause, EpochRaise, Pos};

use super::administer::date_of;
use crate::{
    Surroundings,
    data_dir::DataDir,
    files,
    moved_note::MovedNote,
    node::Owners,
    output, registrations,
    storage::{self, Place, Storage},
};

/// Checks everything first, writes then, and begins the new epoch at last.
pub(super) async fn restore(loaded: &Loaded, folder: &Path) -> anyhow::Result<()> {
    let surroundings = Surroundings::of_this_machine();
    let config = &loaded.config;
    let copy = Copy::open(folder).await?;
    let manifest = copy.manifest();
    if manifest.server_name != config.server.name.as_str() {
        bail!(
            "this copy is of the server {}, and this configuration is of {}: set server.name to \
             the copy\u{2019}s, it can never change",
            manifest.server_name,
            config.server.name
        );
    }
    let master = MasterKey::read(&storage::key_source(config), &manifest.master_key)?;
    copy.check_proof(master.voucher())?;
    check_place(loaded, &surroundings).await?;
    copy.check(&output::tell).await?;
    // From here on something is written.
    let restored = write(&copy, master, folder, loaded, &surroundings).await?;
    output::say(format_args!(
        "{} is restored as of {} (position {}); epoch {} has begun at position {}. Start the \
         server: clients send their one-time keys again, and whoever came with an older token \
         starts again.",
        manifest.server_name,
        date_of(manifest.taken_at),
        manifest.head,
        restored.epoch,
        restored.head.get()
    ));
    Ok(())
}

/// Nothing is written over, but for what an interrupted restore has left.
async fn check_place(loaded: &Loaded, surroundings: &Surroundings) -> anyhow::Result<()> {
    // What is restored beside it would not start.
    MovedNote::refuse(&storage::location(&loaded.config))?;
    match storage::place(loaded).await? {
        Place::UnfinishedRestore => Ok(()),
        Place::UnfinishedMove => bail!(
            "a deployment is being moved into the database at {}: restore into an empty one",
            storage::shown(loaded)
        ),
        Place::Deployment => bail!(
            "the database at {} holds a deployment already: restore into an empty one",
            storage::shown(loaded)
        ),
        Place::Empty => files::check_empty(&loaded.config, "restore", surroundings).await,
    }
}

async fn write(
    copy: &Copy,
    master: MasterKey,
    folder: &Path,
    loaded: &Loaded,
    surroundings: &Surroundings,
) -> anyhow::Result<Begun> {
    let config = &loaded.config;
    let data_dir = DataDir::lock(config);
    let data_dir = data_dir.map_err(|error| error.into_error(&config.server.data_dir))?;
    copy.fill(|| storage::options(config), &output::tell)
        .await
        .context("the restore was not finished")?;
    let blobs = files::open(config, surroundings).await?;
    copy.put_files(&blobs, surroundings.clock.now(), &output::tell)
        .await
        .context("the restore was not finished")?;
    drop(blobs);
    let storage = Storage::open_unfinished(data_dir, loaded, master, surroundings).await?;
    let appservices = registrations::read(config)?;
    let owners = Owners::start(config, appservices, &storage, surroundings).await?;
    let manifest = copy.manifest();
    let record = Record::new(Act::CopyRestored, Actor::CommandLine)
        .with("folder", folder.display().to_string())
        .with("head", manifest.head.to_string())
        .with("manifest", manifest.digest.clone());
    let raise = EpochRaise {
        common: Pos::new(manifest.head),
        cause: EpochCause::Restore,
    };
    let finished = copy::begin_epoch(&owners.log, raise, record).await;
    owners.log.stop().await;
    let restored = finished.context("the restore was not finished")?;
    let synced = File::open(storage.data_dir.path()).and_then(|folder| folder.sync_all());
    synced.context("the data directory cannot be made durable")?;
    Ok(restored)
}
