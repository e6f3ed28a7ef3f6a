//! The files under `docs/` are what the sections say.

use std::{fs, path::Path};

use config::{Config, Origin, Sources};

fn committed(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(name);
    fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn the_sample_and_the_reference_are_those_of_the_code() {
    let fix = "run `cargo run -p config --example write-docs`";
    assert!(
        committed("conclave.sample.toml") == config::sample(),
        "{fix}"
    );
    assert!(
        committed("configuration.md") == config::reference(),
        "{fix}"
    );
}

#[test]
fn the_sample_as_it_stands_changes_nothing() {
    let loaded = Config::load(Sources::default().with_text("sample", config::sample())).unwrap();
    assert!(
        loaded
            .entries
            .iter()
            .all(|entry| entry.origin == Origin::Default)
    );
}

#[test]
fn the_sample_uncommented_sets_every_key_to_its_default() {
    let sample: String = config::sample()
        .lines()
        .map(|line| {
            if line.starts_with("# ") {
                line
            } else {
                line.trim_start_matches('#')
            }
        })
        .fold(String::new(), |text, line| text + line + "\n");
    let set = Config::load(Sources::default().with_text("sample", sample)).unwrap();
    let defaults = Config::load(Sources::default()).unwrap();
    for (set, default) in set.entries.iter().zip(&defaults.entries) {
        assert_eq!((set.key, &set.value), (default.key, &default.value));
        assert!(
            matches!(set.origin, Origin::File { .. }),
            "{} is not in the sample",
            set.key
        );
    }
}

#[test]
fn the_reference_has_every_key() {
    let reference = config::reference();
    for entry in Config::load(Sources::default()).unwrap().entries {
        assert!(
            reference.contains(&format!("### `{}`\n", entry.key)),
            "{}",
            entry.key
        );
    }
}
