//! What can be asked of rooms, and what is answered.

use std::time::Duration;

use model::{event::EventDraft, time::Timestamp};
use ruma::{OwnedEventId, OwnedRoomAliasId, OwnedRoomId, OwnedUserId, RoomVersionId};
use store::{CommitError, Pos, StoreError};

use crate::{
    EventOrigin, UpgradeStep,
    delayed::{DelayHash, MAX_DELAY, MAX_SCHEDULED},
    notices::NoticeHash,
};

/// One change to rooms.
pub enum RoomsChange {
    /// An event is appended to a room's timeline; the create event makes the room.
    Event(Box<NewEvent>),
    /// A step of the upgrade of a room.
    Upgrade(UpgradeStep),
    /// An alias is pointed at a room.
    SetAlias(NewAlias),
    /// An alias is removed.
    RemoveAlias {
        /// The alias.
        alias: OwnedRoomAliasId,
        /// Who asks: its creator, or somebody with the power to send `m.room.canonical_alias`;
        /// nobody for an application service, whose alias it is.
        user_id: Option<OwnedUserId>,
    },
    /// A user has read up to an event.
    Receipt(NewReceipt),
    /// A user follows a thread, or no longer.
    ThreadSubscription(NewThreadSubscription),
    /// A user who has left no longer wants to see a room.
    Forget {
        /// The room.
        room_id: OwnedRoomId,
        /// The user.
        user_id: OwnedUserId,
    },
    /// A room is shown in the public directory, or no longer.
    Publish {
        /// The room.
        room_id: OwnedRoomId,
        /// Whether it is shown.
        published: bool,
        /// Who asks, who needs the power to send `m.room.canonical_alias`; nobody when the room
        /// is being made.
        by: Option<OwnedUserId>,
    },
    /// A room is shown as one of another network, or no longer.
    List {
        /// The room.
        room_id: OwnedRoomId,
        /// The network, among those of all application services.
        network: String,
        /// Whether it is shown.
        listed: bool,
    },
    /// Some of the clients' transactions from before a moment are no longer remembered.
    ForgetTransactions {
        /// The moment.
        before: Timestamp,
    },
    /// Something happens to events that are sent later.
    Delayed(DelayedStep),
    /// A user is a guest from now on, or no longer.
    Guest {
        /// The user.
        user_id: OwnedUserId,
        /// Whether they are one.
        is_guest: bool,
    },
    /// A user is sent the notice of this name; if they were before, nothing of the intent is done.
    NameNotice {
        /// The user.
        user_id: OwnedUserId,
        /// The keyed hash of the name.
        hash: NoticeHash,
    },
    /// A new room is the one in which a user gets notices.
    HoldNotices {
        /// The room.
        room_id: OwnedRoomId,
        /// The user.
        user_id: OwnedUserId,
    },
    /// A guest leaves a room that lets guests in no more, if they are in it and it does not.
    SendGuestOut(Box<NewEvent>),
}

impl RoomsChange {
    /// The event that somebody sends with this change.
    pub(crate) fn event(&self) -> Option<&NewEvent> {
        match self {
            Self::Event(event) | Self::Delayed(DelayedStep::Fire { event, .. }) => Some(event),
            _ => None,
        }
    }
}

/// What happens to an event that is sent later. It is found by the hash of its delay id.
pub enum DelayedStep {
    /// It is scheduled.
    Schedule(Box<NewDelayed>),
    /// It waits for its whole delay again.
    Restart {
        /// Which.
        hash: DelayHash,
    },
    /// It is not sent.
    Cancel {
        /// Which.
        hash: DelayHash,
    },
    /// It is sent, if it still waits and is due.
    Fire {
        /// Which.
        hash: DelayHash,
        /// Whether it is sent even before it is due.
        early: bool,
        /// The event that it becomes.
        event: Box<NewEvent>,
    },
    /// It could not be sent when it was due, and will not be.
    Fail {
        /// Which.
        hash: DelayHash,
        /// Its room, whose key seals why.
        room_id: OwnedRoomId,
        /// Since when it waited: one that was restarted meanwhile waits on.
        running_since: Timestamp,
        /// What is sealed of it from now on.
        text: Vec<u8>,
    },
    /// A user's account is closed: nothing of theirs waits, or is remembered.
    DropUser {
        /// The user.
        user_id: OwnedUserId,
    },
    /// Some of those whose fate was decided before a moment are no longer remembered.
    Forget {
        /// The moment.
        before: Timestamp,
    },
}

