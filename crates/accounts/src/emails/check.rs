//! What a change of addresses needs to stand, and what it makes of the staged rows.

use model::{mail_address::MailAddress, time::Timestamp};
use ruma::UserId;
use store::{CheckContext, StoreError, Verdict};
use zeroize::Zeroizing;

use super::{
    EMAIL_PROOF_LIFETIME, EMAILS_IN_AN_HOUR, EmailPurpose, MOST_EMAIL_INVITES, MOST_EMAILS,
    change::{Ask, Claim, EmailChange, EmailOutcome, EmailRefusal, Invite, Write},
    rows::{AddressRow, Content, InviteRow, Kind, MailRow, SessionRow, address_of},
    work::EmailWork,
};
use crate::{
    rows::{AtRest, Hash},
    secret,
};

pub(crate) type Checked = Result<Verdict<EmailOutcome>, EmailRefusal>;

/// Checks one change and stages it.
pub(crate) fn check(
    work: &mut EmailWork,
    change: &EmailChange,
    context: &CheckContext<'_>,
) -> Checked {
    work.now = Some(context.now());
    match change {
        EmailChange::Ask(ask) => self::ask(work, ask, context),
        EmailChange::Confirm { token } => confirm(work, token, context.now()),
        EmailChange::Add {
            user_id,
            claim,
            purpose,
        } => add(work, user_id, (claim, *purpose), context.now()),
        EmailChange::UseForPassword { user, claim } => {
            use_for_password(work, *user, claim, context.now())
        }
        EmailChange::Remove { user, address } => remove(work, *user, address),
        EmailChange::RemoveAll { user } => remove_all(work, *user),
        EmailChange::Notify { user, seed } => notify(work, *user, seed, context),
        EmailChange::Invite(invite) => self::invite(work, invite, context),
        EmailChange::EndInvite { token } => Ok(end_invite(work, token)),
        EmailChange::Write(mail) => write(work, mail, context),
        EmailChange::Forget { mail } => {
            work.forgotten.push(*mail);
            Ok(Verdict::Apply(EmailOutcome::Done))
        }
    }
}

fn ask(work: &mut EmailWork, ask: &Ask, context: &CheckContext<'_>) -> Checked {
    let now = context.now();
    let standing = work.sessions.get(&ask.session_id);
    let standing = standing.filter(|session| now < session.expires_at).cloned();
    if standing
        .as_ref()
        .is_some_and(|session| ask.send_attempt <= session.send_attempt)
    {
        return Ok(Verdict::Nothing(EmailOutcome::Unchanged));
    }
    count_one_more(work, &ask.address_hash, now)?;
    let owner = work.addresses.get(&ask.address_hash).map(|row| row.user);
    let user = owner.filter(|_| ask.purpose == EmailPurpose::ResetPassword);
    let confirmed = standing.filter(|session| session.user == user);
    let session = SessionRow {
        secret_hash: ask.secret_hash,
        purpose: ask.purpose,
        address: ask.address.clone(),
        address_hash: ask.address_hash,
        next_link: ask.next_link.clone(),
        send_attempt: ask.send_attempt,
        user,
        // Another mail does not undo what the one before has proved.
        validated_at: confirmed.and_then(|session| session.validated_at),
        expires_at: now.plus(EMAIL_PROOF_LIFETIME),
    };
    work.sessions.put(ask.session_id.clone(), session);
    work.mails.push(MailRow {
        id: ask.token_hash,
        address_hash: ask.address_hash,
        session_id: Some(ask.session_id.clone()),
        content: content_of(ask, owner),
        made_at: now,
        pos: context.pos().get(),
    });
    Ok(Verdict::Apply(EmailOutcome::Done))
}

/// Which mail an address is sent: whoever asked is not told, so its owner is.
fn content_of(ask: &Ask, owner: Option<i64>) -> Content {
    let (kind, has_link) = match (ask.purpose, owner) {
        (EmailPurpose::AddAddress, None) => (Some(Kind::AddAddress), true),
        (EmailPurpose::Register, None) => (Some(Kind::Register), true),
        (EmailPurpose::AddAddress | EmailPurpose::Register, Some(_)) => {
            (Some(Kind::AddressInUse), false)
        }
        (EmailPurpose::ResetPassword, Some(_)) => (Some(Kind::ResetPassword), true),
        (EmailPurpose::ResetPassword, None) => (None, false),
    };
    Content {
        kind,
        address: ask.address.as_str().to_owned(),
        user: owner,
        token: has_link.then(|| ask.token.clone()),
        language: Some(ask.language),
        ..Content::default()
    }
}

