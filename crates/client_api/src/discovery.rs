//! What a client asks before it knows anybody here.

pub mod capabilities;
pub(crate) mod policy_server;
pub(crate) mod support;
pub mod versions;
pub mod well_known;
