//! The mails that wait to be handed on: whoever sends mail reads them here.

use model::{language::Language, mail_address::MailAddress, time::Timestamp};
use ruma::OwnedUserId;
use store::{Intent, Pos, Row, Snapshot, StoreError};
use zeroize::Zeroizing;

use super::{
    applier::EmailChanges,
    change::{EmailChange, EmailRefusal, Write},
    room_invites::InviteWords,
    rows::{Content, Kind, address_of, hash_of, place},
};
use crate::{
    Accounts, rows,
    rows::Hash,
    secret::{self, Secret},
};

/// A mail that was not handed on yet.
#[derive(Clone, Debug)]
pub struct WaitingMail {
    /// What tells it from all others.
    pub id: [u8; 32],
    /// To whom.
    pub to: MailAddress,
    /// What it says.
    pub kind: MailKind,
    /// The language of who asked for it, if somebody did.
    pub language: Option<Language>,
    /// When it was asked for.
    pub at: Timestamp,
}

/// What a mail says.
#[derive(Clone)]
pub enum MailKind {
    /// Asks whether the reader adds the address to an account; the secret of the link.
    AddAddress(Zeroizing<String>),
    /// Asks whether the reader makes an account; the secret of the link.
    Register(Zeroizing<String>),
    /// Asks whether the reader wants a new password for their account; the secret of the link.
    ResetPassword(Zeroizing<String>, OwnedUserId),
    /// Tells that the address belongs to an account already.
    AddressInUse(OwnedUserId),
    /// Tells that the password of the reader's account was changed.
    PasswordChanged(OwnedUserId),
    /// Tells that a user invites the reader into a room, and how these are called.
    RoomInvite(OwnedUserId, InviteWords),
    /// Invites the reader to make an account: with which token, and until when.
    Invitation(Zeroizing<String>, Option<Timestamp>),
    /// Nothing: nobody here has the address, and whoever asked is not to notice.
    Nothing,
}

impl std::fmt::Debug for MailKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::AddAddress(_) => "AddAddress",
            Self::Register(_) => "Register",
            Self::ResetPassword(..) => "ResetPassword",
            Self::AddressInUse(_) => "AddressInUse",
            Self::PasswordChanged(_) => "PasswordChanged",
            Self::RoomInvite(..) => "RoomInvite",
            Self::Invitation(..) => "Invitation",
            Self::Nothing => "Nothing",
        })
    }
}

const WRITTEN: &str = "SELECT address_hash, pos FROM account_mails \
     WHERE content IS NOT NULL AND pos > $1 AND pos <= $2 ORDER BY pos, address_hash";
const READ: &str = "SELECT mail_id, content, made_at FROM account_mails \
     WHERE address_hash = $1 AND pos = $2 AND content IS NOT NULL";

impl Accounts {
    /// Which mails were written between two positions of the log, the second included, and were
    /// not handed on: a name for whom each is for, which shows nothing of them, and its position.
    pub async fn mails_written(
        &self,
        after: Pos,
        until: Pos,
    ) -> Result<Vec<(String, Pos)>, StoreError> {
        let params = [after.get().into(), until.get().into()];
        let rows = self.database().query(WRITTEN, &params).await?;
        let written = rows.iter().map(|row| {
            let reader = place::hash_row(&hash_of(row.bytes(0)?)?);
            Ok((reader, Pos::new(row.int(1)?)))
        });
        written.collect()
    }

    /// The mail that was written at a position for whom a name stands, unless it was handed on.
    pub async fn mail_for(
        &self,
        reader: &str,
        pos: Pos,
    ) -> Result<Option<WaitingMail>, StoreError> {
        let Some(hash) = hash_named(reader) else {
            return Ok(None);
        };
        let snapshot = self.database().snapshot().await?;
        let params = [hash.as_slice().into(), pos.get().into()];
        match snapshot.query_opt(READ, &params).await? {
            Some(row) => Ok(Some(self.waiting_mail(&snapshot, &row).await?)),
            None => Ok(None),
        }
    }

