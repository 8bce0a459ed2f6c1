//! Pictures for tests.

use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage};

/// Writes a picture of one colour with a white frame, in the form that its name says.
pub(crate) fn write(
    dir: &Path,
    name: &str,
    (width, height): (u32, u32),
    colour: [u8; 3],
) -> PathBuf {
    let path = dir.join(name);
    let picture = RgbImage::from_fn(width, height, |x, y| {
        let edge = x == 0 || y == 0 || x + 1 == width || y + 1 == height;
        Rgb(if edge { [255; 3] } else { colour })
    });
    picture.save(&path).expect("the folder is there");
    path
}

/// Writes one that looks like a chart: bars of several colours.
pub(crate) fn chart(dir: &Path, name: &str, (width, height): (u32, u32)) -> PathBuf {
    let path = dir.join(name);
    let colours = [
        [86, 180, 233],
        [230, 159, 0],
        [204, 121, 167],
        [0, 158, 115],
    ];
    let picture = RgbImage::from_fn(width, height, |x, y| {
        let bar = (x * 8 / width) as usize;
        let top = height * [70, 20, 55, 40, 15, 62, 33, 48][bar] / 100;
        let inside = x * 80 / width % 10 > 1 && y > top && y < height * 92 / 100;
        Rgb(if inside {
            colours[bar % 4]
        } else {
            [245, 246, 248]
        })
    });
    picture.save(&path).expect("the folder is there");
    path
}
