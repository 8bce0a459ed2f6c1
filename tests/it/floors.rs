//! The drawing in `lib.rs`, held against the sources: a floor imports only from floors below it.
//!
//! Comments and texts are taken out, paths are read with their groups (`use crate::{io, ui}`) and with
//! `self` and `super` resolved, and each is looked up in [`RULES`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What some rooms must not name, and why.
struct Rule {
    /// Beginnings of module paths; `crate` is every file.
    rooms: &'static [&'static str],
    /// Paths, each with all below it. `a::b` without `crate::` also matches at a path's end.
    never: &'static [&'static str],
    why: &'static str,
}

const PURE: &[&str] = &[
    "crate::chart",
    "crate::domain",
    "crate::sambastack",
    "crate::metrics",
    "crate::prompts",
    "crate::wire",
    "crate::snippet",
    "crate::export",
    "crate::import",
    "crate::protocol",
];
/// As pure, but `export` writes to what it is given.
const NO_WRITER: &[&str] = &[
    "crate::chart",
    "crate::domain",
    "crate::sambastack",
    "crate::metrics",
    "crate::prompts",
    "crate::wire",
    "crate::snippet",
    "crate::import",
    "crate::protocol",
];
const CLOCKS: &[&str] = &[
    "Instant::now",
    "SystemTime::now",
    "Timestamp::now",
    "Zoned::now",
    "crate::clock",
];
const WINDOW: &[&str] = &["egui", "eframe", "egui_plot", "egui_extras"];
const WAITING: &[&str] = &["tokio", "tokio_util", "hyper_util"];

const RULES: &[Rule] = &[
    Rule {
        rooms: PURE,
        never: &[
            "crate::io",
            "crate::engine",
            "crate::demo",
            "crate::state",
            "crate::cli",
            "crate::ui",
        ],
        why: "floor 0 imports from nobody",
    },
    Rule {
        rooms: PURE,
        never: WAITING,
        why: "floor 0 is pure: it does not wait",
    },
    Rule {
        rooms: PURE,
        never: WINDOW,
        why: "floor 0 is pure: it does not draw",
    },
    Rule {
        rooms: PURE,
        never: &[
            "axum",
            "clap",
            "std::fs",
            "std::process",
            "std::net",
            "std::env",
        ],
        why: "floor 0 is pure: values in, values out",
    },
    Rule {
        rooms: NO_WRITER,
        never: &["std::io"],
        why: "floor 0 is pure: values in, values out",
    },
    Rule {
        rooms: PURE,
        never: CLOCKS,
        why: "time is given, not taken",
    },
    Rule {
        rooms: &["crate::io"],
        never: &[
            "crate::engine",
            "crate::demo",
            "crate::state",
            "crate::cli",
            "crate::ui",
        ],
        why: "io is below them",
    },
    Rule {
        rooms: &["crate::io", "crate::engine", "crate::demo"],
        never: WINDOW,
        why: "only ui draws",
    },
    Rule {
        rooms: &["crate::engine", "crate::demo"],
        never: &["crate::state", "crate::cli", "crate::ui"],
        why: "engine and demo are below them; state and engine meet in protocol",
    },
    Rule {
        rooms: &["crate::engine"],
        never: &["std::fs", "tokio::fs"],
        why: "files are behind io's doors",
    },
    Rule {
        rooms: &["crate::engine"],
        never: &["crate::demo"],
        why: "what measures does not rest on the demo",
    },
    Rule {
        rooms: &["crate::demo"],
        never: &["crate::io", "crate::engine"],
        why: "the demo is reached through the same doors as a real server",
    },
    Rule {
        rooms: &["crate::state"],
        never: &[
            "crate::io",
            "crate::engine",
            "crate::demo",
            "crate::cli",
            "crate::ui",
        ],
        why: "state and engine meet only in protocol",
    },
    Rule {
        rooms: &["crate::state"],
        never: WAITING,
        why: "state folds events: it does not wait",
    },
    Rule {
        rooms: &["crate::state"],
        never: WINDOW,
        why: "state folds events: it does not draw",
    },
    Rule {
        rooms: &["crate::state"],
        never: CLOCKS,
        why: "time is given, not taken",
    },
    Rule {
        rooms: &["crate::cli"],
        never: &["crate::state", "crate::ui"],
        why: "the command line is a face of its own: it calls the engine",
    },
    Rule {
        rooms: &["crate::cli"],
        never: WINDOW,
        why: "only ui draws",
    },
    Rule {
        rooms: &["crate::ui"],
        never: &["crate::io", "crate::cli"],
        why: "the window asks the engine",
    },
    Rule {
        rooms: &["crate::ui"],
        never: WAITING,
        why: "the window never waits",
    },
    Rule {
        rooms: &["crate::ui"],
        never: &["std::fs", "std::process", "std::net"],
        why: "the window never waits",
    },
    Rule {
        rooms: &["crate::ui"],
        never: CLOCKS,
        why: "egui says what time it is",
    },
];

