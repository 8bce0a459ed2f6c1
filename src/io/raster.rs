//! Charts as pixels: the report's SVG, twice as large.

use std::sync::{Arc, LazyLock};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb::Database};

use crate::chart::svg::FONTS;
use crate::domain::failure::Failure;
use crate::protocol::Picture;

/// Sharp on any screen, and in a document.
const SCALE: f32 = 2.0;

static FACES: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut faces = Database::new();
    FONTS
        .iter()
        .for_each(|face| faces.load_font_data(face.to_vec()));
    Arc::new(faces)
});

/// Draws it. It takes some time: call it where a thread may wait.
///
/// # Errors
/// When it is no SVG, or too large.
pub fn draw(svg: &str) -> Result<Picture, Failure> {
    let options = Options {
        fontdb: Arc::clone(&FACES),
        ..Options::default()
    };
    let tree =
        Tree::from_str(svg, &options).map_err(|why| broken().with_details(why.to_string()))?;
    let size = tree.size();
    let [width, height] = [size.width(), size.height()].map(|side| (side * SCALE).ceil() as u32);
    let mut pixels = Pixmap::new(width, height).ok_or_else(broken)?;
    resvg::render(
        &tree,
        Transform::from_scale(SCALE, SCALE),
        &mut pixels.as_mut(),
    );
    Ok(Picture {
        width: width as usize,
        height: height as usize,
        // The paper covers all of it, so that no pixel is transparent.
        rgba: pixels.take().into(),
    })
}

/// The same as a PNG.
///
/// # Errors
/// As [`draw`].
pub fn png(svg: &str) -> Result<Vec<u8>, Failure> {
    let Picture {
        width,
        height,
        rgba,
    } = draw(svg)?;
    let mut png = std::io::Cursor::new(Vec::new());
    let buffer = image::RgbaImage::from_raw(width as u32, height as u32, rgba.to_vec());
    let buffer = buffer.ok_or_else(broken)?;
    buffer
        .write_to(&mut png, image::ImageFormat::Png)
        .map_err(|why| broken().with_details(why.to_string()))?;
    Ok(png.into_inner())
}

fn broken() -> Failure {
    Failure::new("Could not draw the chart", "Save it as SVG instead")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_is_twice_as_large_in_its_theme_with_its_words() {
        let level = crate::export::sample::bench(1.0).report().levels[0].clone();
        let timing = crate::chart::levels::Timing::Ttft;
        let look = crate::chart::Look::of(0);
        let chart = crate::chart::distribution::distribution(Some(&level), timing, look);
        let draw = |about: &str, dark| draw(&crate::chart::svg::file(&chart, about, dark));
        let light = draw("m", false).expect("it is drawn");
        assert_eq!((light.width, light.height), (1_120, 680));
        assert_eq!(light.rgba[..4], [255, 255, 255, 255]);
        let dark = draw("m", true).expect("it is drawn");
        assert_eq!(dark.rgba[..4], [0x16, 0x19, 0x20, 255]);
        let without = draw("", true).expect("it is drawn");
        assert_ne!(dark.rgba, without.rgba, "words are drawn with our face");
        assert!(super::draw("<no>").is_err());
    }
}
