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
    (&["0o600", "0o700"], "", &["io/private.rs"]),
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

/// Calls and fields that space things out.
const SPACING: [&str; 8] = [
    "add_space(",
    "inner_margin(",
    "outer_margin(",
    "Margin::same(",
    "Margin::symmetric(",
    "item_spacing = ",
    "item_spacing.x = ",
    "item_spacing.y = ",
];

#[test]
fn space_is_left_by_the_steps_of_the_grid() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut found, mut seen) = (Vec::new(), 0);
    for file in sources(&root).iter().filter(|file| file.starts_with("ui")) {
        if file.as_path() == Path::new("ui/theme.rs") {
            continue;
        }
        let text = fs::read_to_string(root.join(file)).expect("text");
        for way in SPACING {
            for (at, _) in text.match_indices(way) {
                seen += 1;
                let value = value(&text[at + way.len()..]);
                if is_off_the_grid(value) {
                    found.push(format!("{}: {way}{value}", file.display()));
                }
            }
        }
    }
    assert!(seen > 50, "{seen} places space things out");
    assert_eq!(
        found, [""; 0],
        "use the tokens of ui/theme.rs: HALF, GRID, GAP, PAD, APART, margin()"
    );
}

/// What a call or an assignment is given: up to the bracket that closes it, or its semicolon.
fn value(text: &str) -> &str {
    let mut depth = 0;
    let end = text.find(|c| {
        match c {
            '(' | '{' => depth += 1,
            ')' | '}' => depth -= 1,
            _ => {}
        }
        depth < 0 || (c == ';' && depth == 0)
    });
    &text[..end.unwrap_or(text.len())]
}

/// Whether a number stands in it that is neither nothing nor so many steps, as in `4.0 * GRID` and `margin(3, 2)`.
fn is_off_the_grid(value: &str) -> bool {
    let steps = value.contains("* GRID") || value.starts_with("theme::margin(");
    let mut words = value.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '_'));
    let number = |word: &str| word.parse::<f32>().ok();
    !steps && words.any(|word| number(word).is_some_and(|n| n != 0.0))
}

#[test]
fn what_is_off_the_grid_is_found() {
    for (text, is_off) in [
        ("14.0);", true),
        ("vec2(5.0, HALF);", true),
        ("if narrow { 6.0 } else { GAP };", true),
        ("egui::Margin::symmetric(12, 6))", true),
        ("vec2(0.0, GRID); let other = 3.0;", false),
        ("5.0 * GRID);", false),
        ("theme::margin(if narrow { 2 } else { 3 }, 2))", false),
        ("(ui.available_height() / GAP).max(GRID));", false),
    ] {
        assert_eq!(is_off_the_grid(value(text)), is_off, "{text}");
    }
}