/// What one room alone may name of what its floor may not: the environments are opened there, the demo's among them.
const EXCEPTIONS: [(&str, &str); 2] = [
    ("crate::engine::connection", "crate::demo"),
    // Its times of arrival are the kernel's, read as those of a measured connection.
    ("crate::demo::exact::connection", "crate::io"),
];

/// The one room that may hold colour literals.
const COLOURS: &str = "crate::ui::theme";
/// No colours, but the lack of one.
const COLOURLESS: [&str; 2] = ["TRANSPARENT", "PLACEHOLDER"];

#[test]
fn every_floor_imports_only_from_those_below() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = sources(&root);
    assert!(
        files.len() > 30,
        "only {} sources were found in {}",
        files.len(),
        root.display()
    );
    let mut found = Vec::new();
    for file in &files {
        let shown = Path::new("src").join(file);
        let text = fs::read_to_string(root.join(file)).expect("a source is text");
        found.extend(
            violations(&module_of(file), &text)
                .iter()
                .map(|(line, what)| format!("{}:{line}: {what}", shown.display())),
        );
    }
    assert!(
        found.is_empty(),
        "the drawing in src/lib.rs does not allow:\n{}",
        found.join("\n")
    );
}

/// A module and the modules within it are one thing; any two others that need each other are a circle.
#[test]
fn no_modules_need_each_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = sources(&root);
    let modules: BTreeMap<String, String> = files
        .iter()
        .map(|file| {
            (
                module_of(file),
                fs::read_to_string(root.join(file)).expect("a source is text"),
            )
        })
        .filter(|(module, _)| module != "crate" && !module.split("::").any(|part| part == "tests"))
        .collect();
    let circles = circles(&modules);
    assert!(
        circles.is_empty(),
        "these modules need each other:\n{}",
        circles.join("\n")
    );
}

#[test]
fn a_planted_circle_is_found() {
    let planted = |texts: &[(&str, &str)]| {
        let texts = texts
            .iter()
            .map(|(module, text)| ((*module).to_owned(), (*text).to_owned()));
        circles(&texts.collect())
    };
    let three = [
        ("crate::a", "use crate::b::x;"),
        ("crate::b", "fn f() { super::c::y() }"),
        ("crate::c", "use super::a;"),
    ];
    assert_eq!(
        planted(&three),
        ["crate::a → crate::b → crate::c → crate::a"]
    );
    assert!(planted(&three[..2]).is_empty());
    let family = [
        ("crate::a", "mod b; use self::b::x;"),
        ("crate::a::b", "use super::y;"),
    ];
    assert!(planted(&family).is_empty(), "a module and its own part");
    let tests = [
        ("crate::a", "use crate::b::x;"),
        (
            "crate::b",
            "pub fn x() {}\n#[cfg(test)]\nmod tests { use crate::a; }",
        ),
    ];
    assert!(planted(&tests).is_empty(), "tests may look anywhere");
}

/// Each circle once, by the shortest way around from its first module.
fn circles(modules: &BTreeMap<String, String>) -> Vec<String> {
    let needs: BTreeMap<&str, BTreeSet<&str>> = modules
        .iter()
        .map(|(module, text)| (module.as_str(), needed_by(module, text, modules)))
        .collect();
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    for start in needs.keys().copied() {
        let mut ways = vec![vec![start]];
        let mut reached = BTreeSet::new();
        let mut around = None;
        while around.is_none() && !ways.is_empty() {
            let mut longer = Vec::new();
            for way in &ways {
                for next in needs.get(way[way.len() - 1]).into_iter().flatten() {
                    if *next == start {
                        around.get_or_insert_with(|| way.clone());
                    } else if reached.insert(*next) {
                        longer.push(way.iter().copied().chain([*next]).collect());
                    }
                }
            }
            ways = longer;
        }
        if let Some(around) = around
            && seen.insert(around.iter().copied().collect::<BTreeSet<_>>())
        {
            found.push(format!("{} → {start}", around.join(" → ")));
        }
    }
    found
}

