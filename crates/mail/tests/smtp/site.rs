//! A mail server, and a mailer that knows it.

use std::{fs, os::unix::fs::PermissionsExt, sync::Arc};

use mail::{Credentials, Encryption, Letter, Line, Mail, MailId, Mailer, Options, Sender};
use model::{
    language::Language,
    mail_address::MailAddress,
    time::{Clock, Timestamp},
};
use tempfile::TempDir;
use testkit::{
    clock::FakeClock,
    servers::{Smtp, SmtpEncryption, SmtpOptions},
};

pub(crate) const AUTHORITY: &str = include_str!("tls/authority.pem");

/// Who may send.
pub(crate) const USER: (&str, &str) = ("chat", "a passwörd");

/// A mail server, with the folder where its certificate is.
pub(crate) struct Site {
    pub(crate) smtp: Smtp,
    pub(crate) clock: FakeClock,
    _folder: TempDir,
}

impl Site {
    pub(crate) fn start(encryption: SmtpEncryption, user: Option<(&str, &str)>) -> Self {
        // The server runs as another user when this is root.
        let folder = tempfile::tempdir_in("/tmp").unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let certificate = file("cert", include_str!("tls/server.cert.pem"));
        let key = file("key", include_str!("tls/server.key.pem"));
        let options = SmtpOptions {
            encryption,
            certificate: Some((&certificate, &key)),
            user,
        };
        Self {
            smtp: Smtp::start(options).unwrap(),
            clock: FakeClock::default(),
            _folder: folder,
        }
    }

    /// What a mailer for this server is told.
    pub(crate) fn options(&self, encryption: Encryption, user: Option<(&str, &str)>) -> Options {
        options(self.smtp.port(), encryption, user)
    }

    pub(crate) fn mailer(&self, encryption: Encryption, user: Option<(&str, &str)>) -> Mailer {
        self.mailer_of(self.options(encryption, user))
    }

    pub(crate) fn mailer_of(&self, options: Options) -> Mailer {
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        Mailer::new(options, clock).unwrap()
    }
}

pub(crate) fn options(port: u16, encryption: Encryption, user: Option<(&str, &str)>) -> Options {
    Options {
        host: "localhost".to_owned(),
        port,
        encryption,
        credentials: user.map(|(user, password)| Credentials {
            user: user.to_owned(),
            password: password.to_owned().into(),
        }),
        sender: Sender {
            address: MailAddress::parse("chat@example.org").unwrap(),
            name: Line::new("Chat of Example"),
            reply_to: None,
        },
        hello: "example.org".to_owned(),
        roots: trust::roots_in(AUTHORITY.as_bytes()).unwrap(),
    }
}

/// A mail to somebody of this name.
pub(crate) fn mail_to(local: &str) -> Mail {
    let to = MailAddress::parse(&format!("{local}@example.org")).unwrap();
    let link = "https://chat.example.org/_conclave/mail?token=cnv_m_abc";
    let letter = Letter::AddAddress { link };
    let id = MailId::new(&[9; 32]);
    let at = Timestamp::from_millis(1_700_000_000_000);
    letter.write((id, to), at, Language::SimplifiedChinese, "example.org")
}
