//! The command line alone: built without the feature `gui`, it needs none of the window's crates.

use crate::support::programs::{output_of, quiet};

#[test]
fn without_the_window_none_of_its_crates_are_built() {
    let crates = |features: &[&str]| {
        let mut cargo = quiet(env!("CARGO"));
        cargo.args([
            "tree",
            "--locked",
            "--offline",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{lib}",
        ]);
        output_of(cargo.args(features).current_dir(env!("CARGO_MANIFEST_DIR")))
    };
    let (whole, alone) = (crates(&[]), crates(&["--no-default-features"]));
    let has = |tree: &str, name: &str| tree.lines().any(|line| line == name);
    for name in [
        "arboard",
        "eframe",
        "egui",
        "egui_extras",
        "egui_plot",
        "glow",
        "rfd",
        "syntect",
        "winit",
    ] {
        assert!(has(&whole, name), "{name} is not in\n{whole}");
        assert!(!has(&alone, name), "{name} is in\n{alone}");
    }
    assert!(has(&alone, "reqwest"), "{alone}");
}
