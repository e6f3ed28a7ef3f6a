//! `[registration]`: who may make an account.

use std::{collections::BTreeSet, path::PathBuf};

use super::section;
use crate::{
    reader::Reader,
    values::{Policy, Raw, Rejection, Secret, Value, choose, list_choices, quoted},
};

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
        /// To what people agree who register for themselves, as `[[registration.terms]]`: documents
        /// with an id, a version and, for each language and at least English (`en`), a name and an
        /// address. To which version of which document somebody agreed stands in the audit record.
        terms: Vec<Policy> = "";
        /// The secret with which tools register accounts at `/_synapse/admin/v1/register`.
        /// Without it that path is unknown.
        shared_secret: Option<Secret> = "";
        /// A file that holds `registration.shared_secret`.
        shared_secret_file: Option<PathBuf> = "";
    }
}

/// The most documents.
const MOST_TERMS: usize = 16;

impl Registration {
    /// Reads the section, in which no two documents have one id.
    pub(crate) fn read_checked(reader: &Reader) -> Option<Self> {
        let registration = Self::read(reader)?;
        let terms = &registration.terms;
        let ids: BTreeSet<&str> = terms.iter().map(|policy| policy.id.as_str()).collect();
        if terms.len() > MOST_TERMS {
            reader.refuse("registration.terms", "has too many documents", "16 at most");
            return None;
        }
        if ids.len() < terms.len() {
            let accepted = "an id of its own for each document";
            reader.refuse("registration.terms", "names an id twice", accepted);
            return None;
        }
        Some(registration)
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
