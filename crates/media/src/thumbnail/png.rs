//! What the decoder of PNG files takes for granted, looked at before.

/// The bytes before the first chunk.
const SIGNATURE_BYTES: usize = 8;

/// The bytes of a chunk's checksum.
const CHECKSUM_BYTES: usize = 4;

/// Whether the palette, if there is one, consists of whole colours.
///
/// The decoder (png 0.18) reads three bytes for a last colour of one or two, and panics. A panic is
/// survived where thumbnails are made, but it is no way to refuse a file.
pub(super) fn has_whole_colours(file: &[u8]) -> bool {
    let mut rest = file.get(SIGNATURE_BYTES..).unwrap_or_default();
    while let Some((&[a, b, c, d, ref kind @ ..], after)) = rest.split_first_chunk::<8>() {
        let length = u32::from_be_bytes([a, b, c, d]);
        match kind {
            b"PLTE" => return length.is_multiple_of(3),
            // The palette stands before the pixels.
            b"IDAT" => return true,
            _ => {}
        }
        let end = usize::try_from(length).unwrap_or(usize::MAX);
        let next = after.get(end.saturating_add(CHECKSUM_BYTES)..);
        rest = next.unwrap_or_default();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(chunks: &[(&[u8; 4], usize)]) -> Vec<u8> {
        let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
        for (kind, length) in chunks {
            file.extend(u32::try_from(*length).unwrap().to_be_bytes());
            file.extend(*kind);
            file.extend(vec![0; length + CHECKSUM_BYTES]);
        }
        file
    }

    #[test]
    fn a_palette_consists_of_whole_colours() {
        for (length, whole) in [(3, true), (4, false), (5, false), (768, true), (0, true)] {
            let file = file(&[(b"IHDR", 13), (b"gAMA", 4), (b"PLTE", length), (b"IDAT", 9)]);
            assert_eq!(has_whole_colours(&file), whole, "{length}");
        }
    }

    #[test]
    fn a_file_without_a_palette_or_cut_short_is_left_to_the_decoder() {
        let plain = file(&[(b"IHDR", 13), (b"IDAT", 9), (b"PLTE", 4)]);
        for end in 0..plain.len() {
            assert!(has_whole_colours(&plain[..end]), "{end}");
        }
        let endless = [&plain[..8], b"\xff\xff\xff\xfftEXt"].concat();
        assert!(has_whole_colours(&endless));
    }
}
