//! `[rooms]`: what new rooms are like.

use ruma::RoomVersionId;

use super::section;

section! {
    /// New rooms.
    pub Rooms in "rooms" {
        /// The version of a new room whose creator asks for none.
        default_version: RoomVersionId = "12";
    }
}