fn needed_by<'m>(
    module: &str,
    text: &str,
    modules: &'m BTreeMap<String, String>,
) -> BTreeSet<&'m str> {
    let code = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    let named = paths(module, code).into_iter().filter_map(|named| {
        let mut path = named.path.as_str();
        loop {
            if let Some((known, _)) = modules.get_key_value(path) {
                return Some(known.as_str());
            }
            path = path.rsplit_once("::")?.0;
        }
    });
    named
        .filter(|other| !is_within(module, other) && !is_within(other, module))
        .collect()
}

/// A rule for a room that does not exist would forbid nothing.
#[test]
fn every_rule_is_for_a_room_that_exists() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for room in RULES
        .iter()
        .flat_map(|rule| rule.rooms)
        .chain([&COLOURS])
        .chain(EXCEPTIONS.iter().map(|(room, _)| room))
    {
        let path = src.join(room.trim_start_matches("crate::").replace("::", "/"));
        assert!(
            path.is_dir() || path.with_extension("rs").is_file(),
            "{room} is no room"
        );
    }
}

#[test]
fn a_planted_violation_is_found() {
    check_found("crate::domain::units", "use std::fs;", "std::fs");
    check_found(
        "crate::wire::sse",
        "fn f() { let t = std::time::Instant::now(); }",
        "Instant::now",
    );
    check_found("crate::metrics", "fn f() { Zoned::now() }", "Zoned::now");
    check_found(
        "crate::protocol",
        "use crate::{domain::units, io::api::Api};",
        "crate::io::api::Api",
    );
    check_found(
        "crate::domain::units",
        "pub use super::super::engine::chat;",
        "crate::engine::chat",
    );
    check_found(
        "crate::io::api",
        "mod x { use super::super::super::ui; }",
        "crate::ui",
    );
    check_found("crate::io", "use egui::Color32 as C;", "egui::Color32");
    check_found("crate::demo::api", "use crate::io::api;", "crate::io::api");
    check_found(
        "crate::engine",
        "impl A { fn f(s: &crate::state::State) {} }",
        "crate::state::State",
    );
    check_found(
        "crate::engine::bench",
        "use crate::demo::exact::MODEL;",
        "crate::demo::exact::MODEL",
    );
    check_found(
        "crate::engine::connection::x",
        "use crate::demo::api;",
        "crate::demo::api",
    );
    check_found(
        "crate::engine::jobs",
        "fn f() { tokio::fs::read(p) }",
        "tokio::fs::read",
    );
    check_found(
        "crate::state::chat",
        "#[tokio::test]\nasync fn t() {}",
        "tokio::test",
    );
    check_found(
        "crate::cli::report",
        "use std::{fmt, time::Duration};\nuse crate::ui::theme;",
        "crate::ui::theme",
    );
    check_found("crate::ui::app", "use tokio as t;", "tokio");
    check_found(
        "crate::ui::app",
        "fn f() { std::process::exit(1) }",
        "std::process::exit",
    );
    check_found(
        "crate::ui::chart",
        "let c = Color32::from_rgb(1, 2, 3);",
        "Color32::from_rgb",
    );
    check_found(
        "crate::ui::chart",
        "let c = egui::Color32::RED;",
        "egui::Color32::RED",
    );
    check_found("crate::ui::chart", "let c = rgb(1, 2, 3);", "rgb");
    check_found(
        "crate::ui::chart",
        "let c = egui::hex_color!(\"#fff\");",
        "egui::hex_color",
    );
    let lines = violations(
        "crate::domain",
        "// a\n/* b\n c */ fn f() {\n    tokio::spawn(x) }",
    );
    assert_eq!(lines.first().map(|(line, _)| *line), Some(4), "{lines:?}");
}

