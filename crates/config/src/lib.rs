//! The configuration file: sections, defaults, validation.
//!
//! A section is a struct in a file under `sections/`; its doc comments are the reference manual.
//! Values are layered (default, file, environment, command line), and each keeps its origin.
//! This crate reads the files it is pointed at and nothing else: the environment and the command
//! line are handed to it.

mod document;
mod error;
mod layers;
mod loading;
mod manual;
mod origin;
mod reader;
mod sections;
mod suggestion;
mod values;

pub use error::{ConfigError, Problem};
pub use loading::{Config, Entry, Loaded, Moving, Overrides, SourceFile, Sources};
pub use manual::{reference, sample};
pub use origin::Origin;
pub use sections::{
    Appservices, Bus, Calls, Database, Encryption, EncryptionPolicy, Files, Log, LogFormat, Mail,
    MailEncryption, MailLanguage, Metrics, Notices, Presence, Previews, Push, RateLimits,
    Registration, RegistrationMode, Rooms, Seal, Server, Support, Tls,
};
pub use values::{
    BusCredentials, BusUrl, DatabaseUrl, DisplayName, EmailAddress, FilesUrl, IpNetwork, Localpart,
    LogFilter, MailAddress, MailHost, OneLine, PageUrl, Policy, PolicyText, Port, S3Url, Secret,
    TurnUri,
};
