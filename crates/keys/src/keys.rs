//! The owner: what its procedures use, and what wiring registers.

use std::sync::Arc;

use model::entropy::Entropy;
use ruma::{DeviceId, UserId};
use seal::Keyring;
use store::{Intent, Log, LogBuilder};

use crate::{
    backup::{BackupChange, BackupChanges},
    dehydrated::{DehydratedChange, DehydratedChanges},
    identity::{IdentityChange, IdentityChanges},
    prekeys::{PrekeyChange, PrekeyChanges},
    to_device::{ToDeviceChange, ToDeviceChanges},
};

/// Keys of devices and users, messages to devices, and key backups. Cheap to clone.
#[derive(Clone)]
pub struct Keys {
    pub(crate) log: Log,
    pub(crate) keyring: Keyring,
    pub(crate) entropy: Arc<dyn Entropy>,
}

impl Keys {
    /// The kind in a batch's `touched` that tells of changed keys: news to whoever shares a room
    /// with one of its users.
    pub const IDENTITY_KIND: &'static str = <IdentityChanges as store::Applier>::KIND;

    /// Registers what takes part in batches; call it before the log starts.
    #[must_use]
    pub fn register(builder: LogBuilder, keyring: &Keyring) -> LogBuilder {
        let identity = IdentityChanges {
            keyring: keyring.clone(),
        };
        let prekeys = PrekeyChanges {
            keyring: keyring.clone(),
        };
        let to_device = ToDeviceChanges {
            keyring: keyring.clone(),
        };
        let backups = BackupChanges {
            keyring: keyring.clone(),
        };
        let dehydrated = DehydratedChanges {
            keyring: keyring.clone(),
        };
        builder
            .register(Arc::new(identity))
            .register(Arc::new(prekeys))
            .register(Arc::new(to_device))
            .register(Arc::new(backups))
            .register(Arc::new(dehydrated))
    }

    /// Makes the owner from a log that it was registered with.
    pub fn new(log: Log, keyring: Keyring, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            log,
            keyring,
            entropy,
        }
    }

    /// Adds the end of a device: its keys and its waiting messages go, and others learn of it.
    pub fn add_drop_device(&self, intent: &mut Intent, user: &UserId, device: &DeviceId) {
        let (user, device) = (user.to_string(), device.to_string());
        intent.add::<IdentityChanges>(IdentityChange::DropDevice {
            user: user.clone(),
            device: device.clone(),
        });
        intent.add::<PrekeyChanges>(PrekeyChange::DropDevice {
            user: user.clone(),
            device: device.clone(),
        });
        intent.add::<ToDeviceChanges>(ToDeviceChange::DropDevice { user, device });
    }

    /// Adds the end of a user: all of their devices, a dehydrated one too, cross-signing keys, signatures, waiting
    /// messages and backups go.
    pub fn add_drop_user(&self, intent: &mut Intent, user: &UserId) {
        let user = user.to_string();
        intent.add::<IdentityChanges>(IdentityChange::DropUser { user: user.clone() });
        intent.add::<PrekeyChanges>(PrekeyChange::DropUser { user: user.clone() });
        intent.add::<ToDeviceChanges>(ToDeviceChange::DropUser { user: user.clone() });
        intent.add::<BackupChanges>(BackupChange::DropUser { user: user.clone() });
        intent.add::<DehydratedChanges>(DehydratedChange::DropUser { user });
    }
}
