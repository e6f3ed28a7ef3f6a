//! What comes out of pictures, and of what only looks like one.

use image::{GenericImageView, GrayImage, Luma, Rgb, RgbImage, Rgba, RgbaImage};
use proptest::prelude::*;

use super::*;

fn crop(side: u64) -> Size {
    Size::fitting(side, side, Method::Crop)
}

fn scale(width: u64, height: u64) -> Size {
    Size::fitting(width, height, Method::Scale)
}

/// Red on the left, blue on the right.
fn halves(width: u32, height: u32) -> DynamicImage {
    RgbImage::from_fn(width, height, |x, _| match x < width / 2 {
        true => Rgb([250, 0, 0]),
        false => Rgb([0, 0, 250]),
    })
    .into()
}

fn file(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// The thumbnail, opened again.
fn shown(bytes: &[u8], size: Size) -> DynamicImage {
    let rendered = render(bytes, size).unwrap();
    let format = match rendered.content_type {
        "image/png" => ImageFormat::Png,
        _ => ImageFormat::Jpeg,
    };
    image::load_from_memory_with_format(&rendered.bytes, format).unwrap()
}

fn is_red(pixel: Rgba<u8>) -> bool {
    pixel.0[0] > 150 && pixel.0[2] < 100
}

fn is_blue(pixel: Rgba<u8>) -> bool {
    pixel.0[2] > 150 && pixel.0[0] < 100
}

/// A JPEG with a note of how it was held.
fn held(picture: &DynamicImage, orientation: u8) -> Vec<u8> {
    let plain = file(picture, ImageFormat::Jpeg);
    let mut note = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    note.extend([orientation, 0, 0, 0, 0, 0, 0]);
    let length = u16::try_from(note.len() + 2).unwrap().to_be_bytes();
    [&plain[..2], &[0xff, 0xe1], &length, &note, &plain[2..]].concat()
}

#[test]
fn a_wanted_size_becomes_one_of_few_that_is_no_smaller() {
    for (width, height, method, expected) in [
        (1, 1, Method::Crop, "32x32-crop"),
        (32, 32, Method::Crop, "32x32-crop"),
        (33, 10, Method::Crop, "96x96-crop"),
        (96, 97, Method::Crop, "320x240-scale"),
        (1, 1, Method::Scale, "320x240-scale"),
        (320, 240, Method::Scale, "320x240-scale"),
        (320, 241, Method::Scale, "640x480-scale"),
        (800, 600, Method::Scale, "800x600-scale"),
        (801, 1, Method::Scale, "1600x1200-scale"),
        (u64::MAX, u64::MAX, Method::Scale, "1600x1200-scale"),
        (u64::MAX, 1, Method::Crop, "1600x1200-scale"),
    ] {
        let size = Size::fitting(width, height, method);
        assert_eq!(size.to_string(), expected, "{width}x{height}");
    }
}

#[test]
fn every_format_is_scaled_into_the_frame() {
    let picture = halves(1_000, 500);
    for format in [
        ImageFormat::Jpeg,
        ImageFormat::Png,
        ImageFormat::WebP,
        ImageFormat::Gif,
    ] {
        let picture = match format {
            ImageFormat::Gif => picture.to_rgba8().into(),
            _ => picture.clone(),
        };
        let small = shown(&file(&picture, format), scale(320, 240));
        assert_eq!((small.width(), small.height()), (320, 160), "{format:?}");
        assert!(is_red(small.get_pixel(20, 80)), "{format:?}");
        assert!(is_blue(small.get_pixel(300, 80)), "{format:?}");
    }
}

#[test]
fn a_cropped_picture_is_its_middle() {
    let wide = RgbImage::from_fn(900, 300, |x, _| match x / 300 {
        0 => Rgb([250, 0, 0]),
        1 => Rgb([0, 250, 0]),
        _ => Rgb([0, 0, 250]),
    });
    let small = shown(&file(&wide.into(), ImageFormat::Png), crop(96));
    assert_eq!((small.width(), small.height()), (96, 96));
    for (x, y) in [(4, 4), (48, 48), (91, 91)] {
        assert!(small.get_pixel(x, y).0[1] > 150);
    }
}

#[test]
fn nothing_is_made_larger() {
    let picture = file(&halves(40, 20), ImageFormat::Png);
    for (size, expected) in [
        (scale(800, 600), (40, 20)),
        (crop(96), (20, 20)),
        (crop(32), (20, 20)),
    ] {
        let small = shown(&picture, size);
        assert_eq!((small.width(), small.height()), expected, "{size}");
    }
    let line = shown(&file(&halves(3_000, 1), ImageFormat::Png), scale(320, 240));
    assert_eq!((line.width(), line.height()), (320, 1));
}

#[test]
fn a_picture_is_turned_as_it_was_held() {
    let picture = halves(800, 400);
    let size = scale(320, 240);
    for (orientation, expected, left_or_top_is_red) in [
        (1, (320, 160), true),
        (2, (320, 160), false),
        (3, (320, 160), false),
        (5, (120, 240), true),
        (6, (120, 240), true),
        (8, (120, 240), false),
        (99, (320, 160), true),
    ] {
        let small = shown(&held(&picture, orientation), size);
        assert_eq!((small.width(), small.height()), expected, "{orientation}");
        let first = small.get_pixel(10, 10);
        assert_eq!(
            is_red(first),
            left_or_top_is_red,
            "{orientation}: {first:?}"
        );
    }
}

#[test]
fn what_can_be_seen_through_stays_so() {
    let glass = RgbaImage::from_pixel(500, 500, Rgba([10, 20, 30, 128]));
    let rendered = render(&file(&glass.into(), ImageFormat::Png), crop(96)).unwrap();
    assert_eq!(rendered.content_type, "image/png");
    let grey = GrayImage::from_pixel(500, 500, Luma([9]));
    let rendered = render(&file(&grey.into(), ImageFormat::Png), crop(96)).unwrap();
    assert_eq!(rendered.content_type, "image/jpeg");
}

#[test]
fn notes_in_a_file_are_not_in_its_thumbnail() {
    let noted = held(&halves(400, 400), 1);
    let rendered = render(&noted, crop(96)).unwrap();
    assert!(!rendered.bytes.windows(4).any(|bytes| bytes == b"Exif"));
}

/// A PNG that says to be of any size.
fn png_of(width: u32, height: u32) -> Vec<u8> {
    let mut header = b"IHDR".to_vec();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, 6, 0, 0, 0]);
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
    bytes.extend(&header);
    bytes.extend(checksum(&header).to_be_bytes());
    // Content that would unpack to nothing but zeros, and no end.
    bytes.extend(b"\0\0\0\x02IDAT\x78\x9c");
    bytes.extend(checksum(b"IDAT\x78\x9c").to_be_bytes());
    bytes
}

