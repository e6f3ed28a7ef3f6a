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
mod uia;

mod cors;
mod json;
mod metrics;
mod session;
mod state;
mod sync;
#[cfg(test)]
mod tests;

pub use state::{ClientApi, Owners, Settings};