/// An event that is to wait.
pub struct NewDelayed {
    /// The keyed hash of its delay id.
    pub hash: DelayHash,
    /// The keyed hash of the client's transaction.
    pub txn_hash: DelayHash,
    /// The room.
    pub room_id: OwnedRoomId,
    /// Who sends it.
    pub sender: OwnedUserId,
    /// Its type.
    pub kind: String,
    /// Its state key, if it sets state.
    pub state_key: Option<String>,
    /// How long it waits.
    pub delay: Duration,
    /// What is sealed of it.
    pub text: Vec<u8>,
}

/// An event before it has its place.
#[derive(Clone)]
pub struct NewEvent {
    /// The room; for a create event, the room that it makes.
    pub room_id: OwnedRoomId,
    /// The room's version; only the create event brings it.
    pub version: Option<RoomVersionId>,
    /// What the event says.
    pub draft: EventDraft,
    /// The client's transaction, so that a retry makes no second event, and its hash.
    pub transaction: Option<(Transaction, TransactionHash)>,
    /// For an annotation: the hash of what it says, of which event, and by whom.
    pub annotation: Option<AnnotationHash>,
    /// How long its content is, about, in bytes.
    pub size_bytes: usize,
    /// For a join: whether membership elsewhere, where the room allows it, is as good as an
    /// invitation. It is looked up under the lock, and the event then says through whom its
    /// sender comes in.
    pub by_membership: bool,
    /// For a leave: whether the account is closed, so that no room holds its owner.
    pub for_good: bool,
    /// The delay id of an event that was scheduled and has waited.
    pub delay_id: Option<String>,
}

impl NewEvent {
    /// What asks for it, as it is kept beside it.
    pub(crate) fn origin(&self) -> Option<EventOrigin> {
        if let Some(delay_id) = self.delay_id.clone() {
            return Some(EventOrigin::Delayed { delay_id });
        }
        let (transaction, _) = self.transaction.as_ref()?;
        let Transaction { device_id, txn_id } = transaction.clone();
        Some(EventOrigin::Request { device_id, txn_id })
    }

    /// Whom this event asks in, if it asks somebody in.
    pub(crate) fn invites(&self) -> Option<OwnedUserId> {
        let membership = self.draft.content.get("membership")?.as_str()?;
        let invites = self.draft.event_type == "m.room.member" && membership == "invite";
        let target = self.draft.state_key.as_deref().filter(|_| invites)?;
        OwnedUserId::try_from(target).ok()
    }

    /// The event that this one redacts, wherever the client named it.
    pub(crate) fn redacts(&self) -> Option<OwnedEventId> {
        if self.draft.event_type != "m.room.redaction" {
            return None;
        }
        let in_content = || {
            let redacts = self.draft.content.get("redacts")?.as_str()?;
            OwnedEventId::try_from(redacts).ok()
        };
        self.draft.redacts.clone().or_else(in_content)
    }
}

/// Half of the keyed hash of a transaction: two that meet by chance do not exist.
pub(crate) type TransactionHash = [u8; 16];

/// Half of the keyed hash of an annotation.
pub(crate) type AnnotationHash = [u8; 16];

/// A client's name for one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// The device that asks.
    pub device_id: String,
    /// Its name for the request.
    pub txn_id: String,
}

/// An alias that is to point at a room.
pub struct NewAlias {
    /// The alias.
    pub alias: OwnedRoomAliasId,
    /// The room.
    pub room_id: OwnedRoomId,
    /// Who makes it.
    pub creator: OwnedUserId,
}

/// A user has read up to an event.
pub struct NewReceipt {
    /// The room.
    pub room_id: OwnedRoomId,
    /// The reader.
    pub user_id: OwnedUserId,
    /// `m.read`, `m.read.private`, or `m.fully_read`.
    pub kind: String,
    /// Empty for an unthreaded receipt, else `main` or the thread's root.
    pub thread: String,
    /// The event.
    pub event_id: OwnedEventId,
    /// When it was read.
    pub at: Timestamp,
}

/// A user follows a thread, or no longer.
pub struct NewThreadSubscription {
    /// The room of the thread.
    pub room_id: OwnedRoomId,
    /// The user.
    pub user_id: OwnedUserId,
    /// The first event of the thread.
    pub thread: OwnedEventId,
    /// What they want.
    pub wish: ThreadWish,
}

