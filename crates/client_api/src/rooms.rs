//! Rooms themselves: making them, and which ones a user is in.

pub(crate) mod create_room;
pub(crate) mod joined_rooms;
