//! How people are reached: user ids, addresses of mail and of pages.

use ruma::OwnedUserId;
use url::Url;

use super::{Raw, Rejection, Value, quoted};

/// The longest address of mail that a mail server takes.
const LONGEST_EMAIL: usize = 254;

/// An address of mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// Gives the address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value for EmailAddress {
    fn accepts() -> String {
        "an address of mail, such as \"admin@example.org\"".to_owned()
    }

    fn parse(raw: &Raw) -> Result<Self, Rejection> {
        let text = raw.text()?;
        let is_plain = |part: &str| {
            let odd = |letter: char| letter.is_whitespace() || letter.is_control() || letter == '@';
            !part.is_empty() && !part.contains(odd)
        };
        let parts = text.split_once('@');
        let fits = parts.is_some_and(|(name, host)| is_plain(name) && is_plain(host));
        if !fits || text.len() > LONGEST_EMAIL {
            return Err(Rejection::new("is not an address of mail"));
        }
        Ok(Self(text.to_owned()))
    }

    fn show(&self) -> String {
        quoted(&self.0)
    }
}

/// The address of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageUrl(Url);

impl PageUrl {
    /// Gives the address.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl Value for PageUrl {
    fn accepts() -> String {
        "an http:// or https:// URL, such as \"https://example.org/help\"".to_owned()
    }

    fn parse(raw: &Raw) -> Result<Self, Rejection> {
        let url: Url = raw
            .text()?
            .parse()
            .map_err(|_| Rejection::new("is not a URL"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Rejection::new("is not an http:// or https:// URL"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Rejection::new("names a user or a password"));
        }
        Ok(Self(url))
    }

    fn show(&self) -> String {
        quoted(self.0.as_str())
    }
}

impl Value for OwnedUserId {
    fn accepts() -> String {
        "a user id, such as \"@admin:example.org\"".to_owned()
    }

    fn parse(raw: &Raw) -> Result<Self, Rejection> {
        Self::try_from(raw.text()?).map_err(|_| Rejection::new("is not a user id"))
    }

    fn show(&self) -> String {
        quoted(self.as_str())
    }
}
