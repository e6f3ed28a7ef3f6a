//! What `database.url` says: where PostgreSQL is, and how the way there is protected.
//!
//! What it says of TLS is read here and never reaches the library, which knows other words for it
//! (and speaks in clear to whoever says that they have no TLS).

use std::{net::IpAddr, path::PathBuf, time::Duration};

use percent_encoding::percent_decode_str;
use tokio_postgres::{
    Config,
    config::{ChannelBinding, Host, SslMode, TargetSessionAttrs},
};

use crate::StoreError;

/// Where PostgreSQL is, one host after the other.
pub(super) struct Address {
    pub(super) hosts: Vec<Config>,
    /// Whom those are believed that are spoken to over TLS, if there are any.
    pub(super) files: Option<Files>,
}

/// The files that say whom to trust, and who this server is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Files {
    /// The certificates of the authorities; the system's without it.
    pub(super) authorities: Option<PathBuf>,
    /// This server's certificate and its key.
    pub(super) identity: Option<(PathBuf, PathBuf)>,
}

/// What a URL says of TLS, word by word.
#[derive(Default)]
struct Said {
    mode: Option<String>,
    root_cert: Option<String>,
    cert: Option<String>,
    key: Option<String>,
}

/// What a URL wants of every host that is reached over a network.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// TLS wherever somebody could listen.
    Unsaid,
    Clear,
    Protected,
}

/// Where libpq's word stands for the authorities of the system.
const OF_THE_SYSTEM: &str = "system";

impl Address {
    pub(super) fn read(url: &str) -> Result<Self, StoreError> {
        let (url, said) = take_said(url)?;
        let all: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            let why = std::error::Error::source(&error).map(ToString::to_string);
            refused(format!(
                "is not a PostgreSQL URL: {}",
                why.unwrap_or_default()
            ))
        })?;
        let (wanted, files) = said.understand(all.get_channel_binding())?;
        let count = all.get_hosts().len().max(all.get_hostaddrs().len()).max(1);
        let hosts: Vec<_> = (0..count)
            .map(|index| at_host(&all, index, wanted))
            .collect();
        let is_protected = hosts.iter().any(is_protected);
        Ok(Self {
            hosts,
            files: is_protected.then_some(files),
        })
    }
}

/// Whether a host is spoken to over TLS, and over nothing else.
pub(super) fn is_protected(host: &Config) -> bool {
    host.get_ssl_mode() == SslMode::Require
}

impl Said {
    fn understand(self, binding: ChannelBinding) -> Result<(Wanted, Files), StoreError> {
        let files = Files {
            authorities: self
                .root_cert
                .filter(|file| file != OF_THE_SYSTEM)
                .map(PathBuf::from),
            identity: match (self.cert, self.key) {
                (Some(cert), Some(key)) => Some((cert.into(), key.into())),
                (None, None) => None,
                _ => {
                    return Err(refused(
                        "names one of sslcert and sslkey: name both".to_owned(),
                    ));
                }
            },
        };
        // Whoever says whom to trust means TLS, on every way.
        let means_tls = files != Files::default() || binding == ChannelBinding::Require;
        let wanted = match self.mode.as_deref() {
            Some("verify-full") => Wanted::Protected,
            Some("disable") if means_tls => {
                let sentence = "says sslmode=disable, and something of TLS beside it: say one of \
                                the two";
                return Err(refused(sentence.to_owned()));
            }
            Some("disable") => Wanted::Clear,
            Some(weak @ ("require" | "verify-ca" | "prefer" | "allow")) => {
                return Err(refused(format!(
                    "says sslmode={weak}, with which nobody knows whom they speak to: say \
                     sslmode=verify-full (and sslrootcert=FILE where the authority is none that \
                     the system trusts), or sslmode=disable where nobody can listen"
                )));
            }
            Some(_) => {
                let sentence = "has an sslmode that there is not: say verify-full or disable";
                return Err(refused(sentence.to_owned()));
            }
            None if means_tls => Wanted::Protected,
            None => Wanted::Unsaid,
        };
        Ok((wanted, files))
    }
}

fn refused(sentence: String) -> StoreError {
    StoreError::Refused(format!("database.url {sentence}"))
}

