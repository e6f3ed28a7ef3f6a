//! Addresses of mail that stand for accounts: how they are proved, added, found and taken away, and
//! the mails that this takes.
//!
//! Whoever asks for a proof is told the same, and as fast, whether or not the address is known
//! here: the same rows are written, and the mail alone differs. Mail is sent from the log: a row of
//! `account_mails` is committed with what it is about, and whoever sends it reads it from there
//! ([`WaitingMail`]).

mod addresses;
mod applier;
mod change;
mod check;
mod links;
mod mails;
mod requests;
mod room_invites;
mod rows;
mod uses;
mod work;
mod write;

use std::time::Duration;

pub use addresses::{EmailAddress, EmailError};
pub use applier::EmailChanges;
pub use change::{EmailChange, EmailOutcome, EmailRefusal};
pub use links::{Confirmed, EmailLink};
pub use mails::{MailKind, WaitingMail};
pub use requests::{EmailRequest, EmailRequestError};
pub use room_invites::{DueEmailInvite, InviteWords, NewEmailInvite};
pub use uses::{EmailProof, ForgottenPassword};

/// How long a link in a mail is good, and how long what it proved can be used.
pub const EMAIL_PROOF_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// How many mails one address can be sent in an hour because somebody asks for it.
pub const EMAILS_IN_AN_HOUR: i64 = 5;

/// How long somebody who was invited by their address can make that address an account's.
pub const EMAIL_INVITE_LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How many people one user can have invited by their addresses who have not come yet.
pub const MOST_EMAIL_INVITES: usize = 100;

/// How many addresses can stand for one account.
pub const MOST_EMAILS: i64 = 20;

/// What a proof is for; it is good for nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmailPurpose {
    /// Adding the address to an account.
    AddAddress,
    /// Making an account.
    Register,
    /// Replacing a password that was forgotten.
    ResetPassword,
}

impl EmailPurpose {
    pub(crate) const fn number(self) -> i64 {
        match self {
            Self::AddAddress => 1,
            Self::Register => 2,
            Self::ResetPassword => 3,
        }
    }

    pub(crate) const fn of(number: i64) -> Option<Self> {
        match number {
            1 => Some(Self::AddAddress),
            2 => Some(Self::Register),
            3 => Some(Self::ResetPassword),
            _ => None,
        }
    }
}
