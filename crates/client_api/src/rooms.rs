//! Rooms themselves: making and replacing them, and which ones a user is in.

pub(crate) mod create_room;
pub(crate) mod joined_rooms;
pub(crate) mod upgrade_room;
