//! What clients asked before there was a sync, and still ask of rooms that they are not in.

pub(crate) mod get_events;
pub(crate) mod get_initial_state;
pub(crate) mod get_one_event;
pub(crate) mod get_room_now;

use sync::{LookError, Syncer};

use crate::{caller::Caller, error::ApiError};

/// Who looks; the caller's own echoes and the end of its session are its device's.
fn syncer(caller: &Caller) -> Result<Syncer<'_>, ApiError> {
    Ok(Syncer {
        user: caller.user,
        user_id: &caller.user_id,
        device_id: caller.own_device()?,
        session: caller.session,
    })
}

impl From<LookError> for ApiError {
    fn from(error: LookError) -> Self {
        match error {
            LookError::Hidden => Self::forbidden(error),
            LookError::SessionEnded => Self::unknown_token(false),
            LookError::Locked => Self::user_locked(),
            LookError::Store(error) => Self::internal(error),
        }
    }
}