/// Counts one more mail to an address, whether or not anybody here has it.
fn count_one_more(
    work: &mut EmailWork,
    address: &Hash,
    now: Timestamp,
) -> Result<(), EmailRefusal> {
    let (count, first) = work.asked.get(address).copied().unwrap_or((0, now));
    if count >= EMAILS_IN_AN_HOUR {
        let wait = first.plus(EMAIL_PROOF_LIFETIME).since(now);
        return Err(EmailRefusal::TooManyMails(wait));
    }
    let first = if count == 0 { now } else { first };
    work.asked.put(*address, (count + 1, first));
    Ok(())
}

/// Confirming twice is confirming once: people press a button twice.
fn confirm(work: &mut EmailWork, token: &Hash, now: Timestamp) -> Checked {
    let session_id = work.links.get(token).cloned();
    let session_id = session_id.ok_or(EmailRefusal::LinkNotValid)?;
    let session = work.sessions.get(&session_id);
    let session = session.filter(|session| now < session.expires_at).cloned();
    let session = session.ok_or(EmailRefusal::LinkNotValid)?;
    let next_link = session.next_link.clone();
    if session.validated_at.is_some() {
        return Ok(Verdict::Nothing(EmailOutcome::Confirmed(next_link)));
    }
    let session = SessionRow {
        validated_at: Some(now),
        expires_at: now.plus(EMAIL_PROOF_LIFETIME),
        ..session
    };
    work.sessions.put(session_id, session);
    Ok(Verdict::Apply(EmailOutcome::Confirmed(next_link)))
}

/// Whether a session has proved what it is claimed to.
pub(crate) fn proves(
    session: &SessionRow,
    claim: &Claim,
    purpose: EmailPurpose,
    now: Timestamp,
) -> bool {
    session.validated_at.is_some()
        && session.purpose == purpose
        && session.secret_hash == claim.secret_hash
        && now < session.expires_at
}

/// Uses a proof up, and gives what it proved.
fn use_up(
    work: &mut EmailWork,
    claim: &Claim,
    purpose: EmailPurpose,
    now: Timestamp,
) -> Result<(SessionRow, Timestamp), EmailRefusal> {
    let session = work.sessions.get(&claim.session_id);
    let session = session.filter(|session| proves(session, claim, purpose, now));
    let session = session.cloned().ok_or(EmailRefusal::NotConfirmed)?;
    let validated_at = session.validated_at.ok_or(EmailRefusal::NotConfirmed)?;
    work.sessions.remove(&claim.session_id);
    Ok((session, validated_at))
}

fn add(
    work: &mut EmailWork,
    user_id: &UserId,
    (claim, purpose): (&Claim, EmailPurpose),
    now: Timestamp,
) -> Checked {
    let user = work.names.get(user_id.as_str()).copied();
    let user = user.ok_or_else(|| StoreError::Damaged("a user has no number".to_owned()))?;
    let (session, validated_at) = use_up(work, claim, purpose, now)?;
    let standing = work.addresses.get(&session.address_hash);
    if standing.is_some_and(|standing| standing.user != user) {
        return Err(EmailRefusal::InUse);
    }
    let added_at = standing.map_or(now, |standing| standing.added_at);
    let count = addresses_of(work, user).count();
    let is_new = standing.is_none();
    if is_new && i64::try_from(count).is_ok_and(|count| count >= MOST_EMAILS) {
        return Err(EmailRefusal::TooMany(MOST_EMAILS));
    }
    let row = AddressRow {
        user,
        address: AtRest::Plain(session.address.as_str().into()),
        validated_at,
        added_at,
    };
    work.addresses.put(session.address_hash, row);
    Ok(Verdict::Apply(EmailOutcome::Added(session.address)))
}

/// The address has to be the owner's still: who took it away did so for a reason.
fn use_for_password(work: &mut EmailWork, user: i64, claim: &Claim, now: Timestamp) -> Checked {
    let (session, _) = use_up(work, claim, EmailPurpose::ResetPassword, now)?;
    let owner = work.addresses.get(&session.address_hash);
    let owner = owner.map(|address| address.user);
    if session.user != Some(user) || owner != Some(user) {
        return Err(EmailRefusal::NotConfirmed);
    }
    Ok(Verdict::Apply(EmailOutcome::Done))
}

fn addresses_of(work: &EmailWork, user: i64) -> impl Iterator<Item = (&Hash, &AddressRow)> {
    let all = work.addresses.iter();
    all.filter(move |(_, address)| address.user == user)
}

