//! Application services ([spec]): their registration files, and what each of them claims.
//!
//! A service is a program beside the server, mostly a bridge to another network. The operator
//! registers it with a file; it acts as its own user and as those in its namespaces, and is told
//! what happens around them. Whatever needs to know of services asks [`Appservices`], which never
//! changes while the server runs.
//!
//! [spec]: https://spec.matrix.org/v1.19/application-service-api/

mod appservice;
mod appservices;
mod complaint;
mod contradictions;
mod file;
mod files;
mod namespace;

pub use appservice::Appservice;
pub use appservices::Appservices;
pub use file::MAX_TOKEN_BYTES;
pub use files::{BadRegistration, BadRegistrations};
