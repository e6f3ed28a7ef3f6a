//! Mail: the mail server, and in whose name it is written to.

use std::sync::Arc;

use anyhow::Context;
use config::{Config, MailEncryption, MailLanguage};
use mail::{Credentials, Encryption, Line, Mailer, Options, Sender};
use mailroom::{Mailroom, Name};
use model::{language::Language, mail_address::MailAddress, time::Clock};
use push::Mailing;
use rustls::RootCertStore;
use zeroize::Zeroizing;

use super::Owners;

/// What hands on mails: those about accounts, and those about what is unread.
pub(super) type Mails = (Mailroom, Mailing);

/// What hands on mails, where there is a mail server.
pub(super) fn mails(
    config: &Config,
    public_url: &str,
    owners: &Owners,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Option<Mails>> {
    let Some(options) = options(config)? else {
        return Ok(None);
    };
    let mailer = Mailer::new(options, Arc::clone(clock)).context("mail.host cannot be used")?;
    let mailing = Mailing::new(mailer.clone(), config.server.name.clone(), public_url);
    let language = match config.mail.language {
        MailLanguage::English => Language::English,
        MailLanguage::SimplifiedChinese => Language::SimplifiedChinese,
    };
    let name = Name::new(config.server.name.clone(), public_url, language);
    let mailroom = Mailroom::new(
        owners.log.clone(),
        (owners.accounts.clone(), owners.rooms.clone()),
        owners.outbox.clone(),
        mailer,
        name,
    );
    Ok(Some((mailroom, mailing)))
}

/// How the mail server is reached, where there is one.
pub(crate) fn options(config: &Config) -> anyhow::Result<Option<Options>> {
    let mail = &config.mail;
    let (Some(host), Some(from)) = (&mail.host, &mail.from) else {
        return Ok(None);
    };
    let server_name = config.server.name.as_str();
    let name = mail.from_name.as_ref();
    let name = name.map_or(server_name, |name| name.as_str());
    let reply_to = mail.reply_to.as_ref().map(|address| {
        MailAddress::parse(address.as_str()).context("mail.reply_to cannot be used")
    });
    let credentials = mail.user.as_ref().zip(mail.password.as_ref());
    Ok(Some(Options {
        host: host.name(),
        port: mail.port.number(),
        encryption: match mail.encryption {
            MailEncryption::StartTls => Encryption::StartTls,
            MailEncryption::Tls => Encryption::Tls,
            MailEncryption::None => Encryption::None,
        },
        credentials: credentials.map(|(user, password)| Credentials {
            user: user.as_str().to_owned(),
            password: Zeroizing::new(password.expose().to_owned()),
        }),
        sender: Sender {
            address: MailAddress::parse(from.as_str()).context("mail.from cannot be used")?,
            name: Line::new(name),
            reply_to: reply_to.transpose()?,
        },
        hello: config.server.name.host().to_owned(),
        roots: roots(config)?,
    }))
}

/// Who may vouch for the mail server.
fn roots(config: &Config) -> anyhow::Result<RootCertStore> {
    if config.mail.encryption == MailEncryption::None {
        return Ok(RootCertStore::empty());
    }
    crate::roots::roots("mail.ca_file", config.mail.ca_file.as_deref())
}
