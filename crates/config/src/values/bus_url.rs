//! Where NATS is.

use std::fmt;

use url::Host;

use super::{Raw, Rejection, Secret, Value, quoted, secret::MASK};

/// The port where NATS listens unless somebody chose another.
const PORT: u16 = 4222;

/// More hosts than a NATS cluster has.
const MOST_HOSTS: usize = 64;

/// One NATS cluster, and how to be let in; the URL may carry a password.
#[derive(Clone)]
pub struct BusUrl {
    /// Whether nothing is said before the connection is encrypted.
    pub tls: bool,
    /// The hosts, each as `host:port`.
    pub hosts: Vec<String>,
    /// What the URL says of who connects.
    pub credentials: Option<BusCredentials>,
}

/// Who connects.
#[derive(Clone)]
pub enum BusCredentials {
    /// A user with a password.
    Password(String, Secret),
    /// A token alone.
    Token(Secret),
}

impl Value for BusUrl {
    const SECRET: bool = true;

    fn accepts() -> String {
        "\"nats://USER:PASSWORD@HOST:PORT,HOST:PORT\", \"tls://…\"".to_owned()
    }

    fn parse(raw: &Raw) -> Result<Self, Rejection> {
        let text = raw.text()?;
        let (tls, rest) = match text.split_once("://") {
            Some(("nats", rest)) => (false, rest),
            Some(("tls", rest)) => (true, rest),
            _ => return Err(Rejection::new("is not the URL of a NATS server")),
        };
        let bad = |sentence: &str| Err(Rejection::new(sentence));
        if rest.matches('@').count() > 1 {
            return bad("holds more than one @: write %40 for the one in a password");
        }
        if rest.contains(['/', '?', '#']) {
            return bad(
                "holds a /, a ? or a #: write %2F, %3F or %23 for the one in a password, and \
                 nothing behind the port",
            );
        }
        let (credentials, hosts) = match rest.split_once('@') {
            Some((credentials, hosts)) => (Some(read_credentials(credentials)?), hosts),
            None => (None, rest),
        };
        let hosts: Vec<&str> = hosts.split(',').map(str::trim).collect();
        if hosts.len() > MOST_HOSTS {
            return bad("names more hosts than a NATS cluster has");
        }
        let hosts: Option<Vec<String>> = hosts.into_iter().map(read_host).collect();
        let Some(hosts) = hosts else {
            return bad("names a server that is not a host with or without a port");
        };
        Ok(Self {
            tls,
            hosts,
            credentials,
        })
    }

    fn show(&self) -> String {
        let scheme = if self.tls { "tls" } else { "nats" };
        let who = match &self.credentials {
            Some(BusCredentials::Password(user, _)) => format!("{}:{MASK}@", escaped(user)),
            Some(BusCredentials::Token(_)) => format!("{MASK}@"),
            None => String::new(),
        };
        quoted(&format!("{scheme}://{who}{}", self.hosts.join(",")))
    }
}

impl fmt::Debug for BusUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.show())
    }
}

fn read_credentials(text: &str) -> Result<BusCredentials, Rejection> {
    let read = |text: &str| {
        let unescaped = unescaped(text).filter(|text| !text.is_empty() && !text.contains('\0'));
        unescaped.ok_or_else(|| {
            Rejection::new("has a user, a password or a token that is empty or wrongly escaped")
        })
    };
    Ok(match text.split_once(':') {
        Some((user, password)) => {
            BusCredentials::Password(read(user)?, Secret::new(read(password)?))
        }
        None => BusCredentials::Token(Secret::new(read(text)?)),
    })
}

/// What is read as this text by [`unescaped`], and holds nothing that parts a URL.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Replaces `%40` and the like.
pub(super) fn unescaped(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let digits = part.get(..2)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).ok()
}

/// Gives a host its port.
fn read_host(text: &str) -> Option<String> {
    let (host, port) = match text.rsplit_once(':') {
        // The colons of an IPv6 address are inside its brackets.
        Some((host, port)) if !port.ends_with(']') => {
            let digits = port.bytes().all(|byte| byte.is_ascii_digit());
            (host, digits.then(|| port.parse().ok()).flatten()?)
        }
        _ => (text, PORT),
    };
    // An escape could stand for what parts hosts.
    let host = Host::parse(host).ok().filter(|_| !host.contains('%'))?;
    (port > 0).then(|| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::{BusCredentials, BusUrl, Raw, Value};

    fn parse(text: &str) -> Option<BusUrl> {
        BusUrl::parse(&Raw::Text(text.to_owned())).ok()
    }

    #[test]
    fn hosts_have_ports_and_there_may_be_several() {
        let url = parse("nats://a,b.example:1234, 10.0.0.1,[::1],[::1]:5").unwrap();
        let hosts = [
            "a:4222",
            "b.example:1234",
            "10.0.0.1:4222",
            "[::1]:4222",
            "[::1]:5",
        ];
        assert_eq!(url.hosts, hosts);
        assert!(!url.tls && url.credentials.is_none());
        assert!(parse("tls://a").unwrap().tls);
    }

    #[test]
    fn what_is_escaped_in_a_password_is_what_it_stands_for() {
        let url = parse("nats://me:p%40s%2f%25%c3%A9:,@a,b").unwrap();
        let Some(BusCredentials::Password(user, password)) = url.credentials else {
            panic!("no password");
        };
        assert_eq!((&*user, password.expose()), ("me", "p@s/%é:,"));
        let Some(BusCredentials::Token(token)) = parse("tls://t0ken@a").unwrap().credentials else {
            panic!("no token");
        };
        assert_eq!(token.expose(), "t0ken");
    }

    #[test]
    fn no_secret_is_shown_and_the_rest_is() {
        for (url, shown) in [
            (
                "nats://me:s3cret@a,b:1",
                "\"nats://me:********@a:4222,b:1\"",
            ),
            ("tls://s3cret@a", "\"tls://********@a:4222\""),
            (
                "nats://m%40e%3A:s3cret@a",
                "\"nats://m%40e%3A:********@a:4222\"",
            ),
        ] {
            let url = parse(url).unwrap();
            assert_eq!(url.show(), shown);
            assert_eq!(format!("{url:?}"), shown);
        }
    }

    #[test]
    fn what_is_no_nats_is_refused() {
        for text in [
            "",
            "nats",
            "nats://",
            "http://a",
            "nats://a,",
            "nats://a:0",
            "nats://a:65536",
            "nats://a:+1",
            "nats://a:b:1",
            "nats://::1",
            "nats://a b",
            "nats://a/subject",
            "nats://a?tls=1",
            "nats://a%2Cb",
            "nats://me:p@ss@a",
            "nats://me:p/ss@a",
            "nats://me:p%4@a",
            "nats://me:p%+1@a",
            "nats://me:%ff@a",
            "nats://me:%00@a",
            "nats://me:@a",
            "nats://:p@a",
            "nats://@a",
            "ws://a",
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
        assert!(parse(&format!("nats://{}a", "a,".repeat(64))).is_none());
    }
}
