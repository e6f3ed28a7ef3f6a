//! `[registration]`: who may make an account.

use std::path::PathBuf;

use super::section;
use crate::values::{Raw, Rejection, Secret, Value, choose, list_choices, quoted};

section! {
    /// Who may make an account. An administrator's invitation works in each mode.
    pub Registration in "registration" {
        /// `closed`: by invitation only. `token`: whoever has a registration token.
        /// `open`: anybody who reaches this server.
        mode: RegistrationMode = "closed";
        /// Whether anybody who reaches this server may be a guest: have an account without a
        /// password, which reads rooms that everybody may read, and joins those that let guests
        /// in, without registering.
        guests: bool = "false";
        /// The secret with which tools register accounts at `/_synapse/admin/v1/register`.
        /// Without it that path is unknown.
        shared_secret: Option<Secret> = "";
        /// A file that holds `registration.shared_secret`.
        shared_secret_file: Option<PathBuf> = "";
    }
}

/// Who may make an account without an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistrationMode {
    /// Nobody.
    Closed,
    /// Whoever has a registration token.
    Token,
    /// Anybody.
    Open,
}

impl RegistrationMode {
    const CHOICES: [(&str, Self); 3] = [
        ("closed", Self::Closed),
        ("token", Self::Token),
        ("open", Self::Open),
    ];

    /// Gives the name by which the file calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Token => "token",
            Self::Open => "open",
        }
    }
}

impl Value for RegistrationMode {
    fn accepts() -> String {
        list_choices(&Self::CHOICES)
    }

    fn parse(raw: &Raw) -> Result<Self, Rejection> {
        choose(raw, &Self::CHOICES)
    }

    fn show(&self) -> String {
        quoted(self.as_str())
    }
}
