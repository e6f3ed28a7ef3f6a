//! Whose an account is: a person's, a guest's, or the server's own.

use store::StoreError;

/// Whose an account is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccountKind {
    /// A person's, who signs in.
    #[default]
    Person,
    /// A guest's, who has no password, and may use little of the server.
    Guest,
    /// The server's own, which sends notices: nobody signs in to it, or finds it.
    Server,
}

impl AccountKind {
    /// The kind as it is stored.
    pub(crate) const fn stored(self) -> i64 {
        match self {
            Self::Person => 0,
            Self::Guest => 1,
            Self::Server => 2,
        }
    }

    /// Reads the stored kind.
    pub(crate) fn read(stored: i64) -> Result<Self, StoreError> {
        match stored {
            0 => Ok(Self::Person),
            1 => Ok(Self::Guest),
            2 => Ok(Self::Server),
            other => Err(StoreError::Damaged(format!("accounts.kind: {other}"))),
        }
    }
}
