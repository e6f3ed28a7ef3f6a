//! Checks of what people keep here: profile, account data, filters.

use ruma::OwnedUserId;
use store::{CheckContext, Verdict};

use super::{Checked, open_account};
use crate::{
    AccountKind,
    change::{EditAccountData, Outcome, Refusal},
    invites::{INVITE_PERMISSION, blocks_all},
    rows::{AtRest, Entry},
    work::Work,
};

/// How many filters a person can have.
const MAX_FILTERS: i64 = 10_000;

pub(super) fn set_profile_field(
    work: &mut Work,
    user: i64,
    field: &str,
    value: Option<&[u8]>,
    context: &mut CheckContext<'_>,
) -> Checked {
    open_account(work, user)?;
    let key = (user, field.to_owned());
    let standing = work.profile.get(&key);
    let standing = standing
        .and_then(|entry| entry.content.as_ref())
        .and_then(AtRest::plain);
    if standing == value {
        return Ok(Verdict::Nothing(Outcome::Unchanged));
    }
    let content = value.map(|value| AtRest::Plain(value.to_vec()));
    let pos = context.pos().get();
    work.profile.put(key, Entry { content, pos });
    context.touch_user(user);
    Ok(Verdict::Apply(Outcome::Done))
}

pub(super) fn edit_account_data(
    work: &mut Work,
    change: &EditAccountData,
    context: &mut CheckContext<'_>,
) -> Checked {
    open_account(work, change.user)?;
    let room = work.room_of(change.room_id.as_deref());
    let key = (change.user, room, change.kind.clone());
    let standing = work.account_data.get(&key);
    let standing = standing
        .and_then(|entry| entry.content.as_ref())
        .and_then(AtRest::plain);
    let content = (change.edit)(standing)?;
    if standing == Some(content.as_slice()) {
        return Ok(Verdict::Nothing(Outcome::Unchanged));
    }
    let content = Some(AtRest::Plain(content));
    let pos = context.pos().get();
    work.account_data.put(key, Entry { content, pos });
    context.touch_user(change.user);
    Ok(Verdict::Apply(Outcome::Done))
}

/// Whether somebody is there to be invited, and wants to be.
pub(super) fn demand_invitable(work: &Work, user_id: &OwnedUserId) -> Checked {
    let user = work.names.get(user_id.as_str()).copied();
    let user = user.ok_or(Refusal::NoSuchUser)?;
    if open_account(work, user)?.kind == AccountKind::Server {
        return Err(Refusal::InvitesBlocked(user_id.clone()));
    }
    let terms = work
        .account_data
        .get(&(user, 0, INVITE_PERMISSION.to_owned()));
    let terms = terms
        .and_then(|entry| entry.content.as_ref())
        .and_then(AtRest::plain);
    match terms.is_some_and(blocks_all) {
        true => Err(Refusal::InvitesBlocked(user_id.clone())),
        false => Ok(Verdict::Nothing(Outcome::Unchanged)),
    }
}

pub(super) fn put_filter(work: &mut Work, user: i64, filter_id: &str, content: &[u8]) -> Checked {
    open_account(work, user)?;
    let key = (user, filter_id.to_owned());
    if work.filters.get(&key).is_some() {
        return Ok(Verdict::Nothing(Outcome::Unchanged));
    }
    let count = work.filter_counts.get(&user).copied().unwrap_or(0);
    if count >= MAX_FILTERS {
        return Err(Refusal::TooMany(MAX_FILTERS));
    }
    work.filter_counts.put(user, count + 1);
    work.filters.put(key, content.to_vec());
    Ok(Verdict::Apply(Outcome::Done))
}
