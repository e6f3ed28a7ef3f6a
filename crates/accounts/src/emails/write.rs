//! Says what is written of what a batch staged of addresses.

use std::time::Duration;

use model::time::Timestamp;
use seal::Scope;
use store::{ColumnType, Insert, StoreError, Value, Writes};

use super::{
    EMAIL_INVITE_LIFETIME,
    rows::{MailRow, SessionRow, place},
    work::EmailWork,
};

/// How long a mail's row is kept: as long as its address is counted, and a day for what could not
/// be handed on.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

static ADDRESSES: Insert = Insert {
    table: "email_addresses",
    columns: &[
        ("address_hash", ColumnType::Bytes),
        ("user_id", ColumnType::Int),
        ("address", ColumnType::Bytes),
        ("validated_at", ColumnType::Int),
        ("added_at", ColumnType::Int),
    ],
    on_conflict: "ON CONFLICT (address_hash) DO UPDATE SET user_id = excluded.user_id, \
         address = excluded.address, validated_at = excluded.validated_at, \
         added_at = excluded.added_at",
};

static SESSIONS: Insert = Insert {
    table: "email_sessions",
    columns: &[
        ("session_id", ColumnType::Text),
        ("secret_hash", ColumnType::Bytes),
        ("purpose", ColumnType::Int),
        ("address_hash", ColumnType::Bytes),
        ("address", ColumnType::Bytes),
        ("next_link", ColumnType::Bytes),
        ("send_attempt", ColumnType::Int),
        ("user_id", ColumnType::Int),
        ("validated_at", ColumnType::Int),
        ("expires_at", ColumnType::Int),
    ],
    on_conflict: "ON CONFLICT (session_id) DO UPDATE SET secret_hash = excluded.secret_hash, \
         address = excluded.address, next_link = excluded.next_link, \
         send_attempt = excluded.send_attempt, user_id = excluded.user_id, \
         validated_at = excluded.validated_at, expires_at = excluded.expires_at",
};

static MAILS: Insert = Insert {
    table: "account_mails",
    columns: &[
        ("mail_id", ColumnType::Bytes),
        ("address_hash", ColumnType::Bytes),
        ("session_id", ColumnType::Text),
        ("content", ColumnType::Bytes),
        ("made_at", ColumnType::Int),
        ("pos", ColumnType::Int),
    ],
    on_conflict: "",
};

static INVITES: Insert = Insert {
    table: "email_invites",
    columns: &[
        ("address_hash", ColumnType::Bytes),
        ("room", ColumnType::Int),
        ("token", ColumnType::Text),
        ("public_key", ColumnType::Text),
        ("inviter", ColumnType::Int),
        ("made_at", ColumnType::Int),
    ],
    on_conflict: "ON CONFLICT (address_hash, room) DO UPDATE SET token = excluded.token, \
         public_key = excluded.public_key, inviter = excluded.inviter, \
         made_at = excluded.made_at",
};

/// Says what is to be written of everything that a batch staged.
pub(crate) fn write(work: &mut EmailWork, writes: &mut Writes) -> Result<(), StoreError> {
    let mails = work.mails.take();
    let forgotten = work.forgotten.take();
    let work = &*work;
    writes.insert(&ADDRESSES, addresses(work)?);
    writes.insert(&SESSIONS, sessions(work)?);
    writes.insert(&INVITES, invites(work));
    let rows = mails.iter().map(|mail| mail_values(work, mail));
    writes.insert(&MAILS, rows.collect::<Result<_, _>>()?);
    for address in work.addresses.deleted() {
        let sql = "DELETE FROM email_addresses WHERE address_hash = $1";
        writes.execute(sql, vec![address.as_slice().into()]);
    }
    for session_id in work.sessions.deleted() {
        let sql = "DELETE FROM email_sessions WHERE session_id = $1";
        writes.execute(sql, vec![session_id.as_str().into()]);
    }
    for (address, room) in work.invites.deleted() {
        let sql = "DELETE FROM email_invites WHERE address_hash = $1 AND room = $2";
        writes.execute(sql, vec![address.as_slice().into(), (*room).into()]);
    }
    for mail in &forgotten {
        let sql = "UPDATE account_mails SET content = NULL WHERE mail_id = $1";
        writes.execute(sql, vec![mail.as_slice().into()]);
    }
    if let Some(now) = work.now.filter(|_| !mails.is_empty()) {
        let sql = "DELETE FROM email_sessions WHERE expires_at <= $1";
        writes.execute(sql, vec![now.as_millis().into()]);
        let sql = "DELETE FROM account_mails WHERE made_at <= $1";
        writes.execute(sql, vec![now.minus(KEPT).as_millis().into()]);
        let sql = "DELETE FROM email_invites WHERE made_at <= $1";
        let over = now.minus(EMAIL_INVITE_LIFETIME);
        writes.execute(sql, vec![over.as_millis().into()]);
    }
    Ok(())
}

fn addresses(work: &EmailWork) -> Result<Vec<Vec<Value>>, StoreError> {
    let rows = work.addresses.written().map(|(hash, row)| {
        let id = place::hash_row(hash);
        let address = row
            .address
            .seal(&work.keys, row.user, place::address(&id))?;
        Ok(vec![
            hash.as_slice().into(),
            row.user.into(),
            address.into(),
            row.validated_at.as_millis().into(),
            row.added_at.as_millis().into(),
        ])
    });
    rows.collect()
}

fn sessions(work: &EmailWork) -> Result<Vec<Vec<Value>>, StoreError> {
    let rows = work.sessions.written();
    rows.map(|(id, session)| session_values(work, id, session))
        .collect()
}

fn session_values(
    work: &EmailWork,
    id: &str,
    session: &SessionRow,
) -> Result<Vec<Value>, StoreError> {
    let seal = |place, text: &str| work.keys.seal(Scope::Deployment, place, text.as_bytes());
    let next_link = session.next_link.as_deref();
    let next_link = next_link.map(|link| seal(place::next_link(id), link));
    Ok(vec![
        id.into(),
        session.secret_hash.as_slice().into(),
        session.purpose.number().into(),
        session.address_hash.as_slice().into(),
        seal(place::session_address(id), session.address.as_str())?.into(),
        next_link.transpose()?.into(),
        session.send_attempt.into(),
        session.user.into(),
        session.validated_at.map(Timestamp::as_millis).into(),
        session.expires_at.as_millis().into(),
    ])
}

fn invites(work: &EmailWork) -> Vec<Vec<Value>> {
    let rows = work.invites.written().map(|((address, room), invite)| {
        vec![
            address.as_slice().into(),
            (*room).into(),
            invite.token.as_str().into(),
            invite.public_key.as_str().into(),
            invite.inviter.into(),
            invite.made_at.as_millis().into(),
        ]
    });
    rows.collect()
}

fn mail_values(work: &EmailWork, mail: &MailRow) -> Result<Vec<Value>, StoreError> {
    let id = place::hash_row(&mail.id);
    let content = serde_json::to_vec(&mail.content);
    let content = zeroize::Zeroizing::new(content.expect("strings and numbers always serialise"));
    let content = work
        .keys
        .seal(Scope::Deployment, place::mail(&id), &content)?;
    Ok(vec![
        mail.id.as_slice().into(),
        mail.address_hash.as_slice().into(),
        mail.session_id.clone().into(),
        content.into(),
        mail.made_at.as_millis().into(),
        mail.pos.into(),
    ])
}
