//! Says what is written of what a batch staged: statements for many rows.

use model::time::Timestamp;
use store::{ColumnType, Insert, StoreError, Value, Writes};

use crate::{
    rows::{AtRest, LoginToken, TokenRow, place},
    work::Work,
};

/// Used refresh tokens are remembered for this many refreshes, to notice one that comes back.
const REMEMBERED_GENERATIONS: i64 = 64;

static ACCOUNTS: Insert = Insert {
    table: "accounts",
    columns: &[
        ("user_id", ColumnType::Int),
        ("admin", ColumnType::Int),
        ("locked", ColumnType::Int),
        ("suspended", ColumnType::Int),
        ("kind", ColumnType::Int),
        ("password_hash", ColumnType::Text),
        ("created_at", ColumnType::Int),
        ("deactivated_at", ColumnType::Int),
        ("erased", ColumnType::Int),
        ("pos", ColumnType::Int),
    ],
    on_conflict: "ON CONFLICT (user_id) DO UPDATE SET admin = excluded.admin, \
         locked = excluded.locked, suspended = excluded.suspended, kind = excluded.kind, \
         password_hash = excluded.password_hash, deactivated_at = excluded.deactivated_at, \
         erased = excluded.erased, pos = excluded.pos",
};

static DEVICES: Insert = Insert {
    table: "devices",
    columns: &[
        ("user_id", ColumnType::Int),
        ("device_id", ColumnType::Text),
        ("session", ColumnType::Int),
        ("generation", ColumnType::Int),
        ("next_generation", ColumnType::Int),
        ("display_name", ColumnType::Bytes),
        ("created_at", ColumnType::Int),
        ("pos", ColumnType::Int),
    ],
    on_conflict: "ON CONFLICT (user_id, device_id) DO UPDATE SET session = excluded.session, \
         generation = excluded.generation, next_generation = excluded.next_generation, \
         display_name = excluded.display_name, created_at = excluded.created_at, \
         pos = excluded.pos",
};

static ACCESS_TOKENS: Insert = Insert {
    table: "access_tokens",
    columns: &[
        ("hash", ColumnType::Bytes),
        ("user_id", ColumnType::Int),
        ("device_id", ColumnType::Text),
        ("session", ColumnType::Int),
        ("generation", ColumnType::Int),
        ("expires_at", ColumnType::Int),
    ],
    on_conflict: "",
};

static REFRESH_TOKENS: Insert = Insert {
    table: "refresh_tokens",
    columns: &[
        ("hash", ColumnType::Bytes),
        ("user_id", ColumnType::Int),
        ("device_id", ColumnType::Text),
        ("session", ColumnType::Int),
        ("generation", ColumnType::Int),
    ],
    on_conflict: "",
};

static LOGIN_TOKENS: Insert = Insert {
    table: "login_tokens",
    columns: &[
        ("hash", ColumnType::Bytes),
        ("user_id", ColumnType::Int),
        ("expires_at", ColumnType::Int),
    ],
    on_conflict: "",
};

static OPENID_TOKENS: Insert = Insert {
    table: "openid_tokens",
    columns: &[
        ("hash", ColumnType::Bytes),
        ("user_id", ColumnType::Int),
        ("expires_at", ColumnType::Int),
    ],
    on_conflict: "",
};

static REGISTRATION_TOKENS: Insert = Insert {
    table: "registration_tokens",
    columns: &[
        ("id", ColumnType::Int),
        ("hash", ColumnType::Bytes),
        ("invitation", ColumnType::Int),
        ("localpart", ColumnType::Text),
        ("uses_allowed", ColumnType::Int),
        ("uses", ColumnType::Int),
        ("expires_at", ColumnType::Int),
        ("created_at", ColumnType::Int),
    ],
    on_conflict: "ON CONFLICT (id) DO UPDATE SET uses = excluded.uses",
};

static NONCES: Insert = Insert {
    table: "spent_nonces",
    columns: &[("hash", ColumnType::Bytes), ("expires_at", ColumnType::Int)],
    on_conflict: "",
};

static SETUP_LINKS: Insert = Insert {
    table: "setup_links",
    columns: &[("hash", ColumnType::Bytes), ("expires_at", ColumnType::Int)],
    on_conflict: "",
};

