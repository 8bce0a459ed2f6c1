//! Pictures: decoded within bounds, turned as their cameras were held, made smaller.
//!
//! A file that is small enough is sent as it is. Where it is not, its longer side gets [`EDGE`] pixels: vision models
//! look at no more. A photo becomes a JPEG; what is transparent, or was drawn, stays a PNG.

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

/// The longer side of what is sent, in pixels, at most.
const EDGE: u32 = 2_048;
/// It is made no smaller than that to find room.
const LEAST_EDGE: u32 = 256;
/// In less room, in characters of base64, nothing is found that could be recognised.
const LEAST_ROOM: usize = 16_000;
/// More pixels are not decoded: larger than what cameras give, and not what a small file can blow up to.
const MOST_PIXELS: u64 = 110_000_000;
/// What decoding may take, in bytes.
const MOST_MEMORY: u64 = 640 << 20;
/// What a drawing without transparency takes as a PNG, in bytes, at most: what takes more is a photo.
const DRAWING: usize = 1_500_000;
/// Of a JPEG, in percent.
const QUALITY: u8 = 88;

/// What a file's first bytes say, where it is one of the three.
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

/// What else a file is, as people call it.
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

/// Reads a picture and makes it as small as it has to be. `most`: its base64's length.
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
    // Made smaller before it is turned: there is less to turn.
    let mut picture = scaled(picture, EDGE);
    picture.apply_orientation(orientation);
    encode(
        &picture,
        format == ImageFormat::Jpeg,
        profile.as_deref(),
        most,
    )
}

/// Makes a picture out of pixels.
pub(super) fn of_pixels(picture: &Picture, most: usize) -> Result<Image, Refused> {
    let size = |pixels: usize| u32::try_from(pixels).ok();
    let pixels = size(picture.width)
        .zip(size(picture.height))
        .and_then(|(width, height)| RgbaImage::from_raw(width, height, picture.rgba.to_vec()));
    let pixels = pixels.filter(|pixels| pixels.width() > 0 && pixels.height() > 0);
    let pixels = pixels.ok_or_else(|| broken("it has no pixels"))?;
    encode(&scaled(DynamicImage::from(pixels), EDGE), false, None, most)
}

/// The pixels of a picture, with `edge` of them on its longer side at most.
pub(super) fn preview(bytes: &[u8], edge: u32) -> Result<Picture, Refused> {
    let format = format_of(bytes).ok_or_else(|| broken("it is of no known form"))?;
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
    /// What its colours mean, where that can be said of what is made of it, too.
    profile: Option<Vec<u8>>,
}

fn decode(bytes: &[u8], format: ImageFormat) -> Result<Decoded, Refused> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_MEMORY);
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
    if u64::from(width) * u64::from(height) > MOST_PIXELS || decoder.total_bytes() > MOST_MEMORY {
        let why = format!("with {width} × {height} pixels it is too large");
        return Err(Refused::new(
            why,
            "Make it smaller: more than 2,048 pixels on a side are not sent",
        ));
    }
    if width == 0 || height == 0 {
        return Err(broken("it has no pixels"));
    }
    // What is missing at its end a JPEG decoder makes up, in grey.
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

/// Whether a JPEG's picture has no end. A preview in its head has an end of its own, within a segment; what a phone
/// appends, such as a film, comes after.
fn is_cut(bytes: &[u8]) -> bool {
    let end = scan_of(bytes).and_then(|scan| memchr::memmem::find(&bytes[scan..], &[0xff, 0xd9]));
    end.is_none()
}

/// Where the first scan begins (ITU T.81, annex B): segments are walked by their lengths.
fn scan_of(bytes: &[u8]) -> Option<usize> {
    let mut at = 2;
    loop {
        match bytes.get(at..at + 2)? {
            [0xff, 0xda] => return Some(at),
            // Any number of these may stand before a marker.
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

/// With `edge` pixels on its longer side at most.
fn scaled(picture: DynamicImage, edge: u32) -> DynamicImage {
    let longer = picture.width().max(picture.height());
    if longer <= edge {
        return picture;
    }
    // A plain mean first: the finer filter needs a lot of memory.
    let picture = if longer > edge.saturating_mul(3) {
        let edge = edge.saturating_mul(2);
        picture.thumbnail(edge, edge)
    } else {
        picture
    };
    picture.resize(edge, edge, FilterType::CatmullRom)
}

/// Writes a picture as small as it has to be.
fn encode(
    picture: &DynamicImage,
    photo: bool,
    profile: Option<&[u8]>,
    most: usize,
) -> Result<Image, Refused> {
    if most < LEAST_ROOM {
        return Err(super::no_room());
    }
    let opaque = is_opaque(picture);
    let mut edge = picture.width().max(picture.height());
    loop {
        let small = scaled(picture.clone(), edge);
        let size = (small.width(), small.height());
        if !(photo && opaque) {
            let file = png(&small, opaque, profile).map_err(told)?;
            if base64_len(file.len()) <= most && (!opaque || file.len() <= DRAWING) {
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
        if edge < LEAST_EDGE {
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
        // Without it the colours are a little off.
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
    let mut encoder = JpegEncoder::new_with_quality(&mut file, QUALITY);
    if let Some(profile) = profile {
        // Without it the colours are a little off.
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
            "decoding it would take too much memory",
            "Make it smaller, and attach that",
        ),
        error => broken(&error.to_string()),
    }
}

fn broken(how: &str) -> Refused {
    Refused::new(
        format!("the picture is broken ({how})"),
        "Save it anew, and attach that",
    )
}

fn animated() -> Refused {
    Refused::new(
        "it moves, and models look at still pictures",
        "Save one of its frames, and attach that",
    )
}
