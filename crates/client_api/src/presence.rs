//! Whether people are there.

pub(crate) mod get_presence;
pub(crate) mod set_presence;

use ruma::presence::PresenceState;

/// Whether the specification has this state.
pub(crate) fn is_known(state: &PresenceState) -> bool {
    let known = [
        PresenceState::Online,
        PresenceState::Unavailable,
        PresenceState::Offline,
    ];
    known.contains(state)
}
