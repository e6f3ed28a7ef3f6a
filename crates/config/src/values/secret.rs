//! Text that must not be shown.

use std::fmt;

use zeroize::Zeroizing;

use super::{Raw, Rejection, Value, quoted};

/// What stands in the place of a secret wherever a configuration is shown.
pub(crate) const MASK: &str = "********";

/// A secret from the configuration; it is wiped when dropped, and `Debug` masks it.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// Hands out the secret to the code that uses it; compare it in constant time.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Value for Secret {
    const SECRET: bool = true;

    fn accepts() -> String {
        "text".to_owned()
    }

    fn parse(raw: &Raw) -> Result<Self, Rejection> {
        let text = raw.text()?;
        if text.trim().is_empty() {
            return Err(Rejection::new("is blank"));
        }
        if text.contains('\0') {
            return Err(Rejection::new("holds a NUL character"));
        }
        Ok(Self::new(text))
    }

    fn show(&self) -> String {
        quoted(MASK)
    }
}
