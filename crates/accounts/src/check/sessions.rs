//! Checks of what begins, prolongs and ends sessions.

use model::time::Timestamp;
use store::{CheckContext, Verdict};

use super::{Checked, open_account, person};
use crate::{
    AccountKind,
    change::{NewToken, Outcome, Proof, Refresh, Refusal, SignIn},
    rows::{AtRest, Device, Hash, LoginToken, TokenRow},
    work::Work,
};

/// A session's first tokens.
const FIRST_GENERATION: i64 = 1;

/// How many devices a person can have.
const MAX_DEVICES: i64 = 1_000;

pub(super) fn sign_in(
    work: &mut Work,
    sign_in: &SignIn,
    context: &mut CheckContext<'_>,
) -> Checked {
    let user = *work
        .names
        .get(sign_in.user_id.as_str())
        .ok_or(Refusal::NoSuchUser)?;
    let account = open_account(work, user)?;
    if account.kind == AccountKind::Server {
        return Err(Refusal::NoSuchUser);
    }
    match &sign_in.proof {
        Proof::None | Proof::Appservice => {}
        Proof::Password(proved) if account.password_hash.as_ref() == Some(proved) => {}
        Proof::Password(_) => return Err(Refusal::PasswordChanged),
        Proof::LoginToken(hash) => use_login_token(work, *hash, user, context.now())?,
    }
    // Told to who has proved to be the person, and to nobody else.
    if account.locked {
        return Err(Refusal::Locked);
    }
    let key = (user, sign_in.device_id.clone());
    let standing = work.devices.get(&key).cloned();
    let session = context.pos().get();
    let new_device = standing.is_none();
    let device = match standing {
        Some(device) => {
            work.ended_sessions.put(device.session, ());
            Device {
                session,
                generation: FIRST_GENERATION,
                next_generation: 0,
                pos: session,
                ..device
            }
        }
        None => {
            check_room_for_device(work, user)?;
            let name = sign_in.display_name.as_deref();
            new_device_row(name, session, context.now())
        }
    };
    work.devices.put(key, device);
    let whose = (user, sign_in.device_id.as_str());
    let tokens = (sign_in.access, sign_in.refresh);
    hand_out(work, whose, session, FIRST_GENERATION, tokens);
    context.touch_user(user);
    context.touch_device(user, &sign_in.device_id);
    Ok(Verdict::Apply(Outcome::SignedIn {
        user,
        session,
        new_device,
    }))
}

fn new_device_row(name: Option<&str>, session: i64, now: Timestamp) -> Device {
    Device {
        session,
        generation: FIRST_GENERATION,
        next_generation: 0,
        display_name: name.map(|name| AtRest::Plain(name.into())),
        created_at: now,
        pos: session,
    }
}

fn check_room_for_device(work: &Work, user: i64) -> Result<(), Refusal> {
    let devices = work.devices.iter().filter(|((owner, _), _)| *owner == user);
    if i64::try_from(devices.count()).is_ok_and(|count| count >= MAX_DEVICES) {
        return Err(Refusal::TooMany(MAX_DEVICES));
    }
    Ok(())
}

fn use_login_token(work: &mut Work, hash: Hash, user: i64, now: Timestamp) -> Result<(), Refusal> {
    let token = work.login_tokens.get(&hash).copied();
    if token.is_none_or(|token| token.user != user || token.expires_at <= now) {
        return Err(Refusal::TokenNotValid);
    }
    work.login_tokens.remove(&hash);
    Ok(())
}

pub(super) fn make_login_token(
    work: &mut Work,
    user: i64,
    hash: Hash,
    expires_at: Timestamp,
) -> Checked {
    person(work, user)?;
    work.login_tokens.put(hash, LoginToken { user, expires_at });
    Ok(Verdict::Apply(Outcome::Done))
}

pub(super) fn make_openid_token(
    work: &mut Work,
    user: i64,
    hash: Hash,
    expires_at: Timestamp,
) -> Checked {
    if open_account(work, user)?.locked {
        return Err(Refusal::Locked);
    }
    work.openid_tokens
        .put(hash, LoginToken { user, expires_at });
    Ok(Verdict::Apply(Outcome::Done))
}

fn hand_out(
    work: &mut Work,
    (user, device_id): (i64, &str),
    session: i64,
    generation: i64,
    (access, refresh): (NewToken, Option<Hash>),
) {
    let row = TokenRow {
        user,
        device_id: device_id.to_owned(),
        session,
        generation,
        expires_at: access.expires_at,
    };
    work.access_tokens.put(access.hash, row.clone());
    if let Some(hash) = refresh {
        work.refresh_tokens.put(hash, row);
    }
}

