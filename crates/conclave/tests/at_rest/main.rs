//! Whatever people write is found nowhere in what the server stores.
//!
//! Thumbnails and an outbox do not exist yet, so nothing is planted in them.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of tests panics as a test does"
)]

mod columns;
mod markers;
mod planting;
mod scan;
#[expect(dead_code, reason = "other suites use the rest")]
#[path = "../support/client.rs"]
mod support;

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use testkit::{
    server::{Engine, TestServer},
    servers::Postgres,
};

use self::{markers::Markers, scan::Scan};

/// A server whose state can be looked at from outside once it is gone.
struct Bench {
    server: TestServer,
    postgres: Option<Postgres>,
}

impl Bench {
    async fn start(engine: Engine) -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_conclave"));
        // A cluster of its own: all of its files are searched, once it has stopped.
        let postgres = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(Postgres::start().unwrap()),
        };
        let url = postgres.as_ref().map(Postgres::url);
        let mut keys = vec![
            ("encryption.rooms", "off"),
            ("registration.mode", "token"),
            ("registration.shared_secret", planting::SHARED_SECRET),
            ("log.level", "debug"),
        ];
        if let Some(url) = &url {
            keys.push(("database.url", url));
        }
        let server = TestServer::start_program(program, Engine::Sqlite, &keys).await;
        Self { server, postgres }
    }

    /// Searches everything that is stored.
    fn scan(&self, scan: &mut Scan) {
        if let Some(postgres) = &self.postgres {
            scan.folder(&postgres.data_dir());
        }
        scan.folder(&self.server.data_dir());
    }
}

async fn nothing_that_people_write_is_found(engine: Engine) {
    let mut bench = Bench::start(engine).await;
    let mut markers = Markers::default();
    let planted = planting::plant(&bench.server, &mut markers).await;
    // Killed in the middle of an upload: the write-ahead log and the temporary file stay.
    bench.server.kill().await;
    let temporary = scan::files_in(&bench.server.data_dir().join("files"));
    assert_eq!(
        temporary,
        planted.files + 1,
        "the upload that was cut has left its file"
    );
    if let Some(postgres) = &mut bench.postgres {
        postgres.stop().unwrap();
    }
    let log = bench.server.output();

    // A control that is not sealed: every marker is found in every form.
    let control = bench.server.data_dir().join("control");
    std::fs::write(&control, scan::in_every_form(&markers)).unwrap();
    let mut scan = Scan::for_markers(&markers);
    scan.folder(&bench.server.data_dir());
    for marker in markers.all() {
        let missed = scan.missed_forms(&marker.text);
        assert!(missed.is_empty(), "{}: not found {missed:?}", marker.kind);
    }
    std::fs::remove_file(&control).unwrap();

    let mut scan = Scan::for_markers(&markers);
    scan.add(&planted.state_key);
    bench.scan(&mut scan);
    scan.bytes("the log", log.as_bytes());
    assert!(
        scan.has(&planted.state_key),
        "the scan has not reached the tables: a state key is readable"
    );
    for marker in markers.all() {
        let places = scan.places(&marker.text);
        assert!(
            places.is_empty(),
            "{} is readable in {places:?}",
            marker.kind
        );
    }
    the_master_key_is_in_its_file_alone(&bench, &log);
}

fn the_master_key_is_in_its_file_alone(bench: &Bench, log: &str) {
    let mut scan = Scan::default();
    let key_file = bench.server.data_dir().join("master.key");
    let written = std::fs::read(&key_file).unwrap();
    let text = String::from_utf8(written).unwrap();
    let encoded = text.trim_end().rsplit(':').next().unwrap_or_default();
    let encoded = encoded.rsplit(' ').next().unwrap_or_default();
    let key = STANDARD.decode(encoded).unwrap();
    assert_eq!(key.len(), 32);
    scan.add_bytes("the master key", &key);
    bench.scan(&mut scan);
    scan.bytes("the log", log.as_bytes());
    let places = scan.places("the master key");
    assert_eq!(places, [key_file.display().to_string()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_people_write_is_found_on_sqlite() {
    nothing_that_people_write_is_found(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_people_write_is_found_on_postgres() {
    nothing_that_people_write_is_found(Engine::Postgres).await;
}
