//! What the tables of addresses can be asked to become.

use std::time::Duration;

use model::{language::Language, mail_address::MailAddress};
use ruma::{OwnedRoomId, OwnedUserId};
use store::StoreError;

use super::{EmailPurpose, MOST_EMAIL_INVITES, rows::Content};
use crate::rows::Hash;

/// One change of addresses, or of what proves them.
pub enum EmailChange {
    /// Begins a proof, or goes on with one, and writes the mail that it takes.
    Ask(Ask),
    /// Somebody has opened the link in a mail, and says that they asked for it.
    Confirm {
        /// The hash of the secret in the link.
        token: Hash,
    },
    /// Adds an address to an account, and uses up what proved it.
    Add {
        /// Whose account, which may be made by the same intent.
        user_id: OwnedUserId,
        /// What proved the address.
        claim: Claim,
        /// What it was proved for.
        purpose: EmailPurpose,
    },
    /// Uses up what proved that the owner of an account wants a new password, and refuses the
    /// whole intent when it does not hold any more.
    UseForPassword {
        /// Whose account.
        user: i64,
        /// What proved it.
        claim: Claim,
    },
    /// Takes an address from an account.
    Remove {
        /// Whose account.
        user: i64,
        /// The keyed hash of the address.
        address: Hash,
    },
    /// Takes all addresses from an account, and back what its owner has invited by addresses.
    RemoveAll {
        /// Whose account.
        user: i64,
    },
    /// Writes a mail to each address of an account.
    Notify {
        /// Whose account.
        user: i64,
        /// Secret bytes, from which the mails get their ids.
        seed: Hash,
    },
    /// Somebody is invited into a room by an address that stands for no account, and told so by
    /// mail. Who is invited there already is not invited again: nothing of the intent is done.
    Invite(Box<Invite>),
    /// An invitation by an address is good no longer; when it was not, nothing of the intent is
    /// done.
    EndInvite {
        /// Its token.
        token: String,
    },
    /// Writes a mail that an administrator asks for.
    Write(Box<Write>),
    /// A mail was handed on: what it says is kept no longer.
    Forget {
        /// Which.
        mail: Hash,
    },
}

/// A proof that is asked for.
pub struct Ask {
    /// The id of the session.
    pub(crate) session_id: String,
    /// The hash of the client's secret.
    pub(crate) secret_hash: Hash,
    /// What it is for.
    pub(crate) purpose: EmailPurpose,
    /// The address.
    pub(crate) address: MailAddress,
    /// The keyed hash of the address.
    pub(crate) address_hash: Hash,
    /// Which mail the client asks for; no higher number, no further mail.
    pub(crate) send_attempt: i64,
    /// Where the person goes on, once they have confirmed.
    pub(crate) next_link: Option<String>,
    /// The secret of the mail's link, which is nowhere in clear.
    pub(crate) token: zeroize::Zeroizing<String>,
    /// Its hash.
    pub(crate) token_hash: Hash,
    /// The language of who asks.
    pub(crate) language: Language,
}

/// An invitation into a room by an address.
pub struct Invite {
    /// The room, which may be made by the same intent.
    pub(crate) room_id: OwnedRoomId,
    /// Who invites, interned.
    pub(crate) inviter: i64,
    /// The state key of the event that stands for whom is invited.
    pub(crate) token: String,
    /// The public key that the event names.
    pub(crate) public_key: String,
    /// The token of an invitation of the same address into this room that is worth nothing more.
    pub(crate) replaces: Option<String>,
    /// The mail.
    pub(crate) mail: Write,
}

/// A mail that is written because somebody asks for it.
#[derive(Clone)]
pub struct Write {
    /// Its id.
    pub(crate) id: Hash,
    /// The keyed hash of the address.
    pub(crate) address_hash: Hash,
    /// What the mail belongs to: it counts among those that its address is sent in an hour.
    pub(crate) about: String,
    /// What it is made of.
    pub(crate) content: Content,
}

/// What a client shows to have proved an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The session's id.
    pub(crate) session_id: String,
    /// The hash of the client's secret.
    pub(crate) secret_hash: Hash,
}

/// What became of a change.
#[derive(Debug)]
pub enum EmailOutcome {
    /// It stands, or stood before.
    Done,
    /// The proof is confirmed; where the person goes on.
    Confirmed(Option<String>),
    /// An address was added: which.
    Added(MailAddress),
    /// There was nothing to change.
    Unchanged,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum EmailRefusal {
    /// The address was sent as many mails as it may be sent.
    #[error("this address was sent many mails already; try again later")]
    TooManyMails(Duration),
    /// The link was never sent, has served its purpose or has expired.
    #[error("the link is not known, has served its purpose or has expired")]
    LinkNotValid,
    /// Nobody has confirmed the address, or too long ago, or it was used already.
    #[error("the address of mail was not confirmed, or too long ago, or that was used already")]
    NotConfirmed,
    /// The address belongs to another account.
    #[error("the address of mail belongs to an account already")]
    InUse,
    /// The account has as many addresses as one can have.
    #[error("an account has at most {0} addresses of mail")]
    TooMany(i64),
    /// The address stands for an account: that is invited by its id.
    #[error("the address of mail belongs to an account")]
    HasAccount,
    /// The user has invited as many people by their addresses as one may.
    #[error("you have invited {MOST_EMAIL_INVITES} people by email who have not come yet")]
    TooManyInvites,
    /// What stands could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl EmailRefusal {
    /// This refusal where only the store can be at fault.
    pub(crate) fn into_store(self) -> StoreError {
        match self {
            Self::Store(error) => error,
            other => StoreError::Refused(other.to_string()),
        }
    }
}
