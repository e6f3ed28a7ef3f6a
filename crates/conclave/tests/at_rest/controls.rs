//! What the search must find: without it, finding nothing would mean nothing.

use std::{fs, path::Path};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE},
};
use rusqlite::Connection;
use tokio_postgres::{Client, NoTls};

use crate::{
    bench::{Bench, Ending},
    markers::{Markers, word},
    scan::Scan,
};

/// A word in a table beside the server's, where nothing seals it.
pub(crate) struct PlainTable {
    pub(crate) word: String,
    sqlite: Option<Connection>,
}

impl PlainTable {
    pub(crate) async fn write(bench: &Bench) -> Self {
        const TABLE: &str = "CREATE TABLE plain (id BIGINT NOT NULL PRIMARY KEY, sealed BYTEA)";
        const ROW: &str = "INSERT INTO plain (id, sealed) VALUES (1, $1)";
        let word = word();
        let row = format!("{{\"content\":{{\"body\":\"{word}\"}},\"type\":\"m.room.message\"}}");
        let mut sqlite = None;
        if let Some(postgres) = &bench.postgres {
            let client = connect(&postgres.url()).await;
            client.batch_execute(TABLE).await.unwrap();
            client.execute(ROW, &[&row.as_bytes()]).await.unwrap();
        } else {
            let database = Connection::open(bench.server.data_dir().join("plain.db")).unwrap();
            database.pragma_update(None, "journal_mode", "WAL").unwrap();
            database.execute_batch(TABLE).unwrap();
            database.execute(ROW, [row.as_bytes()]).unwrap();
            sqlite = Some(database);
        }
        Self { word, sqlite }
    }

    /// Leaves it in the write-ahead log, or not.
    pub(crate) fn end(&mut self, ending: Ending) {
        if ending == Ending::Stopped
            && let Some(database) = self.sqlite.take()
        {
            database.close().unwrap();
        }
    }
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// PostgreSQL compresses long values and whole pages of its log, and then nobody finds a word:
/// here it has not. A value that is sealed cannot be made shorter, one that is not can.
pub(crate) async fn nothing_is_compressed(url: &str) {
    let client = connect(url).await;
    let setting = client.query_one("SHOW wal_compression", &[]).await.unwrap();
    assert_eq!(setting.get::<_, &str>(0), "off");
    let columns = "SELECT table_name::TEXT, column_name::TEXT FROM information_schema.columns \
         WHERE table_schema = 'public' AND data_type IN ('bytea', 'text')";
    let columns = client.query(columns, &[]).await.unwrap();
    assert!(columns.len() > 50, "{} columns", columns.len());
    for column in columns {
        let (table, column): (&str, &str) = (column.get(0), column.get(1));
        let count = format!(
            "SELECT COUNT(*) FROM {table} WHERE pg_column_compression({column}) IS NOT NULL"
        );
        let count: i64 = client.query_one(&count, &[]).await.unwrap().get(0);
        assert_eq!(count, 0, "values of {table}.{column} are compressed");
    }
}

/// Every marker is found in every form in a file that is not sealed.
pub(crate) fn an_unsealed_file_is_found(markers: &Markers, folder: &Path) {
    let path = folder.join("unsealed");
    let words = markers.all().iter().map(|marker| marker.text.as_bytes());
    fs::write(&path, words.flat_map(in_every_form).collect::<Vec<u8>>()).unwrap();
    let mut scan = Scan::for_markers(markers);
    scan.folder(folder);
    for marker in markers.all() {
        let missed = scan.missed_forms(&marker.text);
        assert!(missed.is_empty(), "{}: not found {missed:?}", marker.kind);
        let places = scan.places(&marker.text);
        assert!(places.contains(&path.display().to_string()));
    }
    fs::remove_file(&path).unwrap();
}

/// Bytes as programs write them, with something before and behind. Made in another way than the
/// patterns of the search.
fn in_every_form(bytes: &[u8]) -> Vec<u8> {
    let mut all = bytes.to_vec();
    let each = |all: &mut Vec<u8>, form: &dyn Fn(u8) -> Vec<u8>| {
        all.extend_from_slice(b" ... ");
        all.extend(bytes.iter().flat_map(|byte| form(*byte)));
    };
    each(&mut all, &|byte| u16::from(byte).to_le_bytes().to_vec());
    each(&mut all, &|byte| u16::from(byte).to_be_bytes().to_vec());
    each(&mut all, &|byte| format!("{byte:02x}").into_bytes());
    each(&mut all, &|byte| format!("{byte:02X}").into_bytes());
    for before in ["{", "{\"", "{\"a", "{\"a\"", "{\"a\":"] {
        let text = [before.as_bytes(), bytes, b"\"}"].concat();
        for encoded in [STANDARD.encode(&text), URL_SAFE.encode(&text)] {
            all.extend_from_slice(b" ... ");
            all.extend(encoded.as_bytes());
        }
    }
    all
}

#[test]
fn bytes_are_found_in_every_form_whatever_surrounds_them() {
    // In base64 their letters include those in which its two alphabets differ.
    for bytes in [
        b"abcdefghijklmnopqrstuvwx".to_vec(),
        [[0xfb, 0xef, 0xbe], [0xff, 0xff, 0xff]].concat().repeat(5),
        (0xe0..=0xff).collect(),
        (0xe0..=0xfe).collect(),
        (0xe1..=0xfe).collect(),
    ] {
        let mut scan = Scan::default();
        scan.add_bytes("the bytes", &bytes);
        scan.bytes("nowhere", b"something else");
        assert!(scan.places("the bytes").is_empty());
        scan.bytes("here", &in_every_form(&bytes));
        assert_eq!(scan.missed_forms("the bytes"), [""; 0], "{bytes:?}");
    }
}
