//! SQLite or PostgreSQL, and the commit log.
//!
//! - [`Database`]: opens the engine, migrates it, hands out read [`Snapshot`]s.
//! - [`Log`]: the one way to change anything that others must learn of.
//! - [`Coherent`]: a cache that the log keeps true.
//! - [`LeasedCursor`]: background work along the log, done by one node at a time.
//! - [`Examination`]: looks at a database without changing it.
//!
//! This crate knows no owner's tables: owners bring their migrations and register an
//! [`Applier`] for each kind of change.

mod coherent;
mod database;
mod engine;
mod error;
mod examination;
mod history;
mod leased;
mod log;
mod metrics;
mod migrations;
mod names;
mod staged;
mod tables;
mod value;

pub use coherent::Coherent;
pub use database::{Database, DatabaseOptions, Location, Snapshot, UNFINISHED_MOVE};
pub use engine::{Insert, LocalWrite, Reader, Tx, Writes};
pub use error::StoreError;
pub use examination::{
    ClockDifference, Deployment, Examination, FileForm, HostFound, HostState, PostgresFacts,
    Standby, quick_check,
};
pub use history::{Common, History, Mark};
pub use leased::{Begin, LeasedCursor};
pub use log::{
    Applier, Arrival, Arrivals, Batch, CheckContext, CommitError, Committed, EpochCause,
    EpochRaise, Epochs, Following, Intent, Lately, Log, LogBuilder, Pos, Ticket, Touched, Verdict,
};
pub use migrations::{Migration, Migrations};
pub use names::Names;
pub use staged::{Journal, Layered, Staged};
pub use tables::{Begun, Filling, Moving, Scan, Table, TableFile};
pub use value::{ColumnType, Row, Value};
