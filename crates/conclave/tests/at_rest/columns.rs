//! The page about what is sealed says of every column whether it is.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use rusqlite::Connection;
use testkit::server::{Engine, TestServer};

use crate::kinds;

const PAGE: &str = include_str!("../../../../docs/security/at-rest.md");

type Columns = BTreeSet<&'static str>;

/// What the page says of a table.
#[derive(Clone)]
pub(crate) struct Documented {
    pub(crate) readable: Columns,
    pub(crate) hashed: Columns,
    pub(crate) sealed: Columns,
    reason: &'static str,
}

/// The names in backticks.
fn names(cell: &'static str) -> Columns {
    cell.split('`').skip(1).step_by(2).collect()
}

/// By table, what the page says of its columns.
pub(crate) fn documented() -> BTreeMap<&'static str, Documented> {
    let (_, page) = PAGE
        .split_once("| table | readable | hashed | sealed | why")
        .unwrap();
    let rows = page
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let rows = rows.flat_map(|row| {
        let cells: Vec<&str> = row.split('|').collect();
        assert_eq!(cells.len(), 7, "{row}");
        let columns = Documented {
            readable: names(cells[2]),
            hashed: names(cells[3]),
            sealed: names(cells[4]),
            reason: cells[5].trim(),
        };
        names(cells[1])
            .into_iter()
            .map(move |table| (table, columns.clone()))
    });
    let mut tables = BTreeMap::new();
    for (table, columns) in rows {
        assert!(
            tables.insert(table, columns).is_none(),
            "{table} stands there twice"
        );
    }
    tables
}

/// By table, the columns and their types.
fn existing(database: &Path) -> BTreeMap<String, BTreeMap<String, String>> {
    let database = Connection::open(database).unwrap();
    let mut columns = database
        .prepare(
            "SELECT m.name, c.name, c.type FROM sqlite_master m, pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'",
        )
        .unwrap();
    let mut tables: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut rows = columns.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let table = tables.entry(row.get(0).unwrap()).or_default();
        table.insert(row.get(1).unwrap(), row.get(2).unwrap());
    }
    tables
}

#[tokio::test]
async fn the_page_says_of_every_column_whether_it_is_sealed() {
    let program = Path::new(env!("CARGO_BIN_EXE_conclave"));
    let mut server = TestServer::start_program(program, Engine::Sqlite, &[]).await;
    server.stop().await;
    let existing = existing(&server.data_dir().join("conclave.db"));
    let documented = documented();
    let tables: Vec<&str> = existing.keys().map(String::as_str).collect();
    assert_eq!(tables, documented.keys().copied().collect::<Vec<_>>());
    for (table, columns) in existing {
        let page = &documented[table.as_str()];
        assert!(
            !page.reason.is_empty(),
            "the page does not say why of {table}"
        );
        let all = [&page.readable, &page.hashed, &page.sealed];
        let named: Vec<&str> = all.into_iter().flatten().copied().collect();
        let distinct: BTreeSet<&str> = named.iter().copied().collect();
        assert_eq!(named.len(), distinct.len(), "{table} has a column twice");
        let names: BTreeSet<&str> = columns.keys().map(String::as_str).collect();
        assert_eq!(names, distinct, "the columns of {table}");
        for (column, kind) in &columns {
            // Whoever can read a column of bytes sees a hash, at most.
            let readable = page.readable.contains(column.as_str());
            assert_eq!(kind != "BYTEA", readable, "{table}.{column} is {kind}");
        }
    }
}

#[test]
fn for_every_sealed_or_hashed_column_it_is_known_what_is_planted() {
    let documented = documented();
    let not_readable = documented.iter().flat_map(|(table, page)| {
        let columns = page.hashed.union(&page.sealed);
        columns.map(move |column| format!("{table}.{column}"))
    });
    let not_readable: BTreeSet<String> = not_readable.collect();
    let mut known = kinds::columns();
    // Argon2id's form of a hash is a text.
    assert!(known.remove("accounts.password_hash"));
    let known: BTreeSet<String> = known.into_iter().map(str::to_owned).collect();
    assert_eq!(not_readable, known);
}
