//! Timeline, membership, state and receipts: the sole writer of the tables of rooms.

mod aliases;
mod applier;
mod change;
mod create;
mod directory;
mod encryption;
mod membership;
mod open_rooms;
mod reading;
mod room;
mod rooms;
mod sending;
mod stored;
mod timeline;
mod upkeep;
mod visibility;

pub use change::{
    NewAlias, NewEvent, NewReceipt, RoomsChange, RoomsError, RoomsOutcome, RoomsRefusal,
    Transaction,
};
pub use create::{CreateRoom, InitialState, Preset};
pub use directory::{DirectoryFrom, DirectoryPage, DirectoryPlace, DirectoryQuery, Listing};
pub use encryption::EncryptionPolicy;
pub use membership::{MemberChange, MemberProfile};
pub use reading::{MemberCounts, Membership, MutualRooms, ReceiptEntry};
pub use room::Room;
pub use rooms::{MIGRATIONS, OnInvite, Rooms, RoomsOptions};
pub use stored::{EventOrigin, StoredEvent};
pub use timeline::{Direction, Page, PageRequest};
pub use visibility::History;
