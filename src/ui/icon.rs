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
        rgba: pixels(GRID),
        width: GRID as u32,
        height: GRID as u32,
    }
}

/// The logo in a square of so many pixels a side, as red, green, blue and opacity from the top left on. A pixel that a
/// bar covers in part is as opaque as that part.
pub fn pixels(side: usize) -> Vec<u8> {
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
