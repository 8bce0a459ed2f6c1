//! Pictures and texts that are attached: sizes, formats, orientation and refusals.

use std::fs::{self, File};

use image::codecs::jpeg::JpegEncoder;
use image::codecs::webp::WebPEncoder;
use image::{DynamicImage, ImageEncoder as _, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use proptest::prelude::*;

use super::*;
use crate::domain::attachment::MOST_BODY;

/// A picture whose left half is red, and whose right half is blue; at the top a green line.
fn flag(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        match (x < width / 2, y < height / 8) {
            (_, true) => Rgb([0, 255, 0]),
            (true, false) => Rgb([255, 0, 0]),
            (false, false) => Rgb([0, 0, 255]),
        }
    })
}

/// Nothing that can be made small: each pixel is its own.
fn noise(width: u32, height: u32) -> RgbImage {
    let mut random = crate::domain::random::Random::new(7);
    RgbImage::from_fn(width, height, |_, _| {
        Rgb([0; 3].map(|_: u8| random.below(256) as u8))
    })
}

fn file(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut out = std::io::Cursor::new(Vec::new());
    picture
        .into()
        .write_to(&mut out, format)
        .expect("it can be written");
    out.into_inner()
}

/// A JPEG whose camera was held in this way (EXIF's `Orientation`).
fn turned(picture: &RgbImage, orientation: u8) -> Vec<u8> {
    let exif = [
        b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".as_slice(),
        &[orientation, 0, 0, 0, 0, 0, 0, 0],
    ];
    let mut out = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut out, 95);
    encoder
        .set_exif_metadata(exif.concat())
        .expect("a JPEG has a place for it");
    picture
        .write_with_encoder(encoder)
        .expect("it can be written");
    out
}

fn image_of(attachment: &Attachment) -> &Image {
    match &attachment.content {
        Attached::Image(image) => image,
        Attached::Text(text) => panic!("a text: {text}"),
    }
}

fn picture(bytes: &[u8]) -> Image {
    image_of(&read("a", bytes, MOST_BODY).expect("it is read")).clone()
}

fn decoded(image: &Image) -> RgbImage {
    let bytes = image.bytes().expect("base64");
    let read = image::load_from_memory(&bytes)
        .expect("a picture")
        .to_rgb8();
    assert_eq!(
        (read.width(), read.height()),
        (image.width, image.height),
        "it is as large as is told"
    );
    read
}

#[track_caller]
fn check_refused(bytes: &[u8], why: &str) {
    let failure = read("it.png", bytes, MOST_BODY).expect_err("it is refused");
    assert!(
        failure.summary.starts_with("it.png was not attached: "),
        "{failure:?}"
    );
    assert!(failure.summary.contains(why), "{failure:?}");
}

#[test]
fn what_is_small_enough_is_sent_as_it_is() {
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
        let bytes = file(flag(300, 200), format);
        let image = picture(&bytes);
        assert_eq!(
            (image.media_type.as_str(), image.width, image.height),
            (format.to_mime_type(), 300, 200)
        );
        assert_eq!(image.bytes(), Some(bytes), "{format:?}");
    }
}

#[test]
fn the_longer_side_gets_at_most_2048_pixels() {
    for (format, sent) in [
        (ImageFormat::Png, "image/png"),
        (ImageFormat::Jpeg, "image/jpeg"),
        (ImageFormat::WebP, "image/png"),
    ] {
        let image = picture(&file(flag(4_096, 1_000), format));
        assert_eq!(
            (image.media_type.as_str(), image.width, image.height),
            (sent, 2_048, 500)
        );
        let small = decoded(&image);
        let [near, far] = [300, 1_700].map(|x| small.get_pixel(x, 300).0);
        assert!(
            near[0] > 240 && near[2] < 15 && far[2] > 240 && far[0] < 15,
            "{near:?} {far:?}"
        );
    }
    let high = picture(&file(flag(100, 9_000), ImageFormat::Png));
    assert_eq!((high.width, high.height), (23, 2_048));
}

