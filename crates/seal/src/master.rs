//! The master key: in a file or the environment, never in the database.

use std::{
    fs, io,
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use model::entropy::Entropy;
use store::{Database, Location};
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
pub struct MasterKey(pub(crate) Cipher);

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
        let in_use = stored.iter().any(|rows| !rows.is_empty());
        let key = match source {
            KeySource::Text(text) => parse(text, "the seal.key setting")?,
            KeySource::File(path) => match read(path)? {
                Some(key) => key,
                None if in_use => {
                    return Err(SealError::MasterKey(format!(
                        "the master key {} is missing, and without it this database cannot be \
                         read: restore the file from your backup of keys, or point seal.key_file \
                         at it",
                        path.display()
                    )));
                }
                None => create(path, entropy)?,
            },
        };
        let master = Self(Cipher::new(MASTER_ID, &key));
        for row in stored.unwrap_or_default() {
            let (id, wrapped) = (row.int(0)?, row.bytes(1)?);
            if master.0.open(&wrapping_place(id), wrapped).is_none() {
                return Err(SealError::MasterKey(format!(
                    "{} is not the master key that this database was sealed with: point \
                     seal.key_file at the right one",
                    match source {
                        KeySource::File(path) => path.display().to_string(),
                        KeySource::Text(_) => "the seal.key setting".to_owned(),
                    }
                )));
            }
        }
        Ok(master)
    }
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
