//! Every column that the page calls sealed or hashed holds something, and it has that form.

use std::{collections::BTreeSet, path::Path};

use rusqlite::Connection;

use crate::columns::documented;

/// Version, key id, nonce and tag.
const SEALED_BYTES: usize = 1 + 8 + 12 + 16;

/// SHA-256, keyed or not; of a keyed one that only tells a repetition, half.
fn hash_bytes(table: &str) -> usize {
    match table {
        "annotations" | "transactions" => 16,
        _ => 32,
    }
}

/// A database in which everything was planted that is known: so what is nowhere readable in its
/// files was not merely forgotten.
pub(crate) fn assert_everything_is_sealed(database: &Path) {
    let database = Connection::open(database).unwrap();
    let keys: BTreeSet<i64> = ["seal_wrapping_keys", "seal_data_keys"]
        .into_iter()
        .flat_map(|table| rows(&database, "id", table))
        .collect();
    for (table, page) in documented() {
        for column in page.sealed {
            let values: Vec<Option<Vec<u8>>> = rows(&database, column, table);
            let mut values = values.into_iter().flatten().peekable();
            assert!(values.peek().is_some(), "nothing is in {table}.{column}");
            for value in values {
                assert!(value.len() >= SEALED_BYTES, "{table}.{column}: {value:?}");
                let named = i64::from_be_bytes(value[1..9].try_into().unwrap());
                // The master key is not in the database.
                let known = table == "seal_wrapping_keys" || keys.contains(&named);
                assert!(value[0] == 1 && known, "{table}.{column}: {value:?}");
            }
        }
        for column in page.hashed {
            let values: Vec<Vec<u8>> = rows(&database, column, table);
            assert!(!values.is_empty(), "nothing is in {table}.{column}");
            for value in values {
                assert_eq!(
                    value.len(),
                    hash_bytes(table),
                    "{table}.{column}: {value:?}"
                );
            }
        }
    }
    let passwords: Vec<Option<String>> = rows(&database, "password_hash", "accounts");
    for password in passwords.iter().flatten() {
        assert!(password.starts_with("$argon2id$"), "{password}");
    }
    assert!(passwords.len() > 3);
}

fn rows<T: rusqlite::types::FromSql>(database: &Connection, column: &str, table: &str) -> Vec<T> {
    let query = format!("SELECT {column} FROM {table}");
    let mut query = database.prepare(&query).unwrap();
    let rows = query.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}
