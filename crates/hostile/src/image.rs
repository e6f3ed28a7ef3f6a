//! Pictures, and what only looks like one.

use std::{io::Cursor, time::Duration};

use image::ImageReader;
use media::thumbnail::{Method, Size, render};

use crate::computed::computed;

/// How long one thumbnail may take on a slow machine, in a program that is slowed down to be watched.
const LONGEST: Duration = Duration::from_secs(10);

/// The first byte chooses a size, the rest is a file.
///
/// Nothing panics, and what comes out is a picture within its frame, of few bytes and without any
/// note of the file, made within bounded time.
pub fn image(data: &[u8]) {
    let Some((choice, file)) = data.split_first() else {
        return;
    };
    let size = chosen(*choice);
    let began = computed();
    let made = render(file, size);
    let took = computed().saturating_sub(began);
    assert!(took < LONGEST, "it took {took:?}");
    let Ok(made) = made else {
        return;
    };
    let reader = ImageReader::new(Cursor::new(&made.bytes));
    let reader = reader.with_guessed_format().unwrap();
    let format = reader.format().unwrap();
    assert_eq!(format.to_mime_type(), made.content_type);
    let picture = reader.decode().unwrap();
    assert!(picture.width() > 0 && picture.width() <= size.width());
    assert!(picture.height() > 0 && picture.height() <= size.height());
    // A PNG of noise does not shrink; a chunk or two of it are not pixels.
    let pixels = u64::from(picture.width()) * u64::from(picture.height());
    assert!(made.bytes.len() as u64 <= 5 * pixels + 4_096);
    match made.content_type {
        "image/png" => has_pixels_only(&made.bytes),
        _ => has_no_notes(&made.bytes),
    }
}

/// The chunks of a PNG file are those of a picture, and no others.
fn has_pixels_only(png: &[u8]) {
    let mut rest = &png[8..];
    while let Some((head, after)) = rest.split_first_chunk::<8>() {
        let (length, kind) = head.split_at(4);
        assert!([b"IHDR", b"IDAT", b"IEND"].contains(&kind.try_into().unwrap()));
        let length = u32::from_be_bytes(length.try_into().unwrap());
        rest = &after[usize::try_from(length).unwrap() + 4..];
    }
}

/// What a JPEG file has before its pixels are JFIF's own head, tables and the frame.
fn has_no_notes(jpeg: &[u8]) {
    const JFIF: u8 = 0xe0;
    const TABLES_AND_FRAME: [u8; 3] = [0xdb, 0xc4, 0xc0];
    const PIXELS: u8 = 0xda;
    let mut rest = &jpeg[2..];
    while let [0xff, kind, high, low, ..] = *rest {
        if kind == PIXELS {
            return;
        }
        assert!(kind == JFIF || TABLES_AND_FRAME.contains(&kind), "{kind:x}");
        rest = &rest[2 + usize::from(u16::from_be_bytes([high, low]))..];
    }
    panic!("it has no pixels");
}

fn chosen(choice: u8) -> Size {
    match choice % 6 {
        0 => Size::fitting(32, 32, Method::Crop),
        1 => Size::fitting(96, 96, Method::Crop),
        2 => Size::fitting(320, 240, Method::Scale),
        3 => Size::fitting(640, 480, Method::Scale),
        4 => Size::fitting(800, 600, Method::Scale),
        _ => Size::fitting(u64::MAX, u64::MAX, Method::Scale),
    }
}
