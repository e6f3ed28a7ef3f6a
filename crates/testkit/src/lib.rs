//! What tests share: servers started and stopped, a clock that is moved by hand, waiting.

#[cfg(feature = "tls")]
pub mod authority;
#[cfg(feature = "client")]
pub mod clock;
#[cfg(feature = "client")]
pub mod entropy;
#[cfg(feature = "client")]
mod eventually;
#[cfg(feature = "client")]
pub mod postgres;
#[cfg(feature = "s3")]
pub mod s3;
#[cfg(feature = "client")]
pub mod server;
pub mod servers;

#[cfg(feature = "client")]
pub use eventually::{eventually, eventually_within};