fn remove(work: &mut EmailWork, user: i64, address: &Hash) -> Checked {
    let standing = work.addresses.get(address);
    if standing.is_none_or(|standing| standing.user != user) {
        // With the intent its record falls: nothing was done.
        return Ok(Verdict::Already(EmailOutcome::Unchanged));
    }
    work.addresses.remove(address);
    Ok(Verdict::Apply(EmailOutcome::Done))
}

fn remove_all(work: &mut EmailWork, user: i64) -> Checked {
    let theirs: Vec<Hash> = addresses_of(work, user).map(|(hash, _)| *hash).collect();
    let invites: Vec<_> = invites_by(work, user).map(|(place, _)| *place).collect();
    if theirs.is_empty() && invites.is_empty() {
        return Ok(Verdict::Nothing(EmailOutcome::Unchanged));
    }
    for address in theirs {
        work.addresses.remove(&address);
    }
    for place in invites {
        work.invites.remove(&place);
    }
    Ok(Verdict::Apply(EmailOutcome::Done))
}

fn notify(work: &mut EmailWork, user: i64, seed: &Hash, context: &CheckContext<'_>) -> Checked {
    let mut mails = Vec::new();
    for (number, (hash, row)) in addresses_of(work, user).enumerate() {
        let address = plain(row)?;
        let seed = Zeroizing::new(format!("{number}/{}", super::rows::place::hash_row(seed)));
        mails.push(MailRow {
            id: secret::hash(&seed),
            address_hash: *hash,
            session_id: None,
            content: Content {
                kind: Some(Kind::PasswordChanged),
                address: address.as_str().to_owned(),
                user: Some(user),
                ..Content::default()
            },
            made_at: context.now(),
            pos: context.pos().get(),
        });
    }
    if mails.is_empty() {
        return Ok(Verdict::Nothing(EmailOutcome::Unchanged));
    }
    for mail in mails {
        work.mails.push(mail);
    }
    Ok(Verdict::Apply(EmailOutcome::Done))
}

/// Invites an address into a room, unless it is invited there already.
fn invite(work: &mut EmailWork, invite: &Invite, context: &CheckContext<'_>) -> Checked {
    let now = context.now();
    let address = invite.mail.address_hash;
    if work.addresses.get(&address).is_some() {
        return Err(EmailRefusal::HasAccount);
    }
    let room = work.rooms.get(invite.room_id.as_str()).copied();
    let room = room.ok_or_else(|| StoreError::Damaged("a room has no number".to_owned()))?;
    let standing = work.invites.get(&(address, room));
    let standing = standing.filter(|standing| !standing.is_over(now));
    if standing.is_some_and(|standing| Some(&standing.token) != invite.replaces.as_ref()) {
        return Ok(Verdict::Already(EmailOutcome::Unchanged));
    }
    if standing.is_none() {
        let theirs = invites_by(work, invite.inviter);
        if theirs.filter(|(_, invite)| !invite.is_over(now)).count() >= MOST_EMAIL_INVITES {
            return Err(EmailRefusal::TooManyInvites);
        }
    }
    let row = InviteRow {
        token: invite.token.clone(),
        public_key: invite.public_key.clone(),
        inviter: invite.inviter,
        made_at: now,
    };
    work.invites.put((address, room), row);
    write(work, &invite.mail, context)
}

fn invites_by(work: &EmailWork, inviter: i64) -> impl Iterator<Item = (&(Hash, i64), &InviteRow)> {
    let all = work.invites.iter();
    all.filter(move |(_, invite)| invite.inviter == inviter)
}

fn end_invite(work: &mut EmailWork, token: &str) -> Verdict<EmailOutcome> {
    let is_it = |(_, invite): &(&(Hash, i64), &InviteRow)| invite.token == token;
    let place = work.invites.iter().find(is_it).map(|(place, _)| *place);
    let Some(place) = place else {
        return Verdict::Already(EmailOutcome::Unchanged);
    };
    work.invites.remove(&place);
    Verdict::Apply(EmailOutcome::Done)
}

/// Writes a mail that somebody asks for, unless its address was sent as many as it may be.
fn write(work: &mut EmailWork, mail: &Write, context: &CheckContext<'_>) -> Checked {
    count_one_more(work, &mail.address_hash, context.now())?;
    work.mails.push(MailRow {
        id: mail.id,
        address_hash: mail.address_hash,
        session_id: Some(mail.about.clone()),
        content: mail.content.clone(),
        made_at: context.now(),
        pos: context.pos().get(),
    });
    Ok(Verdict::Apply(EmailOutcome::Done))
}

fn plain(row: &AddressRow) -> Result<MailAddress, StoreError> {
    let opened = row.address.plain();
    let opened = opened.ok_or_else(|| StoreError::Damaged("an address is sealed".to_owned()))?;
    address_of(opened)
}
