//! `[mail]`: the mail server through which mail is sent.

use std::path::PathBuf;

use super::section;
use crate::{
    reader::Reader,
    values::{
        MailAddress, MailHost, OneLine, Port, Raw, Rejection, Secret, Value, choose, list_choices,
        quoted,
    },
};

section! {
    /// The mail server through which this server writes to people: to confirm their addresses,
    /// and to let those in who forgot their password. `docs/operate/mail.md` says what is sent.
    pub Mail in "mail" {
        /// The mail server's name or address. Without one no mail is sent, nobody adds an address
        /// to their account, and nobody gets a new password by mail.
        host: Option<MailHost> = "";
        /// The mail server's port.
        port: Port = derived(
            port_of,
            "`587` for `starttls`, `465` for `tls`, `25` for `none`"
        );
        /// `starttls`: the connection is encrypted before anything is said of a mail, and a server
        /// that does not offer that gets none. `tls`: it is encrypted from the start. `none`: it
        /// stays in clear, and everybody in between can read the mail and take the links in it.
        encryption: MailEncryption = "starttls";
        /// Certificates that vouch for the mail server, as PEM, instead of those that the system
        /// trusts.
        ca_file: Option<PathBuf> = "";
        /// The user as whom this server signs in to the mail server. Without one it does not.
        user: Option<OneLine> = "";
        /// The user's password.
        password: Option<Secret> = "";
        /// A file that holds `mail.password`.
        password_file: Option<PathBuf> = "";
        /// The address from which mail comes.
        from: Option<MailAddress> = "";
        /// The name before that address; the server's name when there is none.
        from_name: Option<OneLine> = "";
        /// Where answers go, if not to `mail.from`.
        reply_to: Option<MailAddress> = "";
        /// The language of mail that nobody asked for, such as that a password was changed: `en`,
        /// or `zh-Hans` for simplified Chinese. Other mail is in the language of who asked for it.
        language: MailLanguage = "en";
    }
}

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailEncryption {
    /// It is encrypted once the server has greeted.
    StartTls,
    /// It is encrypted from the start.
    Tls,
    /// It is not.
    None,
}

impl MailEncryption {
    const CHOICES: [(&str, Self); 3] = [
        ("starttls", Self::StartTls),
        ("tls", Self::Tls),
        ("none", Self::None),
    ];
}

impl Value for MailEncryption {
    fn accepts() -> String {
        list_choices(&Self::CHOICES)
    }

    fn parse(raw: &Raw) -> Result<Self, Rejection> {
        choose(raw, &Self::CHOICES)
    }

    fn show(&self) -> String {
        quoted(match self {
            Self::StartTls => "starttls",
            Self::Tls => "tls",
            Self::None => "none",
        })
    }
}

/// A language in which mail is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailLanguage {
    /// English.
    English,
    /// Chinese in simplified characters.
    SimplifiedChinese,
}

impl MailLanguage {
    const CHOICES: [(&str, Self); 2] =
        [("en", Self::English), ("zh-Hans", Self::SimplifiedChinese)];
}

impl Value for MailLanguage {
    fn accepts() -> String {
        list_choices(&Self::CHOICES)
    }

    fn parse(raw: &Raw) -> Result<Self, Rejection> {
        choose(raw, &Self::CHOICES)
    }

    fn show(&self) -> String {
        quoted(match self {
            Self::English => "en",
            Self::SimplifiedChinese => "zh-Hans",
        })
    }
}

fn port_of(reader: &Reader) -> String {
    let port = match reader.peek("mail.encryption") {
        Some(MailEncryption::StartTls) | None => "587",
        Some(MailEncryption::Tls) => "465",
        Some(MailEncryption::None) => "25",
    };
    port.to_owned()
}

impl Mail {
    /// Reads the section, in which most keys need others.
    pub(crate) fn read_checked(reader: &Reader) -> Option<Self> {
        let mail = Self::read(reader)?;
        let Some((key, message, accepted)) = mail.contradiction() else {
            return Some(mail);
        };
        reader.refuse(key, message, accepted);
        None
    }

    /// The first key that does not go with the others, and why.
    fn contradiction(&self) -> Option<(&'static str, &'static str, &'static str)> {
        let both = "both keys, or neither";
        let needs_host = "is set without mail.host";
        if self.host.is_none() {
            let set = [
                ("mail.from", self.from.is_some()),
                ("mail.user", self.user.is_some()),
                ("mail.password", self.password.is_some()),
                ("mail.reply_to", self.reply_to.is_some()),
            ];
            let set = set.into_iter().find(|(_, is_set)| *is_set);
            return set.map(|(key, _)| (key, needs_host, both));
        }
        if self.from.is_none() {
            return Some(("mail.host", "is set without mail.from", both));
        }
        match (&self.user, &self.password) {
            (Some(_), None) => Some(("mail.user", "is set without mail.password", both)),
            (None, Some(_)) => Some(("mail.password", "is set without mail.user", both)),
            (Some(_), Some(_)) if self.encryption == MailEncryption::None => Some((
                "mail.encryption",
                "would send mail.password in clear",
                "\"starttls\" or \"tls\" where mail.user is set",
            )),
            _ => None,
        }
    }
}
