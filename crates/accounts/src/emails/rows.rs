//! The rows of the tables of addresses, as the checks see them.

use model::{language::Language, mail_address::MailAddress, time::Timestamp};
use serde::{Deserialize, Serialize};
use store::{Row, StoreError};
use zeroize::Zeroizing;

use super::{EMAIL_INVITE_LIFETIME, EmailPurpose, room_invites::InviteWords};
use crate::rows::{AtRest, Hash};

/// A row of `email_addresses`.
#[derive(Clone, Debug)]
pub(crate) struct AddressRow {
    pub(crate) user: i64,
    /// The address, under its owner's key.
    pub(crate) address: AtRest,
    pub(crate) validated_at: Timestamp,
    pub(crate) added_at: Timestamp,
}

/// A row of `email_sessions`.
#[derive(Clone, Debug)]
pub(crate) struct SessionRow {
    pub(crate) secret_hash: Hash,
    pub(crate) purpose: EmailPurpose,
    pub(crate) address: MailAddress,
    pub(crate) address_hash: Hash,
    pub(crate) next_link: Option<String>,
    pub(crate) send_attempt: i64,
    pub(crate) user: Option<i64>,
    pub(crate) validated_at: Option<Timestamp>,
    pub(crate) expires_at: Timestamp,
}

/// A row of `email_invites`, found by the hash of the address and the room.
#[derive(Clone, Debug)]
pub(crate) struct InviteRow {
    pub(crate) token: String,
    pub(crate) public_key: String,
    pub(crate) inviter: i64,
    pub(crate) made_at: Timestamp,
}

impl InviteRow {
    /// Whether it can be taken up no longer.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        now.since(self.made_at) >= EMAIL_INVITE_LIFETIME
    }
}

/// A row of `account_mails` that a batch writes.
pub(crate) struct MailRow {
    pub(crate) id: Hash,
    pub(crate) address_hash: Hash,
    pub(crate) session_id: Option<String>,
    pub(crate) content: Content,
    pub(crate) made_at: Timestamp,
    pub(crate) pos: i64,
}

/// What a mail is made of, sealed in `account_mails.content`.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Content {
    /// Which mail; none where somebody asked for a mail to an address that nobody here has.
    #[serde(rename = "k")]
    pub(crate) kind: Option<Kind>,
    #[serde(rename = "a")]
    pub(crate) address: String,
    /// Whose account it is about.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<i64>,
    /// The secret of its link.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<Zeroizing<String>>,
    /// The language of who asked for it.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub(crate) language: Option<Language>,
    /// What an invitation into a room tells.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub(crate) words: Option<InviteWords>,
    /// Until when what it carries is good, in milliseconds.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub(crate) ends_at: Option<i64>,
}

/// The kinds of mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    AddAddress,
    Register,
    ResetPassword,
    AddressInUse,
    PasswordChanged,
    RoomInvite,
    Invitation,
}

/// Where sealed values of these tables stand.
pub(crate) mod place {
    use seal::Place;

    use crate::rows::Hash;

    /// `email_addresses.address`; the id comes from [`hash_row`].
    pub(crate) fn address(id: &str) -> Place<'_> {
        let (table, column) = ("email_addresses", "address");
        Place { table, column, id }
    }

    /// `email_sessions.address`; the id is the session's.
    pub(crate) fn session_address(id: &str) -> Place<'_> {
        let (table, column) = ("email_sessions", "address");
        Place { table, column, id }
    }

    /// `email_sessions.next_link`; the id is the session's.
    pub(crate) fn next_link(id: &str) -> Place<'_> {
        let (table, column) = ("email_sessions", "next_link");
        Place { table, column, id }
    }

    /// `account_mails.content`; the id comes from [`hash_row`].
    pub(crate) fn mail(id: &str) -> Place<'_> {
        let (table, column) = ("account_mails", "content");
        Place { table, column, id }
    }

    /// The stable id of a row that is keyed by a hash.
    pub(crate) fn hash_row(hash: &Hash) -> String {
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Reads a hash as it is stored.
pub(crate) fn hash_of(bytes: &[u8]) -> Result<Hash, StoreError> {
    Hash::try_from(bytes).map_err(|_| StoreError::Damaged("a hash is not 32 bytes long".to_owned()))
}

/// Reads an address that was opened.
pub(crate) fn address_of(opened: &[u8]) -> Result<MailAddress, StoreError> {
    let text = std::str::from_utf8(opened).ok();
    let address = text.and_then(|text| MailAddress::parse(text).ok());
    address.ok_or_else(|| StoreError::Damaged("a stored address of mail is none".to_owned()))
}

/// Reads text that was opened.
pub(crate) fn text_of(opened: Vec<u8>) -> Result<String, StoreError> {
    String::from_utf8(opened)
        .map_err(|_| StoreError::Damaged("a stored text is not UTF-8".to_owned()))
}

/// Reads a moment that may be absent.
pub(crate) fn moment_of(row: &Row, index: usize) -> Result<Option<Timestamp>, StoreError> {
    Ok(row.opt_int(index)?.map(Timestamp::from_millis))
}
