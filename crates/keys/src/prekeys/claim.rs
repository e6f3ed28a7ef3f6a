//! Claiming one-time keys.

use std::collections::BTreeMap;

use ruma::{
    OneTimeKeyAlgorithm, OwnedDeviceId, OwnedOneTimeKeyId, OwnedUserId, encryption::OneTimeKey,
    serde::Raw,
};
use seal::Place;
use store::{Intent, StoreError};

use super::{
    applier::{Claimed, PrekeyChange, PrekeyChanges, PrekeyOutcome},
    tables::Content,
};
use crate::{Keys, limits};

/// The keys that were claimed from one device: at most one.
pub type ClaimedKeysOfDevice = BTreeMap<OwnedOneTimeKeyId, Raw<OneTimeKey>>;

/// The keys that were claimed; devices that have none are absent.
pub type ClaimedKeys = BTreeMap<OwnedUserId, BTreeMap<OwnedDeviceId, ClaimedKeysOfDevice>>;

/// Why no key is claimed.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// The database failed, or a key could not be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Keys {
    /// Claims one key of each device: the oldest one-time key, each of which is handed out
    /// once, or the fallback key when there is none left.
    pub async fn claim_keys(
        &self,
        wanted: &BTreeMap<OwnedUserId, BTreeMap<OwnedDeviceId, OneTimeKeyAlgorithm>>,
    ) -> Result<ClaimedKeys, ClaimError> {
        let mut all = Vec::new();
        let snapshot = self.log.database().snapshot().await?;
        for (user, devices) in wanted {
            let names = self.log.database().names();
            if names.user(&snapshot, user.as_str()).await?.is_none() {
                // Nobody has ever heard of them: nothing is to be looked for under the lock.
                continue;
            }
            for (device, algorithm) in devices {
                // Ids that cannot be stored have no keys.
                if limits::is_id(device.as_str()) && limits::is_id(algorithm.as_str()) {
                    all.push((user, device, algorithm));
                }
            }
        }
        drop(snapshot);
        let mut claimed = ClaimedKeys::new();
        for some in all.chunks(limits::CLAIMS_PER_INTENT) {
            for ((user, device, algorithm), key) in some.iter().zip(self.claim_some(some).await?) {
                let Some((key_id, key)) = key else { continue };
                let id = format!("{algorithm}:{key_id}");
                let id = OwnedOneTimeKeyId::try_from(id).map_err(|_| damaged())?;
                let of_user = claimed.entry((*user).clone()).or_default();
                let of_device = of_user.entry((*device).clone()).or_default();
                of_device.insert(id, key);
            }
        }
        Ok(claimed)
    }

    async fn claim_some(
        &self,
        wanted: &[(&OwnedUserId, &OwnedDeviceId, &OneTimeKeyAlgorithm)],
    ) -> Result<Vec<Option<(String, Raw<OneTimeKey>)>>, StoreError> {
        let change = wanted.iter().map(|(user, device, algorithm)| {
            (user.to_string(), device.to_string(), algorithm.to_string())
        });
        let mut intent = Intent::new();
        let ticket = intent.add::<PrekeyChanges>(PrekeyChange::Claim(change.collect()));
        let committed = self.log.commit(intent).await;
        let outcome = committed
            .map_err(store::CommitError::into_store)?
            .take(ticket);
        let Some(PrekeyOutcome::Claimed(claimed)) = outcome else {
            return Ok(Vec::new());
        };
        self.open_claimed(claimed).await
    }

    async fn open_claimed(
        &self,
        claimed: Vec<Option<Claimed>>,
    ) -> Result<Vec<Option<(String, Raw<OneTimeKey>)>>, StoreError> {
        let snapshot = self.log.database().snapshot().await?;
        let sealed = claimed
            .iter()
            .flatten()
            .filter_map(|key| match &key.content {
                Content::Sealed(sealed) => Some(sealed.as_slice()),
                Content::Plain(_) | Content::Gone => None,
            });
        let keys = self.keyring.keys_of(&snapshot, sealed).await?;
        let opened = claimed.into_iter().map(|key| {
            let Some(key) = key else { return Ok(None) };
            let json = match key.content {
                Content::Plain(json) => json,
                Content::Sealed(sealed) => {
                    let place = Place {
                        table: key.table,
                        column: "sealed",
                        id: &key.place,
                    };
                    String::from_utf8(keys.open(place, &sealed)?).map_err(|_| damaged())?
                }
                Content::Gone => return Ok(None),
            };
            let json = Raw::from_json_string(json).map_err(|_| damaged())?;
            Ok(Some((key.key_id, json)))
        });
        opened.collect()
    }
}

fn damaged() -> StoreError {
    StoreError::Damaged("a claimed key is not JSON".to_owned())
}
