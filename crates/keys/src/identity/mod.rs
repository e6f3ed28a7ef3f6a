//! Who is who: identity keys of devices, cross-signing keys, signatures, and who changed when.

mod applier;
mod cross_signing;
mod device_keys;
mod list_changes;
mod list_places;
mod query;
mod signatures;
mod tables;

pub use cross_signing::{CrossSigningError, CrossSigningUpload};
pub use query::{DeviceNames, QueriedKeys};
pub use signatures::{SignatureFailure, SignatureFailures, SignaturesError};

pub(crate) use applier::{IdentityChange, IdentityChanges};
pub(crate) use device_keys::check_device_keys;