#[test]
fn a_photo_becomes_a_jpeg_and_what_is_transparent_a_png() {
    let photo = picture(&file(noise(2_200, 600), ImageFormat::Png));
    assert_eq!(
        (photo.media_type.as_str(), photo.width),
        ("image/jpeg", 2_048)
    );
    let glass = RgbaImage::from_fn(2_200, 300, |x, _| Rgba([255, 0, 0, (x % 256) as u8]));
    let glass = picture(&file(glass, ImageFormat::Png));
    assert_eq!(glass.media_type, "image/png");
    let pixels = image::load_from_memory(&glass.bytes().expect("base64")).expect("a PNG");
    assert!(pixels.color().has_alpha());
}

#[test]
fn a_camera_may_be_held_in_any_way() {
    let lying = flag(640, 320);
    for (orientation, size, top_left) in [
        (1, (640, 320), [0, 255, 0]),
        (3, (640, 320), [0, 0, 255]),
        (6, (320, 640), [255, 0, 0]),
    ] {
        let image = picture(&turned(&lying, orientation));
        assert_eq!((image.width, image.height), size, "{orientation}");
        let shown = decoded(&image).get_pixel(10, 10).0;
        let near = shown
            .iter()
            .zip(top_left)
            .all(|(a, b): (&u8, u8)| a.abs_diff(b) < 30);
        assert!(near, "{orientation}: {shown:?}");
        let preview = pixels_of(&image, 64).expect("it is shown");
        assert_eq!(preview.width.max(preview.height), 64);
    }
}

#[test]
fn many_pixels_find_room_or_are_refused() {
    let bytes = file(noise(1_160, 1_160), ImageFormat::Png);
    let whole = picture(&bytes);
    assert!(
        whole.base64.len() <= MAX_PICTURE_CHARS && whole.width > 1_000,
        "{}",
        whole.width
    );
    let bytes = file(noise(500, 500), ImageFormat::Png);
    let little = read("a", &bytes, 200_000).expect("it is made smaller");
    assert!(little.body_bytes() <= 200_000 && image_of(&little).width < 500);
    let failure = read("a", &bytes, 9_000).expect_err("there is no room");
    assert!(failure.summary.contains("25 MB"), "{failure:?}");
    let failure = read("a", &b"word ".repeat(2_000), 9_000).expect_err("there is no room");
    assert!(failure.summary.contains("25 MB"), "{failure:?}");
}

#[test]
fn sixteen_bits_grey_and_palettes_are_read() {
    let deep = DynamicImage::from(flag(3_000, 100)).into_rgb16();
    assert_eq!(picture(&file(deep, ImageFormat::Png)).width, 2_048);
    for format in [ImageFormat::Png, ImageFormat::Jpeg] {
        let grey = picture(&file(
            DynamicImage::from(flag(3_000, 100)).into_luma8(),
            format,
        ));
        let bytes = grey.bytes().expect("base64");
        assert!(
            !image::load_from_memory(&bytes)
                .expect("a picture")
                .color()
                .has_color()
        );
    }
}

#[test]
fn a_pasted_picture_is_sent_as_a_png() {
    let pixels = DynamicImage::from(flag(2_500, 50)).into_rgba8();
    let pasted = Picture {
        width: 2_500,
        height: 50,
        rgba: pixels.into_raw().into(),
    };
    let attachment = of_picture("Pasted picture", &pasted, MOST_BODY).expect("it is taken");
    let image = image_of(&attachment);
    assert_eq!(
        (attachment.name.as_str(), image.width),
        ("Pasted picture.png", 2_048)
    );
    let nothing = Picture {
        width: 0,
        height: 0,
        rgba: [].into(),
    };
    assert!(of_picture("x", &nothing, MOST_BODY).is_err());
    let wrong = Picture {
        width: 9,
        height: 9,
        rgba: [0; 4].into(),
    };
    assert!(of_picture("x", &wrong, MOST_BODY).is_err());
}

