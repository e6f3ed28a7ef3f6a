//! Checks of what administrators put people under.

use store::{CheckContext, Verdict};

use super::{Checked, open_account};
use crate::{
    AccountKind,
    change::{Outcome, Refusal, Restriction},
    rows::Account,
    work::Work,
};

/// Locks, suspends or frees a person. Who asks must be an administrator at this place in the log,
/// and is told so before anything of the other account.
pub(super) fn restrict(
    work: &mut Work,
    user: i64,
    (restriction, holds): (Restriction, bool),
    by: i64,
    context: &mut CheckContext<'_>,
) -> Checked {
    match open_account(work, by) {
        Ok(account) if account.admin => {}
        _ => return Err(Refusal::NotAdministrator),
    }
    let account = open_account(work, user)?;
    if account.kind == AccountKind::Server {
        return Err(Refusal::NoSuchUser);
    }
    if account.admin {
        return Err(Refusal::ToAdministrator);
    }
    let (locked, suspended) = match restriction {
        Restriction::Lock => (holds, account.suspended),
        Restriction::Suspension => (account.locked, holds),
    };
    if (locked, suspended) == (account.locked, account.suspended) {
        return Ok(Verdict::Nothing(Outcome::Unchanged));
    }
    let account = Account {
        locked,
        suspended,
        pos: context.pos().get(),
        ..account
    };
    work.accounts.put(user, account);
    context.touch_user(user);
    Ok(Verdict::Apply(Outcome::Done))
}
