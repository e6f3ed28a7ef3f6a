//! A copy that is there, and the proof that it is as it was made.

use std::path::Path;

use seal::Voucher;

use crate::{
    CopyError, Manifest, Part, Tell,
    digest::of_file,
    files::check_files,
    folder::{DATABASE, FILE_LIST, Folder, KEYRING, blocking},
    tables::check_tables,
};

/// A copy whose manifest is as it was written.
pub struct Copy {
    pub(crate) folder: Folder,
    manifest: Manifest,
}

impl Copy {
    /// Opens a copy; refuses one that was never finished.
    pub async fn open(folder: &Path) -> Result<Self, CopyError> {
        let folder = Folder::of(folder);
        blocking(move || {
            let manifest = Manifest::read(&folder)?;
            Ok(Self { folder, manifest })
        })
        .await
    }

    /// What it holds.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Refuses a copy that this master key has not vouched for: somebody else has made it, or
    /// made it anew.
    pub fn check_proof(&self, voucher: &Voucher) -> Result<(), CopyError> {
        if self.manifest.is_vouched_by(voucher) {
            return Ok(());
        }
        let fault = "the master key does not vouch for it, so it was written by somebody else";
        Err(CopyError::damaged(crate::folder::MANIFEST, fault))
    }

    /// Reads every byte of the copy, and names the first file that is not as it was written.
    pub async fn check(&self, tell: Tell<'_>) -> Result<(), CopyError> {
        let Manifest {
            database,
            keyring,
            files,
            ..
        } = &self.manifest;
        self.check_part(KEYRING, keyring).await?;
        self.check_part(DATABASE, database).await?;
        tell("the database is as it was copied");
        self.check_digest(FILE_LIST, &files.list_sha256, None)
            .await?;
        check_files(&self.folder, files, tell).await
    }

    async fn check_part(&self, name: &'static str, part: &Part) -> Result<(), CopyError> {
        self.check_digest(name, &part.sha256, Some(part.size_bytes))
            .await?;
        check_tables(&self.folder, name, part).await
    }

    async fn check_digest(
        &self,
        name: &'static str,
        sha256: &str,
        size_bytes: Option<u64>,
    ) -> Result<(), CopyError> {
        let path = self.folder.entry(name);
        let (stands, size) = blocking(move || match of_file(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(CopyError::damaged(name, "it is missing"))
            }
            read => read.map_err(|error| CopyError::io("read", &path, error)),
        })
        .await?;
        if stands == sha256 && size_bytes.is_none_or(|expected| expected == size) {
            return Ok(());
        }
        Err(CopyError::damaged(name, "it is not as it was written"))
    }
}
