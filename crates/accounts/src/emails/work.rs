//! What one attempt at a batch knows of addresses.

use std::collections::{BTreeMap, BTreeSet};

use model::time::Timestamp;
use seal::{KeySet, Keyring, Scope};
use store::{Journal, Reader, Row, Staged, StoreError, Tx};

use super::{
    EmailPurpose,
    change::{Claim, EmailChange},
    rows::{
        AddressRow, InviteRow, MailRow, SessionRow, address_of, hash_of, moment_of, place, text_of,
    },
};
use crate::rows::{AtRest, Hash};

/// One attempt at a batch.
pub struct EmailWork {
    pub(crate) keys: KeySet,
    pub(crate) names: BTreeMap<String, i64>,
    pub(crate) addresses: Staged<Hash, AddressRow>,
    pub(crate) sessions: Staged<String, SessionRow>,
    /// The sessions of the links that were opened.
    pub(crate) links: BTreeMap<Hash, String>,
    /// By address: how many mails were asked for within an hour, and when the first of them was.
    pub(crate) asked: Staged<Hash, (i64, Timestamp)>,
    /// The numbers of rooms that are known by name only.
    pub(crate) rooms: BTreeMap<String, i64>,
    /// By address and room.
    pub(crate) invites: Staged<(Hash, i64), InviteRow>,
    pub(crate) mails: Journal<MailRow>,
    pub(crate) forgotten: Journal<Hash>,
    /// The time of the batch; expired rows may go.
    pub(crate) now: Option<Timestamp>,
}

const READ_ADDRESS: &str = "SELECT address_hash, user_id, address, validated_at, added_at \
     FROM email_addresses WHERE address_hash = $1";
const READ_ADDRESSES_OF: &str = "SELECT address_hash, user_id, address, validated_at, added_at \
     FROM email_addresses WHERE user_id = $1";
pub(crate) const READ_SESSION: &str = "SELECT secret_hash, purpose, address_hash, address, \
     next_link, send_attempt, user_id, validated_at, expires_at \
     FROM email_sessions WHERE session_id = $1";
pub(crate) const READ_LINK: &str = "SELECT session_id FROM account_mails WHERE mail_id = $1";
const READ_INVITES_AT: &str = "SELECT address_hash, room, token, public_key, inviter, made_at \
     FROM email_invites WHERE address_hash = $1";
const READ_INVITES_BY: &str = "SELECT address_hash, room, token, public_key, inviter, made_at \
     FROM email_invites WHERE inviter = $1";
const READ_INVITE: &str = "SELECT address_hash, room, token, public_key, inviter, made_at \
     FROM email_invites WHERE token = $1";
const COUNT_ASKED: &str = "SELECT COUNT(*), COALESCE(MIN(made_at), 0) FROM account_mails \
     WHERE address_hash = $1 AND made_at > $2 AND session_id IS NOT NULL";

/// What the changes of a batch make it necessary to read.
#[derive(Default)]
struct Wanted<'a> {
    names: BTreeSet<&'a str>,
    users: BTreeSet<i64>,
    addresses: BTreeSet<Hash>,
    asked: BTreeSet<Hash>,
    sessions: BTreeSet<String>,
    links: BTreeSet<Hash>,
    rooms: BTreeSet<&'a str>,
    invited: BTreeSet<Hash>,
    inviters: BTreeSet<i64>,
    invites: BTreeSet<&'a str>,
}

