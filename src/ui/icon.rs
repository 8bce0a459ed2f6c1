//! The logo: three bars, for the window, the launcher and the packages.

use std::fmt::Write as _;

use egui::IconData;

use super::theme;

/// The side of the square that [`BARS`] are drawn in.
const GRID: usize = 64;
/// The width of a bar.
const WIDTH: usize = 12;
/// Left, top and bottom of each bar.
const BARS: [(usize, usize, usize); 3] = [(8, 22, 52), (26, 6, 58), (44, 30, 50)];

/// The window's icon.
pub(super) fn window() -> IconData {
    IconData {
        rgba: rgba(GRID),
        width: GRID as u32,
        height: GRID as u32,
    }
}

/// The logo in a square of so many pixels a side, as red, green, blue and opacity from the top left on. A pixel that a
/// bar covers in part is as opaque as that part.
pub fn rgba(side: usize) -> Vec<u8> {
    let [red, green, blue, _] = theme::Tokens::for_dark(true).accent.to_array();
    // In units of a pixel's part of the grid, so that all is whole: a pixel has a side of GRID, a cell of `side`.
    let overlap = |pixel: usize, from: usize, to: usize| {
        let (start, end) = (pixel * GRID, (pixel + 1) * GRID);
        end.min(to * side).saturating_sub(start.max(from * side))
    };
    let opacity = |x: usize, y: usize| {
        let covered: usize = BARS
            .iter()
            .map(|&(left, top, bottom)| overlap(x, left, left + WIDTH) * overlap(y, top, bottom))
            .sum();
        let whole = GRID * GRID;
        ((covered * 255 + whole / 2) / whole) as u8
    };
    (0..side * side)
        .flat_map(|at| match opacity(at % side, at / side) {
            0 => [0; 4],
            opacity => [red, green, blue, opacity],
        })
        .collect()
}

/// The logo for any size.
pub fn svg() -> String {
    let [red, green, blue, _] = theme::Tokens::for_dark(true).accent.to_array();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {GRID} {GRID}\" width=\"{GRID}\" height=\"{GRID}\" \
         fill=\"#{red:02x}{green:02x}{blue:02x}\">\n"
    );
    for (left, top, bottom) in BARS {
        let height = bottom - top;
        let _ = writeln!(
            svg,
            "  <rect x=\"{left}\" y=\"{top}\" width=\"{WIDTH}\" height=\"{height}\"/>"
        );
    }
    svg.push_str("</svg>\n");
    svg
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use image::{ImageBuffer, Rgba};

    use super::*;

    /// Sizes that desktops ask for.
    const SIZES: [usize; 6] = [32, 48, 64, 128, 256, 512];

    fn place(size: &str, name: &str) -> PathBuf {
        let icons = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/packaging/icons/hicolor");
        icons.join(size).join("apps").join(name)
    }

    /// `UPDATE_SNAPSHOTS=1` writes the files, as for the pictures of the window.
    #[test]
    fn the_packages_have_the_windows_icon() {
        let update = std::env::var_os("UPDATE_SNAPSHOTS").is_some();
        let write = |path: &Path, save: &dyn Fn()| {
            if update {
                fs::create_dir_all(path.parent().expect("a folder")).expect("made");
                save();
            }
        };
        let path = place("scalable", "batida.svg");
        write(&path, &|| fs::write(&path, svg()).expect("written"));
        assert_eq!(fs::read_to_string(&path).expect("the icon"), svg());
        for side in SIZES {
            let path = place(&format!("{side}x{side}"), "batida.png");
            let drawn = ImageBuffer::<Rgba<u8>, _>::from_raw(side as u32, side as u32, rgba(side));
            let drawn = drawn.expect("four bytes a pixel");
            write(&path, &|| drawn.save(&path).expect("written"));
            let kept = image::open(&path).expect("the icon").into_rgba8();
            assert!(kept == drawn, "{} is not what is drawn", path.display());
        }
    }

    #[test]
    fn the_logo_has_the_same_area_at_every_size() {
        let area = |side: usize| {
            let opaque: usize = rgba(side).chunks(4).map(|it| usize::from(it[3])).sum();
            opaque as f64 / (side * side * 255) as f64
        };
        let exact = BARS.iter().map(|(_, top, bottom)| WIDTH * (bottom - top));
        let exact = exact.sum::<usize>() as f64 / (GRID * GRID) as f64;
        for side in SIZES {
            assert!((area(side) - exact).abs() < 0.002, "{side}: {}", area(side));
        }
    }
}
