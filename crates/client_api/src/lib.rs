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
mod tag;
#[cfg(test)]
mod tests;

pub use state::{ClientApi, Owners, Settings};
