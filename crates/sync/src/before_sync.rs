//! What clients asked before there was a sync: the state of now and a stream of events, also of
//! rooms that anybody may read and the reader is not in. Deprecated, over the readers of syncs.

mod events;
mod initial;

use std::{collections::BTreeSet, sync::Arc};

use model::filter::SyncFilter;
use rooms::{RoomsError, RoomsRefusal};
use ruma::{OwnedRoomId, OwnedUserId};
use serde::Serialize;
use store::{Snapshot, StoreError};

use crate::{
    reading::Reading,
    render::Reader,
    response::{ClientEvent, StateAt},
    rooms_part::RoomReader,
    sync::{Inner, SyncError, Syncer},
};

/// Why somebody is told nothing.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// There is no such room for them.
    #[error("you are not in this room, and may not look into it")]
    Hidden,
    /// The session ended while it waited.
    #[error("the session has ended")]
    SessionEnded,
    /// The user was locked while it waited; the session lives on.
    #[error("the account is locked")]
    Locked,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<SyncError> for LookError {
    fn from(error: SyncError) -> Self {
        match error {
            SyncError::SessionEnded => Self::SessionEnded,
            SyncError::Locked => Self::Locked,
            SyncError::Store(error) => Self::Store(error),
        }
    }
}

/// A room as it is now.
#[derive(Debug, Serialize)]
pub struct RoomInfo {
    /// The room.
    pub room_id: OwnedRoomId,
    /// The user's membership, if they ever had one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub membership: Option<String>,
    /// The invitation, for the invited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invite: Option<ClientEvent>,
    /// The newest events that the user may see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<Messages>,
    /// The state, of now or of when the user left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Vec<ClientEvent>>,
    /// Whether the public directory shows it.
    pub visibility: &'static str,
    /// The user's own data of the room.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub account_data: Vec<ClientEvent>,
}

/// A part of a timeline, oldest event first.
#[derive(Debug, Serialize)]
pub struct Messages {
    /// Where reading backwards goes on.
    pub start: String,
    /// Where it ends, and the stream of events begins.
    pub end: String,
    /// The events.
    pub chunk: Vec<ClientEvent>,
}

/// Everything as it is now.
#[derive(Debug, Serialize)]
pub struct InitialState {
    /// Where the stream of events begins.
    pub end: String,
    /// Who is there.
    pub presence: Vec<ClientEvent>,
    /// The user's own data.
    pub account_data: Vec<ClientEvent>,
    /// The user's rooms.
    pub rooms: Vec<RoomInfo>,
}

/// A part of the stream of events.
#[derive(Debug, Serialize)]
pub struct EventStream {
    /// Where it begins.
    pub start: String,
    /// Where it goes on.
    pub end: String,
    /// The events, in the order in which they happened.
    pub chunk: Vec<ClientEvent>,
}

/// A look at one moment.
struct Look<'a> {
    inner: &'a Inner,
    snapshot: &'a Snapshot,
    syncer: Syncer<'a>,
    filter: SyncFilter,
    /// Whose messages and invitations are not told.
    ignored: Arc<BTreeSet<OwnedUserId>>,
}

impl<'a> Look<'a> {
    async fn of(
        inner: &'a Inner,
        snapshot: &'a Snapshot,
        syncer: Syncer<'a>,
        filter: SyncFilter,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            inner,
            snapshot,
            syncer,
            filter,
            ignored: inner.accounts.ignored_users(syncer.user).await?,
        })
    }

    fn reading(&self) -> Reading<'_> {
        Reading {
            inner: self.inner,
            snapshot: self.snapshot,
            syncer: self.syncer,
            filter: &self.filter,
            full_state: false,
            state_at: StateAt::Start,
            since_pos: None,
            ephemeral_since: None,
        }
    }

    fn reader(&self) -> RoomReader<'_> {
        RoomReader {
            rooms: &self.inner.rooms,
            snapshot: self.snapshot,
            reader: Reader {
                device_id: Some(self.syncer.device_id.as_str()),
                user: self.syncer.user,
                user_id: self.syncer.user_id,
                now: self.inner.clock.now(),
            },
            filter: &self.filter,
            ignored: &self.ignored,
            full_state: false,
            state_at: StateAt::Start,
            names_rooms: true,
        }
    }

    fn head(&self) -> i64 {
        self.snapshot.head().get()
    }
}

/// Rooms by number.
type RoomSet = Arc<BTreeSet<i64>>;

/// A room that is not there is answered like one that the reader may not look into.
fn hidden(error: RoomsError) -> LookError {
    match error {
        RoomsError::Refused(RoomsRefusal::NoSuchRoom(_)) => LookError::Hidden,
        RoomsError::Refused(refusal) => StoreError::Refused(refusal.to_string()).into(),
        RoomsError::Elsewhere(error) => error.into_store().into(),
        RoomsError::Store(error) => error.into(),
    }
}
