//! Key backups: room keys that clients keep on the server, encrypted by them.

mod applier;
mod conflict;
mod given;
mod session;
mod sessions;
mod tables;
mod versions;

pub use sessions::{RoomKeys, RoomKeysSelection, SessionKeys};
pub use versions::{BackupError, BackupInfo, BackupState};

pub(crate) use applier::{BackupChange, BackupChanges};
