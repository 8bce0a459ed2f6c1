//! Decodes pictures with limits, applies their orientation, and scales them down.
//!
//! A small file is sent unchanged. Otherwise its longer side is scaled to [`EDGE`] pixels, the most that vision models
//! use. A photo becomes a JPEG; a transparent picture or a drawing becomes a PNG.

use std::io::Cursor;

use image::codecs::jpeg::{JpegDecoder, JpegEncoder};
use image::codecs::png::{CompressionType, FilterType as PngFilter, PngDecoder, PngEncoder};
use image::codecs::webp::WebPDecoder;
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{
    ColorType, DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageError,
    ImageFormat, Limits, RgbaImage,
};

use super::Refused;
use crate::domain::attachment::base64_len;
use crate::domain::conversation::Image;
use crate::protocol::Picture;

/// Limit of the longer side, in pixels.
const EDGE: u32 = 2_048;
/// Pictures are not scaled below this, in pixels.
const MIN_EDGE: u32 = 256;
/// Characters of base64; a smaller picture would not be recognizable.
const MIN_ROOM: usize = 16_000;
/// More than cameras produce; protects against decompression bombs.
const MAX_PIXELS: u64 = 110_000_000;
/// Memory limit of decoding.
const MAX_DECODE_BYTES: u64 = 640 << 20;
/// An opaque picture with a larger PNG is treated as a photo.
const MAX_DRAWING_BYTES: usize = 1_500_000;
/// In percent.
const JPEG_QUALITY: u8 = 88;

/// The picture format, from the first bytes.
pub(super) fn format_of(bytes: &[u8]) -> Option<ImageFormat> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some(ImageFormat::Png),
        [0xff, 0xd8, 0xff, ..] => Some(ImageFormat::Jpeg),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => Some(ImageFormat::WebP),
        _ => None,
    }
}

/// The name of an unsupported format, from the first bytes.
pub(super) fn other_format(bytes: &[u8]) -> Option<&'static str> {
    Some(match bytes {
        [b'G', b'I', b'F', b'8', ..] => "a GIF",
        [b'B', b'M', ..] => "a BMP",
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => "a TIFF",
        [
            _,
            _,
            _,
            _,
            b'f',
            b't',
            b'y',
            b'p',
            b'a',
            b'v',
            b'i',
            b'f',
            ..,
        ] => "an AVIF",
        [
            _,
            _,
            _,
            _,
            b'f',
            b't',
            b'y',
            b'p',
            b'h' | b'm',
            b'e' | b'i',
            ..,
        ] => "a HEIC",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "a video",
        [b'%', b'P', b'D', b'F', ..] => "a PDF",
        [b'P', b'K', 3, 4, ..] => "a ZIP archive, such as an office document,",
        _ => return None,
    })
}

/// Reads a picture and scales it down if needed. `most` is the limit of its base64.
pub(super) fn read(bytes: &[u8], format: ImageFormat, most: usize) -> Result<Image, Refused> {
    let Decoded {
        picture,
        orientation,
        profile,
    } = decode(bytes, format)?;
    let (width, height) = (picture.width(), picture.height());
    if orientation == Orientation::NoTransforms
        && width.max(height) <= EDGE
        && base64_len(bytes.len()) <= most
    {
        return Ok(Image::of(format.to_mime_type(), (width, height), bytes));
    }
    // Scaling first leaves fewer pixels to rotate.
    let mut picture = scaled(picture, EDGE);
    picture.apply_orientation(orientation);
    encode(
        &picture,
        format == ImageFormat::Jpeg,
        profile.as_deref(),
        most,
    )
}

/// Encodes pixels as a picture.
pub(super) fn of_pixels(picture: &Picture, most: usize) -> Result<Image, Refused> {
    let size = |pixels: usize| u32::try_from(pixels).ok();
    let pixels = size(picture.width)
        .zip(size(picture.height))
        .and_then(|(width, height)| RgbaImage::from_raw(width, height, picture.rgba.to_vec()));
    let pixels = pixels.filter(|pixels| pixels.width() > 0 && pixels.height() > 0);
    let pixels = pixels.ok_or_else(|| broken("it has no pixels"))?;
    encode(&scaled(DynamicImage::from(pixels), EDGE), false, None, most)
}

/// The pixels of a picture, scaled to at most `edge` on its longer side.
pub(super) fn preview(bytes: &[u8], edge: u32) -> Result<Picture, Refused> {
    let format = format_of(bytes).ok_or_else(|| broken("the format is not known"))?;
    let Decoded {
        picture,
        orientation,
        ..
    } = decode(bytes, format)?;
    let mut small = scaled(picture, edge);
    small.apply_orientation(orientation);
    let (width, height) = (small.width() as usize, small.height() as usize);
    Ok(Picture {
        width,
        height,
        rgba: small.into_rgba8().into_raw().into(),
    })
}

struct Decoded {
    picture: DynamicImage,
    orientation: Orientation,
    /// The color profile, if the new file can keep it.
    profile: Option<Vec<u8>>,
}

