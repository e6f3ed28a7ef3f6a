//! Words that occur nowhere by chance.

use std::{fs::File, io::Read};

/// What was planted, and as what.
pub(crate) struct Marker {
    pub(crate) kind: &'static str,
    pub(crate) text: String,
}

#[derive(Default)]
pub(crate) struct Markers(Vec<Marker>);

impl Markers {
    /// A new word, to be planted as something of this kind.
    pub(crate) fn new_for(&mut self, kind: &'static str) -> String {
        let text = word();
        self.add(kind, &text);
        text
    }

    /// Takes a word that the server has made.
    pub(crate) fn add(&mut self, kind: &'static str, text: &str) {
        assert!(text.len() >= 16, "{kind}: {text} may occur by chance");
        self.0.push(Marker {
            kind,
            text: text.to_owned(),
        });
    }

    pub(crate) fn all(&self) -> &[Marker] {
        &self.0
    }
}

/// Twenty-four letters at random.
pub(crate) fn word() -> String {
    let mut bytes = [0; 24];
    File::open("/dev/urandom")
        .unwrap()
        .read_exact(&mut bytes)
        .unwrap();
    bytes
        .iter()
        .map(|byte| char::from(b'a' + byte % 26))
        .collect()
}
