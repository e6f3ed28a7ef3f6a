//! Configuration files, of which an operator may have any.

use config::{Config, Loaded, Sources};

/// A configuration file.
///
/// Nothing panics; a refusal says what is wrong; and what is shown of a configuration reads back as
/// the same.
pub fn config_file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    // What such a key names would be read, whatever it is.
    if text.contains("_file") {
        return;
    }
    let loaded = match Config::load(Sources::default().with_text("c.toml", text)) {
        Ok(loaded) => loaded,
        Err(error) => {
            assert!(!error.problems().is_empty() && !error.to_string().is_empty());
            return;
        }
    };
    assert!(!loaded.to_string().is_empty());
    let shown = loaded.entries.iter();
    let shown: String = shown
        .map(|entry| format!("{} = {}\n", entry.key, entry.value))
        .collect();
    let again = Config::load(Sources::default().with_text("c.toml", shown)).unwrap();
    assert_eq!(values(&loaded), values(&again));
}

fn values(loaded: &Loaded) -> Vec<String> {
    let entries = loaded.entries.iter();
    entries.map(|entry| entry.value.clone()).collect()
}
