//! What it takes to send mail: hosts, ports, addresses, names.

use std::fmt;

use url::Host;

use super::{Raw, Rejection, Value, quoted};

/// The longest address that a mail server takes.
const LONGEST_ADDRESS: usize = 254;

/// The longest part of an address before the `@`.
const LONGEST_LOCAL_PART: usize = 64;

/// The longest text in one line.
const LONGEST_LINE: usize = 200;

/// The name or the address of a mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailHost(Host);

impl MailHost {
    /// Gives the name or the address, an IPv6 address without brackets.
    pub fn name(&self) -> String {
        match &self.0 {
            Host::Domain(name) => name.clone(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        }
    }
}

impl Value for MailHost {
    fn accepts() -> String {
        "a host name or an IP address, such as \"mail.example.org\" or \"[::1]\"".to_owned()
    }

    fn parse(raw: &Raw) -> Result<Self, Rejection> {
        let text = raw.text()?;
        let refused = || Rejection::new("is neither a host name nor an IP address");
        if text.contains('%') {
            return Err(refused());
        }
        let host = Host::parse(text).map_err(|_| refused())?;
        match &host {
            Host::Domain(name) if !is_domain(name) => Err(refused()),
            _ => Ok(Self(host)),
        }
    }

    fn show(&self) -> String {
        quoted(&self.0.to_string())
    }
}

/// A port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port(u16);

impl Port {
    /// Gives the number.
    pub fn number(self) -> u16 {
        self.0
    }
}

impl Value for Port {
    fn accepts() -> String {
        "a number from 1 to 65535".to_owned()
    }

    fn parse(raw: &Raw) -> Result<Self, Rejection> {
        let refused = || Rejection::new("is not a port");
        let port = match raw {
            Raw::Number(number) => u16::try_from(*number).map_err(|_| refused())?,
            other => {
                let text = other.text()?;
                let digits = text.bytes().all(|byte| byte.is_ascii_digit());
                let port = digits.then(|| text.parse().ok()).flatten();
                port.ok_or_else(refused)?
            }
        };
        if port == 0 {
            Err(refused())
        } else {
            Ok(Self(port))
        }
    }

    fn show(&self) -> String {
        self.0.to_string()
    }
}

/// An address from which mail is sent: what every mail server takes.
#[derive(Clone, PartialEq, Eq)]
pub struct MailAddress(String);

impl MailAddress {
    /// Gives the address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Value for MailAddress {
    fn accepts() -> String {
        "an address of mail in ASCII, such as \"chat@example.org\"".to_owned()
    }

    fn parse(raw: &Raw) -> Result<Self, Rejection> {
        let text = raw.text()?;
        let fits = text.rsplit_once('@').is_some_and(|(local, domain)| {
            is_local_part(local) && is_domain(domain) && Host::parse(domain).is_ok_and(is_name)
        });
        if !fits || text.len() > LONGEST_ADDRESS {
            return Err(Rejection::new(
                "is not an address from which mail can be sent",
            ));
        }
        Ok(Self(text.to_owned()))
    }

    fn show(&self) -> String {
        quoted(&self.0)
    }
}

/// Numbers between dots are an address and not a name.
fn is_name(host: Host) -> bool {
    matches!(host, Host::Domain(_))
}

/// Words without quotes, joined by dots.
fn is_local_part(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(fits);
    text.len() <= LONGEST_LOCAL_PART && text.split('.').all(is_word)
}

fn is_domain(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let is_label = |label: &str| {
        let edged = label.starts_with('-') || label.ends_with('-');
        !label.is_empty() && label.len() <= 63 && !edged && label.bytes().all(fits)
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

/// Text in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneLine(String);

impl OneLine {
    /// Gives the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value for OneLine {
    fn accepts() -> String {
        format!("text in one line, of at most {LONGEST_LINE} bytes")
    }

    fn parse(raw: &Raw) -> Result<Self, Rejection> {
        let text = raw.text()?;
        if text.trim().is_empty() {
            return Err(Rejection::new("is blank"));
        }
        let ends_lines = |letter: char| letter.is_control() || "\u{2028}\u{2029}".contains(letter);
        if text.contains(ends_lines) {
            return Err(Rejection::new("holds a control character"));
        }
        if text.len() > LONGEST_LINE {
            return Err(Rejection::new("is too long"));
        }
        Ok(Self(text.to_owned()))
    }

    fn show(&self) -> String {
        quoted(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{MailAddress, MailHost, OneLine, Port, Raw, Value};

    fn fits<T: Value>(text: &str) -> bool {
        T::parse(&Raw::Text(text.to_owned())).is_ok()
    }

    #[test]
    fn hosts_ports_and_addresses_are_what_mail_servers_have() {
        for host in ["mail.example.org", "10.0.0.1", "[::1]", "localhost", "mail"] {
            assert!(fits::<MailHost>(host), "{host}");
        }
        for host in [
            "", "a b", "a:25", "smtp://a", "a/b", "a%41", "-a", "a@b", "a\nb",
        ] {
            assert!(!fits::<MailHost>(host), "{host}");
        }
        let host = MailHost::parse(&Raw::Text("[::1]".to_owned()));
        assert_eq!(host.ok().map(|host| host.name()).as_deref(), Some("::1"));
        for address in ["chat@example.org", "a.b+c@localhost", "A@Example.org"] {
            assert!(fits::<MailAddress>(address), "{address}");
        }
        for address in [
            "",
            "chat",
            "@a",
            "a@",
            "a@b@c",
            "Chat <a@example.org>",
            "a@example.org\n",
            "\"a\"@example.org",
            "a@127.0.0.1",
            "é@example.org",
            "a@é.org",
        ] {
            assert!(!fits::<MailAddress>(address), "{address}");
        }
        for port in ["1", "587", "65535"] {
            assert!(fits::<Port>(port), "{port}");
        }
        for port in ["", "0", "65536", "+25", "-1", "x"] {
            assert!(!fits::<Port>(port), "{port}");
        }
        assert!(Port::parse(&Raw::Number(25)).is_ok());
        assert!(Port::parse(&Raw::Number(-1)).is_err());
    }

    #[test]
    fn a_line_is_one() {
        assert!(fits::<OneLine>("Chat of Example"));
        for text in ["", " ", "a\r\nb", "a\u{2028}b", "a\0"] {
            assert!(!fits::<OneLine>(text), "{text:?}");
        }
        assert!(!fits::<OneLine>(&"x".repeat(201)));
    }
}
