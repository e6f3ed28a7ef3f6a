//! Digests of files, and of rows in whatever order they are read.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use aws_lc_rs::digest::{Context, SHA256, digest};
use store::{Row, Value};

/// How much of a file is read at once.
const PIECE_BYTES: usize = 256 * 1024;

/// SHA-256 of bytes as they pass.
pub(crate) struct Hasher {
    context: Context,
    size_bytes: u64,
}

impl Hasher {
    pub(crate) fn new() -> Self {
        Self {
            context: Context::new(&SHA256),
            size_bytes: 0,
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
        self.size_bytes += bytes.len() as u64;
    }

    /// The digest of what has passed until now.
    pub(crate) fn so_far(&self) -> String {
        hex(self.context.clone().finish().as_ref())
    }

    /// The digest in hexadecimal, and how many bytes it covers.
    pub(crate) fn finish(self) -> (String, u64) {
        (hex(self.context.finish().as_ref()), self.size_bytes)
    }
}

/// SHA-256 of a text.
pub(crate) fn of_bytes(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

/// SHA-256 of a file and its size; blocks.
pub(crate) fn of_file(path: &Path) -> io::Result<(String, u64)> {
    let mut file = File::open(path)?;
    let mut hasher = Hasher::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let length = file.read(&mut piece)?;
        if length == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(&piece[..length]);
    }
}

/// A digest of a table's rows that does not depend on their order: the sum of their digests.
///
/// The files' digests guard against who alters a copy; this one shows that every row has come
/// through engines that give rows in orders of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RowsDigest {
    words: [u64; 4],
    rows: u64,
}

impl RowsDigest {
    pub(crate) fn add(&mut self, row: &Row) {
        let mut context = Context::new(&SHA256);
        for value in row.values() {
            let (tag, bytes): (u8, &[u8]) = match value {
                Value::Null => (0, &[]),
                Value::Int(number) => {
                    context.update(&[1]);
                    context.update(&number.to_be_bytes());
                    continue;
                }
                Value::Text(text) => (2, text.as_bytes()),
                Value::Bytes(bytes) => (3, bytes),
            };
            context.update(&[tag]);
            context.update(&(bytes.len() as u64).to_be_bytes());
            context.update(bytes);
        }
        let digest = context.finish();
        let (words, _) = digest.as_ref().as_chunks::<8>();
        for (sum, word) in self.words.iter_mut().zip(words) {
            *sum = sum.wrapping_add(u64::from_be_bytes(*word));
        }
        self.rows += 1;
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    pub(crate) fn to_hex(&self) -> String {
        let words = self.words.iter();
        words.map(|word| format!("{word:016x}")).collect()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
