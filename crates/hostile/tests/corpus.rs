//! Every input that was ever a finding, and the seeds, hold the properties; so do changed ones.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of tests panics as a test does"
)]

use std::{fs, panic::catch_unwind, path::PathBuf};

use hostile::{PROPERTIES, Property};
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

/// Inputs of one property: the seeds of its fuzzer, and what was found.
fn inputs(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus-of-findings");
    let entries = fs::read_dir(PathBuf::from(folder).join(name)).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: PathBuf| (path.clone(), fs::read(path).unwrap());
    paths.into_iter().map(read).collect()
}

fn property(name: &str) -> Property {
    let mut named = PROPERTIES.iter().filter(|(known, _)| *known == name);
    named.next().unwrap().1
}

/// The inputs as they are.
fn holds(name: &str) {
    let inputs = inputs(name);
    assert!(inputs.len() > 1, "{name} has no seeds");
    for (path, input) in inputs {
        let held = catch_unwind(|| property(name)(&input));
        assert!(held.is_ok(), "{name} does not hold of {}", path.display());
    }
}

/// A change of an input, the way a fuzzer makes them.
#[derive(Clone, Debug)]
enum Change {
    Flip(usize, u8),
    Remove(usize, usize),
    Insert(usize, Vec<u8>),
    Repeat(usize, usize),
    /// Its end in place of another one's.
    Cross(usize, usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let place = any::<usize>;
    prop_oneof![
        (place(), any::<u8>()).prop_map(|(at, mask)| Change::Flip(at, mask)),
        (place(), 0..20_usize).prop_map(|(at, length)| Change::Remove(at, length)),
        (place(), proptest::collection::vec(any::<u8>(), 1..5))
            .prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (place(), 0..40_usize).prop_map(|(at, length)| Change::Repeat(at, length)),
        (place(), place(), place()).prop_map(|(at, other, from)| Change::Cross(at, other, from)),
    ]
}

fn changed(mut input: Vec<u8>, changes: &[Change], inputs: &[(PathBuf, Vec<u8>)]) -> Vec<u8> {
    for change in changes {
        let within = |at: &usize, length: usize| at % (length + 1);
        match change {
            Change::Flip(at, mask) => {
                let at = within(at, input.len());
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= mask;
                }
            }
            Change::Remove(at, length) => {
                let at = within(at, input.len());
                let end = (at + length).min(input.len());
                input.drain(at..end);
            }
            Change::Insert(at, bytes) => {
                let at = within(at, input.len());
                input.splice(at..at, bytes.iter().copied());
            }
            Change::Repeat(at, length) => {
                let at = within(at, input.len());
                let end = (at + length).min(input.len());
                let part = input[at..end].to_vec();
                input.splice(at..at, part);
            }
            Change::Cross(at, other, from) => {
                let other = &inputs[other % inputs.len()].1;
                input.truncate(within(at, input.len()));
                input.extend_from_slice(&other[within(from, other.len())..]);
            }
        }
    }
    input
}

/// Changed inputs, the same in every run.
fn holds_of_changed(name: &str, cases: u32) {
    let inputs = inputs(name);
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let changes = (any::<usize>(), proptest::collection::vec(change(), 1..4));
    let run = TestRunner::new_with_rng(config, random).run(&changes, |(which, changes)| {
        let input = inputs[which % inputs.len()].1.clone();
        property(name)(&changed(input, &changes, &inputs));
        Ok(())
    });
    run.unwrap();
}

/// Both tests of each property, with as many changed inputs as take a second or two.
macro_rules! properties {
    ($($name:ident: $cases:literal),* $(,)?) => {
        $(mod $name {
            #[test]
            fn holds_of_every_finding_and_seed() {
                super::holds(stringify!($name));
            }

            #[test]
            fn holds_of_changed_seeds() {
                super::holds_of_changed(stringify!($name), $cases);
            }
        })*

        #[test]
        fn every_property_is_tested_and_has_a_fuzz_target() {
            let tested = [$(stringify!($name)),*];
            assert_eq!(tested, PROPERTIES.map(|(name, _)| name));
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/fuzz_targets");
            let files = fs::read_dir(folder).unwrap();
            let stems = files.map(|file| file.unwrap().path().file_stem().unwrap().to_owned());
            let mut targets: Vec<_> = stems.collect();
            targets.sort();
            assert_eq!(targets, tested);
        }
    };
}

properties! {
    bus_message: 10_000,
    config_file: 1_000,
    credentials: 200,
    event: 3_000,
    filter: 5_000,
    image: 1_000,
    media_type: 10_000,
    page: 5_000,
    push_rules: 500,
    registration_file: 1_000,
    request_body: 600,
    room: 500,
    s3_answer: 10_000,
    search_term: 10_000,
    tokens: 20_000,
}
