//! Delayed events ([MSC4140]): scheduled now, and sent by the server when their time has come.
//!
//! [MSC4140]: https://github.com/matrix-org/matrix-spec-proposals/pull/4140

mod firing;
mod managing;
mod reading;
mod schedules;
mod scheduling;

use std::time::Duration;

use model::time::Timestamp;
use ruma::{
    CanonicalJsonObject, OwnedEventId, OwnedRoomId, OwnedUserId, events::TimelineEventType,
};
use seal::Place;
use serde::{Deserialize, Serialize};

use crate::{RoomsRefusal, Transaction};

pub(crate) use schedules::Schedules;

/// The keyed hash of a delay id, or of the transaction that made one.
pub(crate) type DelayHash = [u8; 32];

/// The longest that an event may be delayed.
pub const MAX_DELAY: Duration = Duration::from_secs(24 * 3_600);

/// How many events one person may have scheduled at once.
pub const MAX_SCHEDULED: i64 = 100;

/// How many of a person's events are remembered once their fate is decided.
pub(crate) const REMEMBERED: i64 = 100;

/// An event that is to be scheduled.
pub struct DelayedDraft {
    /// The room.
    pub room_id: OwnedRoomId,
    /// Who sends it.
    pub sender: OwnedUserId,
    /// Its type.
    pub kind: TimelineEventType,
    /// Its state key, if it sets state.
    pub state_key: Option<String>,
    /// What it says.
    pub content: CanonicalJsonObject,
    /// How long it waits.
    pub delay: Duration,
    /// The client's transaction, so that a retry schedules no second one.
    pub transaction: Option<Transaction>,
}

/// A scheduled event, or one whose fate is decided.
#[derive(Clone, Debug)]
pub struct DelayedEvent {
    /// Its name, which is all that one needs to restart, send or cancel it.
    pub delay_id: String,
    /// The room.
    pub room_id: OwnedRoomId,
    /// Its type.
    pub kind: TimelineEventType,
    /// Its state key, if it sets state.
    pub state_key: Option<String>,
    /// What it says.
    pub content: CanonicalJsonObject,
    /// How long it waits.
    pub delay: Duration,
    /// Since when it waits.
    pub running_since: Timestamp,
    /// Its fate and when that was decided; `None` as long as it waits.
    pub finalised: Option<(Timestamp, DelayedFate)>,
    /// Who sends it, interned.
    pub(crate) user: i64,
    /// The keyed hash by which it is found.
    pub(crate) hash: DelayHash,
}

/// What became of a delayed event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DelayedFate {
    /// It was sent.
    Sent(OwnedEventId),
    /// Somebody cancelled it.
    Cancelled,
    /// It could not be sent when its time had come.
    Failed(DelayedFailure),
}

/// Why a delayed event could not be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DelayedFailure {
    /// The kind of refusal.
    #[serde(rename = "k")]
    pub kind: DelayedFailureKind,
    /// What its sender is told.
    #[serde(rename = "s")]
    pub sentence: String,
}

/// The kind of refusal that a delayed event met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DelayedFailureKind {
    /// The rules of the room, or of this server, do not allow it.
    Forbidden,
    /// What it names is not there.
    NotFound,
    /// It is too large.
    TooLarge,
    /// Anything else.
    Other,
}

impl DelayedFailure {
    fn of(refusal: &RoomsRefusal) -> Self {
        let kind = match refusal {
            RoomsRefusal::Forbidden(_)
            | RoomsRefusal::EncryptionRequired(_)
            | RoomsRefusal::NoGuests
            | RoomsRefusal::ByGuest
            | RoomsRefusal::NoticesRoom => DelayedFailureKind::Forbidden,
            RoomsRefusal::NoSuchRoom(_)
            | RoomsRefusal::NoSuchEvent
            | RoomsRefusal::NoSuchAlias(_) => DelayedFailureKind::NotFound,
            RoomsRefusal::TooLarge | RoomsRefusal::TooMuch => DelayedFailureKind::TooLarge,
            _ => DelayedFailureKind::Other,
        };
        let sentence = refusal.to_string();
        Self { kind, sentence }
    }

    /// The store will never take it.
    fn unhandled() -> Self {
        Self {
            kind: DelayedFailureKind::Other,
            sentence: "the event could not be handled".to_owned(),
        }
    }

    /// Another owner refused what had to hold: who sends may not any more, or who is invited does
    /// not want to be.
    fn elsewhere() -> Self {
        Self {
            kind: DelayedFailureKind::Forbidden,
            sentence: "the accounts that this event concerns did not allow it".to_owned(),
        }
    }
}

/// What is sealed of a delayed event.
#[derive(Serialize, Deserialize)]
pub(crate) struct DelayedText {
    #[serde(rename = "i")]
    id: String,
    #[serde(rename = "c")]
    content: CanonicalJsonObject,
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    failure: Option<DelayedFailure>,
}

impl DelayedText {
    fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and canonical JSON always serialise")
    }
}

/// Where a delayed event is sealed; the hash of its delay id is its id.
pub(crate) fn delayed_place(id: &str) -> Place<'_> {
    Place {
        table: "delayed_events",
        column: "sealed",
        id,
    }
}
