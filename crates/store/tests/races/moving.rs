//! Moves into one PostgreSQL database: one at a time, and each goes on behind what stands.

use std::slice::from_ref;

use store::{Begun, Database, Moving, StoreError, Table, TableFile};

use crate::support::{Db, cells::Act};

const STEPS: [(&str, i64); 3] = [("store", 1), ("store", 2), ("cells", 1)];

async fn begin(db: &Db, origin: &str, again: bool) -> Result<(Moving, Begun), StoreError> {
    let steps: Vec<_> = STEPS
        .iter()
        .map(|(owner, step)| ((*owner).to_owned(), *step))
        .collect();
    Moving::begin(&db.options(), &steps, origin, again).await
}

async fn begun(db: &Db, origin: &str, again: bool) -> (Moving, Begun) {
    let begun = begin(db, origin, again).await;
    begun.unwrap_or_else(|error| panic!("{error}"))
}

fn sentence<T>(outcome: Result<T, StoreError>) -> String {
    match outcome {
        Err(StoreError::Refused(sentence)) => sentence,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was not refused"),
    }
}

/// The marks of a database on SQLite, whose file and table are given.
async fn marks(db: &Db) -> (TableFile, Table) {
    let node = db.node().await;
    for value in 1..=3 {
        node.act(value, Act::Set(value)).await.unwrap();
    }
    node.log.stop().await;
    let store::Location::Sqlite(path) = &db.location else {
        panic!("it is on SQLite");
    };
    let file = TableFile::open(path.clone()).await.unwrap();
    let tables = file.tables().await.unwrap();
    let table = tables.into_iter().find(|table| table.name == "marks");
    (file, table.unwrap())
}

/// Moves rows behind a place, and gives how many those were.
async fn move_after(moving: &Moving, (file, table): (&TableFile, &Table), place: i64) -> usize {
    let mut rows = file
        .scan_after(table, place)
        .next()
        .await
        .unwrap()
        .unwrap_or_default();
    let places = rows.iter_mut().map(|row| row.take_last_int().unwrap());
    let last = places.last().unwrap_or(place);
    let count = rows.len();
    moving.append(table, rows, last).await.unwrap();
    count
}

#[tokio::test]
async fn two_moves_do_not_mix_and_the_next_goes_on_behind_what_stands() {
    let (from, to) = (Db::sqlite(), Db::postgres().await);
    let (file, table) = marks(&from).await;
    let (moving, how) = begun(&to, "a", false).await;
    assert_eq!((how, moving.place_in(&table)), (Begun::Anew, None));
    let count = move_after(&moving, (&file, &table), TableFile::START).await;
    assert_eq!(count, 3);
    let second = sentence(begin(&to, "a", false).await);
    assert!(second.contains("another run"), "{second}");
    drop(moving);

    let (moving, how) = begun(&to, "a", false).await;
    assert_eq!(how, Begun::WhereItWas);
    let place = moving.place_in(&table).unwrap();
    assert_eq!(file.count_after(&table, place).await.unwrap(), 0);
    let opened = sentence(Database::open(to.options()).await);
    assert!(opened.contains("conclave migrate"), "{opened}");
    drop(moving);

    // Of something else, or when it is asked for, nothing of it stays.
    for (origin, again, expected) in [
        ("b", false, Begun::AnewForAnother),
        ("b", true, Begun::Anew),
    ] {
        let (moving, how) = begun(&to, origin, again).await;
        assert_eq!((how, moving.place_in(&table)), (expected, None));
    }
}

#[tokio::test]
async fn keys_that_come_last_are_keys_all_the_same() {
    let (from, to) = (Db::sqlite(), Db::postgres().await);
    let (file, table) = marks(&from).await;
    let (moving, _) = begun(&to, "a", false).await;
    assert!(moving.tables().await.unwrap().contains(&table));
    let left = moving.indexes_left();
    assert!(left > 4, "{left}");
    // The same rows twice, as nothing but a mistake would have it.
    for _ in 0..2 {
        move_after(&moving, (&file, &table), TableFile::START).await;
    }
    let made = async {
        while moving.make_index().await? {}
        Ok::<_, StoreError>(())
    };
    assert!(matches!(made.await, Err(StoreError::Postgres(_))));
    drop(moving);
    let (moving, _) = begun(&to, "a", true).await;
    move_after(&moving, (&file, &table), TableFile::START).await;
    while moving.make_index().await.unwrap() {}
    moving.analyse(from_ref(&table)).await.unwrap();
    assert_eq!(moving.indexes_left(), 0);
    // What is made at the end is what the steps of the schema make.
    let whole = Db::postgres().await;
    whole.node().await.log.stop().await;
    assert_eq!(indexes(&to).await, indexes(&whole).await);
}

async fn indexes(db: &Db) -> Vec<String> {
    const READ: &str = "SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema() \
         AND tablename <> 'unfinished_move' ORDER BY indexdef";
    let database = Database::open_as_it_is(db.options()).await.unwrap();
    let rows = database.query(READ, &[]).await.unwrap();
    rows.iter()
        .map(|row| row.text(0).unwrap().to_owned())
        .collect()
}
