//! Identity keys of devices.

use model::json::complaint;
use ruma::{DeviceId, UserId, encryption::DeviceKeys, serde::Raw};
use seal::Keyring;
use store::{CheckContext, Verdict};

use super::{
    applier::{IdentityRefusal, IdentityWork},
    tables::{DeviceRow, DropSignatures, Usage},
};
use crate::{limits, signed_json::SignedJson, upload::UploadError};

/// Device keys that may be queued.
pub(crate) struct CheckedDeviceKeys(PutDeviceKeys);

/// Sets a device's identity keys.
pub(crate) struct PutDeviceKeys {
    pub(super) user: String,
    device: String,
    pub(super) json: String,
    digest: Vec<u8>,
}

impl From<CheckedDeviceKeys> for super::IdentityChange {
    fn from(checked: CheckedDeviceKeys) -> Self {
        Self::PutDeviceKeys(checked.0)
    }
}

/// Checks an upload: the caller's own device, the fields of the specification, bounded.
///
/// The device's own signature is left for other clients to verify: they must anyway.
pub(crate) fn check_device_keys(
    keyring: &Keyring,
    user: &UserId,
    device: &DeviceId,
    keys: &Raw<DeviceKeys>,
) -> Result<CheckedDeviceKeys, UploadError> {
    let malformed = |why: &str| UploadError::Malformed(format!("device_keys: {why}"));
    let json = keys.json().get();
    if json.len() > limits::KEY_BYTES {
        return Err(UploadError::TooLarge("device_keys"));
    }
    let object = SignedJson::parse(json.as_bytes())
        .ok_or_else(|| malformed("it is not a canonical JSON object"))?;
    // Ruma's type knows what must be there.
    keys.deserialize()
        .map_err(|error| malformed(&complaint(&error)))?;
    if object.text("user_id") != Some(user.as_str()) {
        return Err(UploadError::NotYours("user_id"));
    }
    if object.text("device_id") != Some(device.as_str()) || !limits::is_id(device.as_str()) {
        return Err(UploadError::NotYours("device_id"));
    }
    let text = object.stable_text();
    let digest = keyring.blind("device_keys", text.as_bytes()).to_vec();
    Ok(CheckedDeviceKeys(PutDeviceKeys {
        user: user.to_string(),
        device: device.to_string(),
        json: text,
        digest,
    }))
}

impl PutDeviceKeys {
    pub(super) fn check(
        &self,
        work: &mut IdentityWork,
        context: &mut CheckContext<'_>,
    ) -> Result<Verdict<bool>, IdentityRefusal> {
        let user = work.user(&self.user);
        let key = (user, self.device.clone());
        let known = work.devices.get(&key);
        if known.is_some_and(|known| known.digest == self.digest) {
            return Ok(Verdict::Nothing(false));
        }
        let replaces = known.is_some();
        let is_public_key = Usage::ALL.into_iter().any(|usage| {
            let row = work.cross_signing.get(&(user, usage));
            row.is_some_and(|row| row.public_key == self.device)
        });
        if is_public_key {
            return Err(IdentityRefusal::KeyIdInUse);
        }
        if replaces {
            // They were made over the keys that go away.
            work.drop_signatures(DropSignatures::On {
                user,
                key: self.device.clone(),
            });
        }
        let row = DeviceRow {
            digest: self.digest.clone(),
            pos: context.pos().get(),
            json: self.json.clone(),
        };
        work.devices.put(key, row);
        work.note_change(user, None, context);
        Ok(Verdict::Apply(true))
    }
}
