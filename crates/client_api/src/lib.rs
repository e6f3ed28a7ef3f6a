//! The Matrix client-server API.

pub mod address;
pub mod arguments;
mod backup;
pub mod caller;
pub mod discovery;
pub mod endpoint;
pub mod error;
mod keys;
pub mod limits;
pub mod matrix;
mod media;
pub mod origin;
pub mod request;
pub mod routes;
mod to_device;

mod account;
mod account_data;
mod cors;
mod device;
mod filter;
mod json;
mod metrics;
mod profile;
mod push_rule;
mod session;
mod state;
mod synapse_admin;
mod sync;
mod tag;
#[cfg(test)]
mod tests;

pub use state::{ClientApi, Owners, Settings};
