//! What changed since a token.

mod answer;
mod before_sync;
mod bundling;
mod device_lists;
mod ephemeral;
mod ephemeral_part;
mod form;
mod memory;
mod notifications;
mod outside;
mod people;
mod reading;
mod render;
mod response;
mod room_state;
mod rooms_part;
mod sliding;
mod sync;
mod telling;
mod token;
mod wakers;
mod waking;

pub use before_sync::{EventStream, InitialState, LookError, Messages, RoomInfo};
pub use ephemeral::Presence;
pub use notifications::{Notification, Notifications, NotificationsRequest};
pub use render::{Reader, state_event, stripped_event};
pub use response::{
    ClientEvent, DeviceLists, Events, InvitedRoom, JoinedRoom, KnockedRoom, LeftRoom, RoomState,
    RoomUpdates, StateAt, Summary, SyncResponse, Timeline,
};
pub use sliding::{
    MIGRATIONS, Position, SlidingError, SlidingRefusal, SlidingRequest, SlidingResponse,
};
pub use sync::{Sync, SyncError, SyncRequest, Syncer};
pub use telling::Telling;
pub use token::{BadToken, Boundary, Ephemeral, SyncToken};
