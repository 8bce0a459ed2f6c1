//! Pictures of the window, held against those in `tests/snapshots`. They are drawn by Mesa's software Vulkan.

use batida::demo::api::DEMO_KEY;
use batida::domain::environment::ApiAddress;
use egui::{Rect, Theme};
use egui_kittest::SnapshotOptions;
use egui_kittest::kittest::Queryable as _;

use crate::support::environments::api_env;
use crate::support::window::{SMALL, Setup, Window};

/// Compares with tests/snapshots; what differs from run to run is hidden behind masks.
/// `UPDATE_SNAPSHOTS=1 cargo test --test programs pictures` makes them anew.
fn check_picture(window: &mut Window, name: &str, varies: &[&str]) {
    window.remove_cursor();
    window.step();
    window.run_steps(3);
    let masks: Vec<Rect> = varies
        .iter()
        .flat_map(|text| {
            window
                .query_all_by_label_contains(text)
                .map(|node| node.rect())
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(masks.len() >= varies.len(), "{}", window.told());
    for rect in masks {
        // As wide for a port of four digits as for one of five.
        window.mask(Rect::from_min_size(rect.min, egui::vec2(150.0, rect.height())).expand(1.0));
    }
    // Another Mesa smooths edges a little differently.
    let options = SnapshotOptions::new().threshold(2.0).max_failed_pixels(150);
    window.snapshot_options(name, &options);
}

fn small_demo(theme: Theme) -> Window {
    let mut window = Window::open(Setup {
        size: SMALL,
        theme,
        env: None,
        ..Setup::default()
    });
    window.see("Model: Meta-Llama-3.3-70B-Instruct");
    window.see("no problems");
    window.see("SambaStack 2.3.2");
    window
}

#[test]
fn picture_of_the_empty_playground_in_the_dark() {
    check_picture(&mut small_demo(Theme::Dark), "playground-dark", &["api "]);
}

#[test]
fn picture_of_the_empty_playground_in_the_light() {
    check_picture(&mut small_demo(Theme::Light), "playground-light", &["api "]);
}

#[test]
fn picture_of_the_environments_on_the_demo() {
    let mut window = small_demo(Theme::Dark);
    window.click("Environments");
    check_picture(&mut window, "environments", &["127.0.0.1:", "api "]);
}

#[test]
fn picture_of_a_failure() {
    let dead = ApiAddress::parse("http://127.0.0.1:1").expect("it is an address");
    let env = Some((api_env(&dead), Some(DEMO_KEY)));
    let mut window = Window::open(Setup {
        size: SMALL,
        theme: Theme::Dark,
        env,
        ..Setup::default()
    });
    window.see("connection refused");
    check_picture(&mut window, "failure", &[]);
}