#[test]
fn what_only_looks_like_one_is_let_through() {
    for (room, text) in [
        (
            "crate::domain",
            "//! Not std::fs.\n/// `crate::io`\n/* tokio::spawn /* twice */ hyper_util::get */ fn f() {}",
        ),
        (
            "crate::snippet",
            "const A: &str = \"use std::fs; \\\" use tokio::x\"; const B: char = '\"';",
        ),
        (
            "crate::snippet",
            "const A: &str = r#\"use hyper_util::x; \" egui::y\"#; let c = b'\\''; fn f<'a>() {}",
        ),
        ("crate::domain", "fn io(tokio: u8) -> u8 { tokio }"),
        ("crate::domain", "use std::time::{Duration, Instant};"),
        ("crate::domain", "mod io { }\nuse self::io;"),
        (
            "crate::engine::chat",
            "use crate::io::api; use super::place; use tokio::time::Instant; fn f() { Instant::now(); }",
        ),
        (
            "crate::ui::app",
            "use crate::engine::Engine; use crate::state::State; let c = Color32::TRANSPARENT;",
        ),
        (
            "crate::engine::connection",
            "use crate::demo::api::DemoServer;",
        ),
        (
            "crate::ui::theme",
            "const C: Color32 = Color32::from_rgb(1, 2, 3);",
        ),
    ] {
        assert_eq!(violations(room, text), [], "{room}: {text}");
    }
}

#[track_caller]
fn check_found(room: &str, text: &str, what: &str) {
    let found = violations(room, text);
    let told = found.iter().any(|(_, said)| {
        said.split(' ')
            .next()
            .is_some_and(|path| matches(path, what))
    });
    assert!(told, "{what} in {room} was not found: {found:?}");
}

/// Lines, and what is wrong there.
fn violations(module: &str, text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for Named { line, path, called } in paths(module, text) {
        for Rule { rooms, never, why } in RULES {
            let here = rooms.iter().any(|room| is_within(module, room));
            let forbids =
                |never: &&str| matches(&path, never) && !EXCEPTIONS.contains(&(module, never));
            if here && never.iter().any(forbids) {
                found.push((line, format!("{path} in {module}: {why}")));
            }
        }
        if !is_within(module, COLOURS) && is_colour(&path, called) {
            found.push((
                line,
                format!("{path} in {module}: colour literals live in ui/theme.rs"),
            ));
        }
    }
    found
}

fn is_within(module: &str, room: &str) -> bool {
    module
        .strip_prefix(room)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn matches(path: &str, never: &str) -> bool {
    let is_end = path
        .strip_suffix(never)
        .is_some_and(|before| before.ends_with("::"));
    is_within(path, never) || (!never.starts_with("crate") && never.contains("::") && is_end)
}

fn is_colour(path: &str, called: bool) -> bool {
    let (before, last) = path.rsplit_once("::").unwrap_or(("", path));
    let of_a_colour = before.ends_with("Color32") || before.ends_with("Rgba");
    let constant =
        last.chars().all(|c| c.is_ascii_uppercase() || c == '_') && !COLOURLESS.contains(&last);
    (of_a_colour && (last.starts_with("from_") || constant))
        || last == "hex_color"
        || (called && matches!(last, "rgb" | "rgba"))
}

/// The Rust files below a folder, named from there, sorted.
pub(crate) fn sources(root: &Path) -> Vec<PathBuf> {
    fn walk(root: &Path, dir: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(root, &path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path.strip_prefix(root).expect("below the root").to_owned());
            }
        }
    }
    let mut files = Vec::new();
    walk(root, root, &mut files);
    files.sort();
    files
}

/// `domain/units.rs` → `crate::domain::units`
fn module_of(file: &Path) -> String {
    let mut parts: Vec<String> = file
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    if parts
        .last()
        .is_some_and(|last| matches!(last.as_str(), "mod" | "lib"))
    {
        parts.pop();
    }
    parts.insert(0, "crate".to_owned());
    parts.join("::")
}

/// A path as the sources name it.
#[derive(Debug)]
struct Named {
    line: usize,
    path: String,
    /// A `(` follows.
    called: bool,
}

/// Every path in the code; single words only where they are imported, called or macros.
fn paths(module: &str, text: &str) -> Vec<Named> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    // Inline modules and the depth of braces at which they end.
    let mut inner: Vec<(String, usize)> = Vec::new();
    let (mut depth, mut at) = (0, 0);
    while let Some(Token { text: word, .. }) = tokens.get(at) {
        let next = |offset: usize| {
            tokens
                .get(at + offset)
                .map_or("", |token| token.text.as_str())
        };
        match word.as_str() {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                inner.pop_if(|(_, began)| *began == depth);
            }
            "mod" if next(2) == "{" => {
                inner.push((next(1).to_owned(), depth));
                at += 2;
                continue;
            }
            "use" => {
                at = read_tree(&tokens, at + 1, &[], true, &mut found);
                continue;
            }
            "::" => {}
            word if is_word(word) && (at == 0 || tokens[at - 1].text != ".") => {
                at = read_tree(&tokens, at, &[], false, &mut found);
                resolve(module, &inner, &mut found);
                continue;
            }
            _ => {}
        }
        resolve(module, &inner, &mut found);
        at += 1;
    }
    resolve(module, &inner, &mut found);
    found
}

