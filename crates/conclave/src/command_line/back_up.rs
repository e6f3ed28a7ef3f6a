//! `conclave backup`: a copy of everything, or the proof of one.

use std::path::Path;

use anyhow::{Context, anyhow, bail};
use config::Loaded;
use copy::Copy;

use super::administer::date_of;
use crate::{
    Surroundings,
    control::{Administrator, Answer, CopyLine, Order},
    output, storage,
};

/// Has a copy made, by the running server or else here, and prints what it holds.
pub(super) async fn back_up(loaded: &Loaded, folder: &Path) -> anyhow::Result<()> {
    storage::check_readable(loaded).await?;
    let folder = std::path::absolute(folder).context("the folder has no place")?;
    let named = folder.to_str().ok_or_else(|| {
        anyhow!(
            "{} is not text in UTF-8: choose another folder",
            folder.display()
        )
    })?;
    let surroundings = Surroundings::of_this_machine();
    let mut administrator = Administrator::reach(loaded, false, &surroundings).await?;
    let folder = named.to_owned();
    let made = administrator.order(Order::Backup { folder }).await;
    administrator.finish().await;
    if let Answer::BackedUp(line) = made? {
        print(named, &line);
    }
    Ok(())
}

fn print(folder: &str, line: &CopyLine) {
    if line.missing > 0 {
        output::complain(format_args!(
            "warning: {} files that the database names were not there to be copied; the manifest \
             names them",
            line.missing
        ));
    }
    output::say(format_args!(
        "{folder} holds everything up to position {} ({}): {} rows and {} files, {} bytes, read \
         back and found equal.\nIt can be read with the master key {} only, which is not in it: \
         keep a copy of that key elsewhere.",
        line.head,
        date_of(line.taken_at),
        line.rows,
        line.files,
        line.size_bytes,
        line.master_key
    ));
}

/// Reads every byte of a copy, and needs no key and no configuration for it.
pub(super) async fn verify(folder: &Path) -> anyhow::Result<()> {
    let copy = Copy::open(folder).await?;
    copy.check(&output::tell).await?;
    let manifest = copy.manifest();
    if manifest.files.missing_count > 0 {
        bail!(
            "the copy is as it was made, and {} files were missing when it was: the manifest \
             names them",
            manifest.files.missing_count
        );
    }
    output::say(format_args!(
        "The copy of {} of {} is as it was made; restoring it needs the master key {}",
        manifest.server_name,
        date_of(manifest.taken_at),
        manifest.master_key
    ));
    Ok(())
}
