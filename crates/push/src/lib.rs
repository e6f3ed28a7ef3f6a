//! What notifies somebody is told to their push gateways ([spec]).
//!
//! One node of a deployment follows the log, decides by each person's push rules for whom an event
//! is, and puts a letter for each of their pushers into the [outbox](outbox); the same node takes
//! the letters to the gateways. What is told is read when it is told: a message that was redacted
//! or read meanwhile is not.
//!
//! [spec]: https://spec.matrix.org/v1.19/push-gateway-api/

mod badge;
mod fan_out;
mod gateway;
mod members;
mod news;
mod notification;
mod push;
mod watched;

pub use gateway::{BadGateway, Gateways, USER_AGENT};
pub use push::Push;
