//! The chain itself: what is hashed, and how a place in it is written down.

use std::{fmt, str::FromStr};

use aws_lc_rs::digest::{Context, SHA256};
use model::time::Timestamp;

/// How long a hash of the chain is.
pub(crate) const HASH_BYTES: usize = 32;

/// How many random bytes stand before the record in what is sealed. Without them, whoever sees
/// the commitment of an erased record could find its content by guessing.
pub(crate) const SALT_BYTES: usize = 32;

pub(crate) type Hash = [u8; HASH_BYTES];

/// What the first record is linked to.
const BEGINNING: Hash = [0; HASH_BYTES];

/// A place in the chain: its last record when it was written down.
///
/// Kept outside of the database, it later proves that nothing up to it was altered or cut off.
/// As text it is `seq:link`, the link in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The record's number; 0 before the first record.
    pub seq: i64,
    /// The record's link.
    pub link: [u8; HASH_BYTES],
}

/// A text that is not a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a checkpoint is a record's number, a colon and 64 hexadecimal digits")]
pub struct NotACheckpoint;

impl Checkpoint {
    /// Before the first record.
    pub const START: Self = Self {
        seq: 0,
        link: BEGINNING,
    };

    /// The place of the record that follows this one.
    pub(crate) fn then(&self, at: Timestamp, commitment: &Hash) -> Self {
        let seq = self.seq + 1;
        Self {
            seq,
            link: link(&self.link, seq, at, commitment),
        }
    }
}

/// Hashes a record into the chain. All parts have a fixed length, so no two inputs run together.
pub(crate) fn link(previous: &Hash, seq: i64, at: Timestamp, commitment: &Hash) -> Hash {
    digest(&[
        b"conclave audit link 1",
        previous,
        &seq.to_be_bytes(),
        &at.as_millis().to_be_bytes(),
        commitment,
    ])
}

/// Commits to a record: to its salt and the text behind it.
pub(crate) fn commitment(salted: &[u8]) -> Hash {
    digest(&[b"conclave audit record 1", salted])
}

fn digest(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = [0; HASH_BYTES];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:", self.seq)?;
        self.link
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl FromStr for Checkpoint {
    type Err = NotACheckpoint;

    fn from_str(text: &str) -> Result<Self, NotACheckpoint> {
        let (seq, digits) = text.trim().split_once(':').ok_or(NotACheckpoint)?;
        let seq = seq.parse().map_err(|_| NotACheckpoint)?;
        let is_hexadecimal = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        if seq < 0 || digits.len() != 2 * HASH_BYTES || !is_hexadecimal {
            return Err(NotACheckpoint);
        }
        let mut link = BEGINNING;
        for (index, byte) in link.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&digits[2 * index..2 * index + 2], 16)
                .map_err(|_| NotACheckpoint)?;
        }
        Ok(Self { seq, link })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[test]
    fn every_part_of_a_record_moves_its_link() {
        let base = link(&BEGINNING, 1, AT, &[7; 32]);
        assert_ne!(base, link(&[1; 32], 1, AT, &[7; 32]));
        assert_ne!(base, link(&BEGINNING, 2, AT, &[7; 32]));
        assert_ne!(
            base,
            link(&BEGINNING, 1, Timestamp::from_millis(0), &[7; 32])
        );
        assert_ne!(base, link(&BEGINNING, 1, AT, &[8; 32]));
    }

    #[test]
    fn the_format_of_the_chain_never_changes() {
        // Stored chains and the checkpoints of auditors depend on it.
        let first = Checkpoint::START.then(AT, &commitment(b"salt and record"));
        assert_eq!(
            first.to_string(),
            "1:19d1878fc42c3773fb965dedc1f9ca6fdcafbf0aa764fc5696c78d7a5b8ebe36"
        );
    }

    #[test]
    fn checkpoints_are_read_as_they_are_written() {
        let place = Checkpoint::START.then(AT, &commitment(b"x"));
        assert_eq!(place.to_string().parse(), Ok(place));
        assert_eq!(format!(" {place}\n").parse(), Ok(place));
    }

    #[test]
    fn other_texts_are_not_checkpoints() {
        let digits = "0".repeat(64);
        for text in [
            "",
            "1",
            "1:",
            "1:00",
            &format!("-1:{digits}"),
            &format!("x:{digits}"),
            &format!("1:{digits}0"),
            &format!("1:{}+0", &digits[2..]),
            &format!("1:é{}", &digits[2..]),
        ] {
            assert_eq!(text.parse::<Checkpoint>(), Err(NotACheckpoint), "{text}");
        }
    }
}
