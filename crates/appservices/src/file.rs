//! One registration file: its keys, and what is judged of each by itself.

use std::{fmt, sync::Arc};

use ruma::{ServerName, UserId};
use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};
use serde_saphyr::Spanned;
use url::Url;
use zeroize::Zeroizing;

use crate::{
    appservice::{Appservice, Hash, Service},
    complaint::complaint,
    files::BadRegistration,
    namespace::Namespace,
};

/// The longest token that a service has.
pub const MAX_TOKEN_BYTES: usize = 1024;

/// The longest id of a service, and of a protocol.
const MAX_ID_BYTES: usize = 255;

/// How many expressions a file has, at most: each may take a MiB when it is compiled.
const MAX_EXPRESSIONS: usize = 500;

/// A registration as it stands in its file. Keys that are not known are passed over: bridges write
/// those of other servers beside them.
#[derive(Deserialize)]
struct Written {
    id: Spanned<String>,
    url: Spanned<Option<String>>,
    as_token: Spanned<Token>,
    hs_token: Spanned<Token>,
    sender_localpart: Spanned<String>,
    #[serde(default)]
    namespaces: Option<Namespaces>,
    #[serde(default)]
    rate_limited: Option<bool>,
    #[serde(default)]
    protocols: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    receive_ephemeral: Option<bool>,
    /// Before it was stable (MSC2409), under both of the names that are in use.
    #[serde(default)]
    push_ephemeral: Option<bool>,
    #[serde(default, rename = "de.sorunome.msc2409.push_ephemeral")]
    msc2409_push_ephemeral: Option<bool>,
    /// Devices and their keys in transactions.
    #[serde(default, rename = "org.matrix.msc3202")]
    msc3202: Option<bool>,
}

#[derive(Default, Deserialize)]
struct Namespaces {
    #[serde(default)]
    users: Option<Vec<WrittenNamespace>>,
    #[serde(default)]
    aliases: Option<Vec<WrittenNamespace>>,
    #[serde(default)]
    rooms: Option<Vec<WrittenNamespace>>,
}

#[derive(Deserialize)]
struct WrittenNamespace {
    regex: Spanned<String>,
    #[serde(default)]
    exclusive: bool,
}

/// A secret, of which no error says anything.
struct Token(Zeroizing<String>);

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;

        impl Visitor<'_> for Reading {
            type Value = Token;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a token")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Token, E> {
                Ok(Token(Zeroizing::new(text.to_owned())))
            }
        }

        deserializer.deserialize_str(Reading)
    }
}

/// Where something stands in a file.
#[derive(Clone, Copy)]
pub(crate) struct Lines {
    pub(crate) id: u64,
    pub(crate) as_token: u64,
    pub(crate) hs_token: u64,
    pub(crate) sender: u64,
}

/// A service as one file has it.
pub(crate) struct Registered {
    pub(crate) file: String,
    pub(crate) lines: Lines,
    pub(crate) service: Appservice,
}

/// Reads one file.
pub(crate) fn read(
    file: &str,
    text: &str,
    server: &ServerName,
) -> Result<Registered, Vec<BadRegistration>> {
    let written: Written = serde_saphyr::from_str(text).map_err(|error| {
        let line = error.location().map(|location| location.line());
        vec![BadRegistration::new(file, line, complaint(&error))]
    })?;
    let mut judge = Judge {
        file,
        refused: Vec::new(),
        expressions: 0,
    };
    let lines = Lines {
        id: line(&written.id),
        as_token: line(&written.as_token),
        hs_token: line(&written.hs_token),
        sender: line(&written.sender_localpart),
    };
    judge.id("id", &written.id);
    judge.token("as_token", &written.as_token);
    judge.token("hs_token", &written.hs_token);
    let url = judge.url(&written.url);
    let sender = judge.sender(&written.sender_localpart, server);
    let namespaces = written.namespaces.unwrap_or_default();
    let users = judge.namespaces("users", namespaces.users);
    let aliases = judge.namespaces("aliases", namespaces.aliases);
    let rooms = judge.namespaces("rooms", namespaces.rooms);
    let protocols = written.protocols.unwrap_or_default();
    for protocol in &protocols {
        judge.id("protocols", protocol);
    }
    let (Some(sender), true) = (sender, judge.refused.is_empty()) else {
        return Err(judge.refused);
    };
    let ephemeral = [
        written.receive_ephemeral,
        written.push_ephemeral,
        written.msc2409_push_ephemeral,
    ];
    let service = Service {
        written: Hash::of(text),
        id: written.id.value,
        url,
        as_token: Hash::of(&written.as_token.value.0),
        hs_token: written.hs_token.value.0,
        sender,
        users,
        aliases,
        rooms,
        rate_limited: written.rate_limited.unwrap_or_default(),
        protocols: protocols.into_iter().map(|name| name.value).collect(),
        ephemeral: ephemeral.contains(&Some(true)),
        device_data: written.msc3202.unwrap_or_default(),
    };
    Ok(Registered {
        file: file.to_owned(),
        lines,
        service: Appservice(Arc::new(service)),
    })
}

