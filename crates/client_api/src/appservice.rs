//! What application services ask for themselves.

pub(crate) mod request_ping;
pub(crate) mod set_network_visibility;
