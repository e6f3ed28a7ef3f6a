//! Small pictures of large ones: pure, and bounded whatever the bytes are ([spec]).
//!
//! A file that is no picture, or not one of the formats below, is refused; so is one that would
//! take much memory when it is opened, before it takes it. What comes out is made from pixels
//! alone: neither place nor camera nor any other note of the file is in it.
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#thumbnails

use std::{fmt, io::Cursor, panic::catch_unwind};

use image::{
    DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits,
    codecs::jpeg::JpegEncoder, imageops::FilterType, metadata::Orientation,
};

/// The most pixels that a picture may have: what a good camera takes. To open a progressive JPEG
/// of so many takes about 300 MB, and any other less.
pub const MAX_PIXELS: u64 = 32_000_000;

/// The longest side that a picture may have.
const MAX_SIDE: u32 = 32_768;

/// The most memory that an opened picture may take: four bytes for each pixel.
const MAX_OPENED_BYTES: u64 = 4 * MAX_PIXELS;

/// The largest file that is looked at.
pub const MAX_SOURCE_BYTES: u64 = 32 * 1024 * 1024;

/// Small enough to be loaded quickly, good enough not to be noticed.
const JPEG_QUALITY: u8 = 82;

/// The sizes that pictures are cropped to.
const CROPPED: [(u32, u32); 2] = [(32, 32), (96, 96)];

/// The sizes that pictures are scaled into. The last is not in the specification's list: it is
/// what displays of twice the density ask for in place of the one before.
const SCALED: [(u32, u32); 4] = [(320, 240), (640, 480), (800, 600), (1_600, 1_200)];

/// How a picture is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// It fills the size, and what stands out is cut off.
    Crop,
    /// All of it is within the size.
    Scale,
}

impl Method {
    /// The name of it in requests and rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Crop => "crop",
            Self::Scale => "scale",
        }
    }
}

/// One of the few sizes that thumbnails are made in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size {
    width: u32,
    height: u32,
    method: Method,
}

impl Size {
    /// The smallest size that is no smaller than what is wanted, or else the largest.
    ///
    /// What is to be cropped larger than any cropped size is scaled: the client cuts it.
    pub fn fitting(width: u64, height: u64, method: Method) -> Self {
        let covers = |(w, h): &&(u32, u32)| u64::from(*w) >= width && u64::from(*h) >= height;
        let cropped = CROPPED
            .iter()
            .find(covers)
            .filter(|_| method == Method::Crop);
        let (&(width, height), method) = match cropped {
            Some(size) => (size, Method::Crop),
            None => {
                let largest = &SCALED[SCALED.len() - 1];
                let scaled = SCALED.iter().find(covers);
                (scaled.unwrap_or(largest), Method::Scale)
            }
        };
        Self {
            width,
            height,
            method,
        }
    }

    /// The width of the frame.
    pub const fn width(self) -> u32 {
        self.width
    }

    /// The height of the frame.
    pub const fn height(self) -> u32 {
        self.height
    }

    /// How a picture is fitted into the frame.
    pub const fn method(self) -> Method {
        self.method
    }
}

impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            width,
            height,
            method,
        } = self;
        write!(formatter, "{width}x{height}-{}", method.as_str())
    }
}

/// A picture that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// JPEG, or PNG where something of the picture can be seen through.
    pub content_type: &'static str,
    /// How wide it is.
    pub width: u32,
    /// How high it is.
    pub height: u32,
    /// The file.
    pub bytes: Vec<u8>,
}

/// Why there is no thumbnail of a file; it will never have one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// It is no picture, or is damaged, or of a kind that is not opened here.
    #[error("no thumbnail can be made of this file")]
    Unsupported,
    /// It is too large to be opened.
    #[error("the picture is too large for a thumbnail")]
    TooLarge,
}

/// Makes a thumbnail of a JPEG, PNG, WebP or GIF file, never larger than the picture is; of one
/// that moves, its first frame.
pub fn render(bytes: &[u8], size: Size) -> Result<Rendered, RenderError> {
    if bytes.len() as u64 > MAX_SOURCE_BYTES {
        return Err(RenderError::TooLarge);
    }
    // A decoder that panics has not understood the file, and is gone with all that it held.
    let opened = catch_unwind(|| open(bytes)).unwrap_or_else(|_| {
        tracing::warn!("a decoder of images panicked; the file has no thumbnail");
        Err(RenderError::Unsupported)
    });
    let (picture, orientation) = opened?;
    let mut small = fitted(&picture, size, is_turned(orientation));
    // The large one is the most of what this takes.
    drop(picture);
    small.apply_orientation(orientation);
    written(&small)
}

