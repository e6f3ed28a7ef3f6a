//! End-to-end encryption: device keys, to-device messages, cross-signing and key backup.
//!
//! - [`Keys`]: the owner; its procedures are grouped below by what they keep.
//! - `identity`: identity keys of devices, cross-signing keys, signatures, and who changed when.
//! - `prekeys`: one-time and fallback keys.
//! - `to_device`: messages that wait for a device.
//! - `dehydrated`: what becomes a device again, when all others are gone.
//! - `backup`: room keys that clients keep on the server, encrypted by them.
//!
//! The server sees public keys and ciphertext only. All of it is sealed under the key of the
//! user it belongs to; in clear are ids, counts and what decides conflicts.

mod backup;
mod dehydrated;
mod identity;
mod keys;
mod limits;
mod prekeys;
mod signed_json;
mod to_device;
mod upload;

pub use backup::{BackupError, BackupInfo, BackupState, RoomKeys, RoomKeysSelection, SessionKeys};
pub use dehydrated::{DehydratedDevice, DehydratedError, DehydratedUpload};
pub use identity::{
    CrossSigningError, CrossSigningUpload, DeviceNames, QueriedKeys, SignatureFailure,
    SignatureFailures, SignaturesError,
};
pub use keys::Keys;
pub use prekeys::{ClaimError, ClaimedKeys, ClaimedKeysOfDevice};
pub use to_device::{MessageToDevice, SendError, SendToDevices, ToldMessage, WaitingMessages};
pub use upload::{KeysUpload, UploadError};

use store::{Migration, Migrations};

/// The tables of this crate.
pub const MIGRATIONS: Migrations = Migrations {
    owner: "keys",
    steps: &[
        Migration {
            number: 1,
            name: "keys",
            sql: include_str!("../migrations/0001_keys.sql"),
        },
        Migration {
            number: 2,
            name: "dehydrated_devices",
            sql: include_str!("../migrations/0002_dehydrated_devices.sql"),
        },
    ],
};
