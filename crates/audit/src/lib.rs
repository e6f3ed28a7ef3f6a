//! The tamper-evident record.
//!
//! - [`Record`]: one act, as whoever does it describes it.
//! - [`AuditTrail`]: the applier that writes records in the transaction of their act, each
//!   linked to the one before it.
//! - [`verify`]: names the first record that was altered, removed or moved.
//! - [`list`]: opens records for people to read.
//! - [`RefusalRate`]: keeps a guesser from flooding the record.

mod chain;
mod list;
mod record;
mod refusals;
mod trail;
mod verify;

pub use chain::{Checkpoint, NotACheckpoint};
pub use list::{Content, Entry, Page, list};
pub use record::{Act, Actor, Origin, Outcome, Record, Target};
pub use refusals::RefusalRate;
pub use trail::{AuditTrail, MIGRATIONS};
pub use verify::{Broken, Verified, VerifyError, Wrong, verify};
