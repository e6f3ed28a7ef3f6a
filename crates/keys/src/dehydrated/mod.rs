//! Dehydrated devices ([MSC3814]): what somebody leaves here so that messages find a device even
//! when all of theirs are signed out. It has keys and a queue like any device, and no session.
//!
//! [MSC3814]: https://github.com/matrix-org/matrix-spec-proposals/pull/3814

mod applier;

use std::collections::BTreeMap;

use ruma::{
    DeviceId, OwnedDeviceId, OwnedOneTimeKeyId, OwnedUserId, UserId,
    api::client::dehydrated_device::DehydratedDeviceData,
    encryption::{DeviceKeys, OneTimeKey},
    serde::Raw,
};
use seal::Place;
use store::{CommitError, Intent, StoreError};

use crate::{
    Keys,
    identity::{IdentityChange, IdentityChanges, check_device_keys},
    limits,
    prekeys::{PrekeyChange, PrekeyChanges, check_prekeys},
    upload::{UploadError, refused},
};

pub(crate) use applier::{DehydratedChange, DehydratedChanges, PutDehydrated};

use applier::DehydratedRefusal;

/// The longest name of a device.
const NAME_BYTES: usize = 1_024;

/// A device that is left here, with its keys.
#[derive(Clone, Debug)]
pub struct DehydratedUpload {
    /// The caller.
    pub user_id: OwnedUserId,
    /// The device's id, which the client chose.
    pub device_id: OwnedDeviceId,
    /// What only the client can make a device of again.
    pub device_data: Raw<DehydratedDeviceData>,
    /// What others see it called.
    pub display_name: Option<String>,
    /// Its identity keys.
    pub device_keys: Raw<DeviceKeys>,
    /// Its one-time keys.
    pub one_time_keys: BTreeMap<OwnedOneTimeKeyId, Raw<OneTimeKey>>,
    /// Its fallback keys, at most one of each algorithm.
    pub fallback_keys: BTreeMap<OwnedOneTimeKeyId, Raw<OneTimeKey>>,
}

/// A device that was left here.
#[derive(Clone, Debug)]
pub struct DehydratedDevice {
    /// Its id.
    pub device_id: OwnedDeviceId,
    /// What only the client can make a device of again.
    pub device_data: Raw<DehydratedDeviceData>,
}

/// Why a dehydrated device was not kept, or not removed.
#[derive(Debug, thiserror::Error)]
pub enum DehydratedError {
    /// It cannot be kept as it is.
    #[error(transparent)]
    Upload(#[from] UploadError),
    /// Another one was kept or removed at the same time.
    #[error("another device was dehydrated at the same time")]
    Overtaken,
}

impl Keys {
    /// The device that a user has left here.
    pub async fn dehydrated_device(
        &self,
        user: i64,
    ) -> Result<Option<DehydratedDevice>, StoreError> {
        const READ: &str =
            "SELECT device_id, device_data FROM dehydrated_devices WHERE user_id = $1";
        let snapshot = self.log.database().snapshot().await?;
        let Some(row) = snapshot.query_opt(READ, &[user.into()]).await? else {
            return Ok(None);
        };
        let device = row.text(0)?;
        let sealed = row.bytes(1)?;
        let keys = self.keyring.keys_of(&snapshot, [sealed]).await?;
        let id = dehydrated_place(user, device);
        let json = keys.open(place("device_data", &id), sealed)?;
        let json = String::from_utf8(json).ok();
        let data = json.and_then(|json| Raw::from_json_string(json).ok());
        let device_data =
            data.ok_or_else(|| StoreError::Damaged("dehydrated_devices.device_data".to_owned()))?;
        Ok(Some(DehydratedDevice {
            device_id: device.into(),
            device_data,
        }))
    }

    /// The id of that device.
    pub async fn dehydrated_device_id(
        &self,
        user: i64,
    ) -> Result<Option<OwnedDeviceId>, StoreError> {
        const READ: &str = "SELECT device_id FROM dehydrated_devices WHERE user_id = $1";
        let row = self.log.database().query_opt(READ, &[user.into()]).await?;
        row.map(|row| Ok(row.text(0)?.into())).transpose()
    }

    /// Adds that a device is left here with its keys, in place of the one that was read before.
    ///
    /// What was left of that one [goes](Self::add_drop_device) in the same intent, before this.
    pub fn add_dehydrated(
        &self,
        intent: &mut Intent,
        upload: &DehydratedUpload,
        replaces: Option<&DeviceId>,
    ) -> Result<(), UploadError> {
        let (user, device) = (&upload.user_id, &upload.device_id);
        check_data(upload)?;
        let identity = check_device_keys(&self.keyring, user, device, &upload.device_keys)?;
        let prekeys = check_prekeys(&self.keyring, &upload.one_time_keys, &upload.fallback_keys)?;
        intent.add::<DehydratedChanges>(DehydratedChange::Put(PutDehydrated {
            user: user.to_string(),
            device: device.to_string(),
            replaces: replaces.map(ToString::to_string),
            data: upload.device_data.json().get().to_owned(),
            name: upload.display_name.clone(),
        }));
        intent.add::<IdentityChanges>(IdentityChange::from(identity));
        intent.add::<PrekeyChanges>(PrekeyChange::Upload {
            user: user.to_string(),
            device: device.to_string(),
            keys: prekeys,
        });
        Ok(())
    }

    /// Adds that nothing is left here of a user, if it still is this device.
    pub fn add_forget_dehydrated(&self, intent: &mut Intent, user: &UserId, device: &DeviceId) {
        intent.add::<DehydratedChanges>(DehydratedChange::Drop {
            user: user.to_string(),
            device: device.to_string(),
        });
    }

    /// Why an intent was refused to which a dehydrated device was added.
    pub fn dehydrated_refusal(error: CommitError) -> DehydratedError {
        match error.refusal::<DehydratedChanges>() {
            Ok(DehydratedRefusal::Overtaken) => DehydratedError::Overtaken,
            Err(error) => DehydratedError::Upload(refused(error)),
        }
    }
}

/// The data is the client's own; that it is there, and of some algorithm, is all that is asked.
fn check_data(upload: &DehydratedUpload) -> Result<(), UploadError> {
    if upload.device_data.json().get().len() > limits::DEHYDRATED_BYTES {
        return Err(UploadError::DataTooLarge("device_data"));
    }
    let name = upload.display_name.as_ref();
    if name.is_some_and(|name| name.len() > NAME_BYTES) {
        return Err(UploadError::DataTooLarge("initial_device_display_name"));
    }
    match upload.device_data.get_field::<String>("algorithm") {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(UploadError::Malformed(
            "device_data: missing field `algorithm`".to_owned(),
        )),
        Err(_) => Err(UploadError::Malformed(
            "device_data: it is an object with a text `algorithm`".to_owned(),
        )),
    }
}

/// The id of a row, in what its values are sealed for.
pub(crate) fn dehydrated_place(user: i64, device: &str) -> String {
    format!("{user}/{device}")
}

pub(crate) fn place<'a>(column: &'static str, id: &'a str) -> Place<'a> {
    Place {
        table: "dehydrated_devices",
        column,
        id,
    }
}