/// The pair that a refresh token belongs to stays good until its successor is first used, so
/// that a client whose answer was lost can ask again. Asking again replaces the successor.
pub(super) fn refresh(
    work: &mut Work,
    refresh: &Refresh,
    context: &mut CheckContext<'_>,
) -> Checked {
    let presented = work.refresh_tokens.get(&refresh.presented).cloned();
    let token = presented.ok_or(Refusal::TokenNotValid)?;
    let key = (token.user, token.device_id.clone());
    let device = work
        .devices
        .get(&key)
        .filter(|device| device.session == token.session)
        .cloned()
        .ok_or(Refusal::TokenNotValid)?;
    if open_account(work, token.user)?.locked {
        return Err(Refusal::Locked);
    }
    let generation = if token.generation == device.generation {
        if device.next_generation != 0 {
            work.voided.put((token.session, device.next_generation), ());
        }
        device.generation
    } else if token.generation == device.next_generation {
        // Presenting it is using it.
        work.confirmed.put(token.session, token.generation);
        token.generation
    } else if token.generation < device.generation {
        return Err(Refusal::RefreshTokenReused {
            user: token.user,
            device_id: token.device_id,
            session: token.session,
        });
    } else {
        return Err(Refusal::TokenNotValid);
    };
    let next_generation = device.generation.max(device.next_generation) + 1;
    let device = Device {
        generation,
        next_generation,
        pos: context.pos().get(),
        ..device
    };
    work.devices.put(key, device);
    let whose = (token.user, token.device_id.as_str());
    let tokens = (refresh.access, Some(refresh.refresh));
    hand_out(work, whose, token.session, next_generation, tokens);
    context.touch_user(token.user);
    Ok(Verdict::Apply(Outcome::Refreshed {
        user: token.user,
        device_id: token.device_id,
    }))
}

pub(super) fn confirm(
    work: &mut Work,
    (user, device_id): (i64, &str),
    session: i64,
    generation: i64,
    context: &mut CheckContext<'_>,
) -> Checked {
    let key = (user, device_id.to_owned());
    let device = work
        .devices
        .get(&key)
        .filter(|device| device.session == session)
        .cloned()
        .ok_or(Refusal::TokenNotValid)?;
    if device.generation == generation {
        return Ok(Verdict::Nothing(Outcome::Unchanged));
    }
    if device.next_generation != generation {
        return Err(Refusal::TokenNotValid);
    }
    work.confirmed.put(session, generation);
    let device = Device {
        generation,
        next_generation: 0,
        ..device
    };
    work.devices.put(key, device);
    context.touch_user(user);
    Ok(Verdict::Apply(Outcome::Done))
}

pub(super) fn end(
    work: &mut Work,
    (user, device_id): (i64, &str),
    session: i64,
    context: &mut CheckContext<'_>,
) -> Checked {
    let key = (user, device_id.to_owned());
    match work.devices.get(&key) {
        Some(device) if device.session == session => {
            remove(work, user, vec![device_id.to_owned()], context)
        }
        // Another session has the device by now, and its keys: nothing is done to them.
        _ => Ok(Verdict::Already(Outcome::Removed(Vec::new()))),
    }
}

pub(super) fn remove(
    work: &mut Work,
    user: i64,
    device_ids: Vec<String>,
    context: &mut CheckContext<'_>,
) -> Checked {
    let mut removed = Vec::new();
    for device_id in device_ids {
        let key = (user, device_id.clone());
        if let Some(device) = work.devices.get(&key) {
            work.ended_sessions.put(device.session, ());
            work.devices.remove(&key);
            context.touch_device(user, &device_id);
            removed.push(device_id);
        }
    }
    if removed.is_empty() {
        return Ok(Verdict::Nothing(Outcome::Removed(removed)));
    }
    context.touch_user(user);
    Ok(Verdict::Apply(Outcome::Removed(removed)))
}

pub(super) fn remove_all(work: &mut Work, user: i64, context: &mut CheckContext<'_>) -> Checked {
    let devices = work
        .devices
        .iter()
        .filter(|((owner, _), _)| *owner == user)
        .map(|((_, device_id), _)| device_id.clone())
        .collect();
    remove(work, user, devices, context)
}

/// A device of an application service's user: the service speaks for it, so it has no tokens.
pub(super) fn make(
    work: &mut Work,
    (user, device_id): (i64, &str),
    display_name: Option<&str>,
    context: &mut CheckContext<'_>,
) -> Checked {
    let key = (user, device_id.to_owned());
    if work.devices.get(&key).is_some() {
        return match display_name {
            Some(_) => rename(work, (user, device_id), display_name, context),
            None => Ok(Verdict::Nothing(Outcome::Unchanged)),
        };
    }
    if open_account(work, user)?.kind == AccountKind::Server {
        return Err(Refusal::NoSuchUser);
    }
    check_room_for_device(work, user)?;
    let device = new_device_row(display_name, context.pos().get(), context.now());
    work.devices.put(key, device);
    context.touch_user(user);
    context.touch_device(user, device_id);
    Ok(Verdict::Apply(Outcome::DeviceMade))
}

pub(super) fn rename(
    work: &mut Work,
    (user, device_id): (i64, &str),
    display_name: Option<&str>,
    context: &mut CheckContext<'_>,
) -> Checked {
    let key = (user, device_id.to_owned());
    let device = work.devices.get(&key).cloned();
    let device = device.ok_or(Refusal::NoSuchDevice)?;
    let device = Device {
        display_name: display_name.map(|name| AtRest::Plain(name.into())),
        pos: context.pos().get(),
        ..device
    };
    work.devices.put(key, device);
    context.touch_user(user);
    context.touch_device(user, device_id);
    Ok(Verdict::Apply(Outcome::Done))
}
