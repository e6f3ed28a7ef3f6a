//! Pushers: where people want to be told of what notifies them.
//!
//! - [`Pushers`]: what others ask of this crate; [`PusherChanges`]: its part in the log.
//! - [`StoredPusher`]: one pusher.
//!
//! A pusher belongs to the session that made it, and counts for nothing once that has ended.

mod applier;
mod pushers;
mod stop_links;
mod work;

use store::{Migration, Migrations};

pub use applier::{Change, MAX_PUSHERS, NewPusher, PusherChanges, PusherRefusal};
pub use pushers::{PusherError, Pushers, StoredPusher};
pub use stop_links::StopLink;

/// The table of pushers.
pub const MIGRATIONS: Migrations = Migrations {
    owner: "pushers",
    steps: &[Migration {
        number: 1,
        name: "pushers",
        sql: include_str!("../migrations/0001_pushers.sql"),
    }],
};
