//! One-time keys and fallback keys: what starts an encrypted session with a device.

mod applier;
mod claim;
mod counts;
mod tables;
mod uploaded;

pub use claim::{ClaimError, ClaimedKeys, ClaimedKeysOfDevice};

pub(crate) use applier::{PrekeyChange, PrekeyChanges, PrekeyOutcome, PrekeyRefusal};
pub(crate) use uploaded::check_prekeys;
