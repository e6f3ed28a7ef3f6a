//! `[encryption]`: which rooms are end-to-end encrypted.

use super::section;
use crate::values::{Raw, Rejection, Value, choose, list_choices, quoted};

section! {
    /// End-to-end encryption of rooms.
    pub Encryption in "encryption" {
        /// `off`: the room's creator decides. `private`: new rooms are encrypted unless they are
        /// public or spaces, or an application service makes them. `required`: all of them but
        /// spaces are, and messages in clear are refused everywhere.
        rooms: EncryptionPolicy = "private";
    }
}

/// Which rooms are end-to-end encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncryptionPolicy {
    /// Those whose creators ask for it.
    Off,
    /// New rooms that are neither public nor typed (spaces).
    Private,
    /// All, and messages in clear are refused.
    Required,
}

impl EncryptionPolicy {
    const CHOICES: [(&str, Self); 3] = [
        ("off", Self::Off),
        ("private", Self::Private),
        ("required", Self::Required),
    ];

    /// Gives the name by which the file calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Private => "private",
            Self::Required => "required",
        }
    }
}

impl Value for EncryptionPolicy {
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
