//! What changed since a token.

mod device_lists;
mod ephemeral;
mod people;
mod reading;
mod render;
mod response;
mod rooms_part;
mod sync;
mod token;
mod unread;
mod wakers;

pub use ephemeral::Presence;
pub use render::{Beside, Reader, state_event, stripped_event, timeline_event};
pub use response::{
    ClientEvent, DeviceLists, Events, InvitedRoom, JoinedRoom, KnockedRoom, LeftRoom, RoomUpdates,
    Summary, SyncResponse, Timeline, UnreadCounts,
};
pub use sync::{Sync, SyncError, SyncRequest, Syncer};
pub use token::{BadToken, Ephemeral, SyncToken, boundary_token, timeline_boundary};
