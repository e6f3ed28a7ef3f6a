//! The end of devices: their sessions, keys, pushers and waiting messages go together.

use accounts::{By, DeviceError, Refusal, Session};
use ruma::{DeviceId, OwnedDeviceId};
use store::{CommitError, Intent, StoreError};

use crate::{Lifecycle, Whose};

/// How many devices one intent removes.
const AT_ONCE: usize = 100;

impl Lifecycle {
    /// Ends the caller's own session, and with it the device.
    pub async fn sign_out(&self, session: &Session, by: &By) -> Result<(), StoreError> {
        let mut intent = Intent::new();
        self.accounts.add_sign_out(&mut intent, session, by);
        let device = (session.user, &*session.user_id);
        self.add_drop_belongings(
            &mut intent,
            device,
            std::slice::from_ref(&session.device_id),
        );
        self.commit(intent).await
    }

    /// Ends all sessions of a user, or all but one.
    pub async fn sign_out_everywhere(
        &self,
        whose: Whose<'_>,
        keep: Option<&DeviceId>,
        by: &By,
    ) -> Result<(), StoreError> {
        loop {
            let devices = self.some_devices(whose, keep).await?;
            if devices.is_empty() {
                return Ok(());
            }
            let mut intent = Intent::new();
            self.accounts
                .add_sign_out_everywhere(&mut intent, whose, &devices, by);
            self.add_drop_belongings(&mut intent, whose, &devices);
            self.commit(intent).await?;
        }
    }

    /// Removes devices of a user; those that do not exist are passed over.
    pub async fn remove_devices(
        &self,
        whose: Whose<'_>,
        device_ids: &[OwnedDeviceId],
        by: &By,
    ) -> Result<(), DeviceError> {
        for device_ids in device_ids.chunks(AT_ONCE) {
            let device_ids = self.existing(whose, device_ids).await?;
            if device_ids.is_empty() {
                continue;
            }
            let mut intent = Intent::new();
            self.accounts
                .add_device_removal(&mut intent, whose, &device_ids, by)?;
            self.add_drop_belongings(&mut intent, whose, &device_ids);
            self.commit(intent).await?;
        }
        Ok(())
    }

    async fn existing(
        &self,
        (user, _): Whose<'_>,
        device_ids: &[OwnedDeviceId],
    ) -> Result<Vec<OwnedDeviceId>, StoreError> {
        let devices = self.accounts.devices_of(user).await?.into_iter();
        let existing = devices.map(|device| device.device_id);
        Ok(existing.filter(|id| device_ids.contains(id)).collect())
    }

    pub(crate) async fn some_devices(
        &self,
        (user, _): Whose<'_>,
        keep: Option<&DeviceId>,
    ) -> Result<Vec<OwnedDeviceId>, StoreError> {
        let devices = self.accounts.devices_of(user).await?.into_iter();
        let others = devices
            .map(|device| device.device_id)
            .filter(|id| Some(&**id) != keep);
        Ok(others.take(AT_ONCE).collect())
    }

    /// Adds the end of what belongs to devices: keys, waiting messages and pushers.
    pub(crate) fn add_drop_belongings(
        &self,
        intent: &mut Intent,
        (_, user_id): Whose<'_>,
        device_ids: &[OwnedDeviceId],
    ) {
        for device_id in device_ids {
            self.keys.add_drop_device(intent, user_id, device_id);
            self.pushers.add_drop_device(intent, user_id, device_id);
        }
    }

    /// Commits changes that are refused only when something is broken.
    pub(crate) async fn commit(&self, intent: Intent) -> Result<(), StoreError> {
        let committed = self.log.commit(intent).await;
        committed.map(drop).map_err(CommitError::into_store)
    }

    /// Commits changes of accounts and others, for who can explain the refusals of accounts.
    pub(crate) async fn commit_accounts(&self, intent: Intent) -> Result<(), Refusal> {
        let committed = self.log.commit(intent).await;
        let refused = |error: CommitError| match error.refusal::<accounts::AccountChanges>() {
            Ok(refusal) => refusal,
            Err(error) => Refusal::Store(error.into_store()),
        };
        committed.map(drop).map_err(refused)
    }
}
