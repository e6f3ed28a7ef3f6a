//! What one attempt at a batch knows: the rows its checks depend on, and what is staged.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use model::time::Timestamp;
use seal::{KeySet, Keyring, Scope};
use store::{Reader, Row, Staged, StoreError, Tx};

use crate::{
    AccountKind,
    change::{Change, Permit, Proof},
    invites::INVITE_PERMISSION,
    rows::{
        Account, AtRest, Device, Entry, Hash, LoginToken, RegistrationToken, TokenRow, TokensKept,
        place,
    },
};

/// One attempt at a batch.
pub struct Work {
    pub(crate) keys: KeySet,
    pub(crate) names: BTreeMap<String, i64>,
    pub(crate) rooms: BTreeMap<String, i64>,
    pub(crate) admin_exists: bool,
    pub(crate) accounts: Staged<i64, Account>,
    pub(crate) devices: Staged<(i64, String), Device>,
    pub(crate) access_tokens: Staged<Hash, TokenRow>,
    pub(crate) refresh_tokens: Staged<Hash, TokenRow>,
    pub(crate) ended_sessions: Staged<i64, ()>,
    /// By session: tokens of generations before this one end.
    pub(crate) confirmed: Staged<i64, i64>,
    /// By session and generation: tokens that were replaced before anybody used them.
    pub(crate) voided: Staged<(i64, i64), ()>,
    pub(crate) login_tokens: Staged<Hash, LoginToken>,
    pub(crate) openid_tokens: Staged<Hash, LoginToken>,
    /// Whose login tokens end: they were proved with a password that is no more.
    pub(crate) ended_login_tokens: Staged<i64, ()>,
    pub(crate) registration_tokens: Staged<Hash, RegistrationToken>,
    pub(crate) tokens_kept: Staged<(), TokensKept>,
    pub(crate) nonces: Staged<Hash, Timestamp>,
    pub(crate) setup_links: Staged<Hash, Timestamp>,
    pub(crate) profile: Staged<(i64, String), Entry>,
    pub(crate) account_data: Staged<(i64, i64, String), Entry>,
    pub(crate) filters: Staged<(i64, String), Vec<u8>>,
    pub(crate) filter_counts: Staged<i64, i64>,
    /// Users whose account data and filters go, and whether their profile goes too.
    pub(crate) purged: Staged<i64, bool>,
    /// The time of the batch; expired rows may go.
    pub(crate) now: Option<Timestamp>,
}

const READ_ACCOUNT: &str = "SELECT admin, password_hash, created_at, deactivated_at, erased, pos, \
     locked, suspended, kind FROM accounts WHERE user_id = $1";
const READ_DEVICES: &str = "SELECT device_id, session, generation, next_generation, display_name, \
     created_at, pos FROM devices WHERE user_id = $1";
const READ_REFRESH: &str = "SELECT user_id, device_id, session, generation FROM refresh_tokens \
     WHERE hash = $1";
const READ_LOGIN_TOKEN: &str = "SELECT user_id, expires_at FROM login_tokens WHERE hash = $1";
const READ_REGISTRATION_TOKEN: &str = "SELECT hash, id, invitation, localpart, uses_allowed, uses, \
     expires_at, created_at FROM registration_tokens WHERE hash = $1";
const READ_REGISTRATION_TOKEN_BY_ID: &str = "SELECT hash, id, invitation, localpart, uses_allowed, \
     uses, expires_at, created_at FROM registration_tokens WHERE id = $1";
const COUNT_TOKENS: &str = "SELECT COUNT(*), COUNT(*) FILTER (WHERE uses >= uses_allowed \
     OR expires_at <= $1) FROM registration_tokens";
const READ_NONCE: &str = "SELECT expires_at FROM spent_nonces WHERE hash = $1";
const READ_SETUP_LINKS: &str = "SELECT hash, expires_at FROM setup_links";
const ADMIN_EXISTS: &str =
    "SELECT user_id FROM accounts WHERE admin = 1 AND deactivated_at IS NULL LIMIT 1";
