//! A node that writes mail, and a mail server.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use accounts::{
    AccountChanges, Accounts, RegistrationMode, Settings,
    emails::{EmailChanges, EmailPurpose, EmailRequest},
};
use audit::AuditTrail;
use mail::{Encryption, Line, Mailer, Options, Sender};
use mailroom::{Mailroom, Name};
use model::{language::Language, mail_address::MailAddress, time::Clock};
use outbox::Outbox;
use rooms::{EncryptionPolicy, Rooms, RoomsOptions};
use ruma::{RoomVersionId, owned_server_name};
use rustls::RootCertStore;
use seal::{KeySource, Keyring, MasterKey};
use store::{Database, DatabaseOptions, Location, LogBuilder};
use testkit::{
    clock::FakeClock,
    entropy::SeededEntropy,
    eventually,
    postgres::TestDatabase,
    servers::{Smtp, SmtpEncryption, SmtpOptions},
};
use tokio::task::JoinHandle;

/// Counts nodes, so that no two of them draw the same randomness.
static NODES: AtomicU64 = AtomicU64::new(1);

pub(crate) struct Site {
    pub(crate) smtp: Smtp,
    pub(crate) clock: FakeClock,
    location: Location,
    directory: tempfile::TempDir,
    _database: Option<TestDatabase>,
}

pub(crate) struct Node {
    pub(crate) accounts: Accounts,
    pub(crate) outbox: Outbox,
    mailroom: Mailroom,
    working: Option<JoinHandle<()>>,
}

impl Site {
    pub(crate) fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(directory.path().join("conclave.db"));
        Self::over(location, directory, None)
    }

    pub(crate) async fn postgres() -> Self {
        let database = testkit::postgres::database().await;
        let location = Location::Postgres(database.url.clone());
        Self::over(location, tempfile::tempdir().unwrap(), Some(database))
    }

    fn over(
        location: Location,
        directory: tempfile::TempDir,
        database: Option<TestDatabase>,
    ) -> Self {
        let options = SmtpOptions {
            encryption: SmtpEncryption::None,
            certificate: None,
            user: None,
        };
        Self {
            smtp: Smtp::start(options).unwrap(),
            clock: FakeClock::default(),
            location,
            directory,
            _database: database,
        }
    }

    pub(crate) async fn node(&self) -> Node {
        let seed = NODES.fetch_add(1, Ordering::Relaxed);
        let entropy = Arc::new(SeededEntropy::new(seed));
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let source = KeySource::File(self.directory.path().join("master.key"));
        let master = MasterKey::unlock(&source, &self.location, &*entropy);
        let master = master.await.unwrap();
        let database = Database::open(DatabaseOptions {
            location: self.location.clone(),
            server_name: "example.org".to_owned(),
            migrations: vec![
                seal::MIGRATIONS,
                audit::MIGRATIONS,
                accounts::MIGRATIONS,
                rooms::MIGRATIONS,
                outbox::MIGRATIONS,
            ],
            readers: 4,
        });
        let database = database.await.unwrap();
        let keyring = Keyring::unlock(&database, master, entropy.clone(), Arc::clone(&clock));
        let keyring = keyring.await.unwrap();
        let changes = AccountChanges::new(keyring.clone());
        let trail = AuditTrail::new(keyring.clone(), entropy.clone());
        let options = RoomsOptions {
            server_name: owned_server_name!("example.org"),
            default_version: RoomVersionId::V12,
            encryption: EncryptionPolicy::Off,
            on_invite: accounts::demand_invitable,
            on_delayed: accounts::demand_standing,
        };
        let rooms = Rooms::new(
            options,
            database.clone(),
            keyring.clone(),
            Arc::clone(&clock),
            entropy.clone(),
        );
        let builder = LogBuilder::new(database, Arc::clone(&clock))
            .register(Arc::clone(&changes))
            .register(EmailChanges::new(keyring.clone(), Arc::clone(&clock)))
            .register(Arc::new(trail));
        let log = rooms.register(builder).start().await.unwrap();
        let settings = Settings {
            server_name: owned_server_name!("example.org"),
            registration: RegistrationMode::Open,
            shared_secret: None,
            access_token_lifetime: std::time::Duration::from_secs(300),
            limit_guesses: true,
            mail: true,
            reserved_name: "notices".to_owned(),
            policies: Vec::new(),
            guests: false,
            on_guest: |_, _, _| {},
            appservices: Default::default(),
        };
        let accounts = Accounts::new(log.clone(), changes, keyring, entropy.clone(), settings);
        let outbox = Outbox::new(log.clone(), entropy);
        let options = Options {
            host: "127.0.0.1".to_owned(),
            port: self.smtp.port(),
            encryption: Encryption::None,
            credentials: None,
            sender: Sender {
                address: MailAddress::parse("chat@example.org").unwrap(),
                name: Line::new("example.org"),
                reply_to: None,
            },
            hello: "example.org".to_owned(),
            roots: RootCertStore::empty(),
        };
        let mailer = Mailer::new(options, clock).unwrap();
        let name = Name::new(
            owned_server_name!("example.org"),
            "https://chat.example.org",
            Language::English,
        );
        let mailroom = Mailroom::new(log, (accounts.clone(), rooms), outbox.clone(), mailer, name);
        Node {
            accounts,
            outbox,
            mailroom,
            working: None,
        }
    }

    /// Waits, while time goes by, until so many mails have arrived.
    pub(crate) async fn arrived(&self, count: usize) -> Vec<String> {
        eventually("the mails arrive", || {
            self.clock.advance(std::time::Duration::from_millis(250));
            let mails = self.smtp.mails();
            async move { (mails.len() >= count).then_some(mails) }
        })
        .await
    }
}

impl Node {
    /// Begins to hand on mails.
    pub(crate) fn work(&mut self) {
        let mailroom = self.mailroom.clone();
        self.working = Some(tokio::spawn(async move { mailroom.run().await }));
    }

    /// Ends at once, as a crash would.
    pub(crate) fn die(&mut self) {
        if let Some(working) = self.working.take() {
            working.abort();
        }
    }

    /// Asks for a mail to somebody of this name, who registers.
    pub(crate) async fn ask(&self, local: &str, attempt: i64) {
        let request = EmailRequest {
            purpose: EmailPurpose::Register,
            address: MailAddress::parse(&format!("{local}@example.org")).unwrap(),
            client_secret: "secret",
            send_attempt: attempt,
            next_link: None,
            language: Language::SimplifiedChinese,
        };
        self.accounts.request_email(request).await.unwrap();
    }
}