fn decode(bytes: &[u8], format: ImageFormat) -> Result<Decoded, Refused> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODE_BYTES);
    let file = Cursor::new(bytes);
    let mut decoder: Box<dyn ImageDecoder + '_> = match format {
        ImageFormat::Png => {
            let decoder = PngDecoder::with_limits(file, limits.clone()).map_err(told)?;
            if decoder.is_apng().map_err(told)? {
                return Err(animated());
            }
            Box::new(decoder)
        }
        ImageFormat::WebP => {
            let decoder = WebPDecoder::new(file).map_err(told)?;
            if decoder.has_animation() {
                return Err(animated());
            }
            Box::new(decoder)
        }
        _ => Box::new(JpegDecoder::new(file).map_err(told)?),
    };
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS || decoder.total_bytes() > MAX_DECODE_BYTES
    {
        let why = format!("{width} × {height} pixels are too many");
        return Err(Refused::new(
            why,
            "Make it smaller. Batida sends at most 2,048 pixels per side",
        ));
    }
    if width == 0 || height == 0 {
        return Err(broken("it has no pixels"));
    }
    // A JPEG decoder fills a missing end with gray.
    if format == ImageFormat::Jpeg && is_cut(bytes) {
        return Err(broken("its end is missing"));
    }
    decoder.set_limits(limits).map_err(told)?;
    let orientation = decoder.orientation().map_err(told)?;
    let plain = matches!(decoder.color_type(), ColorType::Rgb8 | ColorType::Rgba8)
        && !matches!(decoder.original_color_type(), ExtendedColorType::Cmyk8);
    let profile = decoder.icc_profile().ok().flatten().filter(|_| plain);
    let picture = DynamicImage::from_decoder(decoder).map_err(told)?;
    Ok(Decoded {
        picture,
        orientation,
        profile,
    })
}

/// Whether a JPEG is truncated. An embedded preview has its own end marker within a segment, and phones may append data
/// after the end.
fn is_cut(bytes: &[u8]) -> bool {
    let end = scan_of(bytes).and_then(|scan| memchr::memmem::find(&bytes[scan..], &[0xff, 0xd9]));
    end.is_none()
}

/// The position of the first scan, found by the segment lengths (ITU T.81, annex B).
fn scan_of(bytes: &[u8]) -> Option<usize> {
    let mut at = 2;
    loop {
        match bytes.get(at..at + 2)? {
            [0xff, 0xda] => return Some(at),
            // Fill bytes may precede a marker.
            [0xff, 0xff] => at += 1,
            [0xff, 0x01 | 0xd0..=0xd8] => at += 2,
            [0xff, _] => {
                let length = bytes.get(at + 2..at + 4)?;
                at += 2 + usize::from(u16::from_be_bytes([length[0], length[1]]));
            }
            _ => return None,
        }
    }
}

/// Scales a picture to at most `edge` on its longer side.
fn scaled(picture: DynamicImage, edge: u32) -> DynamicImage {
    let longer = picture.width().max(picture.height());
    if longer <= edge {
        return picture;
    }
    // A box filter first, since the better filter needs a lot of memory.
    let picture = if longer > edge.saturating_mul(3) {
        let edge = edge.saturating_mul(2);
        picture.thumbnail(edge, edge)
    } else {
        picture
    };
    picture.resize(edge, edge, FilterType::CatmullRom)
}

/// Encodes a picture within `most` characters of base64.
fn encode(
    picture: &DynamicImage,
    photo: bool,
    profile: Option<&[u8]>,
    most: usize,
) -> Result<Image, Refused> {
    if most < MIN_ROOM {
        return Err(super::no_room());
    }
    let opaque = is_opaque(picture);
    let mut edge = picture.width().max(picture.height());
    loop {
        let small = scaled(picture.clone(), edge);
        let size = (small.width(), small.height());
        if !(photo && opaque) {
            let file = png(&small, opaque, profile).map_err(told)?;
            if base64_len(file.len()) <= most && (!opaque || file.len() <= MAX_DRAWING_BYTES) {
                return Ok(Image::of("image/png", size, &file));
            }
        }
        if opaque {
            let file = jpeg(&small, profile).map_err(told)?;
            if base64_len(file.len()) <= most {
                return Ok(Image::of("image/jpeg", size, &file));
            }
        }
        edge = edge / 4 * 3;
        if edge < MIN_EDGE {
            return Err(super::no_room());
        }
    }
}

fn is_opaque(picture: &DynamicImage) -> bool {
    !picture.color().has_alpha()
        || picture
            .to_rgba8()
            .pixels()
            .all(|pixel| pixel.0[3] == u8::MAX)
}

fn png(
    picture: &DynamicImage,
    opaque: bool,
    profile: Option<&[u8]>,
) -> Result<Vec<u8>, ImageError> {
    let mut file = Vec::new();
    let mut encoder =
        PngEncoder::new_with_quality(&mut file, CompressionType::Default, PngFilter::Adaptive);
    if let Some(profile) = profile {
        // Without the profile, colors are slightly off.
        let _ = encoder.set_icc_profile(profile.to_vec());
    }
    let grey = !picture.color().has_color();
    match (opaque, grey) {
        (true, true) => picture.to_luma8().write_with_encoder(encoder)?,
        (true, false) => picture.to_rgb8().write_with_encoder(encoder)?,
        (false, _) => picture.to_rgba8().write_with_encoder(encoder)?,
    }
    Ok(file)
}

fn jpeg(picture: &DynamicImage, profile: Option<&[u8]>) -> Result<Vec<u8>, ImageError> {
    let mut file = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut file, JPEG_QUALITY);
    if let Some(profile) = profile {
        // Without the profile, colors are slightly off.
        let _ = encoder.set_icc_profile(profile.to_vec());
    }
    if picture.color().has_color() {
        picture.to_rgb8().write_with_encoder(encoder)?;
    } else {
        picture.to_luma8().write_with_encoder(encoder)?;
    }
    Ok(file)
}

fn told(error: ImageError) -> Refused {
    match error {
        ImageError::Limits(_) => Refused::new(
            "decoding it would need too much memory",
            "Make it smaller, then attach it",
        ),
        error => broken(&error.to_string()),
    }
}

fn broken(how: &str) -> Refused {
    Refused::new(
        format!("the picture is damaged ({how})"),
        "Save it again, then attach it",
    )
}

fn animated() -> Refused {
    Refused::new(
        "it is animated, and models support only still pictures",
        "Save one of its frames, then attach it",
    )
}
