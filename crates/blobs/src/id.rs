//! The ids of blobs: random, and safe as the name of a file by what they can hold.

use std::{fmt, str::FromStr};

use model::entropy::Entropy;

use crate::BlobError;

/// The id of one blob: 128 random bits, written as 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId([u8; 16]);

impl BlobId {
    /// Makes the id of a new blob.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes);
        Self(bytes)
    }

    /// Where the blob stands below the root of a folder.
    pub fn path_in_folder(self) -> String {
        let [first, second] = self.shelf();
        format!("{first:02x}/{second:02x}/{self}")
    }

    /// The first two bytes, which choose the folder.
    pub(crate) fn shelf(self) -> [u8; 2] {
        [self.0[0], self.0[1]]
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "BlobId({self})")
    }
}

impl FromStr for BlobId {
    type Err = BlobError;

    fn from_str(text: &str) -> Result<Self, BlobError> {
        let digits = text.as_bytes();
        let mut bytes = [0; 16];
        if digits.len() != 2 * bytes.len() {
            return Err(BlobError::NotAnId);
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

/// Upper case is refused: an id has one spelling.
fn digit(character: u8) -> Result<u8, BlobError> {
    match character {
        b'0'..=b'9' => Ok(character - b'0'),
        b'a'..=b'f' => Ok(character - b'a' + 10),
        _ => Err(BlobError::NotAnId),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_it_is_written() {
        let id = BlobId([
            0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,
        ]);
        assert_eq!(id.to_string(), "00010203040506070809aabbccddeeff");
        assert_eq!(id.to_string().parse::<BlobId>().unwrap(), id);
    }

    #[test]
    fn nothing_else_is_an_id() {
        for text in [
            "",
            "..",
            "../../../../../../../etc/passwd00",
            "00010203040506070809AABBCCDDEEFF",
            "00010203040506070809aabbccddeef",
            "00010203040506070809aabbccddeefff",
            "00010203/4050607/809aabbccddee/f",
            "\u{0}0010203040506070809aabbccddeeff",
            "ÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄ",
        ] {
            assert!(text.parse::<BlobId>().is_err(), "{text:?}");
        }
    }
}
