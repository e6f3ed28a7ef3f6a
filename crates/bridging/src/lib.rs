//! What application services are told and asked ([spec]).
//!
//! One node of a deployment follows the log, decides which services an event, a receipt, a message
//! to a device or a changed device concerns, and puts a letter for each into the [outbox](outbox);
//! the same node takes the letters to the services, up to a hundred in a transaction. A service
//! gets everything in order and at least once; a transaction that is sent again has the same name
//! and tells of the same changes. What is told is read when it is told.
//!
//! Any node asks a service whether a user or an alias exists, what it knows of another network, and
//! whether it is there.
//!
//! [spec]: https://spec.matrix.org/v1.19/application-service-api/

mod acquaintances;
mod asking;
mod bridging;
mod ephemera;
mod following;
mod lane;
mod metrics;
mod networks;
mod sending;
mod telling;
mod transaction;
mod watching;

use store::{Migration, Migrations};

pub use asking::PingError;
pub use bridging::{Bridging, USER_AGENT};
pub use networks::instance_id;

/// The tables of this crate.
pub const MIGRATIONS: Migrations = Migrations {
    owner: "bridging",
    steps: &[Migration {
        number: 1,
        name: "transactions",
        sql: include_str!("../migrations/0001_transactions.sql"),
    }],
};