static PROFILE_FIELDS: Insert = Insert {
    table: "profile_fields",
    columns: &[
        ("user_id", ColumnType::Int),
        ("field", ColumnType::Text),
        ("value", ColumnType::Bytes),
        ("pos", ColumnType::Int),
    ],
    on_conflict: "ON CONFLICT (user_id, field) DO UPDATE SET value = excluded.value, \
         pos = excluded.pos",
};

static ACCOUNT_DATA: Insert = Insert {
    table: "account_data",
    columns: &[
        ("user_id", ColumnType::Int),
        ("room_id", ColumnType::Int),
        ("kind", ColumnType::Text),
        ("content", ColumnType::Bytes),
        ("pos", ColumnType::Int),
    ],
    on_conflict: "ON CONFLICT (user_id, room_id, kind) DO UPDATE SET content = excluded.content, \
         pos = excluded.pos",
};

static FILTERS: Insert = Insert {
    table: "filters",
    columns: &[
        ("user_id", ColumnType::Int),
        ("filter_id", ColumnType::Text),
        ("content", ColumnType::Bytes),
    ],
    on_conflict: "ON CONFLICT (user_id, filter_id) DO NOTHING",
};

const DROP_ENDED_TOKENS: &str =
    "DELETE FROM registration_tokens WHERE uses >= uses_allowed OR expires_at <= $1";

/// A person has a hundred of them at most.
const DROP_OLDEST_OPENID_TOKENS: &str = "DELETE FROM openid_tokens WHERE user_id = $1 \
     AND expires_at < (SELECT expires_at FROM openid_tokens WHERE user_id = $1 \
     ORDER BY expires_at DESC LIMIT 1 OFFSET 99)";

/// Says what is to be written of everything that a batch staged.
pub(crate) fn write(work: &Work, writes: &mut Writes) -> Result<(), StoreError> {
    for (user, ()) in work.ended_login_tokens.written() {
        // Before the rows: what is made after the new password stays.
        let sql = "DELETE FROM login_tokens WHERE user_id = $1";
        writes.execute(sql, vec![(*user).into()]);
    }
    for (insert, rows) in Rows::of(work)?.0 {
        writes.insert(insert, rows);
    }
    add_deletions(work, writes);
    add_expiries(work, writes);
    Ok(())
}

