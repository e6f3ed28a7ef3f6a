//! Dehydrated devices: kept, replaced and removed with all that belongs to them.

use accounts::{AccountChanges, Refusal};
use keys::{DehydratedError, DehydratedUpload, Keys, UploadError};
use ruma::{DeviceId, OwnedDeviceId};
use store::{CommitError, Intent, StoreError};

use crate::{Lifecycle, Whose};

/// How often a change is tried again that another one of the same user overtook.
const TRIES: usize = 5;

/// Why a device was not dehydrated, or not removed.
#[derive(Debug, thiserror::Error)]
pub enum DehydrateError {
    /// A device that is signed in has this id.
    #[error("device_id: one of your devices that is signed in has this id")]
    SignedIn,
    /// Others kept and removed devices of this user all the time.
    #[error("other devices are dehydrated at the same time")]
    Overtaken,
    /// It cannot be kept as it is.
    #[error(transparent)]
    Upload(#[from] UploadError),
}

impl From<StoreError> for DehydrateError {
    fn from(error: StoreError) -> Self {
        Self::Upload(error.into())
    }
}

impl Lifecycle {
    /// Keeps a dehydrated device with its keys; the one before goes with its keys and messages in
    /// the same change. Keeping the same again, as a client does whose connection broke, loses
    /// nothing that has come for it.
    pub async fn dehydrate(
        &self,
        whose: Whose<'_>,
        upload: &DehydratedUpload,
    ) -> Result<(), DehydrateError> {
        for _ in 0..TRIES {
            let stands = self.keys.dehydrated_device(whose.0).await?;
            if let Some(stands) = &stands
                && stands.device_id == upload.device_id
                && stands.device_data.json().get() == upload.device_data.json().get()
            {
                return Ok(());
            }
            let replaced = stands.map(|stands| stands.device_id);
            let mut intent = Intent::new();
            accounts::demand_no_device(&mut intent, whose.0, &upload.device_id);
            if let Some(replaced) = &replaced {
                self.add_drop_of(&mut intent, whose, replaced).await?;
            }
            self.keys
                .add_dehydrated(&mut intent, upload, replaced.as_deref())?;
            match self.commit_dehydrated(intent).await {
                Err(DehydrateError::Overtaken) => {}
                done => return done,
            }
        }
        Err(DehydrateError::Overtaken)
    }

    /// Removes the dehydrated device of a user with its keys and messages; tells which it was.
    pub async fn drop_dehydrated(
        &self,
        whose: Whose<'_>,
    ) -> Result<Option<OwnedDeviceId>, DehydrateError> {
        for _ in 0..TRIES {
            let Some(device) = self.keys.dehydrated_device_id(whose.0).await? else {
                return Ok(None);
            };
            let mut intent = Intent::new();
            self.keys
                .add_forget_dehydrated(&mut intent, whose.1, &device);
            self.add_drop_of(&mut intent, whose, &device).await?;
            match self.commit_dehydrated(intent).await {
                Err(DehydrateError::Overtaken) => {}
                done => return done.map(|()| Some(device)),
            }
        }
        Err(DehydrateError::Overtaken)
    }

    /// Adds the end of what belongs to a dehydrated device; not, if somebody has signed in under
    /// its id since: then it belongs to them.
    async fn add_drop_of(
        &self,
        intent: &mut Intent,
        (user, user_id): Whose<'_>,
        device: &DeviceId,
    ) -> Result<(), StoreError> {
        if self.accounts.device(user, device).await?.is_none() {
            self.keys.add_drop_device(intent, user_id, device);
        }
        Ok(())
    }

    async fn commit_dehydrated(&self, intent: Intent) -> Result<(), DehydrateError> {
        let committed = self.log.commit(intent).await;
        let refused = |error: CommitError| match error.refusal::<AccountChanges>() {
            Ok(Refusal::DeviceExists) => DehydrateError::SignedIn,
            Ok(refusal) => StoreError::Refused(refusal.to_string()).into(),
            Err(error) => match Keys::dehydrated_refusal(error) {
                DehydratedError::Overtaken => DehydrateError::Overtaken,
                DehydratedError::Upload(error) => DehydrateError::Upload(error),
            },
        };
        committed.map(drop).map_err(refused)
    }
}
