//! Checks of what makes accounts, and of what lets people make them.

use model::time::Timestamp;
use store::{CheckContext, Verdict};

use super::Checked;
use crate::{
    AccountKind, Accounts,
    change::{GuestSession, MakeRegistrationToken, Outcome, Permit, Refusal, Register},
    rows::{Account, AtRest, Entry, Hash, RegistrationToken},
    terms::ACCEPTED_TERMS,
    work::Work,
};

pub(super) fn register(
    work: &mut Work,
    register: &Register,
    context: &mut CheckContext<'_>,
) -> Checked {
    let user = *work
        .names
        .get(register.user_id.as_str())
        .ok_or(Refusal::NoSuchUser)?;
    let pos = context.pos().get();
    let account = match (work.accounts.get(&user), &register.of_guest) {
        (None, None) => new_account(register, context),
        (Some(guest), Some(session)) if is_session_of(work, user, guest, session) => Account {
            kind: AccountKind::Person,
            password_hash: register.password_hash.clone(),
            pos,
            ..guest.clone()
        },
        (Some(_), None) => return Err(Refusal::UserInUse),
        (_, Some(_)) => return Err(Refusal::NotThisGuest),
    };
    if account.locked {
        return Err(Refusal::Locked);
    }
    use_permit(work, register, context.now())?;
    work.accounts.put(user, account);
    if let Some(name) = &register.display_name {
        let content = Some(AtRest::Plain(name.clone()));
        work.profile
            .put((user, "displayname".to_owned()), Entry { content, pos });
    }
    if let Some(content) = &register.accepted_terms {
        let content = Some(AtRest::Plain(content.clone()));
        work.account_data
            .put((user, 0, ACCEPTED_TERMS.to_owned()), Entry { content, pos });
    }
    context.touch_user(user);
    Ok(Verdict::Apply(Outcome::Registered(user)))
}

fn new_account(register: &Register, context: &CheckContext<'_>) -> Account {
    Account {
        kind: register.kind,
        admin: register.admin,
        locked: false,
        suspended: false,
        password_hash: register.password_hash.clone(),
        created_at: context.now(),
        deactivated_at: None,
        erased: false,
        pos: context.pos().get(),
    }
}

/// Whether a session is one of a guest's whose account is open.
fn is_session_of(work: &Work, user: i64, guest: &Account, session: &GuestSession) -> bool {
    let device = work.devices.get(&(user, session.device_id.clone()));
    guest.kind == AccountKind::Guest
        && guest.deactivated_at.is_none()
        && device.is_some_and(|device| device.session == session.session)
}

/// Uses up what allows the registration.
fn use_permit(work: &mut Work, register: &Register, now: Timestamp) -> Result<(), Refusal> {
    match &register.permit {
        Permit::None => Ok(()),
        Permit::Token(hash, invitation_only) => {
            let token = work.registration_tokens.get(hash).cloned();
            let token = token
                .filter(|token| token.is_usable(now) && (token.invitation || !invitation_only))
                .ok_or(Refusal::TokenNotValid)?;
            let name = register.user_id.localpart();
            if token
                .localpart
                .as_deref()
                .is_some_and(|fixed| fixed != name)
            {
                return Err(Refusal::AnotherName);
            }
            let uses = token.uses + 1;
            work.registration_tokens
                .put(*hash, RegistrationToken { uses, ..token });
            Ok(())
        }
        Permit::Nonce(hash, expires_at) => {
            if work.nonces.get(hash).is_some() || *expires_at <= now {
                return Err(Refusal::TokenNotValid);
            }
            work.nonces.put(*hash, *expires_at);
            Ok(())
        }
        Permit::SetupLink(hash) => use_setup_link(work, hash, now),
    }
}

fn use_setup_link(work: &mut Work, hash: &Hash, now: Timestamp) -> Result<(), Refusal> {
    if work
        .setup_links
        .get(hash)
        .is_none_or(|expires_at| *expires_at <= now)
    {
        return Err(Refusal::TokenNotValid);
    }
    if admin_exists(work) {
        return Err(Refusal::AdministratorExists);
    }
    // One is enough: every link ends with the first administrator.
    let links: Vec<Hash> = work.setup_links.iter().map(|(hash, _)| *hash).collect();
    for link in links {
        work.setup_links.remove(&link);
    }
    Ok(())
}

/// Whether an administrator stands in the tables or in this batch.
fn admin_exists(work: &Work) -> bool {
    let is_admin = |account: &Account| account.admin && account.deactivated_at.is_none();
    work.admin_exists || work.accounts.iter().any(|(_, account)| is_admin(account))
}

pub(super) fn make_setup_link(
    work: &mut Work,
    hash: Hash,
    expires_at: Timestamp,
    context: &CheckContext<'_>,
) -> Checked {
    if admin_exists(work) {
        return Err(Refusal::AdministratorExists);
    }
    let ended: Vec<Hash> = work
        .setup_links
        .iter()
        .filter(|(_, expires_at)| **expires_at <= context.now())
        .map(|(hash, _)| *hash)
        .collect();
    for link in ended {
        work.setup_links.remove(&link);
    }
    work.setup_links.put(hash, expires_at);
    Ok(Verdict::Apply(Outcome::Done))
}

pub(super) fn make_token(
    work: &mut Work,
    token: &MakeRegistrationToken,
    context: &CheckContext<'_>,
) -> Checked {
    make_room_for_token(work, token.at)?;
    let id = context.pos().get();
    let row = RegistrationToken {
        id,
        invitation: token.invitation,
        localpart: token.localpart.clone(),
        uses_allowed: token.uses_allowed,
        uses: 0,
        expires_at: token.expires_at,
        created_at: context.now(),
    };
    work.registration_tokens.put(token.hash, row);
    Ok(Verdict::Apply(Outcome::TokenMade(id)))
}

/// Counts one more token; when there are too many, those that have ended go.
fn make_room_for_token(work: &mut Work, at: Timestamp) -> Result<(), Refusal> {
    let most = Accounts::MOST_REGISTRATION_TOKENS;
    let mut kept = work.tokens_kept.get(&()).copied().unwrap_or_default();
    if kept.all >= most && kept.ended > 0 {
        kept.all -= kept.ended;
        kept.ended = 0;
        kept.drop_ended_at = Some(at);
    }
    if kept.all >= most {
        return Err(Refusal::TooMany(most));
    }
    kept.all += 1;
    work.tokens_kept.put((), kept);
    Ok(())
}

pub(super) fn revoke_token(work: &mut Work, id: i64) -> Checked {
    let hash = work
        .registration_tokens
        .iter()
        .find(|(_, token)| token.id == id)
        .map(|(hash, _)| *hash)
        .ok_or(Refusal::TokenNotValid)?;
    work.registration_tokens.remove(&hash);
    Ok(Verdict::Apply(Outcome::Done))
}
