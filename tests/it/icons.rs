//! The packages' icons are what the window draws.

use std::fs;
use std::path::{Path, PathBuf};

use batida::ui::icon::{pixels, svg};
use image::{ImageBuffer, Rgba};

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
        let drawn = ImageBuffer::<Rgba<u8>, _>::from_raw(side as u32, side as u32, pixels(side));
        let drawn = drawn.expect("four bytes a pixel");
        write(&path, &|| drawn.save(&path).expect("written"));
        let kept = image::open(&path).expect("the icon").into_rgba8();
        assert!(kept == drawn, "{} is not what is drawn", path.display());
    }
}

#[test]
fn the_logo_covers_the_same_part_of_the_square_at_every_size() {
    let part = |side: usize| {
        let opaque: usize = pixels(side).chunks(4).map(|it| usize::from(it[3])).sum();
        opaque as f64 / (side * side * 255) as f64
    };
    for side in SIZES {
        assert!(
            (part(side) - part(64)).abs() < 0.002,
            "{side}: {}",
            part(side)
        );
    }
}