impl<'a> Wanted<'a> {
    fn of(changes: &[&'a EmailChange]) -> Self {
        let mut wanted = Self::default();
        for change in changes {
            wanted.add(change);
        }
        wanted
    }

    fn add(&mut self, change: &'a EmailChange) {
        match change {
            EmailChange::Ask(ask) => {
                self.sessions.insert(ask.session_id.clone());
                self.addresses.insert(ask.address_hash);
                self.asked.insert(ask.address_hash);
            }
            EmailChange::Confirm { token } => drop(self.links.insert(*token)),
            EmailChange::Add { user_id, claim, .. } => {
                self.names.insert(user_id.as_str());
                self.add_claim(claim);
            }
            EmailChange::UseForPassword { user, claim } => {
                self.users.insert(*user);
                self.add_claim(claim);
            }
            EmailChange::RemoveAll { user } => {
                self.users.insert(*user);
                self.inviters.insert(*user);
            }
            EmailChange::Invite(invite) => {
                let address = invite.mail.address_hash;
                self.addresses.insert(address);
                self.asked.insert(address);
                self.invited.insert(address);
                self.inviters.insert(invite.inviter);
                self.rooms.insert(invite.room_id.as_str());
            }
            EmailChange::EndInvite { token } => drop(self.invites.insert(token)),
            EmailChange::Write(mail) => drop(self.asked.insert(mail.address_hash)),
            EmailChange::Remove { user, .. } | EmailChange::Notify { user, .. } => {
                self.users.insert(*user);
            }
            EmailChange::Forget { .. } => {}
        }
    }

    fn add_claim(&mut self, claim: &Claim) {
        self.sessions.insert(claim.session_id.clone());
    }
}

impl EmailWork {
    /// Reads what the changes' checks depend on.
    pub(crate) async fn load(
        keyring: &Keyring,
        tx: &Tx,
        changes: &[&EmailChange],
        hour_ago: Timestamp,
    ) -> Result<Self, StoreError> {
        let mut wanted = Wanted::of(changes);
        let names: Vec<&str> = wanted.names.iter().copied().collect();
        let numbers = tx.intern_users(&names).await?;
        let names: BTreeMap<String, i64> =
            names.into_iter().map(str::to_owned).zip(numbers).collect();
        wanted.users.extend(names.values());
        let mut scopes = vec![Scope::Deployment];
        scopes.extend(names.values().map(|user| Scope::User(*user)));
        let mut work = Self {
            keys: keyring.keys_in(tx, scopes).await?,
            names,
            addresses: Staged::default(),
            sessions: Staged::default(),
            links: BTreeMap::new(),
            asked: Staged::default(),
            rooms: BTreeMap::new(),
            invites: Staged::default(),
            mails: Journal::default(),
            forgotten: Journal::default(),
            now: None,
        };
        work.load_sessions(keyring, tx, &mut wanted).await?;
        work.load_addresses(keyring, tx, &wanted).await?;
        work.load_invites(tx, &wanted).await?;
        for address in &wanted.asked {
            let params = [address.as_slice().into(), hour_ago.as_millis().into()];
            if let Some(row) = tx.query_opt(COUNT_ASKED, &params).await? {
                let first = Timestamp::from_millis(row.int(1)?);
                work.asked.load(*address, (row.int(0)?, first));
            }
        }
        Ok(work)
    }

    async fn load_sessions(
        &mut self,
        keyring: &Keyring,
        tx: &Tx,
        wanted: &mut Wanted<'_>,
    ) -> Result<(), StoreError> {
        for token in &wanted.links {
            let params = [token.as_slice().into()];
            let row = tx.query_opt(READ_LINK, &params).await?;
            let session_id = row.map(|row| row.opt_text(0).map(|id| id.map(str::to_owned)));
            if let Some(session_id) = session_id.transpose()?.flatten() {
                self.links.insert(*token, session_id.clone());
                wanted.sessions.insert(session_id);
            }
        }
        for session_id in &wanted.sessions {
            let params = [session_id.as_str().into()];
            if let Some(row) = tx.query_opt(READ_SESSION, &params).await? {
                let session = session_of(keyring, tx, session_id, &row).await?;
                // Whom it belongs to now is looked at when it is used.
                wanted.addresses.insert(session.address_hash);
                self.sessions.load(session_id.clone(), session);
            }
        }
        Ok(())
    }