/// A chunk of a PNG.
fn chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let named = [name.as_slice(), content].concat();
    let crc = !named.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 * (crc & 1))
        })
    });
    [
        &(content.len() as u32).to_be_bytes()[..],
        &named,
        &crc.to_be_bytes(),
    ]
    .concat()
}

#[test]
fn a_picture_that_would_fill_the_memory_is_refused() {
    let bomb = |width: u32, height: u32| {
        let head = [
            &width.to_be_bytes()[..],
            &height.to_be_bytes(),
            &[8, 6, 0, 0, 0],
        ]
        .concat();
        let body = file(flag(2, 2), ImageFormat::Png);
        [&body[..8], &chunk(b"IHDR", &head), &body[33..]].concat()
    };
    check_refused(&bomb(60_000, 60_000), "60000 × 60000 pixels are too many");
    check_refused(&bomb(u32::MAX / 2, 1), "too much memory");
    let mut wide = file(flag(2, 2), ImageFormat::Jpeg);
    let frame = memchr::memmem::find(&wide, &[0xff, 0xc0]).expect("a head");
    wide[frame + 5..frame + 9].copy_from_slice(&[0xff; 4]);
    check_refused(&wide, "65535 × 65535 pixels are too many");
    check_refused(&bomb(10_400, 10_400), "damaged");
}

#[test]
fn what_moves_is_refused() {
    let still = file(flag(2, 2), ImageFormat::Png);
    let moves = chunk(b"acTL", &[0, 0, 0, 2, 0, 0, 0, 0]);
    check_refused(
        &[&still[..33], &moves, &still[33..]].concat(),
        "it is animated",
    );

    let mut webp = Vec::new();
    let pixels = flag(2, 2);
    let written =
        WebPEncoder::new_lossless(&mut webp).encode(&pixels, 2, 2, image::ExtendedColorType::Rgb8);
    written.expect("it can be written");
    let part = |name: &[u8; 4], content: &[u8]| {
        [
            name.as_slice(),
            &(content.len() as u32).to_le_bytes(),
            content,
        ]
        .concat()
    };
    let frame = [
        &[0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 9, 0, 0, 0],
        &webp[12..],
    ]
    .concat();
    let parts = [
        b"WEBP".to_vec(),
        part(b"VP8X", &[2, 0, 0, 0, 1, 0, 0, 1, 0, 0]),
        part(b"ANIM", &[0; 6]),
        part(b"ANMF", &frame),
        part(b"ANMF", &frame),
    ];
    check_refused(&part(b"RIFF", &parts.concat()), "it is animated");
}

#[test]
fn a_picture_without_its_end_is_broken() {
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
        let whole = file(noise(64, 64), format);
        for part in [4, 2] {
            check_refused(&whole[..whole.len() - whole.len() / part], "damaged");
        }
    }
    // A preview in the head of a photo has an end of its own.
    let inner = file(flag(8, 8), ImageFormat::Jpeg);
    let whole = turned(&noise(64, 64), 1);
    let head = [
        &whole[..2],
        &[0xff, 0xe2],
        &(inner.len() as u16 + 2).to_be_bytes(),
        &inner,
    ]
    .concat();
    let photo = [&head, &whole[2..]].concat();
    assert_eq!(picture(&photo).width, 64);
    check_refused(&photo[..photo.len() - 100], "damaged");
    // Phones append a film, in which any bytes may stand.
    let moving = [&photo[..], b"....ftypmp42", &[0xff, 0xda, 0, 0, 0xff, 0xda]].concat();
    assert_eq!(picture(&moving).width, 64);
}

