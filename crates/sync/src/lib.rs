//! What changed since a token.

mod answer;
mod before_sync;
mod bundling;
mod device_lists;
mod ephemeral;
mod ephemeral_part;
mod outside;
mod people;
mod reading;
mod render;
mod response;
mod room_state;
mod rooms_part;
mod sync;
mod token;
mod unread;
mod wakers;
mod waking;

pub use before_sync::{EventStream, InitialState, LookError, Messages, RoomInfo};
pub use bundling::Bundling;
pub use ephemeral::Presence;
pub use render::{Beside, Reader, state_event, stripped_event, timeline_event};
pub use response::{
    ClientEvent, DeviceLists, Events, InvitedRoom, JoinedRoom, KnockedRoom, LeftRoom, RoomUpdates,
    Summary, SyncResponse, Timeline, UnreadCounts,
};
pub use sync::{Sync, SyncError, SyncRequest, Syncer};
pub use token::{BadToken, Boundary, Ephemeral, SyncToken};
