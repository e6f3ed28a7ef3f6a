//! Names of users: the one before the colon, and the one that people see.

use super::{Raw, Rejection, Value, quoted};

/// The longest of either.
const LONGEST: usize = 128;

/// The part of a user id before the colon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Localpart(String);

impl Localpart {
    /// Gives the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value for Localpart {
    fn accepts() -> String {
        "a user name before the colon: lower-case letters, digits and `.`, `_`, `-`, `=`, `/`, `+`"
            .to_owned()
    }

    fn parse(raw: &Raw) -> Result<Self, Rejection> {
        let text = raw.text()?;
        let fits = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-=/+".contains(&byte)
        };
        if text.is_empty() || text.len() > LONGEST || !text.bytes().all(fits) {
            return Err(Rejection::new("is not a user name"));
        }
        Ok(Self(text.to_owned()))
    }

    fn show(&self) -> String {
        quoted(&self.0)
    }
}

/// A name that people see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayName(String);

impl DisplayName {
    /// Gives the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value for DisplayName {
    fn accepts() -> String {
        format!("text of 1 to {LONGEST} bytes in one line")
    }

    fn parse(raw: &Raw) -> Result<Self, Rejection> {
        let text = raw.text()?;
        if text.trim().is_empty() || text.len() > LONGEST || text.chars().any(char::is_control) {
            return Err(Rejection::new("is not a name"));
        }
        Ok(Self(text.to_owned()))
    }

    fn show(&self) -> String {
        quoted(&self.0)
    }
}
