//! Files and functions that are short enough to speak of one thing. The sources are in rustfmt's default format, so
//! that a line-based reader suffices.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::floors::sources;

/// A file has fewer lines.
const MAX_FILE_LINES: usize = 500;
/// A function has fewer lines, its signature and its last brace counted.
const MAX_FUNCTION_LINES: usize = 80;

/// Files that are still too long. Nothing is to be added here.
const LONG_FILES: &[&str] = &[];

/// Functions that are still too long, each with its file. Nothing is to be added here.
const LONG_FUNCTIONS: &[&str] = &[];

#[test]
fn files_and_functions_are_short() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut files, mut functions) = (BTreeSet::new(), BTreeSet::new());
    for file in sources(&root) {
        let text = fs::read_to_string(root.join(&file)).expect("a source is text");
        let file = file.display();
        if text.lines().count() >= MAX_FILE_LINES {
            files.insert(file.to_string());
        }
        functions.extend(long_functions(&text).map(|name| format!("{file} {name}")));
    }
    check_listed(&files, LONG_FILES, "LONG_FILES");
    check_listed(&functions, LONG_FUNCTIONS, "LONG_FUNCTIONS");
}

#[track_caller]
fn check_listed(found: &BTreeSet<String>, listed: &[&str], list: &str) {
    let listed: BTreeSet<String> = listed.iter().map(|name| (*name).to_owned()).collect();
    let new: Vec<&String> = found.difference(&listed).collect();
    assert!(
        new.is_empty(),
        "too long, cut by what they speak of: {new:#?}"
    );
    let mended: Vec<&String> = listed.difference(found).collect();
    assert!(
        mended.is_empty(),
        "short now, take them off {list}: {mended:#?}"
    );
}

/// The names of the functions that are too long.
fn long_functions(text: &str) -> impl Iterator<Item = &str> {
    let lines: Vec<&str> = text.lines().collect();
    let length = move |start: usize| {
        let line = lines[start];
        let indent = &line[..line.len() - line.trim_start().len()];
        // A declaration ends with `;`, one over several lines with `);` or `) -> T;`.
        let is_last = |line: &&str| {
            line.strip_prefix(indent)
                .is_some_and(|rest| rest == "}" || rest.starts_with(')') && rest.ends_with(';'))
        };
        let has_body = !line.ends_with([';', '}']);
        let last = lines[start..].iter().position(is_last);
        last.filter(|_| has_body).map_or(1, |last| last + 1)
    };
    let named = text
        .lines()
        .enumerate()
        .filter_map(|(at, line)| Some((at, function(line)?)));
    named.filter_map(move |(at, name)| (length(at) >= MAX_FUNCTION_LINES).then_some(name))
}

/// The name of the function that begins on this line.
fn function(line: &str) -> Option<&str> {
    let mut words = line.trim_start();
    if let Some(rest) = words.strip_prefix("pub") {
        let rest = rest.strip_prefix('(').map_or(rest, |rest| {
            rest.split_once(')').map_or("", |(_, rest)| rest)
        });
        words = rest.trim_start();
    }
    while let Some(rest) = ["async ", "const ", "unsafe "]
        .iter()
        .find_map(|word| words.strip_prefix(word))
    {
        words = rest;
    }
    let name = words.strip_prefix("fn ")?;
    name.split(['(', '<']).next()
}

#[test]
fn long_functions_are_found() {
    let lines = |n: usize| "        x();\n".repeat(n);
    let text = format!(
        "impl A {{\n    pub(super) async fn long<T>(\n        t: T,\n    ) {{\n{}    }}\n\n    const fn short() {{\n{}    }}\n\n    \
         fn one() {{}}\n}}\n\ntrait B {{\n    fn declared();\n}}\n\nfn outer() {{\n{}}}\n",
        lines(MAX_FUNCTION_LINES - 4),
        lines(MAX_FUNCTION_LINES - 3),
        lines(MAX_FUNCTION_LINES - 2),
    );
    let found: Vec<&str> = long_functions(&text).collect();
    assert_eq!(found, ["long", "outer"]);
}
