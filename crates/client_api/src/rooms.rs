//! Rooms themselves: making and replacing them, looking at them from outside, and which ones a
//! user is in.

pub(crate) mod create_room;
pub(crate) mod get_hierarchy;
pub(crate) mod get_summary;
pub(crate) mod joined_rooms;
pub(crate) mod upgrade_room;