    async fn load_addresses(
        &mut self,
        keyring: &Keyring,
        tx: &Tx,
        wanted: &Wanted<'_>,
    ) -> Result<(), StoreError> {
        let mut rows = Vec::new();
        for address in &wanted.addresses {
            rows.extend(tx.query(READ_ADDRESS, &[address.as_slice().into()]).await?);
        }
        for user in &wanted.users {
            rows.extend(tx.query(READ_ADDRESSES_OF, &[(*user).into()]).await?);
        }
        for row in rows {
            let (hash, address) = address_row_of(keyring, tx, &row).await?;
            self.addresses.load(hash, address);
        }
        Ok(())
    }

    async fn load_invites(&mut self, tx: &Tx, wanted: &Wanted<'_>) -> Result<(), StoreError> {
        let rooms: Vec<&str> = wanted.rooms.iter().copied().collect();
        let numbers = tx.intern_rooms(&rooms).await?;
        let rooms = rooms.into_iter().map(str::to_owned);
        self.rooms = rooms.zip(numbers).collect();
        let mut rows = Vec::new();
        for address in &wanted.invited {
            let params = [address.as_slice().into()];
            rows.extend(tx.query(READ_INVITES_AT, &params).await?);
        }
        for inviter in &wanted.inviters {
            rows.extend(tx.query(READ_INVITES_BY, &[(*inviter).into()]).await?);
        }
        for token in &wanted.invites {
            rows.extend(tx.query(READ_INVITE, &[(*token).into()]).await?);
        }
        for row in rows {
            let place = (hash_of(row.bytes(0)?)?, row.int(1)?);
            let invite = InviteRow {
                token: row.text(2)?.to_owned(),
                public_key: row.text(3)?.to_owned(),
                inviter: row.int(4)?,
                made_at: Timestamp::from_millis(row.int(5)?),
            };
            self.invites.load(place, invite);
        }
        Ok(())
    }

    /// Ends an intent in every table.
    pub(crate) fn settle(&mut self, keep: bool) {
        self.addresses.settle(keep);
        self.sessions.settle(keep);
        self.asked.settle(keep);
        self.invites.settle(keep);
        self.mails.settle(keep);
        self.forgotten.settle(keep);
    }
}

async fn address_row_of(
    keyring: &Keyring,
    reader: &Reader,
    row: &Row,
) -> Result<(Hash, AddressRow), StoreError> {
    let hash = hash_of(row.bytes(0)?)?;
    let id = place::hash_row(&hash);
    let opened = keyring.open(reader, place::address(&id), row.bytes(2)?);
    let address = AddressRow {
        user: row.int(1)?,
        address: AtRest::Plain(opened.await?),
        validated_at: Timestamp::from_millis(row.int(3)?),
        added_at: Timestamp::from_millis(row.int(4)?),
    };
    Ok((hash, address))
}

/// Reads a row of [`READ_SESSION`].
pub(crate) async fn session_of(
    keyring: &Keyring,
    reader: &Reader,
    session_id: &str,
    row: &Row,
) -> Result<SessionRow, StoreError> {
    let purpose = EmailPurpose::of(row.int(1)?);
    let address = place::session_address(session_id);
    let address = keyring.open(reader, address, row.bytes(3)?).await?;
    let next_link = match row.opt_bytes(4)? {
        Some(sealed) => {
            let opened = keyring.open(reader, place::next_link(session_id), sealed);
            Some(text_of(opened.await?)?)
        }
        None => None,
    };
    Ok(SessionRow {
        secret_hash: hash_of(row.bytes(0)?)?,
        purpose: purpose
            .ok_or_else(|| StoreError::Damaged("a proof of mail is for nothing".to_owned()))?,
        address_hash: hash_of(row.bytes(2)?)?,
        address: address_of(&address)?,
        next_link,
        send_attempt: row.int(5)?,
        user: row.opt_int(6)?,
        validated_at: moment_of(row, 7)?,
        expires_at: Timestamp::from_millis(row.int(8)?),
    })
}