    async fn waiting_mail(
        &self,
        snapshot: &Snapshot,
        row: &Row,
    ) -> Result<WaitingMail, StoreError> {
        let id = hash_of(row.bytes(0)?)?;
        let place_id = place::hash_row(&id);
        let keyring = &self.inner.keyring;
        let opened = keyring.open(snapshot, place::mail(&place_id), row.bytes(1)?);
        let opened = Zeroizing::new(opened.await?);
        let content: Content = serde_json::from_slice(&opened)
            .map_err(|_| StoreError::Damaged("a stored mail does not parse".to_owned()))?;
        let user_id = match content.user {
            Some(user) => {
                let name = self.database().names().user_name(snapshot, user).await?;
                Some(rows::user_id(&name)?)
            }
            None => None,
        };
        Ok(WaitingMail {
            id,
            to: address_of(content.address.as_bytes())?,
            kind: kind_of(&content, user_id)?,
            language: content.language,
            at: Timestamp::from_millis(row.int(2)?),
        })
    }

    /// Forgets what a mail says that was handed on.
    pub async fn forget_mail(&self, mail: Hash) -> Result<(), StoreError> {
        let forgotten = self.commit_email(EmailChange::Forget { mail }).await;
        forgotten.map(drop).map_err(EmailRefusal::into_store)
    }

    /// Writes to each address of an account, in an intent, that its password was changed.
    pub fn add_password_notice(&self, intent: &mut Intent, user: i64) {
        if !self.sends_mail() {
            return;
        }
        let mut seed = [0; 32];
        self.inner.entropy.fill(&mut seed);
        intent.add::<EmailChanges>(EmailChange::Notify { user, seed });
    }
}

impl Accounts {
    /// Writes a registration token, in an intent, to who is to register with it.
    pub(crate) fn add_invitation_mail(
        &self,
        intent: &mut Intent,
        address: &MailAddress,
        (token, ends_at): (&str, Option<Timestamp>),
    ) {
        let id = Secret::new(&*self.inner.entropy, secret::EMAIL).hash;
        intent.add::<EmailChanges>(EmailChange::Write(Box::new(Write {
            id,
            address_hash: self.email_hash(address),
            about: place::hash_row(&id),
            content: Content {
                kind: Some(Kind::Invitation),
                address: address.as_str().to_owned(),
                token: Some(Zeroizing::new(token.to_owned())),
                ends_at: ends_at.map(Timestamp::as_millis),
                ..Content::default()
            },
        })));
    }
}

/// The hash that [`place::hash_row`] wrote.
fn hash_named(text: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, digits) in hash.iter_mut().zip(0..) {
        let digits = text.get(2 * digits..2 * digits + 2)?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(hash)
}

fn kind_of(content: &Content, user_id: Option<OwnedUserId>) -> Result<MailKind, StoreError> {
    let kind = match (content.kind, content.token.clone(), user_id) {
        (None, ..) => MailKind::Nothing,
        (Some(Kind::AddAddress), Some(token), _) => MailKind::AddAddress(token),
        (Some(Kind::Register), Some(token), _) => MailKind::Register(token),
        (Some(Kind::ResetPassword), Some(token), Some(user_id)) => {
            MailKind::ResetPassword(token, user_id)
        }
        (Some(Kind::AddressInUse), _, Some(user_id)) => MailKind::AddressInUse(user_id),
        (Some(Kind::PasswordChanged), _, Some(user_id)) => MailKind::PasswordChanged(user_id),
        (Some(Kind::RoomInvite), _, Some(user_id)) => {
            MailKind::RoomInvite(user_id, content.words.clone().unwrap_or_default())
        }
        (Some(Kind::Invitation), Some(token), _) => {
            let ends_at = content.ends_at.map(Timestamp::from_millis);
            MailKind::Invitation(token, ends_at)
        }
        _ => return Err(StoreError::Damaged("a stored mail lacks a part".to_owned())),
    };
    Ok(kind)
}
