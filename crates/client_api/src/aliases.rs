//! Aliases of rooms.

pub(crate) mod delete_alias;
pub(crate) mod get_alias;
pub(crate) mod room_aliases;
pub(crate) mod set_alias;
