//! The page about what is sealed says of every column whether it is.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use rusqlite::Connection;
use testkit::server::{Engine, TestServer};

const PAGE: &str = include_str!("../../../../docs/security/at-rest.md");

/// The names in backticks.
fn names(cell: &str) -> BTreeSet<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// By table, what the page calls readable and sealed.
fn documented() -> BTreeMap<&'static str, (BTreeSet<&'static str>, BTreeSet<&'static str>)> {
    let rows = PAGE.lines().filter(|line| line.starts_with("| `"));
    let rows = rows.flat_map(|row| {
        let cells: Vec<&str> = row.split('|').collect();
        let columns = (names(cells[2]), names(cells[3]));
        names(cells[1])
            .into_iter()
            .map(move |table| (table, columns.clone()))
    });
    rows.collect()
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
        let (readable, sealed) = &documented[table.as_str()];
        assert!(readable.is_disjoint(sealed), "{table}");
        let both: BTreeSet<&str> = readable.union(sealed).copied().collect();
        let names: BTreeSet<&str> = columns.keys().map(String::as_str).collect();
        assert_eq!(names, both, "the columns of {table}");
        for column in sealed {
            assert_eq!(columns[*column], "BYTEA", "{table}.{column} is sealed");
        }
    }
}
