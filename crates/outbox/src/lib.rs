//! What waits to leave the server: in order for each target, tried again until it is delivered.
//!
//! The log is the outbox of requests: whatever is to leave is a change there. A worker for each
//! [`Lane`] (push, mail, …) follows the log with a [`LeasedCursor`](store::LeasedCursor), decides
//! who is to receive what, and puts a [`Letter`] for each into the table behind [`Outbox`], in the
//! transaction that moves its cursor: a crash neither loses nor doubles one. Under the same lease
//! [`Outbox::carry`] takes the letters to the lane:
//! - at least once, and exactly once unless a node dies between the delivery and the note of it;
//! - of one target in order, of many targets at the same time;
//! - again after a failure, later each time, without keeping other targets waiting;
//! - given up when it is refused for good, or has failed for longer than the lane has patience:
//!   then it is a [`DeadLetter`], which an administrator sees and can have tried again.
//!
//! A letter holds no content, only a position of the log: what is delivered is read when it is
//! delivered, and is gone if it was redacted meanwhile. Memory is bounded however long a target is
//! away: letters wait in the table.

mod backoff;
mod carrier;
mod dead;
mod lane;
mod metrics;
mod outbox;

use store::{Migration, Migrations};

pub use dead::DeadLetter;
pub use lane::{Delivered, Lane, Letter, Then};
pub use outbox::{Outbox, Waiting};

/// The tables of what waits.
pub const MIGRATIONS: Migrations = Migrations {
    owner: "outbox",
    steps: &[Migration {
        number: 1,
        name: "outbox",
        sql: include_str!("../migrations/0001_outbox.sql"),
    }],
};