/// CRC-32 as PNG has it.
fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| match crc & 1 {
            1 => (crc >> 1) ^ 0xedb8_8320,
            _ => crc >> 1,
        })
    })
}

#[test]
fn a_bomb_is_refused_before_it_is_opened() {
    for (width, height) in [
        (100_000, 1),
        (30_000, 30_000),
        (u32::MAX >> 1, 7),
        (5_657, 5_657),
    ] {
        let refused = render(&png_of(width, height), crop(32));
        assert_eq!(refused, Err(RenderError::TooLarge), "{width}x{height}");
    }
    // A GIF and a JPEG of 65,535 by 65,535.
    let gif = b"GIF89a\xff\xff\xff\xff\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\xff\xff\xff\xff\0\x02\x02D\x01\0;";
    assert_eq!(render(gif, crop(32)), Err(RenderError::TooLarge));
    let mut jpeg = file(&halves(64, 64), ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|bytes| bytes == [0xff, 0xc0]);
    let frame = frame.unwrap();
    jpeg[frame + 5..frame + 9].fill(0xff);
    assert_eq!(render(&jpeg, crop(32)), Err(RenderError::TooLarge));
    // More bits for each pixel than are kept open.
    let mut deep = png_of(5_600, 5_600);
    deep[24] = 16;
    let sum = checksum(&deep[12..29]).to_be_bytes();
    deep[29..33].copy_from_slice(&sum);
    assert_eq!(render(&deep, crop(32)), Err(RenderError::TooLarge));
    let long = vec![0; usize::try_from(MAX_SOURCE_BYTES).unwrap() + 1];
    assert_eq!(render(&long, crop(32)), Err(RenderError::TooLarge));
}

#[test]
fn what_is_no_picture_is_refused() {
    let empty = png_of(0, 5);
    for bytes in [
        &b""[..],
        b"just some text",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"\xff\xd8\xff",
        b"RIFF\0\0\0\0WEBPVP8L",
        b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
        // Formats that are not opened here.
        b"BM\0\0\0\0\0\0\0\0",
        b"II*\0\x08\0\0\0",
        &empty,
    ] {
        assert_eq!(render(bytes, crop(32)), Err(RenderError::Unsupported));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_damaged_picture_is_shown_or_refused(
        format in prop::sample::select(vec![
            ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif,
        ]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        kept in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let picture = DynamicImage::from(halves(60, 40).to_rgba8());
        let picture = match format {
            ImageFormat::Jpeg => picture.to_rgb8().into(),
            _ => picture,
        };
        let mut bytes = file(&picture, format);
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if is_cut {
            bytes.truncate(kept.index(bytes.len()));
        }
        if let Ok(rendered) = render(&bytes, crop(32)) {
            let small = image::load_from_memory(&rendered.bytes).unwrap();
            prop_assert!(small.width() <= 32 && small.height() <= 32);
        }
    }

    #[test]
    fn any_shape_fits_its_frame_and_keeps_its_shape(
        width in 1_u32..3_000,
        height in 1_u32..3_000,
        size in prop::sample::select(vec![scale(320, 240), scale(640, 480), crop(96)]),
    ) {
        let small = fitted(&GrayImage::new(width, height).into(), size, false);
        prop_assert!(small.width() <= size.width() && small.height() <= size.height());
        prop_assert!(small.width() <= width && small.height() <= height);
        if size.method() == Method::Scale && small.width() > 20 && small.height() > 20 {
            let [w, h, sw, sh] =
                [width, height, small.width(), small.height()].map(f64::from);
            prop_assert!(((w / h) / (sw / sh) - 1.0).abs() < 0.05);
        }
    }
}
