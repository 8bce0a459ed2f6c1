//! What is done in one place only, so that it is right everywhere when it is right there.

use std::fs;
use std::path::Path;

use crate::floors::sources;

/// How a thing is done, the folder this holds for, and the files that may do it.
const ONCE: [(&[&str], &str, &[&str]); 8] = [
    // Printing: control characters in foreign text never reach a terminal.
    (
        &["io::stdout", "io::stderr", "println!", "print!("],
        "cli",
        &["cli/out.rs"],
    ),
    // Tables on a terminal.
    (&["tabled::"], "", &["cli/table.rs"]),
    // Markup that is not escaped: style sheets of ours.
    (
        &["PreEscaped("],
        "",
        &["chart/svg.rs", "export/html/mod.rs"],
    ),
    // Writing CSV, with cells that no spreadsheet runs; reading it.
    (&["csv::Writer"], "", &["export/csv.rs"]),
    (&["csv::Reader"], "", &["prompts/table.rs"]),
    // The rights of files and folders that are nobody else's business.
    (&["0o600", "0o700"], "", &["io/files.rs"]),
    // Percent, as people read it and as a command line does.
    (&["} %", "{}%"], "", &["domain/units.rs"]),
    // Numbers drawn at random; the demo's embeddings are hashed.
    (
        &["wrapping_mul("],
        "",
        &["domain/random.rs", "demo/embed.rs"],
    ),
];

#[test]
fn each_thing_is_done_in_one_place() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = sources(&root);
    for (ways, folder, places) in ONCE {
        for place in places {
            let text = fs::read_to_string(root.join(place)).expect("the place");
            let does = ways.iter().any(|way| text.contains(way));
            assert!(does, "{place} does none of {ways:?}");
        }
        let others = files.iter().filter(|file| {
            let is_test = file
                .iter()
                .any(|part| part == "tests" || part == "tests.rs");
            let is_place = places
                .iter()
                .any(|place| file.as_path() == Path::new(place));
            file.starts_with(folder) && !is_test && !is_place
        });
        for file in others {
            let text = fs::read_to_string(root.join(file)).expect("text");
            let text = text
                .split("#[cfg(test)]\nmod tests")
                .next()
                .unwrap_or_default();
            let found = ways.iter().find(|way| text.contains(**way));
            assert_eq!(found, None, "in {}: only in {places:?}", file.display());
        }
    }
}

/// What a button says after which something is lost.
const DANGERS: [&str; 9] = [
    "Delete",
    "Delete…",
    "Delete preset",
    "Delete environment",
    "Delete permanently",
    "Clear",
    "Discard",
    "Stop and close",
    "Dismiss problems",
];

#[test]
fn buttons_after_which_something_is_lost_look_alike() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let plain = [
        ".button(",
        "Button::new(",
        "primary_button(ui,",
        "small_button(ui,",
        "small_button_if(ui,",
    ];
    let mut dangerous = 0;
    for file in sources(&root).iter().filter(|file| file.starts_with("ui")) {
        let text = fs::read_to_string(root.join(file)).expect("text");
        for danger in DANGERS {
            let quoted = format!("\"{danger}\"");
            for (at, _) in text.match_indices(&quoted) {
                let before = text[..at].trim_end();
                let found = plain.iter().find(|call| before.ends_with(*call));
                assert_eq!(
                    found,
                    None,
                    "{quoted} in {}: use danger_button",
                    file.display()
                );
                dangerous += usize::from(before.ends_with("danger_button(ui,"));
            }
        }
    }
    assert!(dangerous >= DANGERS.len(), "{dangerous}");
}