/// The rows to be written, by table.
struct Rows([(&'static Insert, Vec<Vec<Value>>); 12]);

impl Rows {
    fn of(work: &Work) -> Result<Self, StoreError> {
        Ok(Self([
            (&ACCOUNTS, accounts(work)),
            (&DEVICES, devices(work)?),
            (&ACCESS_TOKENS, access_tokens(work)),
            (&REFRESH_TOKENS, refresh_tokens(work)),
            (&LOGIN_TOKENS, short_lived(&work.login_tokens)),
            (&OPENID_TOKENS, short_lived(&work.openid_tokens)),
            (&REGISTRATION_TOKENS, registration_tokens(work)),
            (&NONCES, expiring(&work.nonces)),
            (&SETUP_LINKS, expiring(&work.setup_links)),
            (&PROFILE_FIELDS, profile_fields(work)?),
            (&ACCOUNT_DATA, account_data(work)?),
            (&FILTERS, filters(work)?),
        ]))
    }
}

fn millis(moment: Option<Timestamp>) -> Value {
    moment.map(Timestamp::as_millis).into()
}

fn accounts(work: &Work) -> Vec<Vec<Value>> {
    let rows = work.accounts.written().map(|(user, account)| {
        vec![
            (*user).into(),
            account.admin.into(),
            account.locked.into(),
            account.suspended.into(),
            account.kind.stored().into(),
            account.password_hash.clone().into(),
            account.created_at.as_millis().into(),
            millis(account.deactivated_at),
            account.erased.into(),
            account.pos.into(),
        ]
    });
    rows.collect()
}

fn devices(work: &Work) -> Result<Vec<Vec<Value>>, StoreError> {
    let rows = work.devices.written().map(|((user, device_id), device)| {
        let id = place::device_row(*user, device_id);
        let name = device.display_name.as_ref();
        let name = name.map(|name| name.seal(&work.keys, *user, place::device_name(&id)));
        Ok(vec![
            (*user).into(),
            device_id.as_str().into(),
            device.session.into(),
            device.generation.into(),
            device.next_generation.into(),
            name.transpose()?.into(),
            device.created_at.as_millis().into(),
            device.pos.into(),
        ])
    });
    rows.collect()
}

fn token_row(hash: &[u8; 32], row: &TokenRow) -> Vec<Value> {
    vec![
        hash.as_slice().into(),
        row.user.into(),
        row.device_id.as_str().into(),
        row.session.into(),
        row.generation.into(),
    ]
}

fn access_tokens(work: &Work) -> Vec<Vec<Value>> {
    let rows = work
        .access_tokens
        .written()
        .filter(|(_, row)| !work.has_ended(row))
        .map(|(hash, row)| {
            let mut values = token_row(hash, row);
            values.push(millis(row.expires_at));
            values
        });
    rows.collect()
}

fn refresh_tokens(work: &Work) -> Vec<Vec<Value>> {
    let rows = work
        .refresh_tokens
        .written()
        .filter(|(_, row)| !work.has_ended(row));
    rows.map(|(hash, row)| token_row(hash, row)).collect()
}

fn short_lived(tokens: &store::Staged<[u8; 32], LoginToken>) -> Vec<Vec<Value>> {
    let rows = tokens.written().map(|(hash, token)| {
        vec![
            hash.as_slice().into(),
            token.user.into(),
            token.expires_at.as_millis().into(),
        ]
    });
    rows.collect()
}

fn registration_tokens(work: &Work) -> Vec<Vec<Value>> {
    let rows = work.registration_tokens.written().map(|(hash, token)| {
        vec![
            token.id.into(),
            hash.as_slice().into(),
            token.invitation.into(),
            token.localpart.clone().into(),
            token.uses_allowed.into(),
            token.uses.into(),
            millis(token.expires_at),
            token.created_at.as_millis().into(),
        ]
    });
    rows.collect()
}

fn expiring(rows: &store::Staged<[u8; 32], Timestamp>) -> Vec<Vec<Value>> {
    rows.written()
        .map(|(hash, expires_at)| vec![hash.as_slice().into(), expires_at.as_millis().into()])
        .collect()
}

fn profile_fields(work: &Work) -> Result<Vec<Vec<Value>>, StoreError> {
    let erased = |user: &i64| work.purged.get(user) == Some(&true);
    let rows = work.profile.written();
    let rows = rows.filter(|((user, _), _)| !erased(user));
    let rows = rows.map(|((user, field), entry)| {
        let id = place::field_row(*user, field);
        let value = sealed(
            work,
            entry.content.as_ref(),
            *user,
            place::profile_field(&id),
        )?;
        Ok(vec![
            (*user).into(),
            field.as_str().into(),
            value.into(),
            entry.pos.into(),
        ])
    });
    rows.collect()
}

fn account_data(work: &Work) -> Result<Vec<Vec<Value>>, StoreError> {
    let rows = work.account_data.written();
    let rows = rows.filter(|((user, ..), _)| work.purged.get(user).is_none());
    let rows = rows.map(|((user, room, kind), entry)| {
        let id = place::entry_row(*user, *room, kind);
        let content = sealed(
            work,
            entry.content.as_ref(),
            *user,
            place::account_data(&id),
        )?;
        Ok(vec![
            (*user).into(),
            (*room).into(),
            kind.as_str().into(),
            content.into(),
            entry.pos.into(),
        ])
    });
    rows.collect()
}

fn filters(work: &Work) -> Result<Vec<Vec<Value>>, StoreError> {
    let rows = work.filters.written();
    let rows = rows.filter(|((user, _), _)| work.purged.get(user).is_none());
    let rows = rows.map(|((user, filter_id), content)| {
        let id = place::field_row(*user, filter_id);
        let content = AtRest::Plain(content.clone());
        let content = content.seal(&work.keys, *user, place::filter(&id))?;
        Ok(vec![
            (*user).into(),
            filter_id.as_str().into(),
            content.into(),
        ])
    });
    rows.collect()
}

fn sealed(
    work: &Work,
    content: Option<&AtRest>,
    user: i64,
    place: seal::Place<'_>,
) -> Result<Option<Vec<u8>>, StoreError> {
    content
        .map(|content| content.seal(&work.keys, user, place))
        .transpose()
}

fn add_deletions(work: &Work, writes: &mut Writes) {
    for (user, device_id) in work.devices.deleted() {
        let key = || vec![(*user).into(), device_id.as_str().into()];
        writes.execute(
            "DELETE FROM devices WHERE user_id = $1 AND device_id = $2",
            key(),
        );
        writes.execute(
            "DELETE FROM device_activity WHERE user_id = $1 AND device_id = $2",
            key(),
        );
    }
    for (session, ()) in work.ended_sessions.written() {
        for sql in [
            "DELETE FROM access_tokens WHERE session = $1",
            "DELETE FROM refresh_tokens WHERE session = $1",
        ] {
            writes.execute(sql, vec![(*session).into()]);
        }
    }
    for (session, generation) in work.confirmed.written() {
        let before = |generation: i64| vec![(*session).into(), generation.into()];
        writes.execute(
            "DELETE FROM access_tokens WHERE session = $1 AND generation < $2",
            before(*generation),
        );
        writes.execute(
            "DELETE FROM refresh_tokens WHERE session = $1 AND generation < $2",
            before(*generation - REMEMBERED_GENERATIONS),
        );
    }
    for ((session, generation), ()) in work.voided.written() {
        for sql in [
            "DELETE FROM access_tokens WHERE session = $1 AND generation = $2",
            "DELETE FROM refresh_tokens WHERE session = $1 AND generation = $2",
        ] {
            let key = vec![(*session).into(), (*generation).into()];
            writes.execute(sql, key);
        }
    }
    let hashes = |hash: &[u8; 32]| vec![hash.as_slice().into()];
    for hash in work.login_tokens.deleted() {
        writes.execute("DELETE FROM login_tokens WHERE hash = $1", hashes(hash));
    }
    for hash in work.registration_tokens.deleted() {
        let sql = "DELETE FROM registration_tokens WHERE hash = $1";
        writes.execute(sql, hashes(hash));
    }
    let ended = work.tokens_kept.written();
    for at in ended.filter_map(|((), kept)| kept.drop_ended_at) {
        writes.execute(DROP_ENDED_TOKENS, vec![at.as_millis().into()]);
    }
    for hash in work.setup_links.deleted() {
        writes.execute("DELETE FROM setup_links WHERE hash = $1", hashes(hash));
    }
    for (user, erase) in work.purged.written() {
        add_purge(work, writes, *user, *erase);
    }
}

fn add_purge(work: &Work, writes: &mut Writes, user: i64, erase: bool) {
    let key = || vec![user.into()];
    writes.execute("DELETE FROM account_data WHERE user_id = $1", key());
    writes.execute("DELETE FROM filters WHERE user_id = $1", key());
    writes.execute("DELETE FROM login_tokens WHERE user_id = $1", key());
    writes.execute("DELETE FROM openid_tokens WHERE user_id = $1", key());
    if erase {
        let pos = work.accounts.get(&user).map_or(0, |account| account.pos);
        writes.execute(
            "UPDATE profile_fields SET value = NULL, pos = $2 \
             WHERE user_id = $1 AND value IS NOT NULL",
            vec![user.into(), pos.into()],
        );
    }
}

/// Rows that nobody can use any more go when their table is written anyway.
fn add_expiries(work: &Work, writes: &mut Writes) {
    let Some(now) = work.now else { return };
    let now = || vec![now.as_millis().into()];
    if work.login_tokens.changed().next().is_some() {
        let sql = "DELETE FROM login_tokens WHERE expires_at <= $1";
        writes.execute(sql, now());
    }
    if work.openid_tokens.changed().next().is_some() {
        let sql = "DELETE FROM openid_tokens WHERE expires_at <= $1";
        writes.execute(sql, now());
    }
    for (_, token) in work.openid_tokens.written() {
        writes.execute(DROP_OLDEST_OPENID_TOKENS, vec![token.user.into()]);
    }
    if work.nonces.changed().next().is_some() {
        let sql = "DELETE FROM spent_nonces WHERE expires_at <= $1";
        writes.execute(sql, now());
    }
}
