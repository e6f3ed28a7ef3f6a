//! Words that occur nowhere by chance.

use std::{collections::BTreeSet, fs::File, io::Read};

use crate::kinds::kinds;

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

    /// Takes a word that the server or somebody else has made.
    pub(crate) fn add(&mut self, kind: &'static str, text: &str) {
        assert!(kinds().contains(kind), "{kind} is not among the kinds");
        assert!(text.len() >= 16, "{kind}: {text} may occur by chance");
        self.0.push(Marker {
            kind,
            text: text.to_owned(),
        });
    }

    pub(crate) fn all(&self) -> &[Marker] {
        &self.0
    }

    /// The kinds of which something was planted.
    pub(crate) fn planted(&self) -> BTreeSet<&'static str> {
        self.0.iter().map(|marker| marker.kind).collect()
    }
}

/// Twenty-four letters at random.
pub(crate) fn word() -> String {
    random_bytes::<24>()
        .iter()
        .map(|byte| char::from(b'a' + byte % 26))
        .collect()
}

/// An address of the block for documentation, none of its groups short.
pub(crate) fn address() -> String {
    let groups = random_bytes::<6>().map(|byte| format!("{:x}", 0x1000 + u16::from(byte) * 7));
    format!("2001:db8:{}", groups.join(":"))
}

fn random_bytes<const COUNT: usize>() -> [u8; COUNT] {
    let mut bytes = [0; COUNT];
    let mut random = File::open("/dev/urandom").unwrap();
    random.read_exact(&mut bytes).unwrap();
    bytes
}
