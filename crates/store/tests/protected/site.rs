//! A PostgreSQL that speaks TLS, the files that an operator has, and what a node makes of them.

use std::{error::Error, fs, path::PathBuf};

use store::{Database, DatabaseOptions, Location, StoreError};
use tempfile::TempDir;
use testkit::{
    authority::{Authority, Issued},
    servers::{Postgres, PostgresTls},
};
use tokio_postgres::NoTls;

/// Who is told to be whom by their password, and who by their certificate.
const RULES: &str = "hostssl all conclave 127.0.0.1/32 scram-sha-256\n\
     hostssl all certified 127.0.0.1/32 cert\n\
     host all conclave,certified 127.0.0.1/32 reject";

pub(crate) const PASSWORD: &str = "s3cret";

pub(crate) struct Site {
    pub(crate) server: Postgres,
    pub(crate) authority: Authority,
    folder: TempDir,
}

impl Site {
    /// A server whose certificate is for 127.0.0.1 and nothing else.
    pub(crate) async fn new() -> Self {
        Self::at("127.0.0.1").await
    }

    pub(crate) async fn at(name: &str) -> Self {
        let authority = Authority::new("ours");
        let issued = authority.issue(&[name]);
        let clients = authority.pem().to_owned();
        let starting = tokio::task::spawn_blocking(move || {
            Postgres::start_with_tls(&PostgresTls {
                certificate: &issued.certificate,
                key: &issued.key,
                clients: &clients,
                rules: RULES,
            })
        });
        let site = Self {
            server: starting.await.unwrap().unwrap(),
            authority,
            folder: tempfile::tempdir().unwrap(),
        };
        let (client, connection) = tokio_postgres::connect(&site.server.url(), NoTls)
            .await
            .unwrap();
        tokio::spawn(connection);
        let make = format!(
            "CREATE ROLE conclave SUPERUSER LOGIN PASSWORD '{PASSWORD}'; \
             CREATE ROLE certified SUPERUSER LOGIN"
        );
        client.batch_execute(&make).await.unwrap();
        site
    }

    /// Writes a file of the operator's.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// The parameter that names our authority, in a file of its own.
    pub(crate) fn trusting(&self) -> String {
        self.trusting_in(self.authority.pem())
    }

    pub(crate) fn trusting_in(&self, pem: &str) -> String {
        format!("sslrootcert={}", self.file("authority.pem", pem).display())
    }

    /// The parameters that name a certificate and its key.
    pub(crate) fn showing(&self, issued: &Issued) -> String {
        let cert = self.file("client.pem", &issued.certificate);
        let key = self.file("client.key", &issued.key);
        format!("sslcert={}&sslkey={}", cert.display(), key.display())
    }

    /// Where the server is for who signs in with a password.
    pub(crate) fn url(&self, parameters: &str) -> String {
        url_at(&format!("127.0.0.1:{}", self.server.port()), parameters)
    }

    pub(crate) async fn open(&self, parameters: &str) -> Result<Database, StoreError> {
        open(&self.url(parameters)).await
    }
}

pub(crate) fn url_at(hosts: &str, parameters: &str) -> String {
    format!("postgres://conclave:{PASSWORD}@{hosts}/postgres?{parameters}")
}

/// Opens a database as a node does.
pub(crate) async fn open(url: &str) -> Result<Database, StoreError> {
    Database::open(DatabaseOptions {
        location: Location::Postgres(url.to_owned()),
        server_name: "example.org".to_owned(),
        migrations: vec![],
        readers: 4,
    })
    .await
}

/// Why it is not opened, down to the last cause. No password is in it.
pub(crate) fn refusal(opened: Result<Database, StoreError>) -> String {
    let Err(error) = opened else {
        panic!("it was opened");
    };
    let causes = std::iter::successors(Some(&error as &dyn Error), |&error| error.source());
    let told: Vec<_> = causes.map(ToString::to_string).collect();
    let told = told.join(": ");
    assert!(!told.contains(PASSWORD), "{told}");
    told
}

/// What the server says of a connection: whether it is encrypted, and how.
pub(crate) async fn encryption(database: &Database) -> (String, String) {
    const READ: &str = "SELECT CAST(ssl AS TEXT), COALESCE(version, '') FROM pg_stat_ssl \
         WHERE pid = pg_backend_pid()";
    let row = database.query_opt(READ, &[]).await.unwrap().unwrap();
    (
        row.text(0).unwrap().to_owned(),
        row.text(1).unwrap().to_owned(),
    )
}
