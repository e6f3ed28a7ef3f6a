//! The state of a room: reading it and setting it.

pub(crate) mod get_state;
pub(crate) mod get_state_event;
pub(crate) mod set_state;
