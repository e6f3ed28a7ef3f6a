//! A person's devices, which are their sessions.

use audit::{Act, AuditTrail, Target};
use model::time::Timestamp;
use ruma::{DeviceId, OwnedDeviceId, UserId};
use store::{Committed, Intent, Reader, Row, StoreError, Ticket};

use crate::{
    Accounts, By, Session,
    applier::AccountChanges,
    change::{Change, Outcome, Refusal},
    rows::{self, place},
};

/// The longest name of a device.
pub(crate) const MAX_NAME_BYTES: usize = 1_024;

/// How many devices are removed at once.
const MAX_REMOVED: usize = 1_000;

/// A device as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its id.
    pub device_id: OwnedDeviceId,
    /// What it is called.
    pub display_name: Option<String>,
    /// When it first signed in.
    pub created_at: Timestamp,
    /// When it was last seen, to a few minutes.
    pub seen_at: Option<Timestamp>,
    /// From where it was last seen.
    pub address: Option<String>,
}

/// Why a device was not changed.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// There is no such device.
    #[error("there is no such device")]
    NoSuchDevice,
    /// The name is too long.
    #[error("a device name has at most {MAX_NAME_BYTES} bytes")]
    NameTooLong,
    /// Too many devices are named at once.
    #[error("no more than {MAX_REMOVED} devices can be removed at once")]
    TooMany,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Refusal> for DeviceError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoSuchDevice => Self::NoSuchDevice,
            other => Self::Store(other.into_store()),
        }
    }
}

/// Tells which devices an intent removed, once it has committed.
#[derive(Clone, Copy)]
pub struct RemovedTicket(Ticket<AccountChanges>);

impl RemovedTicket {
    /// The devices that were there and are gone.
    pub fn take(self, committed: &mut Committed) -> Vec<OwnedDeviceId> {
        match committed.take(self.0) {
            Some(Outcome::Removed(removed)) => {
                removed.iter().map(|id| rows::device_id(id)).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Refuses an intent as a whole if a user, by interned id, is signed in under a device id at its
/// place in the log.
pub fn demand_no_device(intent: &mut Intent, user: i64, device_id: &DeviceId) {
    let device_id = device_id.to_string();
    intent.add::<AccountChanges>(Change::DemandNoDevice { user, device_id });
}

const READ_DEVICES: &str = "SELECT devices.device_id, devices.display_name, devices.created_at, \
     device_activity.seen_at, device_activity.address \
     FROM devices LEFT JOIN device_activity ON device_activity.user_id = devices.user_id \
     AND device_activity.device_id = devices.device_id \
     WHERE devices.user_id = $1 AND (CAST($2 AS TEXT) IS NULL OR devices.device_id = $2) \
     ORDER BY devices.device_id";

impl Accounts {
    /// All devices of a user.
    pub async fn devices_of(&self, user: i64) -> Result<Vec<Device>, StoreError> {
        self.read_devices(user, None).await
    }

    /// One device of a user.
    pub async fn device(
        &self,
        user: i64,
        device_id: &DeviceId,
    ) -> Result<Option<Device>, StoreError> {
        if model::ids::check_device_id(device_id.as_str()).is_err() {
            return Ok(None);
        }
        let devices = self.read_devices(user, Some(device_id)).await?;
        Ok(devices.into_iter().next())
    }

    async fn read_devices(
        &self,
        user: i64,
        only: Option<&DeviceId>,
    ) -> Result<Vec<Device>, StoreError> {
        let snapshot = self.database().snapshot().await?;
        let params = [user.into(), only.map(DeviceId::as_str).into()];
        let rows = snapshot.query(READ_DEVICES, &params).await?;
        let mut devices = Vec::with_capacity(rows.len());
        for row in &rows {
            devices.push(self.device_of(&snapshot, user, row).await?);
        }
        Ok(devices)
    }

    async fn device_of(&self, reader: &Reader, user: i64, row: &Row) -> Result<Device, StoreError> {
        let device_id = row.text(0)?;
        let display_name = match row.opt_bytes(1)? {
            Some(sealed) => {
                let id = place::device_row(user, device_id);
                let keyring = &self.inner.keyring;
                let name = keyring
                    .open(reader, place::device_name(&id), sealed)
                    .await?;
                String::from_utf8(name).ok()
            }
            None => None,
        };
        Ok(Device {
            device_id: rows::device_id(device_id),
            display_name,
            created_at: Timestamp::from_millis(row.int(2)?),
            seen_at: row.opt_int(3)?.map(Timestamp::from_millis),
            address: row.opt_text(4)?.map(str::to_owned),
        })
    }

    /// Names a device.
    pub async fn rename_device(
        &self,
        user: i64,
        device_id: &DeviceId,
        display_name: Option<String>,
    ) -> Result<(), DeviceError> {
        if model::ids::check_device_id(device_id.as_str()).is_err() {
            return Err(DeviceError::NoSuchDevice);
        }
        if display_name
            .as_ref()
            .is_some_and(|name| name.len() > MAX_NAME_BYTES)
        {
            return Err(DeviceError::NameTooLong);
        }
        let change = Change::RenameDevice {
            user,
            device_id: device_id.to_string(),
            display_name,
        };
        self.commit_one(change, None).await?;
        Ok(())
    }

    /// Adds the end of the caller's own session to an intent.
    pub fn add_sign_out(&self, intent: &mut Intent, session: &Session, by: &By) -> RemovedTicket {
        let ticket = intent.add::<AccountChanges>(Change::EndSession {
            user: session.user,
            device_id: session.device_id.to_string(),
            session: session.session,
        });
        let target = Target::device(session.user_id.as_str(), session.device_id.as_str());
        intent.add::<AuditTrail>(by.record(Act::SignedOut).on(target));
        RemovedTicket(ticket)
    }

    /// Adds the end of all sessions of a user, as they were listed just before, to an intent.
    pub fn add_sign_out_everywhere(
        &self,
        intent: &mut Intent,
        (user, user_id): (i64, &UserId),
        device_ids: &[OwnedDeviceId],
        by: &By,
    ) -> RemovedTicket {
        let target = Target::user(user_id.as_str());
        intent.add::<AuditTrail>(by.record(Act::SignedOutEverywhere).on(target));
        RemovedTicket(add_removal(intent, user, device_ids))
    }

    /// Adds the removal of devices to an intent; those that do not exist are passed over.
    pub fn add_device_removal(
        &self,
        intent: &mut Intent,
        (user, user_id): (i64, &UserId),
        device_ids: &[OwnedDeviceId],
        by: &By,
    ) -> Result<RemovedTicket, DeviceError> {
        if device_ids.len() > MAX_REMOVED {
            return Err(DeviceError::TooMany);
        }
        for device_id in device_ids {
            let target = Target::device(user_id.as_str(), device_id.as_str());
            intent.add::<AuditTrail>(by.record(Act::DeviceRemoved).on(target));
        }
        Ok(RemovedTicket(add_removal(intent, user, device_ids)))
    }
}

/// What cannot be a device's id names no device, so there is nothing to remove.
fn add_removal(
    intent: &mut Intent,
    user: i64,
    device_ids: &[OwnedDeviceId],
) -> Ticket<AccountChanges> {
    let device_ids = device_ids
        .iter()
        .filter(|id| model::ids::check_device_id(id.as_str()).is_ok())
        .map(ToString::to_string)
        .collect();
    intent.add::<AccountChanges>(Change::RemoveDevices { user, device_ids })
}
