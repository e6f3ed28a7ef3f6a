//! What people report to the administrators: rooms, events and people.
//!
//! - [`Reports`]: what others ask of this crate; [`ReportChanges`]: its part in the log.
//! - [`NewReport`], [`About`]: what is reported; [`Report`]: what stands.

mod applier;
mod list;
mod reports;

use store::{Migration, Migrations};

pub use applier::{NewReport, ReportChanges};
pub use list::Report;
pub use reports::{ReportError, Reports};

/// The table of reports.
pub const MIGRATIONS: Migrations = Migrations {
    owner: "reports",
    steps: &[Migration {
        number: 1,
        name: "reports",
        sql: include_str!("../migrations/0001_reports.sql"),
    }],
};

/// What is reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// Somebody.
    User(ruma::OwnedUserId),
    /// A room.
    Room(ruma::OwnedRoomId),
    /// An event.
    Event {
        /// The event.
        event_id: ruma::OwnedEventId,
        /// Its room.
        room_id: ruma::OwnedRoomId,
        /// Its sender.
        sender: ruma::OwnedUserId,
    },
}