/// Reads `a::b::{c, d::e}` from `at` on and gives where it ends.
fn read_tree(
    tokens: &[Token],
    mut at: usize,
    before: &[String],
    used: bool,
    found: &mut Vec<Named>,
) -> usize {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let line = tokens.get(at).map_or(0, |token| token.line);
    let mut path = before.to_vec();
    if text(at) == "::" {
        at += 1;
    }
    loop {
        if used && text(at) == "{" {
            at += 1;
            while !matches!(text(at), "}" | "") {
                at = read_tree(tokens, at, &path, used, found);
                if text(at) == "as" {
                    at += 2;
                }
                if text(at) == "," {
                    at += 1;
                }
            }
            return at + 1;
        }
        if !is_word(text(at)) {
            // `*`, or the end of something that is no path.
            at += 1;
            break;
        }
        path.push(text(at).to_owned());
        at += 1;
        if text(at) != "::" || !(is_word(text(at + 1)) || matches!(text(at + 1), "{" | "*")) {
            break;
        }
        at += 1;
    }
    let called = text(at) == "(";
    if used || called || text(at) == "!" || path.len() > 1 {
        found.push(Named {
            line,
            path: path.join("::"),
            called,
        });
    }
    at
}

/// Replaces `self` and `super` at the beginning of paths.
fn resolve(module: &str, inner: &[(String, usize)], found: &mut [Named]) {
    for Named { path, .. } in found.iter_mut().rev() {
        if !(path.starts_with("self::") || path == "super" || path.starts_with("super::")) {
            continue;
        }
        let mut here: Vec<&str> = module.split("::").collect();
        here.extend(inner.iter().map(|(name, _)| name.as_str()));
        let mut words = path.split("::").peekable();
        while let Some(word) = words.next_if(|word| matches!(*word, "self" | "super")) {
            if word == "super" {
                here.pop();
            }
        }
        here.extend(words);
        *path = here.join("::");
    }
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

#[derive(Debug)]
struct Token {
    line: usize,
    text: String,
}

/// Words, `::` and single signs; comments and what stands in quotes are left out.
fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < chars.len() {
        let began = at;
        let rest = &chars[at..];
        let next = |offset: usize| rest.get(offset).copied().unwrap_or('\0');
        match rest[0] {
            '/' if next(1) == '/' => {
                at += rest.iter().position(|c| *c == '\n').unwrap_or(rest.len())
            }
            '/' if next(1) == '*' => at += block_comment(rest),
            '"' => at += quoted(rest, '"'),
            // `'x'` and `'\…'` are characters, `'x` is a lifetime.
            '\'' if next(1) == '\\' || next(2) == '\'' => at += quoted(rest, '\''),
            '\'' => at += 1,
            c if c.is_alphanumeric() || c == '_' => {
                let length = rest
                    .iter()
                    .position(|c| !(c.is_alphanumeric() || *c == '_'))
                    .unwrap_or(rest.len());
                let word: String = rest[..length].iter().collect();
                at += length;
                let hashes = rest[length..].iter().take_while(|c| **c == '#').count();
                if matches!(word.as_str(), "r" | "br" | "cr")
                    && rest.get(length + hashes) == Some(&'"')
                {
                    at += hashes + raw(&rest[length + hashes..], hashes);
                } else {
                    tokens.push(Token { line, text: word });
                }
            }
            ':' if next(1) == ':' => {
                at += 2;
                tokens.push(Token {
                    line,
                    text: "::".to_owned(),
                });
            }
            c => {
                at += 1;
                if !c.is_whitespace() {
                    tokens.push(Token {
                        line,
                        text: c.to_string(),
                    });
                }
            }
        }
        line += chars[began..at].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

/// The length of a comment, which may hold others.
fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match (rest[at], rest.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    at
}

fn quoted(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

fn raw(rest: &[char], hashes: usize) -> usize {
    let mut at = 1;
    while at < rest.len() {
        let closes = rest[at] == '"'
            && rest[at + 1..]
                .iter()
                .take(hashes)
                .filter(|c| **c == '#')
                .count()
                == hashes;
        at += 1;
        if closes {
            return at + hashes;
        }
    }
    at
}
