//! A server whose state can be looked at from outside once it is gone.

use std::path::{Path, PathBuf};

use testkit::{
    server::{Engine, TestServer},
    servers::{Postgres, Smtp, SmtpEncryption, SmtpOptions},
};

use crate::{planting, scan::Scan};

/// How everything ends before it is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// As by a power cut: what is not in the tables yet is in the write-ahead log.
    Killed,
    /// In good order: everything is in the tables.
    Stopped,
}

pub(crate) struct Bench {
    pub(crate) server: TestServer,
    pub(crate) postgres: Option<Postgres>,
    pub(crate) smtp: Smtp,
}

impl Bench {
    pub(crate) async fn start(engine: Engine) -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_conclave"));
        // A cluster of its own: all of its files are searched, once it has stopped.
        let postgres = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(Postgres::start().unwrap()),
        };
        let url = postgres.as_ref().map(Postgres::url);
        let options = SmtpOptions {
            encryption: SmtpEncryption::None,
            certificate: None,
            user: None,
        };
        let smtp = Smtp::start(options).unwrap();
        let smtp_port = smtp.port().to_string();
        let mut keys = vec![
            ("mail.host", "127.0.0.1"),
            ("mail.port", &smtp_port),
            ("mail.encryption", "none"),
            ("mail.from", "chat@example.org"),
            ("encryption.rooms", "off"),
            ("registration.mode", "token"),
            ("registration.shared_secret", planting::SHARED_SECRET),
            ("server.trusted_proxies", "127.0.0.0/8"),
            ("previews.enabled", "true"),
            ("previews.allow_private_addresses", "true"),
            ("log.level", "trace"),
        ];
        if let Some(url) = &url {
            keys.push(("database.url", url));
        }
        let server = TestServer::start_program(program, Engine::Sqlite, &keys).await;
        Self {
            server,
            postgres,
            smtp,
        }
    }

    /// Ends the database server, if there is one.
    pub(crate) fn end_postgres(&mut self, ending: Ending) {
        match (&mut self.postgres, ending) {
            (Some(postgres), Ending::Killed) => postgres.crash().unwrap(),
            (Some(postgres), Ending::Stopped) => postgres.stop().unwrap(),
            (None, _) => {}
        }
    }

    /// What is in the path of every file that a table, or its write-ahead log, stands in.
    pub(crate) fn tables_are_in(&self, ending: Ending) -> &'static str {
        match (&self.postgres, ending) {
            (None, Ending::Killed) => ".db-wal",
            (None, Ending::Stopped) => ".db",
            (Some(_), Ending::Killed) => "/pg_wal/",
            (Some(_), Ending::Stopped) => "/base/",
        }
    }

    /// The folders of the server, with its log, and of the database server, with its own.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        let clusters = self.postgres.iter().map(Postgres::data_dir);
        let data = clusters.chain([self.server.data_dir()]);
        data.map(|data| data.parent().unwrap().to_owned()).collect()
    }

    /// Searches everything that was written.
    pub(crate) fn search(&self, scan: &mut Scan) {
        for folder in self.folders() {
            scan.folder(&folder);
        }
    }
}
