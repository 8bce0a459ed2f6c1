//! Makes images for requests: soft colours with some grain, so that a file is about as large as that of a photograph. No
//! two are alike, in their pixels too, so that no cache of a server answers.

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder as _};

use crate::domain::conversation::{Attached, Attachment, Image};
use crate::domain::plan::Images;
use crate::domain::random::Random;

/// Separates these random numbers from others with the plan's seed.
const PICTURES: u64 = 0x91C7;
/// Of the JPEG encoder, 1 to 100.
const QUALITY: u8 = 80;
/// Pixels between two colours that are drawn; those between them are mixed.
const CELL: u32 = 32;
/// Bytes of a file per pixel, about.
const BYTES_PER_PIXEL: f64 = 0.4;

/// The images of the request with this index, the same at every call.
pub fn of_request(images: Images, seed: u64, index: u64) -> Vec<Attachment> {
    let picture = |number: u32| {
        let mut random = Random::at(&[seed, PICTURES, index, number.into()]);
        let (width, height) = (images.width, images.height);
        let pixels = pixels(width, height, &mut random);
        let mut file = Vec::new();
        // Cannot fail: the buffer has the pixels of the size, and memory takes all that is written.
        let _ = JpegEncoder::new_with_quality(&mut file, QUALITY).write_image(
            &pixels,
            width,
            height,
            ExtendedColorType::Rgb8,
        );
        Attachment {
            name: format!("{number}.jpg"),
            content: Attached::Image(Image::of("image/jpeg", (width, height), &file)),
        }
    };
    (0..images.each).map(picture).collect()
}

/// About how many bytes the images of a request take in its body.
pub fn bytes_of_request(images: Images) -> usize {
    (images.pixels() as f64 * BYTES_PER_PIXEL * 4.0 / 3.0) as usize
}

/// Red, green and blue of each pixel, row by row.
fn pixels(width: u32, height: u32, random: &mut Random) -> Vec<u8> {
    let columns = (width / CELL + 2) as usize;
    let rows = (height / CELL + 2) as usize;
    let grid: Vec<[i32; 3]> = (0..columns * rows)
        .map(|_| {
            let bits = random.bits();
            [0, 8, 16].map(|shift| (bits >> shift & 0xff) as i32)
        })
        .collect();
    let cell = CELL as i32;
    let mut out = Vec::with_capacity(width as usize * height as usize * 3);
    let mut grain = 0u64;
    for y in 0..height {
        let (row, down) = ((y / CELL) as usize, (y % CELL) as i32);
        for x in 0..width {
            let (column, right) = ((x / CELL) as usize, (x % CELL) as i32);
            let corner = row * columns + column;
            let [a, b] = [grid[corner], grid[corner + 1]];
            let [c, d] = [grid[corner + columns], grid[corner + columns + 1]];
            if x % 16 == 0 {
                grain = random.bits();
            }
            // As much for all three colours: light, as a camera's noise mostly is.
            let noise = (grain & 0xf) as i32 - 8;
            grain >>= 4;
            for colour in 0..3 {
                let above = a[colour] * (cell - right) + b[colour] * right;
                let below = c[colour] * (cell - right) + d[colour] * right;
                let mixed = (above * (cell - down) + below * down) / (cell * cell);
                out.push((mixed + noise).clamp(0, 255) as u8);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn files(images: Images, seed: u64, index: u64) -> Vec<Vec<u8>> {
        let all = of_request(images, seed, index);
        let file = |it: &Attachment| it.image().and_then(Image::bytes).expect("an image");
        all.iter().map(file).collect()
    }

    #[test]
    fn they_are_of_the_size_that_was_asked_for_and_no_two_are_alike() {
        let images = Images::parse("3@101x33").expect("reads");
        let mut seen = BTreeSet::new();
        for (seed, index) in [(1, 0), (1, 1), (2, 0)] {
            for file in files(images, seed, index) {
                let read = image::load_from_memory_with_format(&file, image::ImageFormat::Jpeg);
                let pixels = read.expect("a JPEG").to_rgb8();
                assert_eq!(pixels.dimensions(), (101, 33));
                assert!(seen.insert(pixels.into_raw()), "two have the same pixels");
            }
        }
        assert_eq!(seen.len(), 9);
        assert_eq!(files(images, 1, 1), files(images, 1, 1));
    }

    #[test]
    fn a_file_is_about_as_large_as_is_reckoned() {
        let images = Images::parse("2@640x480").expect("reads");
        let all: usize = of_request(images, 7, 3)
            .iter()
            .map(Attachment::body_bytes)
            .sum();
        let reckoned = bytes_of_request(images) as f64;
        let ratio = all as f64 / reckoned;
        assert!((0.5..1.5).contains(&ratio), "{all} for {reckoned}");
    }
}
