//! The server and, on PostgreSQL, a database server of its own, both there to be killed.

use std::ffi::OsString;

use testkit::{
    server::{Engine, SERVER_VARIABLE, TestServer},
    servers::Postgres,
};

/// What is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    Server,
    /// The database server's first process, which the system would kill for its memory.
    Database,
    /// All processes of the database server at once.
    WholeDatabase,
    /// A machine on which both run.
    Both,
}

/// The server that was built beside this test, or another that is named: one that must fail.
pub(crate) fn program() -> OsString {
    let given = std::env::var_os(SERVER_VARIABLE);
    given.unwrap_or_else(|| env!("CARGO_BIN_EXE_conclave").into())
}

pub(crate) struct Bench {
    pub(crate) server: TestServer,
    postgres: Option<Postgres>,
    start_takes_ms: u64,
}

impl Bench {
    pub(crate) async fn start(engine: Engine) -> Self {
        let postgres = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => {
                let starting = tokio::task::spawn_blocking(|| Postgres::start().unwrap());
                Some(starting.await.unwrap())
            }
        };
        let url = postgres.as_ref().map(Postgres::url);
        let keys = url.as_deref().map(|url| ("database.url", url));
        let program = program();
        let server =
            TestServer::start_program(program.as_ref(), Engine::Sqlite, keys.as_slice()).await;
        Self {
            server,
            postgres,
            start_takes_ms: 300,
        }
    }

    /// Every fifth crash is one of the database server, where there is one.
    pub(crate) fn crash_of(&self, round: usize) -> Crash {
        match (self.postgres.is_some(), round % 15) {
            (true, 4) => Crash::Database,
            (true, 9) => Crash::WholeDatabase,
            (true, 14) => Crash::Both,
            _ => Crash::Server,
        }
    }

    /// Crashes the database server under the server, which has to find it again.
    pub(crate) async fn crash_database(&mut self, crash: Crash) {
        let postgres = self.postgres.as_mut().unwrap();
        tokio::task::block_in_place(|| match crash {
            Crash::Database | Crash::Both => postgres.kill().unwrap(),
            Crash::WholeDatabase => postgres.crash().unwrap(),
            Crash::Server => {}
        });
        if crash == Crash::Both {
            self.server.kill().await;
        }
        let postgres = self.postgres.as_mut().unwrap();
        tokio::task::block_in_place(|| postgres.restart().unwrap());
        if crash == Crash::Both {
            self.server.restart().await;
        }
    }

    /// Leaves nothing but what is in files, and starts again from it.
    pub(crate) async fn crash_everything(&mut self) {
        if self.postgres.is_some() {
            self.crash_database(Crash::Both).await;
        } else {
            self.server.restart().await;
        }
    }

    pub(crate) async fn restart_server(&mut self) {
        let before = super::report::now();
        self.server.restart().await;
        let took = super::report::now().saturating_sub(before);
        self.start_takes_ms = u64::try_from(took.as_millis()).unwrap();
    }

    /// How long the last start took, until requests were answered.
    pub(crate) fn start_takes_ms(&self) -> u64 {
        self.start_takes_ms
    }
}
