//! Checking uploaded one-time and fallback keys.

use std::collections::{BTreeMap, BTreeSet};

use ruma::{OwnedOneTimeKeyId, encryption::OneTimeKey, serde::Raw};
use seal::Keyring;

use crate::{limits, signed_json::canonical_text, upload::UploadError};

/// A key of the right shape.
pub(crate) struct CheckedPrekey {
    pub(super) algorithm: String,
    pub(super) key_id: String,
    pub(super) json: String,
    pub(super) digest: Vec<u8>,
}

/// The one-time and fallback keys of one upload.
#[derive(Default)]
pub(crate) struct CheckedPrekeys {
    pub(super) one_time: Vec<CheckedPrekey>,
    pub(super) fallback: Vec<CheckedPrekey>,
}

/// Checks keys: bounded, of a known shape, one fallback key for each algorithm.
pub(crate) fn check_prekeys(
    keyring: &Keyring,
    one_time: &BTreeMap<OwnedOneTimeKeyId, Raw<OneTimeKey>>,
    fallback: &BTreeMap<OwnedOneTimeKeyId, Raw<OneTimeKey>>,
) -> Result<CheckedPrekeys, UploadError> {
    let checked = CheckedPrekeys {
        one_time: check_all(keyring, "one_time_keys", one_time)?,
        fallback: check_all(keyring, "fallback_keys", fallback)?,
    };
    let algorithms: BTreeSet<&str> = checked
        .fallback
        .iter()
        .map(|key| key.algorithm.as_str())
        .collect();
    if algorithms.len() < checked.fallback.len() {
        return Err(UploadError::TooMany("fallback_keys"));
    }
    Ok(checked)
}

fn check_all(
    keyring: &Keyring,
    field: &'static str,
    keys: &BTreeMap<OwnedOneTimeKeyId, Raw<OneTimeKey>>,
) -> Result<Vec<CheckedPrekey>, UploadError> {
    if keys.len() > limits::KEYS_PER_UPLOAD {
        return Err(UploadError::TooMany(field));
    }
    let checked = keys.iter().map(|(id, key)| {
        let malformed = |why: &str| UploadError::Malformed(format!("{field}.{id}: {why}"));
        let json = key.json().get();
        if json.len() > limits::KEY_BYTES {
            return Err(UploadError::TooLarge(field));
        }
        if !limits::is_id(id.as_str()) {
            return Err(malformed("it is too long"));
        }
        let (algorithm, key_id) = id
            .as_str()
            .split_once(':')
            .ok_or_else(|| malformed("its algorithm is missing"))?;
        key.deserialize()
            .map_err(|_| malformed("it is neither a key nor a signed key"))?;
        let json = canonical_text(json).ok_or_else(|| malformed("it is not canonical JSON"))?;
        let digest = keyring.blind("prekeys", json.as_bytes()).to_vec();
        Ok(CheckedPrekey {
            algorithm: algorithm.to_owned(),
            key_id: key_id.to_owned(),
            json,
            digest,
        })
    });
    checked.collect()
}

impl CheckedPrekeys {
    pub(super) fn all(&self) -> impl Iterator<Item = &CheckedPrekey> {
        self.one_time.iter().chain(&self.fallback)
    }
}
