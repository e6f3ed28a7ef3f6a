//! What a copy holds: one JSON file, written last, that vouches for all others.

use std::{collections::BTreeMap, fs, io};

use seal::Voucher;
use serde::{Deserialize, Serialize};

use crate::{
    CopyError,
    digest::{RowsDigest, of_bytes},
    folder::{Folder, MANIFEST},
};

/// The form of copies that this program writes and reads.
pub(crate) const FORMAT: u32 = 1;

/// No manifest is longer.
const MANIFEST_BYTES: u64 = 16 * 1024 * 1024;

/// What a copy holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The form of the copy.
    pub format: u32,
    /// The version of the program that made it.
    pub conclave: String,
    /// Whose data it is.
    pub server_name: String,
    /// Which log the positions are of.
    pub log_id: i64,
    /// The epoch of the copied history.
    pub epoch: i64,
    /// The last position that the copy includes.
    pub head: i64,
    /// When its snapshot was taken, in milliseconds since 1970.
    pub taken_at: i64,
    /// The engine that it was made from.
    pub engine: String,
    /// The steps of the schema, by owner.
    pub schema: BTreeMap<String, Vec<i64>>,
    /// The fingerprint of the master key, without which nothing in the copy can be read.
    pub master_key: String,
    /// The tables.
    pub database: Part,
    /// The tables of the keyring.
    pub keyring: Part,
    /// The files that people have uploaded.
    pub files: Files,
    /// SHA-256 of this manifest without its digest and its proof.
    pub digest: String,
    /// The same, vouched for with the master key: nobody without it makes a copy that restores.
    pub proof: String,
}

/// A file that holds tables.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its size.
    pub size_bytes: u64,
    /// Its digest.
    pub sha256: String,
    /// The tables in it.
    pub tables: BTreeMap<String, TableSummary>,
}

/// What a table holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSummary {
    /// How many rows.
    pub rows: u64,
    /// A digest of all rows, whatever their order.
    pub digest: String,
    /// Whether its rows were left out, because they must not come back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub left_out: bool,
}

/// The files that people have uploaded.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// How many there are.
    pub count: u64,
    /// Their sizes together.
    pub size_bytes: u64,
    /// The digest of the list of their digests.
    pub list_sha256: String,
    /// How many the database names that were not there to be copied.
    #[serde(default)]
    pub missing_count: u64,
    /// The first hundred of those.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

impl From<&RowsDigest> for TableSummary {
    fn from(digest: &RowsDigest) -> Self {
        Self {
            rows: digest.rows(),
            digest: digest.to_hex(),
            left_out: false,
        }
    }
}

impl Manifest {
    /// The manifest with its digest and proof, as it is written.
    pub(crate) fn sealed(mut self, voucher: &Voucher) -> (Self, Vec<u8>) {
        let body = self.body();
        self.digest = of_bytes(&body);
        self.proof = voucher.vouch(&body);
        let bytes = self.to_bytes();
        (self, bytes)
    }

    /// Reads the manifest of a copy, and checks that it is as it was written.
    pub(crate) fn read(folder: &Folder) -> Result<Self, CopyError> {
        let path = folder.entry(MANIFEST);
        let shown = folder.path().display();
        if !folder.path().is_dir() {
            return Err(CopyError::Refused(format!("there is no folder {shown}")));
        }
        let size = fs::metadata(&path).map(|metadata| metadata.len());
        let bytes = match size {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(CopyError::Refused(format!(
                    "{shown} holds no finished copy: there is no {MANIFEST} in it, so the backup \
                     was interrupted or this is another folder"
                )));
            }
            Ok(size) if size > MANIFEST_BYTES => {
                return Err(CopyError::damaged(
                    MANIFEST,
                    "it is longer than any manifest",
                ));
            }
            _ => fs::read(&path).map_err(|error| CopyError::io("read", &path, error))?,
        };
        let manifest: Self = match serde_json::from_slice(&bytes) {
            Ok(manifest) => manifest,
            Err(_) => return Err(unreadable(&bytes)),
        };
        if manifest.format != FORMAT {
            return Err(unknown_format(manifest.format));
        }
        if bytes != manifest.to_bytes() || manifest.digest != of_bytes(&manifest.body()) {
            return Err(altered());
        }
        Ok(manifest)
    }

    /// Whether the master key has vouched for this copy.
    pub(crate) fn is_vouched_by(&self, voucher: &Voucher) -> bool {
        voucher.has_vouched(&self.body(), &self.proof)
    }

    fn body(&self) -> Vec<u8> {
        let mut body = self.clone();
        body.digest = String::new();
        body.proof = String::new();
        body.to_bytes()
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("texts and numbers are JSON");
        bytes.push(b'\n');
        bytes
    }
}

/// A later version may have other fields: its number is looked for before anything is blamed.
fn unreadable(bytes: &[u8]) -> CopyError {
    #[derive(Deserialize)]
    struct OnlyFormat {
        format: u32,
    }
    match serde_json::from_slice::<OnlyFormat>(bytes) {
        Ok(OnlyFormat { format }) if format != FORMAT => unknown_format(format),
        _ => altered(),
    }
}

fn unknown_format(format: u32) -> CopyError {
    CopyError::Refused(format!(
        "this copy is of format {format}, and this program knows format {FORMAT}: use the version \
         that made it, or a newer one"
    ))
}

fn altered() -> CopyError {
    CopyError::damaged(MANIFEST, "it is not as it was written")
}
