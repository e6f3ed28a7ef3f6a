//! Sealed files: every change to their chunks is noticed.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use proptest::prelude::proptest;
use seal::{CHUNK_BYTES, FileKey, FileOpener, FileSealer};
use testkit::entropy::SeededEntropy;

fn sealed(key: &FileKey, content: &[u8]) -> Vec<Vec<u8>> {
    let mut sealer = FileSealer::new(key);
    let chunks: Vec<_> = content.chunks(CHUNK_BYTES).collect();
    let last = chunks.len().saturating_sub(1);
    let seal =
        |(index, chunk): (usize, &&[u8])| sealer.chunk(chunk.to_vec(), index == last).unwrap();
    chunks.iter().enumerate().map(seal).collect()
}

#[test]
fn chunks_open_in_any_order_and_nowhere_else() {
    let key = FileKey::generate(&SeededEntropy::new(1));
    let content = vec![7; CHUNK_BYTES * 2 + 5];
    let chunks = sealed(&key, &content);
    let opener = FileOpener::new(&key);
    assert_eq!(opener.chunk(2, true, &chunks[2]).unwrap(), vec![7; 5]);
    assert_eq!(
        opener.chunk(0, false, &chunks[0]).unwrap().len(),
        CHUNK_BYTES
    );
    assert!(opener.chunk(1, false, &chunks[0]).is_err(), "moved");
    assert!(opener.chunk(1, true, &chunks[1]).is_err(), "cut short");
    assert!(opener.chunk(2, false, &chunks[2]).is_err(), "made longer");
    let other = FileOpener::new(&FileKey::generate(&SeededEntropy::new(2)));
    assert!(
        other.chunk(0, false, &chunks[0]).is_err(),
        "another file's key"
    );
}

#[test]
fn only_the_last_chunk_may_be_short() {
    let key = FileKey::generate(&SeededEntropy::new(1));
    let mut sealer = FileSealer::new(&key);
    assert!(sealer.chunk(vec![0; 10], false).is_err());
    assert!(sealer.chunk(vec![0; CHUNK_BYTES + 1], true).is_err());
    assert!(sealer.chunk(Vec::new(), true).is_ok());
}

proptest! {
    #[test]
    fn any_flipped_bit_is_noticed(content: Vec<u8>, place: usize, bit in 0u8..8, seed: u64) {
        let key = FileKey::generate(&SeededEntropy::new(seed));
        let mut chunk = FileSealer::new(&key).chunk(content, true).unwrap();
        let index = place % chunk.len();
        chunk[index] ^= 1 << bit;
        assert!(FileOpener::new(&key).chunk(0, true, &chunk).is_err());
    }
}