fn line<T>(spanned: &Spanned<T>) -> u64 {
    spanned.referenced.line()
}

/// Gathers what is wrong with one file.
struct Judge<'a> {
    file: &'a str,
    refused: Vec<BadRegistration>,
    expressions: usize,
}

impl Judge<'_> {
    fn refuse(&mut self, line: u64, reason: impl Into<String>) {
        let refusal = BadRegistration::new(self.file, Some(line), reason);
        self.refused.push(refusal);
    }

    fn id(&mut self, key: &str, id: &Spanned<String>) {
        let text = &id.value;
        let refusal = if text.trim().is_empty() {
            format!("{key} is empty")
        } else if text.len() > MAX_ID_BYTES {
            format!("{key} is longer than {MAX_ID_BYTES} bytes")
        } else if text.chars().any(|each| each.is_control() || each == '|') {
            // A network of a service is named by both ids, with a bar between them.
            format!("{key} has a bar or a control character")
        } else {
            return;
        };
        self.refuse(line(id), refusal);
    }

    /// A token goes through a header, both ways.
    fn token(&mut self, key: &str, token: &Spanned<Token>) {
        let text = &*token.value.0;
        let refusal = if text.is_empty() {
            format!("{key} is empty")
        } else if text.len() > MAX_TOKEN_BYTES {
            format!("{key} is longer than {MAX_TOKEN_BYTES} bytes")
        } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            format!("{key} has characters other than visible ASCII")
        } else {
            return;
        };
        self.refuse(line(token), refusal);
    }

    fn url(&mut self, written: &Spanned<Option<String>>) -> Option<Url> {
        // Some write the empty text where they mean none.
        let text = written.value.as_deref().filter(|text| !text.is_empty())?;
        let url = Url::parse(text).ok();
        let url = url.filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none()
        });
        if url.is_none() {
            let reason = "url is neither null nor an http or https address without a user, a query \
                          and a fragment";
            self.refuse(line(written), reason);
        }
        url
    }

    fn sender(
        &mut self,
        localpart: &Spanned<String>,
        server: &ServerName,
    ) -> Option<ruma::OwnedUserId> {
        let parse = |localpart: &str| UserId::parse(format!("@{localpart}:{server}")).ok();
        // Bridges that use a user of their namespace instead make up a name, with capitals: for
        // everybody else those are a thing of the past.
        let lower = parse(&localpart.value.to_ascii_lowercase());
        let is_name = lower.is_some_and(|user_id| user_id.validate_strict().is_ok());
        let user_id = parse(&localpart.value).filter(|user_id| {
            is_name && user_id.localpart() == localpart.value && !localpart.value.is_empty()
        });
        if user_id.is_none() {
            let reason = "sender_localpart is no user name: letters, digits and \
                          `.`, `_`, `-`, `=`, `/`, `+`";
            self.refuse(line(localpart), reason);
        }
        user_id
    }

    fn namespaces(&mut self, kind: &str, written: Option<Vec<WrittenNamespace>>) -> Vec<Namespace> {
        let mut namespaces = Vec::new();
        for WrittenNamespace { regex, exclusive } in written.unwrap_or_default() {
            self.expressions += 1;
            if self.expressions > MAX_EXPRESSIONS {
                let reason = format!("namespaces have more than {MAX_EXPRESSIONS} expressions");
                self.refuse(line(&regex), reason);
                break;
            }
            match Namespace::new(&regex.value, exclusive) {
                Ok(namespace) => namespaces.push(namespace),
                Err(reason) => {
                    self.refuse(line(&regex), format!("namespaces.{kind}: regex: {reason}"));
                }
            }
        }
        namespaces
    }
}
