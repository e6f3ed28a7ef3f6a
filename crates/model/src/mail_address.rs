//! Addresses of mail, in the one form in which they are compared, stored and written to.

use std::fmt;

use url::Host;

/// The longest address that a mail server takes ([RFC 3696, errata]).
///
/// [RFC 3696, errata]: https://www.rfc-editor.org/errata/eid1690
pub const MAX_ADDRESS_BYTES: usize = 254;

/// The longest part before the `@`.
const MAX_LOCAL_BYTES: usize = 64;

/// An address of mail without upper case, its domain in ASCII ([spec]).
///
/// Mail goes to this form and to no other: whoever types an address that only folds to somebody
/// else's has their mail sent to the one that is known. It holds nothing that ends a line or an
/// address, so it may stand in a header and in a command of SMTP. `Debug` does not show it.
///
/// [spec]: https://spec.matrix.org/v1.19/appendices/#3pid-types
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailAddress(String);

/// A text is no address that this server can write to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not an address of mail that this server can write to")]
pub struct NoMailAddress;

impl MailAddress {
    /// Reads an address, and folds it.
    ///
    /// Names in quotes, addresses without a domain and names that are not ASCII when they are
    /// folded are refused: few mail servers take them, and none need them.
    ///
    /// ```
    /// use model::mail_address::MailAddress;
    ///
    /// let address = MailAddress::parse("Strauß@Example.com").unwrap();
    /// assert_eq!(address.as_str(), "strauss@example.com");
    /// ```
    pub fn parse(text: &str) -> Result<Self, NoMailAddress> {
        if text.len() > MAX_ADDRESS_BYTES {
            return Err(NoMailAddress);
        }
        let (local, domain) = text.rsplit_once('@').ok_or(NoMailAddress)?;
        let local = folded(local);
        if !is_local(&local) {
            return Err(NoMailAddress);
        }
        let domain = read_domain(domain).ok_or(NoMailAddress)?;
        let address = format!("{local}@{domain}");
        match address.len() <= MAX_ADDRESS_BYTES {
            true => Ok(Self(address)),
            false => Err(NoMailAddress),
        }
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the `@`, and what behind it.
    pub fn parts(&self) -> (&str, &str) {
        self.0.split_once('@').unwrap_or((&self.0, ""))
    }
}

impl fmt::Debug for MailAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MailAddress(…)")
    }
}

/// Upper case first: `ß` and `ẞ`, `ς` and `σ` then meet.
fn folded(text: &str) -> String {
    let upper = text.chars().flat_map(char::to_uppercase);
    upper.flat_map(char::to_lowercase).collect()
}

/// Whether it is what RFC 5322 calls a dot-atom.
fn is_local(local: &str) -> bool {
    let is_atom = |atom: &str| {
        let fits =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
        !atom.is_empty() && atom.bytes().all(fits)
    };
    local.len() <= MAX_LOCAL_BYTES && local.split('.').all(is_atom)
}

fn read_domain(text: &str) -> Option<String> {
    // What is escaped in a URL is not in an address.
    if text.contains('%') {
        return None;
    }
    let Host::Domain(domain) = Host::parse(text).ok()? else {
        return None;
    };
    let is_label = |label: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let edged = label.starts_with('-') || label.ends_with('-');
        !label.is_empty() && label.len() <= 63 && !edged && label.bytes().all(fits)
    };
    domain.split('.').all(is_label).then_some(domain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::MailAddress;

    fn parse(text: &str) -> Option<String> {
        let address = MailAddress::parse(text).ok();
        address.map(|address| address.as_str().to_owned())
    }

    #[test]
    fn addresses_that_are_the_same_have_one_form() {
        for (written, folded) in [
            ("alice@example.org", "alice@example.org"),
            ("Alice.B+tag@EXAMPLE.org", "alice.b+tag@example.org"),
            ("Strauß@Example.com", "strauss@example.com"),
            ("ſ\u{212a}@example.com", "sk@example.com"),
            ("o'hara@sub.example.org", "o'hara@sub.example.org"),
            ("a@bücher.example", "a@xn--bcher-kva.example"),
            ("a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
            ("root@localhost", "root@localhost"),
        ] {
            assert_eq!(parse(written).as_deref(), Some(folded), "{written}");
        }
    }

    #[test]
    fn what_no_mail_can_go_to_is_refused() {
        for text in [
            "",
            "alice",
            "@example.org",
            "alice@",
            "a b@example.org",
            "a@b@example.org",
            ".a@example.org",
            "a.@example.org",
            "a..b@example.org",
            "\"a\"@example.org",
            "a@example.org\r\nRCPT TO:<b@example.org>",
            "a\n@example.org",
            "a\0@example.org",
            "a@exam ple.org",
            "a@example..org",
            "a@example.org.",
            "a@-example.org",
            "a@127.0.0.1",
            "a@[127.0.0.1]",
            "a@[::1]",
            "a@example%2eorg",
            "a@exa_mple.org",
            "王@example.org",
            "<a@example.org>",
            "a@example.org,b@example.org",
            "a@example.org>",
            "Alice <a@example.org>",
            "mailto:a@example.org",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
        assert_eq!(parse(&format!("{}@example.org", "a".repeat(65))), None);
        let long = format!("a@{}example.org", "abcdefghi.".repeat(25));
        assert_eq!(parse(&long), None);
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_plain_and_reads_as_itself(text in ".{0,40}@.{0,40}|[a-zß@.\r\n ]{0,20}") {
            if let Some(address) = parse(&text) {
                prop_assert!(address.is_ascii());
                let is_bad = |letter: char| {
                    letter.is_ascii_control()
                        || letter.is_ascii_uppercase()
                        || " <>,;:\"()[]\\".contains(letter)
                };
                prop_assert!(!address.contains(is_bad));
                prop_assert_eq!(address.matches('@').count(), 1);
                prop_assert_eq!(parse(&address), Some(address.clone()));
            }
        }
    }
}
