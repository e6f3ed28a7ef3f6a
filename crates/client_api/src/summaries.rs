//! Rooms as those see them who are not in them, in the specification's form.

use rooms::RoomSummary;
use ruma::{
    UInt,
    room::{self, JoinRuleKind, JoinRuleSummary, RestrictedSummary},
};

/// A summary as clients see it.
pub(crate) fn shown(summary: &RoomSummary) -> room::RoomSummary {
    let mut shown = room::RoomSummary::new(
        summary.room_id.clone(),
        join_rule(summary),
        summary.guests_may_join,
        UInt::new_saturating(summary.joined),
        summary.world_readable,
    );
    shown.name.clone_from(&summary.name);
    shown.topic.clone_from(&summary.topic);
    shown.canonical_alias.clone_from(&summary.canonical_alias);
    shown.avatar_url.clone_from(&summary.avatar_url);
    shown.room_type.clone_from(&summary.room_type);
    shown.encryption = summary.encryption.as_deref().map(Into::into);
    shown.room_version = Some(summary.version.clone());
    shown
}

fn join_rule(summary: &RoomSummary) -> JoinRuleSummary {
    let restricted = || RestrictedSummary::new(summary.allowed_rooms.clone());
    match summary.join_rule {
        JoinRuleKind::Public => JoinRuleSummary::Public,
        JoinRuleKind::Knock => JoinRuleSummary::Knock,
        JoinRuleKind::Restricted => JoinRuleSummary::Restricted(restricted()),
        JoinRuleKind::KnockRestricted => JoinRuleSummary::KnockRestricted(restricted()),
        JoinRuleKind::Private => JoinRuleSummary::Private,
        // A rule that nobody knows lets nobody in.
        _ => JoinRuleSummary::Invite,
    }
}
