//! What must hold of people for what others, or they themselves, do in rooms: whether they take
//! invitations (the account data `m.invite_permission_config`), and whether they may act.

use ruma::{OwnedUserId, UserId};
use serde::Deserialize;
use store::Intent;

use crate::{applier::AccountChanges, change::Change};

/// The type of the entry.
pub(crate) const INVITE_PERMISSION: &str = "m.invite_permission_config";

/// Refuses an intent as a whole unless somebody here takes invitations at its place in the log.
pub fn demand_invitable(intent: &mut Intent, user_id: &UserId) {
    let user_id: OwnedUserId = user_id.to_owned();
    intent.add::<AccountChanges>(Change::DemandInvitable { user_id });
}

/// Refuses an intent as a whole unless a user, by interned id, may act at its place in the log: the
/// account is open, and neither locked nor suspended.
pub fn demand_standing(intent: &mut Intent, user: i64) {
    intent.add::<AccountChanges>(Change::DemandStanding { user });
}

/// Whether an entry says that no invitation is wanted; what it does not say clearly it does not
/// say.
pub(crate) fn blocks_all(content: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Content {
        default_action: Option<String>,
    }
    let content = serde_json::from_slice::<Content>(content).ok();
    content
        .and_then(|content| content.default_action)
        .as_deref()
        == Some("block")
}

#[cfg(test)]
mod tests {
    use super::blocks_all;

    #[test]
    fn only_a_clear_block_blocks() {
        assert!(blocks_all(br#"{"default_action":"block","x":1}"#));
        for entry in [
            "{}",
            r#"{"default_action":"allow"}"#,
            r#"{"default_action":"Block"}"#,
            r#"{"default_action":null}"#,
            r#"{"default_action":["block"]}"#,
            "[]",
        ] {
            assert!(!blocks_all(entry.as_bytes()), "{entry}");
        }
    }
}
