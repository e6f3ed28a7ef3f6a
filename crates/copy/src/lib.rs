//! A consistent copy of a whole deployment, and its restore; and a deployment's move to PostgreSQL.
//!
//! - [`make`] writes a copy into a folder while the server runs, and proves it by reading it back.
//! - [`Copy`]: a copy that is there; [`Copy::check`] proves every byte of it.
//! - [`Copy::fill`] and [`Copy::put_files`] restore it into an empty place, and [`begin_epoch`] opens it.
//! - [`Move`]: an embedded deployment goes to PostgreSQL with all that it has, and [`arrive`] opens it
//!   there: nobody has to begin anew.
//!
//! A copy does not depend on the engine: what was made from PostgreSQL is restored into SQLite,
//! and the other way round.

mod checking;
mod digest;
mod epoch;
mod error;
mod files;
mod folder;
mod making;
mod manifest;
mod moving;
mod restoring;
mod tables;

pub use checking::Copy;
pub use epoch::{Begun, begin_epoch};
pub use error::CopyError;
pub use making::{Source, make};
pub use manifest::{Files, Manifest, Part, TableSummary};
pub use moving::{DECISIONS, FilesMoved, Goes, Move, Origin, Progress, RowsMoved, Watch, arrive};

/// Tells a person how far it is, in a few words; called now and then.
pub type Tell<'a> = &'a (dyn Fn(&str) + Send + Sync);
