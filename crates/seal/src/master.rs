//! The master key: in a file or the environment, never in the database.

use std::{
    fs, io,
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use aws_lc_rs::{constant_time, hmac};
use base64::{Engine, engine::general_purpose::STANDARD};
use model::entropy::Entropy;
use store::{Database, Examination, Location, Row, StoreError};
use zeroize::Zeroizing;

use crate::{
    SealError,
    aead::{Cipher, KeyBytes, random_key},
    keyring::{READ_WRAPPING_KEYS, wrapping_place},
};

const PREFIX: &str = "conclave-master-key-1:";

/// Where the master key is.
pub enum KeySource {
    /// In a file of mode 0600; made on the first start.
    File(PathBuf),
    /// Given as text, such as from the environment: the file's content, or its base64 part.
    Text(Zeroizing<String>),
}

/// The key above all others.
pub struct MasterKey {
    pub(crate) cipher: Cipher,
    voucher: Voucher,
}

/// What a master key vouches with, for what stands outside of the database. It opens nothing.
#[derive(Clone)]
pub struct Voucher {
    fingerprint: String,
    key: hmac::Key,
}

/// What a look at the master key has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyFound {
    /// There is none, and none is needed yet.
    Absent,
    /// The key of this fingerprint, and nothing to prove it with.
    Unproved(String),
    /// The key of this fingerprint, with which the database was sealed.
    Opens(String),
}

/// The length of a fingerprint in bytes: enough to tell keys apart, too little to be one.
const FINGERPRINT_BYTES: usize = 8;

impl Voucher {
    fn of(master: &[u8; 32]) -> Self {
        let master = hmac::Key::new(hmac::HMAC_SHA256, master);
        let derive = |purpose: &[u8]| hmac::sign(&master, purpose);
        let fingerprint = derive(b"conclave master key: fingerprint");
        let key = derive(b"conclave master key: voucher");
        Self {
            fingerprint: hex(&fingerprint.as_ref()[..FINGERPRINT_BYTES]),
            key: hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()),
        }
    }

    /// Tells this master key from others, without telling anything of it.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Vouches for a text: nobody without the master key can make this.
    pub fn vouch(&self, text: &[u8]) -> String {
        hex(hmac::sign(&self.key, text).as_ref())
    }

    /// Whether this master key has vouched for a text; compared in constant time.
    pub fn has_vouched(&self, text: &[u8], proof: &str) -> bool {
        let made = self.vouch(text);
        constant_time::verify_slices_are_equal(made.as_bytes(), proof.as_bytes()).is_ok()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Zero in every value that the master key seals.
pub(crate) const MASTER_ID: i64 = 0;

impl MasterKey {
    /// Finds the key, and checks it against the database before anything is touched.
    ///
    /// A new database gets a new key file when there is none. A database that holds sealed
    /// values is refused when the key is missing or is another one.
    pub async fn unlock(
        source: &KeySource,
        location: &Location,
        entropy: &dyn Entropy,
    ) -> Result<Self, SealError> {
        let stored = Database::peek(location, "seal_wrapping_keys", READ_WRAPPING_KEYS).await?;
        let stored = stored.unwrap_or_default();
        let key = match source {
            KeySource::Text(text) => parse(text, TEXT_PLACE)?,
            KeySource::File(path) => match read_needed(path, !stored.is_empty())? {
                Some(key) => key,
                None => create(path, entropy)?,
            },
        };
        let master = Self::of(&key);
        master.check(source, &stored)?;
        Ok(master)
    }

    /// The wrapping keys of a database: what a master key has to open.
    pub async fn sealed_in(examination: &Examination) -> Result<Vec<Row>, StoreError> {
        let rows = examination
            .peek("seal_wrapping_keys", READ_WRAPPING_KEYS)
            .await?;
        Ok(rows.unwrap_or_default())
    }

    /// Looks at the key, and makes none: whether it is there, and opens these wrapping keys;
    /// without them nothing tells whether it is the right one.
    ///
    /// # Errors
    ///
    /// What a start would say when it would refuse the key.
    pub fn find(source: &KeySource, stored: Option<&[Row]>) -> Result<KeyFound, SealError> {
        let stored = stored.unwrap_or_default();
        let key = match source {
            KeySource::Text(text) => Some(parse(text, TEXT_PLACE)?),
            KeySource::File(path) => read_needed(path, !stored.is_empty())?,
        };
        let Some(key) = key else {
            return Ok(KeyFound::Absent);
        };
        let master = Self::of(&key);
        master.check(source, stored)?;
        let fingerprint = master.voucher.fingerprint;
        Ok(match stored.is_empty() {
            true => KeyFound::Unproved(fingerprint),
            false => KeyFound::Opens(fingerprint),
        })
    }

    /// Refuses a key that does not open what is stored.
    fn check(&self, source: &KeySource, stored: &[Row]) -> Result<(), SealError> {
        for row in stored {
            let (id, wrapped) = (row.int(0)?, row.bytes(1)?);
            if self.cipher.open(&wrapping_place(id), wrapped).is_none() {
                return Err(SealError::MasterKey(format!(
                    "{} is not the master key that this database was sealed with: point \
                     seal.key_file at the right one",
                    source.place()
                )));
            }
        }
        Ok(())
    }

    /// Reads the key that a copy needs, by its fingerprint; never makes one.
    ///
    /// # Errors
    ///
    /// One sentence that says which key is needed, and where it was looked for.
    pub fn read(source: &KeySource, fingerprint: &str) -> Result<Self, SealError> {
        let key = match source {
            KeySource::Text(text) => parse(text, TEXT_PLACE)?,
            KeySource::File(path) => read(path)?.ok_or_else(|| {
                SealError::MasterKey(format!(
                    "the copy needs the master key {fingerprint}, and {} is missing: restore the \
                     file from your backup of keys, or point seal.key_file at it",
                    path.display()
                ))
            })?,
        };
        let master = Self::of(&key);
        if master.voucher.fingerprint != fingerprint {
            return Err(SealError::MasterKey(format!(
                "the copy needs the master key {fingerprint}, and {} is the key {}: point \
                 seal.key_file at the right one",
                source.place(),
                master.voucher.fingerprint
            )));
        }
        Ok(master)
    }

    /// What this key vouches with.
    pub fn voucher(&self) -> &Voucher {
        &self.voucher
    }

    fn of(key: &[u8; 32]) -> Self {
        Self {
            cipher: Cipher::new(MASTER_ID, key),
            voucher: Voucher::of(key),
        }
    }
}

/// The name of a key that is given as text.
const TEXT_PLACE: &str = "the seal.key setting";

impl KeySource {
    /// Where it is, as it is told to people.
    pub fn place(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Text(_) => TEXT_PLACE.to_owned(),
        }
    }
}

