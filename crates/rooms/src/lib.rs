//! Timeline, membership, state and receipts: the sole writer of the tables of rooms.

mod about_many;
mod aliases;
mod applier;
mod bundles;
mod change;
mod create;
mod delayed;
mod directory;
mod earlier;
mod encryption;
mod following;
mod guests;
mod hierarchy;
mod membership;
mod moment;
mod notices;
mod open_rooms;
mod reading;
mod relations;
mod room;
mod rooms;
mod said;
mod sending;
mod space;
mod stored;
mod summary;
mod tails;
mod third_party_invites;
mod thread_places;
mod thread_subscriptions;
mod threads;
mod timeline;
mod unread;
mod upgrade;
mod upkeep;
mod visibility;

pub use bundles::{Bundle, Bundles, Thread};
pub use change::{
    DelayedStep, NewAlias, NewDelayed, NewEvent, NewReceipt, NewThreadSubscription, RoomsChange,
    RoomsError, RoomsOutcome, RoomsRefusal, ThreadWish, Transaction,
};
pub use create::{CreateRoom, InitialState, Preset};
pub use delayed::{
    DelayedDraft, DelayedEvent, DelayedFailure, DelayedFailureKind, DelayedFate, MAX_DELAY,
    MAX_SCHEDULED,
};
pub use directory::{
    DirectoryFrom, DirectoryNetwork, DirectoryPage, DirectoryPlace, DirectoryQuery, Listing,
};
pub use encryption::EncryptionPolicy;
pub use following::EventOutline;
pub use guests::note_guest;
pub use hierarchy::{HierarchyError, HierarchyPage, HierarchyRequest};
pub use membership::{MemberChange, MemberProfile};
pub use notices::{Notice, Notifier};
pub use reading::{MemberCounts, Membership, MutualRooms, ReceiptEntry};
pub use relations::{RELATION_DEPTH, RelationsRequest};
pub use room::Room;
pub use rooms::{MIGRATIONS, OnDelayed, OnInvite, Rooms, RoomsOptions};
pub use said::Said;
pub use sending::SendRequest;
pub use space::SpaceChild;
pub use stored::{EventOrigin, StoredEvent};
pub use summary::{RoomSummary, Standing};
pub use third_party_invites::ThirdPartyInvite;
pub use thread_subscriptions::ThreadSubscription;
pub use threads::ThreadsRequest;
pub use timeline::{Direction, Page, PageRequest};
pub use unread::{Judge, Looking, Read, UnreadByThread, UnreadCounts, UnreadLately};
pub use upgrade::{AsRead, UpgradeRoom, UpgradeStep};
pub use visibility::History;
