//! Who may see an event: the [history visibility] rules, as a table without I/O.
//!
//! [history visibility]: https://spec.matrix.org/v1.19/client-server-api/#room-history-visibility

#[cfg(test)]
mod tests;

use ruma::events::room::{history_visibility::HistoryVisibility, member::MembershipState};
use serde::Deserialize;

use crate::event::Pdu;

/// What decides whether a reader sees an event: the room around it, and what came later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// The visibility before the event.
    pub visibility: HistoryVisibility,
    /// The reader's membership before the event.
    pub membership: MembershipState,
    /// What the event itself changes of the two.
    pub change: Change,
    /// Whether the reader is joined now, or was at any time after the event.
    pub joined_later: bool,
}

/// What an event changes of that which decides who sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Nothing: it is neither a history-visibility event nor the reader's own membership.
    Nothing,
    /// It sets the room's history visibility.
    Visibility(HistoryVisibility),
    /// It is the reader's own member event, and gives them this membership.
    OwnMembership(MembershipState),
}

impl Change {
    /// What `event` changes for the reader whose user id is `reader`.
    pub fn of(event: &Pdu, reader: &ruma::UserId) -> Self {
        match (event.state_slot(), event.membership()) {
            (Some(("m.room.history_visibility", "")), _) => {
                Self::Visibility(visibility_set_by(Some(event)))
            }
            (Some(("m.room.member", user)), Some(membership)) if user == reader => {
                Self::OwnMembership(membership.clone())
            }
            _ => Self::Nothing,
        }
    }
}

/// Whether the reader may see the event.
///
/// An event that changes the visibility, or the reader's own membership, is seen when the room
/// before *or* after it allows that.
pub fn may_see(sight: &Sight) -> bool {
    let Sight {
        visibility,
        membership,
        change,
        joined_later,
    } = sight;
    allows(visibility, membership, *joined_later)
        || match change {
            Change::Nothing => false,
            Change::Visibility(after) => allows(after, membership, *joined_later),
            Change::OwnMembership(after) => allows(visibility, after, *joined_later),
        }
}

/// The history visibility that `event` sets; `shared` without one, or when it says something unknown.
pub fn visibility_set_by(event: Option<&Pdu>) -> HistoryVisibility {
    #[derive(Deserialize)]
    struct Content {
        history_visibility: HistoryVisibility,
    }
    let content = event.and_then(|event| event.content_as::<Content>().ok());
    match content.map(|content| content.history_visibility) {
        Some(
            known @ (HistoryVisibility::Invited
            | HistoryVisibility::Joined
            | HistoryVisibility::WorldReadable),
        ) => known,
        _ => HistoryVisibility::Shared,
    }
}

fn allows(
    visibility: &HistoryVisibility,
    membership: &MembershipState,
    joined_later: bool,
) -> bool {
    match visibility {
        HistoryVisibility::WorldReadable => true,
        _ if *membership == MembershipState::Join => true,
        HistoryVisibility::Invited => *membership == MembershipState::Invite,
        HistoryVisibility::Joined => false,
        // `shared`, and what is not understood counts as `shared`.
        _ => joined_later,
    }
}