/// Reads the key of a file, which may be missing as long as nothing was sealed with it.
fn read_needed(path: &Path, in_use: bool) -> Result<Option<KeyBytes>, SealError> {
    let key = read(path)?;
    if key.is_none() && in_use {
        return Err(SealError::MasterKey(format!(
            "the master key {} is missing, and without it this database cannot be read: restore \
             the file from your backup of keys, or point seal.key_file at it",
            path.display()
        )));
    }
    Ok(key)
}

fn read(path: &Path) -> Result<Option<KeyBytes>, SealError> {
    let refuse = |why: String| SealError::MasterKey(format!("{}: {why}", path.display()));
    let text = match fs::read_to_string(path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refuse(format!("the master key cannot be read: {error}"))),
    };
    let mode = fs::metadata(path)
        .map_err(|error| refuse(error.to_string()))?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        return Err(refuse(format!(
            "the master key can be read by others (mode {:o}): run chmod 600 on it",
            mode & 0o777
        )));
    }
    parse(&text, &path.display().to_string()).map(Some)
}

fn parse(text: &str, place: &str) -> Result<KeyBytes, SealError> {
    let text = text.trim();
    let encoded = text.strip_prefix(PREFIX).unwrap_or(text);
    let refuse = || {
        SealError::MasterKey(format!(
            "{place} does not hold a master key: 32 bytes in base64"
        ))
    };
    let bytes = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| refuse())?);
    let key = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| refuse())?;
    Ok(Zeroizing::new(key))
}

/// Writes the key durably before anything is sealed with it.
fn create(path: &Path, entropy: &dyn Entropy) -> Result<KeyBytes, SealError> {
    let text = Zeroizing::new(format!(
        "{PREFIX}{}\n",
        STANDARD.encode(*random_key(entropy))
    ));
    // A name of its own: another node may make the key at the same moment.
    let mut suffix = [0; 8];
    entropy.fill(&mut suffix);
    let temporary = path.with_extension(format!("new-{:016x}", u64::from_ne_bytes(suffix)));
    let publish = || -> io::Result<()> {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        // Fails when another process made the key meanwhile: then that one counts.
        fs::hard_link(&temporary, path)
    };
    let write = || -> io::Result<()> {
        let published = publish();
        fs::remove_file(&temporary)?;
        published?;
        match path.parent() {
            Some(folder) if folder != Path::new("") => fs::File::open(folder)?.sync_all(),
            _ => fs::File::open(".")?.sync_all(),
        }
    };
    match write() {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(SealError::MasterKey(format!(
                "the master key {} cannot be written: {error}",
                path.display()
            )))
        }
        // Whoever made it: what the file holds is what counts.
        _ => read(path)?.ok_or_else(|| SealError::MasterKey("the master key vanished".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_tells_keys_apart_and_is_no_part_of_one() {
        let (one, other) = (MasterKey::of(&[7; 32]), MasterKey::of(&[8; 32]));
        assert_ne!(one.voucher().fingerprint(), other.voucher().fingerprint());
        assert_eq!(one.voucher().fingerprint().len(), 16);
        assert!(!one.voucher().fingerprint().contains("0707"));
    }

    #[test]
    fn only_the_key_that_vouched_is_believed() {
        let (one, other) = (MasterKey::of(&[7; 32]), MasterKey::of(&[8; 32]));
        let proof = one.voucher().vouch(b"text");
        assert!(one.voucher().has_vouched(b"text", &proof));
        assert!(!one.voucher().has_vouched(b"texT", &proof));
        assert!(!other.voucher().has_vouched(b"text", &proof));
        assert!(!one.voucher().has_vouched(b"text", ""));
    }
}
