//! Decodes images for a simulated model, which describes their format, size and mean colour.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// Images with more pixels are rejected.
const MAX_PIXELS: u64 = 40_000_000;

/// A decoded image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ImageSummary {
    form: &'static str,
    width: u32,
    height: u32,
    mean: [u8; 3],
}

impl ImageSummary {
    /// In words.
    pub(super) fn told(&self) -> String {
        let Self {
            form,
            width,
            height,
            mean: [red, green, blue],
        } = self;
        let name = name_of(self.mean);
        format!(
            "a {form} of {width} × {height} pixels, on average {name} (#{red:02x}{green:02x}{blue:02x})"
        )
    }

    /// The number of tokens that it counts as.
    pub(super) fn tokens(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height) / 750 + 1
    }
}

/// The sentence about the images that an answer starts with.
pub(super) fn told(sights: &[ImageSummary]) -> String {
    let all: Vec<String> = sights.iter().map(ImageSummary::told).collect();
    match all.as_slice() {
        [] => String::new(),
        [one] => format!("I see {one}.\n\n"),
        several => format!(
            "I see {} pictures:\n\n- {}\n\n",
            several.len(),
            several.join("\n- ")
        ),
    }
}

/// The URLs of the images in a message's content.
pub(super) fn addresses(content: &Value) -> impl Iterator<Item = &str> {
    let parts = content.as_array().into_iter().flatten();
    parts
        .filter(|part| part["type"] == "image_url")
        .map(|part| part["image_url"]["url"].as_str().unwrap_or_default())
}

/// Decodes an image in a data URL.
pub(super) fn look(address: &str) -> Result<ImageSummary, String> {
    let encoded = address
        .strip_prefix("data:image/")
        .and_then(|rest| rest.split_once(";base64,"))
        .ok_or("image_url must be a data URL: data:image/png;base64,…")?
        .1;
    let bytes = STANDARD
        .decode(encoded)
        .map_err(|why| format!("the image is not valid base64: {why}"))?;
    let broken = |why: image::ImageError| format!("the image cannot be decoded: {why}");
    let format = image::guess_format(&bytes).map_err(broken)?;
    let reader = || image::ImageReader::with_format(std::io::Cursor::new(&bytes), format);
    let (width, height) = reader().into_dimensions().map_err(broken)?;
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err("the image has too many pixels".to_owned());
    }
    let pixels = reader().decode().map_err(broken)?.to_rgb8();
    let count = u64::from(width) * u64::from(height);
    let sums = pixels.pixels().fold([0_u64; 3], |mut sums, pixel| {
        sums.iter_mut()
            .zip(pixel.0)
            .for_each(|(sum, value)| *sum += u64::from(value));
        sums
    });
    let mean = sums.map(|sum| u8::try_from((sum + count / 2) / count.max(1)).unwrap_or(u8::MAX));
    let form = match format {
        image::ImageFormat::Png => "PNG",
        image::ImageFormat::WebP => "WebP",
        _ => "JPEG",
    };
    Ok(ImageSummary {
        form,
        width,
        height,
        mean,
    })
}

/// The nearest of a few colours that have a name.
fn name_of(colour: [u8; 3]) -> &'static str {
    const NAMES: [([u8; 3], &str); 12] = [
        ([0, 0, 0], "black"),
        ([255, 255, 255], "white"),
        ([128, 128, 128], "grey"),
        ([220, 30, 30], "red"),
        ([30, 150, 30], "green"),
        ([30, 60, 220], "blue"),
        ([240, 220, 40], "yellow"),
        ([240, 140, 30], "orange"),
        ([130, 40, 160], "purple"),
        ([240, 140, 180], "pink"),
        ([120, 75, 40], "brown"),
        ([40, 190, 200], "turquoise"),
    ];
    let distance = |of: [u8; 3]| -> u32 {
        of.iter()
            .zip(colour)
            .map(|(a, b)| u32::from(a.abs_diff(b)).pow(2))
            .sum()
    };
    NAMES
        .iter()
        .min_by_key(|(of, _)| distance(*of))
        .map_or("grey", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::conversation::Image;

    #[test]
    fn size_and_colour_are_really_looked_at() {
        let pixels = image::RgbImage::from_fn(4, 2, |x, _| {
            image::Rgb(if x < 2 { [255, 0, 0] } else { [205, 60, 60] })
        });
        let mut file = std::io::Cursor::new(Vec::new());
        pixels
            .write_to(&mut file, image::ImageFormat::Png)
            .expect("it can be written");
        let image = Image::of("image/png", (4, 2), file.get_ref());
        let sight = look(&image.data_url()).expect("it is seen");
        assert_eq!(
            sight.told(),
            "a PNG of 4 × 2 pixels, on average red (#e61e1e)"
        );
        assert_eq!(
            told(std::slice::from_ref(&sight)),
            format!("I see {}.\n\n", sight.told())
        );
        for (url, why) in [
            ("https://example.com/a.png", "data URL"),
            ("data:image/png;base64,*", "not valid base64"),
            ("data:image/png;base64,AAAA", "cannot be decoded"),
        ] {
            let refusal = look(url).expect_err("it is refused");
            assert!(refusal.contains(why), "{refusal}");
        }
    }
}