/// Opens a picture within bounds, and tells how it is to be turned.
fn open(bytes: &[u8]) -> Result<(DynamicImage, Orientation), RenderError> {
    let format = image::guess_format(bytes).map_err(refused)?;
    if !is_supported(format) {
        return Err(RenderError::Unsupported);
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::no_limits();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(2 * MAX_OPENED_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(refused)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > MAX_PIXELS || decoder.total_bytes() > MAX_OPENED_BYTES {
        return Err(RenderError::TooLarge);
    }
    if width == 0 || height == 0 {
        return Err(RenderError::Unsupported);
    }
    // A note that cannot be read turns nothing.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let picture = DynamicImage::from_decoder(decoder).map_err(refused)?;
    Ok((picture, orientation))
}

fn is_supported(format: ImageFormat) -> bool {
    matches!(
        format,
        ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP | ImageFormat::Gif
    )
}

fn refused(error: ImageError) -> RenderError {
    match error {
        ImageError::Limits(_) => RenderError::TooLarge,
        ImageError::Decoding(_)
        | ImageError::Encoding(_)
        | ImageError::Parameter(_)
        | ImageError::Unsupported(_)
        | ImageError::IoError(_) => RenderError::Unsupported,
    }
}

/// Whether width and height change places.
fn is_turned(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
}

fn fitted(picture: &DynamicImage, size: Size, is_turned: bool) -> DynamicImage {
    let frame = match is_turned {
        true => (size.height, size.width),
        false => (size.width, size.height),
    };
    let whole = (picture.width(), picture.height());
    match size.method {
        Method::Scale => reduced(picture, within(whole, frame)),
        Method::Crop => {
            // The largest part of the picture that has the shape of the frame.
            let part = shaped(frame, whole);
            let (x, y) = ((whole.0 - part.0) / 2, (whole.1 - part.1) / 2);
            let target = (frame.0.min(part.0), frame.1.min(part.1));
            reduced(&picture.crop_imm(x, y, part.0, part.1), target)
        }
    }
}

/// The largest size of a shape within a frame, and no larger than the shape.
fn within((width, height): (u32, u32), (most_width, most_height): (u32, u32)) -> (u32, u32) {
    if width <= most_width && height <= most_height {
        return (width, height);
    }
    shaped((width, height), (most_width, most_height))
}

/// The largest size of a shape within a frame.
fn shaped((width, height): (u32, u32), (most_width, most_height): (u32, u32)) -> (u32, u32) {
    let [w, h, mw, mh] = [width, height, most_width, most_height].map(u64::from);
    // Whichever side comes to its bound first decides.
    let (w, h) = match w * mh > h * mw {
        true => (mw, (h * mw + w / 2) / w),
        false => ((w * mh + h / 2) / h, mh),
    };
    let side = |length: u64, most: u64| u32::try_from(length.clamp(1, most)).unwrap_or(u32::MAX);
    (side(w, mw), side(h, mh))
}

/// Makes a picture smaller: roughly and fast as long as it is more than twice too large, then well.
fn reduced(picture: &DynamicImage, (width, height): (u32, u32)) -> DynamicImage {
    if (picture.width(), picture.height()) == (width, height) {
        return picture.clone();
    }
    let (rough_width, rough_height) = (width.saturating_mul(2), height.saturating_mul(2));
    if picture.width() > rough_width && picture.height() > rough_height {
        let rough = picture.thumbnail_exact(rough_width, rough_height);
        return rough.resize_exact(width, height, FilterType::CatmullRom);
    }
    picture.resize_exact(width, height, FilterType::CatmullRom)
}

fn written(picture: &DynamicImage) -> Result<Rendered, RenderError> {
    let mut bytes = Vec::new();
    if picture.color().has_alpha() {
        let picture = picture.to_rgba8();
        let mut file = Cursor::new(&mut bytes);
        picture
            .write_to(&mut file, ImageFormat::Png)
            .map_err(refused)?;
        return Ok(Rendered {
            content_type: "image/png",
            width: picture.width(),
            height: picture.height(),
            bytes,
        });
    }
    let encoder = JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY);
    picture
        .to_rgb8()
        .write_with_encoder(encoder)
        .map_err(refused)?;
    Ok(Rendered {
        content_type: "image/jpeg",
        width: picture.width(),
        height: picture.height(),
        bytes,
    })
}

#[cfg(test)]
mod tests;
