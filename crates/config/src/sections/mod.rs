//! The sections of the file, one struct and one file each.

mod appservices;
mod bus;
mod calls;
mod database;
mod encryption;
mod files;
mod log;
mod mail;
mod metrics;
mod notices;
mod presence;
mod previews;
mod push;
mod rate_limits;
mod registration;
mod rooms;
mod seal;
mod server;
mod support;

pub use appservices::Appservices;
pub use bus::Bus;
pub use calls::Calls;
pub use database::Database;
pub use encryption::{Encryption, EncryptionPolicy};
pub use files::Files;
pub use log::{Log, LogFormat};
pub use mail::{Mail, MailEncryption, MailLanguage};
pub use metrics::Metrics;
pub use notices::Notices;
pub use presence::Presence;
pub use previews::Previews;
pub use push::Push;
pub use rate_limits::RateLimits;
pub use registration::{Registration, RegistrationMode};
pub use rooms::Rooms;
pub use seal::Seal;
pub use server::{Server, Tls};
pub use support::Support;

use crate::reader::Reader;

/// A section as the manual and the reader need it.
pub(crate) struct Section {
    pub(crate) path: &'static str,
    pub(crate) about: &'static [&'static str],
    pub(crate) keys: Vec<Key>,
}

/// A key as the manual and the reader need it.
pub(crate) struct Key {
    /// The key with its section: `server.tls.cert_file`.
    pub(crate) path: &'static str,
    pub(crate) about: &'static [&'static str],
    pub(crate) accepts: String,
    pub(crate) fallback: Fallback,
}

/// The default of a key, as text that the key's own type reads.
pub(crate) enum Fallback {
    Text(&'static str),
    Derived {
        /// How the default comes about, for the manual.
        rule: &'static str,
        from: fn(&Reader) -> String,
    },
}

/// Declares a section: the struct, its keys and how they are read, all from one text.
///
/// A function cannot see doc comments; this can, so the manual, the defaults and the fields have
/// one source. `= "text"` is a default; `= derived(function, "rule")` one that depends on other
/// keys; `and { … from Type }` is a section within this one.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        $visibility:vis $name:ident in $path:literal {
            $(
                $(#[doc = $doc:literal])+
                $field:ident: $type:ty = $default:tt $(($from:path, $rule:literal))?;
            )+
        }
        $(and {
            $(#[doc = $inner_doc:literal])+
            $inner:ident from $inner_type:ty;
        })?
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone)]
        $visibility struct $name {
            $( $(#[doc = $doc])+ $visibility $field: $type, )+
            $( $(#[doc = $inner_doc])+ $visibility $inner: Option<$inner_type>, )?
        }

        impl $name {
            pub(crate) fn describe() -> $crate::sections::Section {
                $crate::sections::Section {
                    path: $path,
                    about: &[$($about),+],
                    keys: vec![$(
                        $crate::sections::Key {
                            path: concat!($path, ".", stringify!($field)),
                            about: &[$($doc),+],
                            accepts: <$type as $crate::values::Value>::accepts(),
                            fallback: $crate::sections::fallback!($default $(($from, $rule))?),
                        },
                    )+],
                }
            }

            pub(crate) fn read(reader: &$crate::reader::Reader) -> Option<Self> {
                // Every key is read before the first `?`, so that one run names every problem.
                $( let $field = reader.read(concat!($path, ".", stringify!($field))); )+
                $( let $inner = <$inner_type>::read_whole(reader); )?
                Some(Self { $( $field: $field?, )+ $( $inner: $inner?, )? })
            }
        }
    };
}

/// Turns what stands behind `=` in a section into a [`Fallback`].
macro_rules! fallback {
    (derived($from:path, $rule:literal)) => {
        $crate::sections::Fallback::Derived {
            rule: $rule,
            from: $from,
        }
    };
    ($text:literal) => {
        $crate::sections::Fallback::Text($text)
    };
}

use {fallback, section};

/// Lists every section in the order of the manual.
pub(crate) fn all() -> Vec<Section> {
    vec![
        Server::describe(),
        server::TlsKeys::describe(),
        Metrics::describe(),
        Database::describe(),
        Bus::describe(),
        Files::describe(),
        Seal::describe(),
        Registration::describe(),
        Encryption::describe(),
        Rooms::describe(),
        Presence::describe(),
        Previews::describe(),
        Push::describe(),
        Appservices::describe(),
        Calls::describe(),
        Mail::describe(),
        Support::describe(),
        Notices::describe(),
        RateLimits::describe(),
        Log::describe(),
    ]
}