#[test]
fn other_forms_are_called_by_their_names() {
    check_refused(b"GIF89a\x01\0\x01\0", "a GIF is not supported");
    check_refused(b"%PDF-1.7\n%\xe2\xe3", "a PDF is not supported");
    check_refused(b"\0\0\0\x1cftypheic\0", "a HEIC is not supported");
    check_refused(b"\0\0\0\x1cftypavif\0", "an AVIF is not supported");
    check_refused(b"BM\x8a\0\0\0", "a BMP is not supported");
    check_refused(b"\x7fELF\x02\x01\0", "it is neither a picture nor text");
    check_refused(b"", "it is empty");
    check_refused(b"caf\xe9", "it is neither a picture nor text");
}

#[test]
fn texts_are_told_by_what_is_in_them() {
    let text = |bytes: &[u8]| match read("notes.png", bytes, MOST_BODY)
        .expect("it is read")
        .content
    {
        Attached::Text(text) => text.to_string(),
        Attached::Image(_) => panic!("a picture"),
    };
    assert_eq!(text("Olá\r\n🎉".as_bytes()), "Olá\n🎉");
    assert_eq!(text(b"\xef\xbb\xbfa"), "a");
    assert_eq!(text(b"\xff\xfeO\0l\0\xe1\0"), "Olá");
    assert_eq!(text(b"\xfe\xff\0O\0l\0\xe1"), "Olá");
    assert_eq!(text(b"BMW and P1 are words"), "BMW and P1 are words");
    assert_eq!(text(b"\x1b[31mred\x1b[0m"), "\x1b[31mred\x1b[0m");
    check_refused(b"\xff\xfeO\0l", "neither");
    check_refused(b"\xff\xfe\0\xd8", "neither");
    check_refused(b"nul \0", "neither");
    check_refused(&b"x".repeat(MAX_TEXT_BYTES + 1), "text of more than 2 MB");
}

#[test]
fn folders_pipes_and_huge_files_are_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let refused = |path: &Path, why: &str| {
        let failure = read_file(path, MOST_BODY).expect_err("it is refused");
        assert!(failure.summary.contains(why), "{failure:?}");
    };
    refused(dir.path(), "it is a folder");
    refused(
        &dir.path().join("none.png"),
        "none.png was not attached: it does not exist",
    );
    refused(
        Path::new("/dev/zero"),
        "zero was not attached: it is a device, not an ordinary file",
    );
    let huge = dir.path().join("huge.txt");
    File::create(&huge)
        .and_then(|file| file.set_len(MAX_FILE_BYTES + 1))
        .expect("a file with holes");
    refused(&huge, "it is larger than 64 MB");
    let note = dir.path().join("note.md");
    fs::write(&note, "hello").expect("written");
    let read = read_file(&note, MOST_BODY).expect("it is read");
    assert_eq!(
        (read.name.as_str(), read.content),
        ("note.md", Attached::Text("hello".into()))
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nothing_that_is_read_ends_the_program(
        start in proptest::sample::select(vec![
            b"".to_vec(), b"\x89PNG\r\n\x1a\n".to_vec(), b"\xff\xd8\xff".to_vec(), b"RIFF\0\0\0\0WEBP".to_vec(),
        ]),
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        // Any answer will do.
        let _ = read("x", &[start, bytes].concat(), MOST_BODY);
    }

    #[test]
    fn a_file_that_was_meddled_with_is_read_or_refused(
        which in 0..4_usize, cut in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), to: u8,
    ) {
        let mut bytes = match which {
            0 => file(noise(20, 12), ImageFormat::Png),
            1 => file(noise(20, 12), ImageFormat::WebP),
            2 => turned(&noise(20, 12), 6),
            _ => file(DynamicImage::from(flag(40, 40)).into_luma8(), ImageFormat::Jpeg),
        };
        let place = at.index(bytes.len());
        bytes[place] = to;
        bytes.truncate(cut.index(bytes.len()) + 1);
        if let Ok(attachment) = read("x", &bytes, MOST_BODY)
            && let Attached::Image(image) = &attachment.content
        {
            prop_assert!(pixels_of(image, 16).is_ok());
        }
    }
}