const READ_PROFILE_FIELD: &str =
    "SELECT value, pos FROM profile_fields WHERE user_id = $1 AND field = $2";
const READ_ENTRY: &str =
    "SELECT content, pos FROM account_data WHERE user_id = $1 AND room_id = $2 AND kind = $3";
const COUNT_FILTERS: &str = "SELECT COUNT(*) FROM filters WHERE user_id = $1";
const READ_FILTER: &str = "SELECT filter_id FROM filters WHERE user_id = $1 AND filter_id = $2";

/// What the changes of a batch make it necessary to read.
#[derive(Default)]
struct Wanted<'a> {
    names: BTreeSet<&'a str>,
    /// Who is to be invited, each of whom has been named in a change of rooms.
    invited: BTreeSet<&'a str>,
    users: BTreeSet<i64>,
    rooms: BTreeSet<&'a str>,
    refresh: BTreeSet<&'a Hash>,
    login_tokens: BTreeSet<&'a Hash>,
    registration_tokens: BTreeSet<&'a Hash>,
    registration_token_ids: BTreeSet<i64>,
    /// When a registration token is to be made: what has ended by then is counted.
    token_made_at: Option<Timestamp>,
    nonces: BTreeSet<&'a Hash>,
    setup: bool,
    fields: BTreeSet<(i64, &'a str)>,
    entries: BTreeSet<(i64, Option<&'a str>, &'a str)>,
    filters: BTreeSet<(i64, &'a str)>,
}

impl<'a> Wanted<'a> {
    fn of(changes: &[&'a Change]) -> Self {
        let mut wanted = Self::default();
        for change in changes {
            wanted.add(change);
        }
        wanted
    }

    fn add(&mut self, change: &'a Change) {
        match change {
            Change::Register(register) => {
                self.names.insert(register.user_id.as_str());
                self.add_permit(&register.permit);
            }
            Change::SignIn(sign_in) => {
                self.names.insert(sign_in.user_id.as_str());
                if let Proof::LoginToken(hash) = &sign_in.proof {
                    self.login_tokens.insert(hash);
                }
            }
            Change::Refresh(refresh) => drop(self.refresh.insert(&refresh.presented)),
            Change::Confirm { user, .. }
            | Change::EndSession { user, .. }
            | Change::RemoveDevices { user, .. }
            | Change::MakeDevice { user, .. }
            | Change::RenameDevice { user, .. }
            | Change::SetPassword { user, .. }
            | Change::Deactivate { user, .. }
            | Change::SetAdmin { user, .. }
            | Change::DemandStanding { user }
            | Change::DemandNoDevice { user, .. }
            | Change::MakeLoginToken { user, .. }
            | Change::MakeOpenidToken { user, .. } => drop(self.users.insert(*user)),
            Change::Restrict { user, by, .. } => self.users.extend([*user, *by]),
            Change::DemandInvitable { user_id } => drop(self.invited.insert(user_id.as_str())),
            Change::SetProfileField { user, field, .. } => {
                self.users.insert(*user);
                self.fields.insert((*user, field));
            }
            Change::EditAccountData(edit) => {
                self.users.insert(edit.user);
                self.rooms.extend(edit.room_id.as_deref());
                self.entries
                    .insert((edit.user, edit.room_id.as_deref(), &edit.kind));
            }
            Change::PutFilter {
                user, filter_id, ..
            } => {
                self.users.insert(*user);
                self.filters.insert((*user, filter_id));
            }
            Change::MakeRegistrationToken(token) => {
                self.token_made_at = self.token_made_at.max(Some(token.at));
            }
            Change::RevokeRegistrationToken { id } => {
                self.registration_token_ids.insert(*id);
            }
            Change::MakeSetupLink { .. } => self.setup = true,
        }
    }

    fn add_permit(&mut self, permit: &'a Permit) {
        match permit {
            Permit::None => {}
            Permit::Token(hash, _) => drop(self.registration_tokens.insert(hash)),
            Permit::Nonce(hash, _) => drop(self.nonces.insert(hash)),
            Permit::SetupLink(_) => self.setup = true,
        }
    }
}

impl Work {
    /// Reads what the changes' checks depend on; statements travel together.
    pub(crate) async fn load(
        keyring: &Keyring,
        tx: &Tx,
        changes: &[&Change],
    ) -> Result<Self, StoreError> {
        let mut wanted = Wanted::of(changes);
        wanted.names.extend(&wanted.invited);
        let names = intern(&wanted.names, tx, false).await?;
        let invited = wanted.invited.iter().map(|name| names[*name]);
        let terms = invited.map(|user| (user, None, INVITE_PERMISSION));
        wanted.entries.extend(terms);
        let rooms = intern(&wanted.rooms, tx, true).await?;
        wanted.users.extend(names.values());
        let refresh_tokens = load_refresh_tokens(tx, &wanted).await?;
        for (_, row) in refresh_tokens.iter() {
            wanted.users.insert(row.user);
        }
        let scopes = wanted.users.iter().map(|user| Scope::User(*user));
        let mut work = Self {
            keys: keyring.keys_in(tx, scopes).await?,
            names,
            rooms,
            admin_exists: false,
            accounts: Staged::default(),
            devices: Staged::default(),
            access_tokens: Staged::default(),
            refresh_tokens,
            ended_sessions: Staged::default(),
            confirmed: Staged::default(),
            voided: Staged::default(),
            login_tokens: Staged::default(),
            openid_tokens: Staged::default(),
            ended_login_tokens: Staged::default(),
            registration_tokens: Staged::default(),
            tokens_kept: Staged::default(),
            nonces: Staged::default(),
            setup_links: Staged::default(),
            profile: Staged::default(),
            account_data: Staged::default(),
            filters: Staged::default(),
            filter_counts: Staged::default(),
            purged: Staged::default(),
            now: None,
        };
        work.load_people(tx, &wanted).await?;
        work.load_once_only(tx, &wanted).await?;
        work.load_kept(keyring, tx, &wanted).await?;
        Ok(work)
    }

    async fn load_people(&mut self, tx: &Tx, wanted: &Wanted<'_>) -> Result<(), StoreError> {
        let reading = wanted.users.iter().map(|user| async move {
            let params = [(*user).into()];
            let (account, devices) = futures_util::try_join!(
                tx.query_opt(READ_ACCOUNT, &params),
                tx.query(READ_DEVICES, &params)
            )?;
            Ok::<_, StoreError>((*user, account, devices))
        });
        for (user, account, devices) in try_join_all(reading).await? {
            if let Some(row) = account {
                self.accounts.load(user, account_of(&row)?);
            }
            for row in devices {
                let (device_id, device) = device_of(&row)?;
                self.devices.load((user, device_id), device);
            }
        }
        Ok(())
    }

    async fn load_once_only(&mut self, tx: &Tx, wanted: &Wanted<'_>) -> Result<(), StoreError> {
        for hash in &wanted.login_tokens {
            let params = [hash.as_slice().into()];
            if let Some(row) = tx.query_opt(READ_LOGIN_TOKEN, &params).await? {
                let expires_at = Timestamp::from_millis(row.int(1)?);
                let user = row.int(0)?;
                self.login_tokens
                    .load(**hash, LoginToken { user, expires_at });
            }
        }
        for hash in &wanted.registration_tokens {
            let params = [hash.as_slice().into()];
            if let Some(row) = tx.query_opt(READ_REGISTRATION_TOKEN, &params).await? {
                let (hash, token) = registration_token_of(&row)?;
                self.registration_tokens.load(hash, token);
            }
        }
        for id in &wanted.registration_token_ids {
            let params = [(*id).into()];
            if let Some(row) = tx.query_opt(READ_REGISTRATION_TOKEN_BY_ID, &params).await? {
                let (hash, token) = registration_token_of(&row)?;
                self.registration_tokens.load(hash, token);
            }
        }
        if let Some(at) = wanted.token_made_at {
            let row = tx.query_opt(COUNT_TOKENS, &[at.as_millis().into()]).await?;
            let row = row.ok_or_else(|| StoreError::Damaged("a count has no row".to_owned()))?;
            let kept = TokensKept {
                all: row.int(0)?,
                ended: row.int(1)?,
                drop_ended_at: None,
            };
            self.tokens_kept.load((), kept);
        }
        for hash in &wanted.nonces {
            let params = [hash.as_slice().into()];
            if let Some(row) = tx.query_opt(READ_NONCE, &params).await? {
                self.nonces
                    .load(**hash, Timestamp::from_millis(row.int(0)?));
            }
        }
        if wanted.setup {
            self.admin_exists = tx.query_opt(ADMIN_EXISTS, &[]).await?.is_some();
            for row in tx.query(READ_SETUP_LINKS, &[]).await? {
                let expires_at = Timestamp::from_millis(row.int(1)?);
                self.setup_links.load(hash_of(row.bytes(0)?)?, expires_at);
            }
        }
        Ok(())
    }

    async fn load_kept(
        &mut self,
        keyring: &Keyring,
        tx: &Tx,
        wanted: &Wanted<'_>,
    ) -> Result<(), StoreError> {
        for (user, field) in &wanted.fields {
            let params = [(*user).into(), (*field).into()];
            if let Some(row) = tx.query_opt(READ_PROFILE_FIELD, &params).await? {
                let id = place::field_row(*user, field);
                let entry = opened(keyring, tx, place::profile_field(&id), &row).await?;
                self.profile.load((*user, (*field).to_owned()), entry);
            }
        }
        for (user, room_id, kind) in &wanted.entries {
            let room = self.room_of(*room_id);
            let params = [(*user).into(), room.into(), (*kind).into()];
            if let Some(row) = tx.query_opt(READ_ENTRY, &params).await? {
                let id = place::entry_row(*user, room, kind);
                let entry = opened(keyring, tx, place::account_data(&id), &row).await?;
                self.account_data
                    .load((*user, room, (*kind).to_owned()), entry);
            }
        }
        for (user, filter_id) in &wanted.filters {
            let count = tx.query_opt(COUNT_FILTERS, &[(*user).into()]).await?;
            let count = count.map_or(Ok(0), |row| row.int(0))?;
            self.filter_counts.load(*user, count);
            let params = [(*user).into(), (*filter_id).into()];
            if tx.query_opt(READ_FILTER, &params).await?.is_some() {
                // Its content is what its id says.
                self.filters
                    .load((*user, (*filter_id).to_owned()), Vec::new());
            }
        }
        Ok(())
    }

    /// Whether a token handed out in this batch has ended in it.
    pub(crate) fn has_ended(&self, token: &TokenRow) -> bool {
        let voided = self.voided.get(&(token.session, token.generation));
        voided.is_some() || self.ended_sessions.get(&token.session).is_some()
    }

    /// A room's interned id; zero for what is global.
    pub(crate) fn room_of(&self, room_id: Option<&str>) -> i64 {
        room_id.map_or(0, |room_id| self.rooms.get(room_id).copied().unwrap_or(0))
    }

    /// Ends an intent in every table.
    pub(crate) fn settle(&mut self, keep: bool) {
        self.accounts.settle(keep);
        self.devices.settle(keep);
        self.access_tokens.settle(keep);
        self.refresh_tokens.settle(keep);
        self.ended_sessions.settle(keep);
        self.confirmed.settle(keep);
        self.voided.settle(keep);
        self.login_tokens.settle(keep);
        self.openid_tokens.settle(keep);
        self.ended_login_tokens.settle(keep);
        self.registration_tokens.settle(keep);
        self.tokens_kept.settle(keep);
        self.nonces.settle(keep);
        self.setup_links.settle(keep);
        self.profile.settle(keep);
        self.account_data.settle(keep);
        self.filters.settle(keep);
        self.filter_counts.settle(keep);
        self.purged.settle(keep);
    }
}

async fn intern(
    names: &BTreeSet<&str>,
    tx: &Tx,
    rooms: bool,
) -> Result<BTreeMap<String, i64>, StoreError> {
    let list: Vec<&str> = names.iter().copied().collect();
    let ids = if rooms {
        tx.intern_rooms(&list).await?
    } else {
        tx.intern_users(&list).await?
    };
    Ok(list.into_iter().map(str::to_owned).zip(ids).collect())
}

async fn load_refresh_tokens(
    tx: &Tx,
    wanted: &Wanted<'_>,
) -> Result<Staged<Hash, TokenRow>, StoreError> {
    let mut tokens = Staged::default();
    for hash in &wanted.refresh {
        let params = [hash.as_slice().into()];
        if let Some(row) = tx.query_opt(READ_REFRESH, &params).await? {
            tokens.load(**hash, refresh_token_of(&row)?);
        }
    }
    Ok(tokens)
}

async fn opened(
    keyring: &Keyring,
    reader: &Reader,
    place: seal::Place<'_>,
    row: &Row,
) -> Result<Entry, StoreError> {
    let content = match row.opt_bytes(0)? {
        Some(sealed) => Some(AtRest::Plain(keyring.open(reader, place, sealed).await?)),
        None => None,
    };
    Ok(Entry {
        content,
        pos: row.int(1)?,
    })
}

/// Reads a row of [`READ_ACCOUNT`].
fn account_of(row: &Row) -> Result<Account, StoreError> {
    Ok(Account {
        admin: row.flag(0)?,
        password_hash: row.opt_text(1)?.map(str::to_owned),
        created_at: Timestamp::from_millis(row.int(2)?),
        deactivated_at: row.opt_int(3)?.map(Timestamp::from_millis),
        erased: row.flag(4)?,
        pos: row.int(5)?,
        locked: row.flag(6)?,
        suspended: row.flag(7)?,
        kind: AccountKind::read(row.int(8)?)?,
    })
}

fn device_of(row: &Row) -> Result<(String, Device), StoreError> {
    let device = Device {
        session: row.int(1)?,
        generation: row.int(2)?,
        next_generation: row.int(3)?,
        display_name: row
            .opt_bytes(4)?
            .map(|sealed| AtRest::Sealed(sealed.to_vec())),
        created_at: Timestamp::from_millis(row.int(5)?),
        pos: row.int(6)?,
    };
    Ok((row.text(0)?.to_owned(), device))
}

fn refresh_token_of(row: &Row) -> Result<TokenRow, StoreError> {
    Ok(TokenRow {
        user: row.int(0)?,
        device_id: row.text(1)?.to_owned(),
        session: row.int(2)?,
        generation: row.int(3)?,
        expires_at: None,
    })
}

/// Reads a row of the two statements over `registration_tokens`.
pub(crate) fn registration_token_of(row: &Row) -> Result<(Hash, RegistrationToken), StoreError> {
    let token = RegistrationToken {
        id: row.int(1)?,
        invitation: row.flag(2)?,
        localpart: row.opt_text(3)?.map(str::to_owned),
        uses_allowed: row.opt_int(4)?,
        uses: row.int(5)?,
        expires_at: row.opt_int(6)?.map(Timestamp::from_millis),
        created_at: Timestamp::from_millis(row.int(7)?),
    };
    Ok((hash_of(row.bytes(0)?)?, token))
}

fn hash_of(bytes: &[u8]) -> Result<Hash, StoreError> {
    Hash::try_from(bytes).map_err(|_| StoreError::Damaged("a hash is not 32 bytes long".to_owned()))
}
