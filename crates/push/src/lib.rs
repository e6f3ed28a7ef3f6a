//! What notifies somebody is told to their push gateways ([spec]), and in mails.
//!
//! One node of a deployment follows the log, decides by each person's push rules for whom an event
//! is, and puts a letter for each of their pushers into the [outbox](outbox); the same node takes
//! the letters to the gateways, and writes mails about what stays unread. What is told is read when
//! it is told: a message that was redacted or read meanwhile is not.
//!
//! [spec]: https://spec.matrix.org/v1.19/push-gateway-api/

mod badge;
mod digest;
mod fan_out;
mod gateway;
mod members;
mod metrics;
mod news;
mod notification;
mod pace;
mod push;
mod summary;
mod watched;

use store::{Migration, Migrations};

pub use digest::Mailing;
pub use gateway::{BadGateway, Gateways, USER_AGENT};
pub use push::Push;

/// The table of the last mails.
pub const MIGRATIONS: Migrations = Migrations {
    owner: "push",
    steps: &[Migration {
        number: 1,
        name: "mails",
        sql: include_str!("../migrations/0001_mails.sql"),
    }],
};
