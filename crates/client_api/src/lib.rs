//! The Matrix client-server API.

mod aliases;
mod directory;
mod events;
mod membership;
mod messages;
mod people;
mod presence;
mod receipts;
mod refusals;
mod room_state;
mod rooms;
mod typing;

pub mod address;
pub mod arguments;
pub mod caller;
pub mod discovery;
pub mod endpoint;
pub mod error;
pub mod limits;
pub mod matrix;
pub mod request;
pub mod routes;

mod cors;
mod json;
mod metrics;
mod session;
mod state;
mod sync;
#[cfg(test)]
mod tests;

pub use state::{ClientApi, Owners, Settings};
