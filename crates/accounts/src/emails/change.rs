//! What the tables of addresses can be asked to become.

use std::time::Duration;

use model::{language::Language, mail_address::MailAddress};
use ruma::OwnedUserId;
use store::StoreError;

use super::EmailPurpose;
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
    /// Takes all addresses from an account.
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
