//! What a change needs to stand, and what it makes of the staged rows.

mod kept;
mod registration;
mod restrict;
mod sessions;

use store::{CheckContext, Verdict};

use crate::{
    AccountKind,
    change::{Change, Outcome, Refusal},
    rows::Account,
    work::Work,
};

pub(crate) type Checked = Result<Verdict<Outcome>, Refusal>;

/// Checks one change and stages it.
pub(crate) fn check(work: &mut Work, change: &Change, context: &mut CheckContext<'_>) -> Checked {
    work.now = Some(context.now());
    match change {
        Change::Register(register) => registration::register(work, register, context),
        Change::MakeRegistrationToken(token) => registration::make_token(work, token, context),
        Change::RevokeRegistrationToken { id } => registration::revoke_token(work, *id),
        Change::MakeSetupLink { hash, expires_at } => {
            registration::make_setup_link(work, *hash, *expires_at, context)
        }
        Change::SignIn(sign_in) => sessions::sign_in(work, sign_in, context),
        Change::MakeLoginToken {
            user,
            hash,
            expires_at,
        } => sessions::make_login_token(work, *user, *hash, *expires_at),
        Change::MakeOpenidToken {
            user,
            hash,
            expires_at,
        } => sessions::make_openid_token(work, *user, *hash, *expires_at),
        Change::Refresh(refresh) => sessions::refresh(work, refresh, context),
        Change::Confirm {
            user,
            device_id,
            session,
            generation,
        } => sessions::confirm(work, (*user, device_id), *session, *generation, context),
        Change::EndSession {
            user,
            device_id,
            session,
        } => sessions::end(work, (*user, device_id), *session, context),
        Change::RemoveDevices { user, device_ids } => {
            sessions::remove(work, *user, device_ids.clone(), context)
        }
        Change::MakeDevice {
            user,
            device_id,
            display_name,
        } => sessions::make(work, (*user, device_id), display_name.as_deref(), context),
        Change::RenameDevice {
            user,
            device_id,
            display_name,
        } => sessions::rename(work, (*user, device_id), display_name.as_deref(), context),
        Change::SetPassword {
            user,
            expected,
            hash,
        } => set_password(work, *user, expected.as_deref(), hash, context),
        Change::Deactivate { user, erase } => deactivate(work, *user, *erase, context),
        Change::SetAdmin { user, admin } => set_admin(work, *user, *admin, context),
        Change::Restrict {
            user,
            restriction,
            holds,
            by,
        } => restrict::restrict(work, *user, (*restriction, *holds), *by, context),
        Change::DemandInvitable { user_id } => kept::demand_invitable(work, user_id),
        Change::DemandStanding { user } => demand_standing(work, *user),
        Change::DemandNoDevice { user, device_id } => demand_no_device(work, *user, device_id),
        Change::SetProfileField { user, field, value } => {
            kept::set_profile_field(work, *user, field, value.as_deref(), context)
        }
        Change::EditAccountData(edit) => kept::edit_account_data(work, edit, context),
        Change::PutFilter {
            user,
            filter_id,
            content,
        } => kept::put_filter(work, *user, filter_id, content),
    }
}

/// The account, if it is there and open.
fn open_account(work: &Work, user: i64) -> Result<Account, Refusal> {
    work.accounts
        .get(&user)
        .filter(|account| account.deactivated_at.is_none())
        .cloned()
        .ok_or(Refusal::NoSuchUser)
}

/// Whether somebody may act on others now.
fn demand_standing(work: &Work, user: i64) -> Checked {
    let account = open_account(work, user)?;
    if account.locked {
        return Err(Refusal::Locked);
    }
    if account.suspended {
        return Err(Refusal::Suspended);
    }
    Ok(Verdict::Nothing(Outcome::Unchanged))
}

/// Whether nobody is signed in under a device id.
fn demand_no_device(work: &Work, user: i64, device_id: &str) -> Checked {
    open_account(work, user)?;
    match work.devices.get(&(user, device_id.to_owned())) {
        Some(_) => Err(Refusal::DeviceExists),
        None => Ok(Verdict::Nothing(Outcome::Unchanged)),
    }
}

/// The account, if it is there, open and a person's.
fn person(work: &Work, user: i64) -> Result<Account, Refusal> {
    let account = open_account(work, user)?;
    match account.kind {
        AccountKind::Person => Ok(account),
        AccountKind::Guest | AccountKind::Server => Err(Refusal::NoPerson),
    }
}

fn set_password(
    work: &mut Work,
    user: i64,
    expected: Option<&str>,
    hash: &str,
    context: &mut CheckContext<'_>,
) -> Checked {
    let account = person(work, user)?;
    if expected.is_some() && account.password_hash.as_deref() != expected {
        return Err(Refusal::PasswordChanged);
    }
    let account = Account {
        password_hash: Some(hash.to_owned()),
        pos: context.pos().get(),
        ..account
    };
    work.accounts.put(user, account);
    let theirs = work.login_tokens.iter();
    let theirs: Vec<_> = theirs
        .filter(|(_, token)| token.user == user)
        .map(|(hash, _)| *hash)
        .collect();
    for hash in theirs {
        work.login_tokens.remove(&hash);
    }
    work.ended_login_tokens.put(user, ());
    context.touch_user(user);
    Ok(Verdict::Apply(Outcome::Done))
}

fn set_admin(work: &mut Work, user: i64, admin: bool, context: &mut CheckContext<'_>) -> Checked {
    let account = person(work, user)?;
    if account.admin == admin {
        return Ok(Verdict::Nothing(Outcome::Unchanged));
    }
    let pos = context.pos().get();
    let account = Account {
        admin,
        locked: account.locked && !admin,
        suspended: account.suspended && !admin,
        pos,
        ..account
    };
    work.accounts.put(user, account);
    context.touch_user(user);
    Ok(Verdict::Apply(Outcome::Done))
}

fn deactivate(work: &mut Work, user: i64, erase: bool, context: &mut CheckContext<'_>) -> Checked {
    let account = work.accounts.get(&user).cloned();
    let account = account.filter(|account| account.kind != AccountKind::Server);
    let account = account.ok_or(Refusal::NoSuchUser)?;
    if account.deactivated_at.is_some() && (account.erased || !erase) {
        return Ok(Verdict::Nothing(Outcome::Unchanged));
    }
    let account = Account {
        admin: false,
        password_hash: None,
        deactivated_at: account.deactivated_at.or(Some(context.now())),
        erased: account.erased || erase,
        pos: context.pos().get(),
        ..account
    };
    work.accounts.put(user, account);
    work.purged.put(user, erase);
    sessions::remove_all(work, user, context)?;
    context.touch_user(user);
    Ok(Verdict::Apply(Outcome::Done))
}
