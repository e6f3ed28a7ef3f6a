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

mod account;
mod account_data;
mod administration;
mod aliases;
mod backup;
mod blame;
mod calls;
mod cors;
mod delayed_events;
mod device;
pub mod directory;
mod events;
mod filter;
mod json;
mod keys;
pub mod media;
mod membership;
mod messages;
mod metrics;
mod openid;
mod peeking;
mod people;
mod presence;
mod profile;
mod push_rule;
mod receipts;
mod refusals;
mod relations;
mod reporting;
mod room_state;
mod rooms;
mod session;
mod state;
mod summaries;
mod synapse_admin;
mod sync;
mod tag;
#[cfg(test)]
mod tests;
mod to_device;
mod typing;
mod user_directory;

pub use calls::TurnServers;
pub use state::{ClientApi, Owners, Settings};
