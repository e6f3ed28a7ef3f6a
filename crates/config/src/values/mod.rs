//! The types of values: what each accepts, and how it is shown.

mod basic;
mod bus_url;
mod choice;
mod contact;
mod database_url;
mod duration;
mod files_url;
mod ip_network;
mod log_filter;
mod mail;
mod matrix;
mod names;
mod policy;
mod s3_url;
mod secret;
mod size;
mod turn_uri;

pub use bus_url::{BusCredentials, BusUrl};
pub(crate) use choice::{choose, list_choices};
pub use contact::{EmailAddress, PageUrl};
pub use database_url::DatabaseUrl;
pub use files_url::FilesUrl;
pub use ip_network::IpNetwork;
pub use log_filter::LogFilter;
pub use mail::{MailAddress, MailHost, OneLine, Port};
pub use names::{DisplayName, Localpart};
pub use policy::{Policy, PolicyText};
pub use s3_url::S3Url;
pub use secret::Secret;
pub use turn_uri::TurnUri;

/// A value as a layer gave it, before the key's type has judged it.
#[derive(Clone, PartialEq)]
pub(crate) enum Raw {
    /// Text from where types cannot be written: environment, command line, a default.
    Bare(String),
    /// A TOML string.
    Text(String),
    /// A TOML integer, in decimal.
    Number(i64),
    /// A TOML boolean.
    Bool(bool),
    /// A TOML array; each item knows its offset in the file.
    List(Vec<(Raw, usize)>),
    /// A TOML table within a list or a table; each value knows its offset in the file.
    Table(Vec<(String, Raw, usize)>),
    /// A TOML value that no key takes, by the name of its kind.
    Unfit(&'static str),
}

impl Raw {
    /// Gives the text of a value that is written as text.
    pub(crate) fn text(&self) -> Result<&str, Rejection> {
        match self {
            Self::Bare(text) | Self::Text(text) => Ok(text),
            other => Err(Rejection::new(format!("is {}, not text", other.kind()))),
        }
    }

    /// Tells whether the value is the empty text that switches an optional key off.
    pub(crate) fn is_blank(&self) -> bool {
        matches!(self, Self::Bare(text) | Self::Text(text) if text.is_empty())
    }

    /// Names the kind of value, with its article.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Bare(_) | Self::Text(_) => "text",
            Self::Number(_) => "a number",
            Self::Bool(_) => "a boolean",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Unfit(kind) => kind,
        }
    }
}

/// Why a value was refused, as the end of a sentence that begins with the value.
pub(crate) struct Rejection {
    pub(crate) reason: String,
    /// Where in the file, when it is a part of the value.
    pub(crate) offset: Option<usize>,
    /// The part of the value, when it is not the whole.
    pub(crate) part: Option<Raw>,
}

impl Rejection {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            offset: None,
            part: None,
        }
    }
}

/// A type that a key can have.
pub(crate) trait Value: Sized {
    /// Whether the text may hold a secret, so that errors must not repeat it.
    const SECRET: bool = false;

    /// Says what is accepted, as a list or an example.
    fn accepts() -> String;

    /// Reads a value, or says what is wrong without repeating it.
    fn parse(raw: &Raw) -> Result<Self, Rejection>;

    /// Shows the value in TOML, secrets masked.
    fn show(&self) -> String;
}

/// Writes text as a TOML string.
pub(crate) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
