//! Requests to the outside, and to nowhere else.
//!
//! Addresses that strangers choose lead where they like: to this machine, into the network behind
//! it, to the service that hands a cloud machine its credentials. So every request that leaves goes
//! through [`Outbound`] ([why it is made like this]), and of each of them holds:
//! - The name is resolved here, every address that it has is judged ([`address`]), and the
//!   connection goes to an address that was judged: the name is not resolved a second time.
//! - Redirects are followed by hand, each as if it had been asked for ([`MAX_REDIRECTS`]).
//! - The whole of it has a deadline, a connection has a shorter one, the head of an answer has a
//!   bound, and who reads the body says how much of it.
//! - Nothing is sent that was not asked for: no cookies, no referrer, no credentials; and no proxy
//!   of the environment is used.
//!
//! [why it is made like this]: ../../../docs/decisions/0006-outbound.md

pub mod address;
mod answer;
mod connection;
mod deadline;
mod error;
mod exchange;
mod outbound;
pub mod port;
mod resolver;
mod tls;

pub use answer::{Answer, Body};
pub use error::FetchError;
pub use outbound::{Ask, Get, MAX_REDIRECTS, Outbound, Parts, Policy, Post, Redirects};
pub use resolver::{Resolve, SystemResolver};
