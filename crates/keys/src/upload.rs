//! `keys/upload`: a device publishes its identity, one-time and fallback keys at once.

use std::collections::BTreeMap;

use ruma::{
    OneTimeKeyAlgorithm, OwnedDeviceId, OwnedOneTimeKeyId, OwnedUserId,
    encryption::{DeviceKeys, OneTimeKey},
    serde::Raw,
};
use store::{CommitError, Intent, StoreError};

use crate::{
    Keys,
    identity::{IdentityChange, IdentityChanges, check_device_keys},
    prekeys::{PrekeyChange, PrekeyChanges, PrekeyOutcome, PrekeyRefusal, check_prekeys},
};

/// The keys that a device publishes.
#[derive(Clone, Debug)]
pub struct KeysUpload {
    /// The caller.
    pub user_id: OwnedUserId,
    /// The caller's device.
    pub device_id: OwnedDeviceId,
    /// The device's identity keys, when they are new.
    pub device_keys: Option<Raw<DeviceKeys>>,
    /// New one-time keys.
    pub one_time_keys: BTreeMap<OwnedOneTimeKeyId, Raw<OneTimeKey>>,
    /// New fallback keys, at most one of each algorithm.
    pub fallback_keys: BTreeMap<OwnedOneTimeKeyId, Raw<OneTimeKey>>,
}

/// Why keys are not taken.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The device keys name another user or another device.
    #[error("the {0} of the device keys is not the caller's")]
    NotYours(&'static str),
    /// A field does not have the shape that the specification gives it.
    #[error("{0}")]
    Malformed(String),
    /// A key is larger than keys are.
    #[error("a key in {0} is too large")]
    TooLarge(&'static str),
    /// What comes with a device's keys is larger than that is.
    #[error("{0} is too large")]
    DataTooLarge(&'static str),
    /// More keys than an upload may carry, or than a device may have.
    #[error("there are too many keys in {0}")]
    TooMany(&'static str),
    /// Another one-time key was uploaded with this id.
    #[error("another one-time key has the id {0}")]
    Conflict(String),
    /// The device id is one of the user's public keys.
    #[error("the device's id is one of the user's cross-signing keys")]
    KeyIdInUse,
    /// Another change of the same intent was refused.
    #[error(transparent)]
    Refused(CommitError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Keys {
    /// Publishes a device's keys; tells how many unclaimed one-time keys it has then.
    ///
    /// A one-time key that is uploaded again changes nothing. `with` adds what must become
    /// true together with it.
    pub async fn upload_keys(
        &self,
        upload: &KeysUpload,
        with: impl FnOnce(&mut Intent),
    ) -> Result<BTreeMap<OneTimeKeyAlgorithm, u64>, UploadError> {
        let keyring = &self.keyring;
        let (user, device) = (&upload.user_id, &upload.device_id);
        let prekeys = check_prekeys(keyring, &upload.one_time_keys, &upload.fallback_keys)?;
        let mut intent = Intent::new();
        if let Some(keys) = &upload.device_keys {
            let checked = check_device_keys(keyring, user, device, keys)?;
            intent.add::<IdentityChanges>(IdentityChange::from(checked));
        }
        let ticket = intent.add::<PrekeyChanges>(PrekeyChange::Upload {
            user: user.to_string(),
            device: device.to_string(),
            keys: prekeys,
        });
        with(&mut intent);
        let mut committed = self.log.commit(intent).await.map_err(refused)?;
        let Some(PrekeyOutcome::Counts(counts)) = committed.take(ticket) else {
            return Ok(BTreeMap::new());
        };
        let counts = counts.into_iter();
        Ok(counts
            .map(|(algorithm, count)| (OneTimeKeyAlgorithm::from(algorithm), count))
            .collect())
    }
}

pub(crate) fn refused(error: CommitError) -> UploadError {
    let error = match error.refusal::<PrekeyChanges>() {
        Ok(PrekeyRefusal::Conflict(id)) => return UploadError::Conflict(id),
        Ok(PrekeyRefusal::TooMany) => return UploadError::TooMany("one_time_keys"),
        Err(error) => error,
    };
    match error.refusal::<IdentityChanges>() {
        // Device keys are refused for nothing else.
        Ok(_) => UploadError::KeyIdInUse,
        Err(CommitError::Store(error)) => UploadError::Store(error),
        Err(error) => UploadError::Refused(error),
    }
}
