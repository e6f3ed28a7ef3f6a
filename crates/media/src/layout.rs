//! Where the chunks of a sealed file stand.
//!
//! Every chunk but the last holds [`CHUNK_BYTES`] of plain content. There is always a last
//! one: an empty file is one empty chunk, and a file that fills its chunks has no empty one
//! after them.

use seal::{CHUNK_BYTES, CHUNK_OVERHEAD};

const PLAIN: u64 = CHUNK_BYTES as u64;
const OVERHEAD: u64 = CHUNK_OVERHEAD as u64;

/// The length of a sealed chunk that is not the last.
const SEALED: u64 = PLAIN + OVERHEAD;

/// The chunks of a file of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    size_bytes: u64,
}

/// The chunks that hold a part of the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// The first chunk to open.
    pub(crate) first: u64,
    /// The last chunk to open.
    pub(crate) last: u64,
    /// Where the first begins in the sealed file.
    pub(crate) sealed_offset: u64,
    /// How long they are together when they are sealed.
    pub(crate) sealed_bytes: u64,
    /// How many plain bytes of the first stand before the part.
    pub(crate) skip: usize,
    /// How many plain bytes the part has.
    pub(crate) plain_bytes: u64,
}

impl Layout {
    /// The layout of a file with this much plain content; `None` when it is past all bounds.
    pub(crate) fn of_plain(size_bytes: u64) -> Option<Self> {
        let layout = Self { size_bytes };
        layout.chunks().checked_mul(SEALED).map(|_| layout)
    }

    /// The layout of a file that is this long when sealed, if one can be.
    pub(crate) fn of_sealed(sealed_bytes: u64) -> Option<Self> {
        let overhead = sealed_bytes.div_ceil(SEALED).checked_mul(OVERHEAD)?;
        let layout = Self::of_plain(sealed_bytes.checked_sub(overhead)?)?;
        (layout.sealed_bytes() == sealed_bytes).then_some(layout)
    }

    pub(crate) fn size_bytes(self) -> u64 {
        self.size_bytes
    }

    pub(crate) fn sealed_bytes(self) -> u64 {
        self.size_bytes + self.chunks() * OVERHEAD
    }

    fn chunks(self) -> u64 {
        self.size_bytes.div_ceil(PLAIN).max(1)
    }

    pub(crate) fn is_last(self, chunk: u64) -> bool {
        chunk + 1 == self.chunks()
    }

    /// The length of a chunk when it is sealed.
    pub(crate) fn sealed_length(self, chunk: u64) -> usize {
        if self.is_last(chunk) {
            // At most a whole chunk.
            (self.size_bytes - chunk * PLAIN + OVERHEAD) as usize
        } else {
            SEALED as usize
        }
    }

    /// The chunks of `length` plain bytes from `offset` on, or of as many as there are; `None`
    /// when the offset is past the end.
    ///
    /// A part without bytes has a chunk all the same, so that it is proved to be there.
    pub(crate) fn span(self, offset: u64, length: u64) -> Option<Span> {
        let plain_bytes = self.size_bytes.checked_sub(offset)?.min(length);
        // The end of a file that fills its chunks is the end of its last one.
        let first = (offset / PLAIN).min(self.chunks() - 1);
        let last = match plain_bytes {
            0 => first,
            _ => (offset + plain_bytes - 1) / PLAIN,
        };
        let sealed_offset = first * SEALED;
        Some(Span {
            first,
            last,
            sealed_offset,
            sealed_bytes: last * SEALED + self.sealed_length(last) as u64 - sealed_offset,
            skip: (offset - first * PLAIN) as usize,
            plain_bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn layout(size: u64) -> Layout {
        Layout::of_plain(size).unwrap()
    }

    #[test]
    fn edges_have_the_chunks_they_need() {
        for (size, sealed) in [
            (0, 16),
            (1, 17),
            (65_535, 65_551),
            (65_536, 65_552),
            (65_537, 65_569),
            (131_072, 131_104),
        ] {
            assert_eq!(layout(size).sealed_bytes(), sealed);
            assert_eq!(Layout::of_sealed(sealed), Some(layout(size)));
        }
    }

    #[test]
    fn lengths_that_no_file_has_are_refused() {
        for sealed in [0, 1, 15, 65_553, 65_552 + 16, 2 * 65_552 + 5, u64::MAX] {
            assert_eq!(Layout::of_sealed(sealed), None, "{sealed}");
        }
        assert_eq!(Layout::of_plain(u64::MAX), None);
    }

    proptest! {
        #[test]
        fn chunks_add_up_to_the_sealed_file(size in 0_u64..2_000_000) {
            let layout = layout(size);
            let lengths = (0..layout.chunks()).map(|chunk| layout.sealed_length(chunk) as u64);
            prop_assert_eq!(lengths.sum::<u64>(), layout.sealed_bytes());
            prop_assert_eq!(Layout::of_sealed(layout.sealed_bytes()), Some(layout));
        }

        #[test]
        fn a_span_is_the_chunks_that_hold_the_part(
            size in 0_u64..500_000,
            offset in 0_u64..600_000,
            length in prop_oneof![0_u64..300_000, Just(u64::MAX)],
        ) {
            let layout = layout(size);
            let Some(span) = layout.span(offset, length) else {
                prop_assert!(offset > size);
                return Ok(());
            };
            let (begin, end) = (offset, offset + span.plain_bytes);
            prop_assert_eq!(end, size.min(offset.saturating_add(length)));
            prop_assert_eq!(span.first * PLAIN + span.skip as u64, begin);
            let first = layout.sealed_length(span.first) - CHUNK_OVERHEAD;
            prop_assert!(span.skip <= first);
            prop_assert!(span.last == span.first || span.last * PLAIN < end);
            prop_assert!(end <= (span.last + 1) * PLAIN);
            prop_assert_eq!(span.sealed_offset, span.first * SEALED);
            let lengths = (span.first..=span.last).map(|chunk| layout.sealed_length(chunk) as u64);
            prop_assert_eq!(lengths.sum::<u64>(), span.sealed_bytes);
        }
    }
}
