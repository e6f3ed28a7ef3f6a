//! Encryption at rest and where its key lives.
//!
//! Three levels: a [`MasterKey`] that never touches the database wraps a few wrapping keys,
//! these wrap data keys, one for each room and month and for each user, and data keys seal
//! values. The [`Keyring`] finds and makes them.

mod aead;
mod blind;
mod error;
mod file;
mod keyring;
mod master;
mod scope;

pub use blind::BlindIndex;
pub use error::SealError;
pub use file::{CHUNK_BYTES, CHUNK_OVERHEAD, FileKey, FileOpener, FileSealer};
pub use keyring::{KeySet, Keyring, MIGRATIONS, TABLES};
pub use master::{KeyFound, KeySource, MasterKey, Voucher};
pub use scope::{Month, Place, Scope};