/// What somebody wants of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadWish {
    /// To follow it.
    Follow,
    /// To follow it because of the event at this position, as their client does by itself.
    FollowFor(Pos),
    /// To hear no more of it.
    Leave,
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomsOutcome {
    /// The event stands, or stood before.
    Event {
        /// Its id.
        event_id: OwnedEventId,
        /// Its position; `None` when it stood before.
        pos: Option<Pos>,
    },
    /// This delayed event waits, or its fate was decided before.
    Scheduled(DelayHash),
    /// There is nothing to tell.
    Done,
}

/// Why a change to rooms is refused.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RoomsRefusal {
    /// There is no such room here.
    #[error("no such room: {0}")]
    NoSuchRoom(OwnedRoomId),
    /// The room's id is taken.
    #[error("the room exists already")]
    RoomExists,
    /// The rules of the room do not allow it.
    #[error("{0}")]
    Forbidden(String),
    /// The user gets notices in another room already.
    #[error("the user has a room for notices already")]
    HasNotices,
    /// The server tells its people something here.
    #[error("this is where the server sends you notices: you cannot leave it, or decline it")]
    NoticesRoom,
    /// The room lets no guests in.
    #[error("this room lets no guests in")]
    NoGuests,
    /// Guests leave the memberships of others alone.
    #[error("a guest can come and go, and nothing else with memberships")]
    ByGuest,
    /// The room or the deployment wants encryption.
    #[error("{0}")]
    EncryptionRequired(String),
    /// The event cannot be made as it is.
    #[error("{0}")]
    Invalid(String),
    /// The event is larger than an event may be.
    #[error("the event is larger than 65,536 bytes, or one of its ids is too long")]
    TooLarge,
    /// The sender has said the same of the same event.
    #[error("you have annotated this event so already")]
    DuplicateAnnotation,
    /// A receipt for a thread names an event that is not in it.
    #[error("thread_id: the event is not in that thread")]
    NotInThread,
    /// What a client follows a thread for is not in it.
    #[error("automatic: the event is not in that thread")]
    CauseNotInThread,
    /// A client follows, by itself, a thread that the user has left since.
    #[error("you have unsubscribed from this thread after that event")]
    LeftThread,
    /// A thread begins at an event that relates to nothing.
    #[error("a thread cannot begin at an event that relates to another")]
    NoThreadRoot,
    /// The events that a room is to begin with are too many.
    #[error("a new room cannot begin with that much: set some of its state later")]
    TooMuch,
    /// There is no such event in this room, or the user may not see it.
    #[error("no such event in this room")]
    NoSuchEvent,
    /// The alias points at a room already.
    #[error("the alias {0} exists already")]
    AliasTaken(OwnedRoomAliasId),
    /// An alias in a canonical alias event does not point at the room.
    #[error("the alias {0} does not point at this room")]
    BadAlias(String),
    /// The room version is not known here.
    #[error("room version {0} is unknown")]
    UnsupportedVersion(String),
    /// The alias points nowhere.
    #[error("no such alias: {0}")]
    NoSuchAlias(OwnedRoomAliasId),
    /// Another room has replaced it already.
    #[error("the room was replaced by {0} already")]
    Upgraded(OwnedRoomId),
    /// The room has changed, time and again, while its upgrade was prepared.
    #[error("the room has changed meanwhile: try again")]
    Overtaken,
    /// There is no such delayed event.
    #[error("no such delayed event")]
    NoSuchDelayedEvent,
    /// Something else became of the delayed event before.
    #[error("the delayed event was {0} already")]
    DelayedDecided(&'static str),
    /// An event may not be delayed for so long.
    #[error("an event can be delayed by {} seconds at most", MAX_DELAY.as_secs())]
    DelayTooLong,
    /// The user has scheduled as many as one may.
    #[error("you have scheduled {MAX_SCHEDULED} events, which is the most that may wait")]
    TooManyScheduled {
        /// How long until the first of them is sent.
        retry_after: Duration,
    },
    /// Only a room that was left can be forgotten.
    #[error("leave the room before forgetting it")]
    NotLeft,
}

/// Why an operation on rooms failed.
#[derive(Debug, thiserror::Error)]
pub enum RoomsError {
    /// It was refused.
    #[error(transparent)]
    Refused(#[from] RoomsRefusal),
    /// Another owner refused what was to be changed with it.
    #[error(transparent)]
    Elsewhere(CommitError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
