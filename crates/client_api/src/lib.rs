//! The Matrix client-server API.

pub mod address;
pub mod arguments;
pub mod caller;
pub mod discovery;
pub mod endpoint;
pub mod error;
pub mod limits;
pub mod matrix;
pub mod origin;
pub mod request;
pub mod routes;

mod aliases;
mod backup;
mod cors;
mod directory;
mod events;
mod json;
mod keys;
mod media;
mod membership;
mod messages;
mod metrics;
mod people;
mod presence;
mod receipts;
mod refusals;
mod room_state;
mod rooms;
mod session;
mod state;
mod sync;
#[cfg(test)]
mod tests;
mod to_device;
mod typing;
mod uia;

pub use state::{ClientApi, Owners, Settings};