/// Takes what is said of TLS out of a URL. Everything is found where the library finds it.
fn take_said(url: &str) -> Result<(String, Said), StoreError> {
    let is_url = url.starts_with("postgres://") || url.starts_with("postgresql://");
    let begin = url.find("://").filter(|_| is_url).map(|at| at + 3);
    let Some(begin) = begin else {
        return Err(refused("is not a PostgreSQL URL".to_owned()));
    };
    let place = url[begin..].find('@').map_or(begin, |at| begin + at + 1);
    let mut said = Said::default();
    let Some(parameters) = url[place..].find('?').map(|at| place + at + 1) else {
        return Ok((url.to_owned(), said));
    };
    let mut left = Vec::new();
    for parameter in url[parameters..].split('&') {
        let Some((key, value)) = parameter.split_once('=') else {
            left.push(parameter);
            continue;
        };
        let key = percent_decode_str(key).decode_utf8_lossy();
        let slot = match &*key {
            "sslmode" => &mut said.mode,
            "sslrootcert" => &mut said.root_cert,
            "sslcert" => &mut said.cert,
            "sslkey" => &mut said.key,
            _ => {
                left.push(parameter);
                continue;
            }
        };
        let value = percent_decode_str(value).decode_utf8();
        let value = value.map_err(|_| refused(format!("has a value of {key} that is no text")))?;
        if value.is_empty() {
            return Err(refused(format!("has a {key} without a value")));
        }
        if slot.replace(value.into_owned()).is_some() {
            return Err(refused(format!("says {key} twice")));
        }
    }
    let place = &url[..parameters - 1];
    match left.is_empty() {
        true => Ok((place.to_owned(), said)),
        false => Ok((format!("{place}?{}", left.join("&")), said)),
    }
}

/// One configuration for each host, so that each has its own time and its own protection.
fn at_host(all: &Config, index: usize, wanted: Wanted) -> Config {
    let mut one = Config::new();
    let (host, address) = (all.get_hosts().get(index), all.get_hostaddrs().get(index));
    match host {
        Some(Host::Tcp(name)) => {
            one.host(name);
        }
        Some(Host::Unix(path)) => {
            one.host_path(path);
        }
        // A certificate has to be for something.
        None => {
            address.map(|address| one.host(address.to_string()));
        }
    }
    if let Some(address) = address {
        one.hostaddr(*address);
    }
    let ports = all.get_ports();
    if let Some(port) = ports.get(index).or_else(|| ports.first()) {
        one.port(*port);
    }
    if let Some(user) = all.get_user() {
        one.user(user);
    }
    if let Some(password) = all.get_password() {
        one.password(password);
    }
    if let Some(name) = all.get_dbname() {
        one.dbname(name);
    }
    if let Some(options) = all.get_options() {
        one.options(options);
    }
    let needs_tls = match (host, address) {
        // What the kernel carries between two processes nobody else reads, whatever is wanted:
        // PostgreSQL has no TLS there.
        (Some(Host::Unix(_)), None) => false,
        (host, address) => match wanted {
            Wanted::Clear => false,
            Wanted::Protected => true,
            Wanted::Unsaid => !is_this_machine(host, address),
        },
    };
    // `Require` is this crate's way to say that what is checked is checked in `tls`.
    let mode = if needs_tls {
        SslMode::Require
    } else {
        SslMode::Disable
    };
    one.ssl_mode(mode)
        .ssl_negotiation(all.get_ssl_negotiation())
        .channel_binding(all.get_channel_binding())
        .application_name("conclave")
        .connect_timeout(Duration::from_secs(5))
        .tcp_user_timeout(Duration::from_secs(10))
        .keepalives(true)
        .keepalives_idle(Duration::from_secs(5))
        .keepalives_interval(Duration::from_secs(2))
        .keepalives_retries(3)
        .target_session_attrs(TargetSessionAttrs::ReadWrite);
    one
}

/// Whether what is said to this host never leaves this machine.
fn is_this_machine(host: Option<&Host>, address: Option<&IpAddr>) -> bool {
    if let Some(address) = address {
        return address.is_loopback();
    }
    match host {
        Some(Host::Tcp(name)) => {
            // A name of loopback by RFC 6761.
            let is_named = name.eq_ignore_ascii_case("localhost");
            is_named
                || name
                    .parse()
                    .is_ok_and(|address: IpAddr| address.is_loopback())
        }
        Some(Host::Unix(_)) => true,
        None => false,
    }
}

#[cfg(test)]
mod tests;
