//! Restoring a copy into an empty place; [`begin_epoch`](crate::begin_epoch) opens it.

use blobs::{BlobError, Blobs};
use futures_util::{StreamExt, stream};
use model::time::Timestamp;
use store::{Database, DatabaseOptions, Filling, Table, TableFile};

use crate::{
    Copy, CopyError, Part, Tell,
    digest::RowsDigest,
    files::{List, Listed, copy_blob},
    folder::{DATABASE, FILES, KEYRING},
    tables::{check_summary, digest_of},
};

/// How many files are written at once.
const AT_ONCE: usize = 4;

/// After how many files a person is told.
const TELL_FILES: u64 = 1_000;

impl Copy {
    /// Fills an empty database from the copy, and reads every row back from it.
    ///
    /// Nothing but [`Database::open_unfinished`] opens the database until [`crate::begin_epoch`] is done.
    /// `options` is asked for anew whenever the database is opened.
    pub async fn fill(
        &self,
        options: impl Fn() -> DatabaseOptions,
        tell: Tell<'_>,
    ) -> Result<(), CopyError> {
        let schema = self.manifest().schema.iter();
        let applied = schema.flat_map(|(owner, steps)| {
            let steps = steps.iter();
            steps.map(move |step| (owner.clone(), *step))
        });
        let applied: Vec<(String, i64)> = applied.collect();
        let filling = Filling::begin(&options(), &applied).await?;
        let mut there = filling.tables().await?;
        there.retain(|table| self.part_of(&table.name).is_some());
        for (name, part) in self.parts() {
            self.fill_from(&filling, &there, name, part).await?;
        }
        drop(filling);
        tell("the database is filled");
        self.check_filled(options()).await?;
        tell("the database holds what the copy holds");
        Ok(())
    }

    async fn fill_from(
        &self,
        filling: &Filling,
        there: &[Table],
        name: &'static str,
        part: &Part,
    ) -> Result<(), CopyError> {
        let file = TableFile::open(self.folder.entry(name)).await?;
        for table in file.tables().await? {
            if !there.contains(&table) {
                let fault = format!("its table {} is not as this program knows it", table.name);
                return Err(CopyError::damaged(name, fault));
            }
            filling.clear(&table).await?;
            let mut digest = RowsDigest::default();
            let mut scan = file.scan(&table);
            while let Some(rows) = scan.next().await? {
                rows.iter().for_each(|row| digest.add(row));
                filling.append(&table, rows).await?;
            }
            check_summary(name, &table.name, part, &digest)?;
        }
        Ok(())
    }

    /// What an engine took may still not be what it gives.
    async fn check_filled(&self, options: DatabaseOptions) -> Result<(), CopyError> {
        let database = Database::open_as_it_is(options).await?;
        let snapshot = database.snapshot().await?;
        let tables = snapshot.tables(&database).await?;
        for (_, part) in self.parts() {
            for name in part.tables.keys() {
                let table = tables.iter().find(|table| table.name == *name);
                let stands = match table {
                    Some(table) => digest_of(snapshot.scan(table).await?).await?,
                    None => RowsDigest::default(),
                };
                check_summary("the database", name, part, &stands)?;
            }
        }
        Ok(())
    }

    /// Puts the files of the copy into their place; each gets its name when its digest is right.
    ///
    /// What an interrupted restore has put there is replaced.
    pub async fn put_files(
        &self,
        target: &Blobs,
        now: Timestamp,
        tell: Tell<'_>,
    ) -> Result<(), CopyError> {
        target.sweep_temporary(now).await?;
        let source = Blobs::in_read_only_folder(self.folder.entry(FILES));
        let mut put = stream::iter(List::open(&self.folder)?)
            .map(|listed| {
                let source = &source;
                async move { put_file(source, target, &listed?).await }
            })
            .buffered(AT_ONCE);
        let (mut count, total) = (0_u64, self.manifest().files.count);
        while let Some(done) = put.next().await {
            done?;
            count += 1;
            if count.is_multiple_of(TELL_FILES) {
                tell(&format!("{count} of {total} files"));
            }
        }
        Ok(())
    }

    fn parts(&self) -> [(&'static str, &Part); 2] {
        let manifest = self.manifest();
        [(KEYRING, &manifest.keyring), (DATABASE, &manifest.database)]
    }

    fn part_of(&self, table: &str) -> Option<&Part> {
        let mut parts = self.parts().into_iter().map(|(_, part)| part);
        parts.find(|part| part.tables.contains_key(table))
    }
}

async fn put_file(source: &Blobs, target: &Blobs, listed: &Listed) -> Result<(), CopyError> {
    let expected = Some(listed.sha256.as_str());
    let put = copy_blob(source, target, listed.id, expected).await;
    match put {
        Err(CopyError::Blobs(BlobError::Exists(_))) => {
            target.delete(listed.id).await?;
            let again = copy_blob(source, target, listed.id, expected).await;
            again.map(drop)
        }
        put => put.map(drop),
    }
}
