//! Whatever people write is found nowhere in what the server stores, nor in its log.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of tests panics as a test does"
)]

mod bench;
mod columns;
mod contents;
mod controls;
mod kinds;
mod markers;
mod planting;
mod scan;
#[expect(dead_code, reason = "other suites use the rest")]
#[path = "../support/client.rs"]
mod support;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use testkit::{server::Engine, servers::Postgres};

use self::{
    bench::{Bench, Ending},
    controls::PlainTable,
    markers::Markers,
    planting::Planted,
    scan::Scan,
};

async fn nothing_that_people_write_is_found(engine: Engine, ending: Ending) {
    let mut bench = Bench::start(engine).await;
    let mut markers = Markers::default();
    let planted = planting::plant(&bench.server, &bench.smtp, &mut markers).await;
    let mut plain = PlainTable::write(&bench).await;
    if let Some(url) = bench.postgres.as_ref().map(Postgres::url) {
        controls::nothing_is_compressed(&url).await;
    }
    let readable = end(&mut bench, ending, planted, &mut markers).await;
    plain.end(ending);

    controls::an_unsealed_file_is_found(&markers, &bench.server.data_dir());
    let mut scan = Scan::for_markers(&markers);
    for (_, word) in &readable {
        scan.add(word);
    }
    scan.add(&plain.word);
    bench.search(&mut scan);
    assert_the_tables_were_searched(&bench, ending, &scan, (&plain.word, &readable));
    assert_no_marker_is_found(&bench, &scan, &markers);
    assert_the_master_key_is_in_its_file_alone(&bench);
    if engine == Engine::Sqlite {
        contents::assert_everything_is_sealed(&bench.server.data_dir().join("conclave.db"));
    }
}

/// Ends the servers, and gives what stays readable.
async fn end(
    bench: &mut Bench,
    ending: Ending,
    planted: Planted,
    markers: &mut Markers,
) -> Vec<(&'static str, String)> {
    let folder = bench.server.data_dir().join("files");
    match ending {
        Ending::Killed => {
            bench.end_postgres(ending);
            if bench.postgres.is_some() {
                planting::ask_in_vain(&planted.person, &planted.room, markers).await;
                assert!(bench.server.output().contains("a request failed"));
            }
            bench.server.kill().await;
            // In the middle of an upload: its temporary file stays.
            assert_eq!(scan::files_in(&folder), planted.files + 1);
            drop(planted.upload);
        }
        Ending::Stopped => {
            drop(planted.upload);
            bench.server.stop().await;
            assert_eq!(scan::files_in(&folder), planted.files);
            bench.end_postgres(ending);
        }
    }
    planted.readable
}

/// Words that are documented as readable, and one that nothing seals, are found where the
/// engine keeps its tables. So a value that was not sealed would be found there, too.
fn assert_the_tables_were_searched(
    bench: &Bench,
    ending: Ending,
    scan: &Scan,
    (plain, readable): (&str, &[(&'static str, String)]),
) {
    let tables = bench.tables_are_in(ending);
    let readable = readable.iter().map(|(what, word)| (*what, word.as_str()));
    for (what, word) in readable.chain([("what nothing seals", plain)]) {
        let places = scan.places(word);
        assert!(
            places.iter().any(|place| place.contains(tables)),
            "{what} is not found in {tables}, but in {places:?}"
        );
    }
}

fn assert_no_marker_is_found(bench: &Bench, scan: &Scan, markers: &Markers) {
    let output = bench.server.data_dir().with_file_name("stdout");
    let found: Vec<String> = markers
        .all()
        .iter()
        .map(|marker| (marker.kind, scan.places(&marker.text)))
        // The server tells it to whoever has started it.
        .filter(|(kind, places)| {
            *kind != kinds::SETUP_LINK || *places != [output.display().to_string()]
        })
        .filter(|(_, places)| !places.is_empty())
        .map(|(kind, places)| format!("{kind}: {}", places.join(", ")))
        .collect();
    assert!(found.is_empty(), "readable is\n{}", found.join("\n"));
}

fn assert_the_master_key_is_in_its_file_alone(bench: &Bench) {
    let mut scan = Scan::default();
    let key_file = bench.server.data_dir().join("master.key");
    let text = std::fs::read_to_string(&key_file).unwrap();
    let encoded = text.trim_end().rsplit([':', ' ']).next().unwrap();
    let key = STANDARD.decode(encoded).unwrap();
    assert_eq!(key.len(), 32);
    scan.add_bytes("the master key", &key);
    bench.search(&mut scan);
    let places = scan.places("the master key");
    assert_eq!(places, [key_file.display().to_string()]);
}

mod sqlite {
    use testkit::server::Engine;

    use crate::{Ending, nothing_that_people_write_is_found};

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_that_people_write_is_found_after_a_kill() {
        nothing_that_people_write_is_found(Engine::Sqlite, Ending::Killed).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_that_people_write_is_found_after_a_stop() {
        nothing_that_people_write_is_found(Engine::Sqlite, Ending::Stopped).await;
    }
}

mod postgres {
    use testkit::server::Engine;

    use crate::{Ending, nothing_that_people_write_is_found};

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_that_people_write_is_found_after_a_kill() {
        nothing_that_people_write_is_found(Engine::Postgres, Ending::Killed).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_that_people_write_is_found_after_a_stop() {
        nothing_that_people_write_is_found(Engine::Postgres, Ending::Stopped).await;
    }
}
