//! The public directory of rooms.

pub(crate) mod get_visibility;
pub(crate) mod set_visibility;
