//! What rooms refuse, as clients are told it.

use std::{fmt::Display, time::Duration};

use accounts::{AccountChanges, Refusal};
use model::{
    ids::IdRefusal,
    json::{JsonRefusal, complaint},
};
use rooms::{MAX_DELAY, RoomsError, RoomsRefusal};
use ruma::{CanonicalJsonObject, serde::Raw};
use store::CommitError;

use crate::{endpoint::DEFAULT_BODY_LIMIT, error::ApiError};

impl From<RoomsError> for ApiError {
    fn from(error: RoomsError) -> Self {
        match error {
            RoomsError::Refused(refusal) => refusal.into(),
            RoomsError::Elsewhere(error) => of_accounts(error),
            RoomsError::Store(error) => Self::internal(error),
        }
    }
}

impl From<RoomsRefusal> for ApiError {
    fn from(refusal: RoomsRefusal) -> Self {
        match &refusal {
            RoomsRefusal::NoSuchRoom(_)
            | RoomsRefusal::NoSuchEvent
            | RoomsRefusal::NoSuchDelayedEvent
            | RoomsRefusal::NoSuchAlias(_) => Self::not_found(refusal),
            RoomsRefusal::NoticesRoom => Self::cannot_leave_notices(refusal),
            RoomsRefusal::NoGuests | RoomsRefusal::ByGuest => Self::guest_access_forbidden(refusal),
            RoomsRefusal::Forbidden(_) | RoomsRefusal::EncryptionRequired(_) => {
                Self::forbidden(complaint(&refusal))
            }
            // The rules of rooms quote what a parser said of an event.
            RoomsRefusal::Invalid(_) | RoomsRefusal::NotInThread => {
                Self::invalid_param(complaint(&refusal))
            }
            RoomsRefusal::TooLarge | RoomsRefusal::TooMuch => Self::too_large(refusal),
            RoomsRefusal::AliasTaken(_) => Self::room_in_use(refusal),
            RoomsRefusal::BadAlias(_) => Self::bad_alias(refusal),
            RoomsRefusal::UnsupportedVersion(_) => Self::unsupported_room_version(refusal),
            RoomsRefusal::NotLeft | RoomsRefusal::NoThreadRoot => Self::unknown(refusal),
            RoomsRefusal::CauseNotInThread => Self::not_in_thread(refusal),
            RoomsRefusal::LeftThread => Self::conflicting_unsubscription(refusal),
            RoomsRefusal::DelayedDecided(_) => Self::conflict(refusal),
            RoomsRefusal::DelayTooLong => Self::delay_too_long(MAX_DELAY, refusal),
            RoomsRefusal::TooManyScheduled { retry_after } => {
                Self::too_many(*retry_after, &refusal)
            }
            RoomsRefusal::DuplicateAnnotation => Self::duplicate_annotation(refusal),
            RoomsRefusal::Upgraded(_) => Self::bad_state(refusal),
            // Every moment's name of this second is taken, or others kept changing the room.
            RoomsRefusal::RoomExists | RoomsRefusal::Overtaken | RoomsRefusal::HasNotices => {
                Self::limit_exceeded(Duration::from_secs(1))
            }
        }
    }
}

/// What accounts refuse of a change of rooms: an invitation, because of who is invited; a delayed
/// event, because of what its sender is left.
fn of_accounts(error: CommitError) -> ApiError {
    match error.refusal::<AccountChanges>() {
        Ok(refusal @ Refusal::InvitesBlocked(_)) => ApiError::invite_blocked(refusal),
        Ok(refusal @ Refusal::NoSuchUser) => ApiError::not_found(refusal),
        Ok(Refusal::Suspended) => ApiError::user_suspended(),
        Ok(refusal @ Refusal::Locked) => ApiError::forbidden(refusal),
        Ok(other) => ApiError::internal(other),
        Err(error) => ApiError::internal(error),
    }
}

/// For what only members may do: a room that is not there is answered like one that the caller
/// is not in, so that nobody learns which rooms exist.
pub(crate) fn to_outsiders(error: RoomsError) -> ApiError {
    match error {
        RoomsError::Refused(RoomsRefusal::NoSuchRoom(_)) => not_joined(),
        other => other.into(),
    }
}

/// The caller is not in the room.
pub(crate) fn not_joined() -> ApiError {
    ApiError::forbidden("you are not in this room")
}

impl From<IdRefusal> for ApiError {
    fn from(refusal: IdRefusal) -> Self {
        Self::invalid_param(refusal)
    }
}

/// A part of a body, as it goes into an event; `name` is how the client knows it.
pub(crate) fn content_of<T>(name: &str, raw: &Raw<T>) -> Result<CanonicalJsonObject, ApiError> {
    content_in(name, raw.json().get())
}

/// The same for text.
pub(crate) fn content_in(name: impl Display, text: &str) -> Result<CanonicalJsonObject, ApiError> {
    model::json::canonical_object(text, DEFAULT_BODY_LIMIT).map_err(|refusal| match refusal {
        JsonRefusal::TooLarge { .. } => ApiError::too_large(format_args!("{name}: {refusal}")),
        other => ApiError::bad_json(format_args!("{name}: {other}")),
    })
}
