//! Text of others within a Markdown page: no HTML, no picture that is loaded, no link that runs something, nobody
//! called to a pull request, and nothing that changes the page around it.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag};

use crate::domain::printable::{one_line, printable};

/// How often an answer is read anew after an edit has changed what is code in it.
const MAX_ROUNDS: usize = 16;
/// Schemes that a link may have.
const SCHEMES: [&str; 5] = ["http", "https", "mailto", "tel", "ftp"];
/// Joins words and shows nothing.
const JOINER: char = '\u{2060}';

/// Text that stays text in Markdown, on one line, in a table too.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in one_line(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '>' | '!' => {
                out.push('\\');
                out.push(c);
            }
            '@' => out.extend(['@', JOINER]),
            c => out.push(c),
        }
    }
    out
}

/// An answer, which is Markdown already. Where it cannot be made harmless it becomes a block of code.
pub(super) fn answer(text: &str) -> String {
    let text = printable(text);
    harmless(text.trim_end()).unwrap_or_else(|| fenced(&text, ""))
}

/// The same as a quotation.
pub(super) fn quoted(text: &str) -> String {
    let quote = |text: &str| {
        let lines: Vec<String> = text
            .lines()
            .map(|line| format!("> {line}").trim_end().to_owned())
            .collect();
        lines.join("\n")
    };
    let text = printable(text);
    harmless(&quote(text.trim_end())).unwrap_or_else(|| quote(&fenced(&text, "")))
}

/// A block of code, in a fence that it does not contain.
pub(super) fn fenced(text: &str, language: &str) -> String {
    let text = printable(text);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!(
        "{fence}{language}\n{}\n{fence}",
        text.trim_end_matches('\n')
    )
}

/// `None` where the edits come to no end.
fn harmless(text: &str) -> Option<String> {
    let mut text = text.to_owned();
    for _ in 0..MAX_ROUNDS {
        let found = Found::in_text(&text);
        let edits = found.edits(&text);
        if edits.is_empty() {
            text.push_str(&found.missing_fence(&text));
            return Some(text);
        }
        let mut edited = String::with_capacity(text.len() + edits.len() * 4);
        let mut from = 0;
        for (at, instead) in edits {
            edited.push_str(&text[from..at.start]);
            edited.push_str(instead);
            from = at.end;
        }
        edited.push_str(&text[from..]);
        // What is HTML in one reading may hide a fence, which shows in the next.
        text = edited;
    }
    None
}

/// What is what in a Markdown text, by its bytes.
#[derive(Default)]
struct Found {
    /// In backticks or a fence: shown as it is written.
    code: Vec<Range<usize>>,
    /// By its indentation, of which other programs may think differently.
    indented: Vec<Range<usize>>,
    /// Beginnings of pictures, and of links that would run something.
    barred: Vec<usize>,
    /// The last block of code that stands in no list or quotation.
    last_fence: Option<Range<usize>>,
}

impl Found {
    fn in_text(text: &str) -> Self {
        let options =
            Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
        let mut found = Self::default();
        let mut depth = 0_usize;
        for (event, at) in Parser::new_ext(text, options).into_offset_iter() {
            match &event {
                Event::Code(_) => found.code.push(at.clone()),
                Event::Start(Tag::CodeBlock(CodeBlockKind::Indented)) => {
                    found.indented.push(at.clone())
                }
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(_))) => {
                    found.code.push(at.clone());
                    if depth == 0 {
                        found.last_fence = Some(at.clone());
                    }
                }
                Event::Start(Tag::Image { .. }) => found.barred.push(at.start),
                Event::Start(Tag::Link { dest_url, .. }) if !is_allowed(dest_url) => {
                    found.barred.push(at.start)
                }
                _ => {}
            }
            match event {
                Event::Start(_) => depth += 1,
                Event::End(_) => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        found
    }

    /// In order, none within another.
    fn edits(&self, text: &str) -> Vec<(Range<usize>, &'static str)> {
        let mut edits = Vec::new();
        let (mut code, mut indented) =
            (self.code.iter().peekable(), self.indented.iter().peekable());
        let mut barred = self.barred.iter().peekable();
        let mut before = ' ';
        let mut chars = text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let next = chars.peek().map_or(' ', |(_, next)| *next);
            while code.next_if(|range| range.end <= at).is_some() {}
            while indented.next_if(|range| range.end <= at).is_some() {}
            while barred.next_if(|start| **start < at).is_some() {}
            let in_code = code.peek().is_some_and(|range| range.contains(&at));
            let in_indented = indented.peek().is_some_and(|range| range.contains(&at));
            match c {
                _ if in_code => {}
                // A character reference would be shown as it is written.
                '<' if in_indented && next != JOINER => edits.push((at..at + 1, "<\u{2060}")),
                _ if in_indented => {}
                '<' => edits.push((at..at + 1, "&lt;")),
                '@' if next.is_alphanumeric() && !before.is_alphanumeric() && before != '/' => {
                    edits.push((at..at + 1, "@\u{2060}"));
                }
                '!' if barred.peek() == Some(&&at) => edits.push((at..at + 1, "\\!")),
                '[' if barred.peek() == Some(&&at) => edits.push((at..at + 1, "\\[")),
                _ => {}
            }
            before = c;
        }
        edits
    }

    /// What closes a block of code that the answer was cut off in.
    fn missing_fence(&self, text: &str) -> String {
        let Some(at) = self
            .last_fence
            .clone()
            .filter(|at| at.end >= text.trim_end().len())
        else {
            return String::new();
        };
        let mut lines = text[at].trim_end().lines();
        let first = lines.next().unwrap_or_default().trim_start();
        let mark = if first.starts_with('~') { '~' } else { '`' };
        let fence = &first[..first.len() - first.trim_start_matches(mark).len()];
        let closes = |line: &str| {
            let line = line.trim();
            line.len() >= fence.len() && line.chars().all(|c| c == mark)
        };
        if lines.next_back().is_some_and(closes) {
            String::new()
        } else {
            format!("\n{fence}")
        }
    }
}

/// Whether a link to it only leads somewhere.
fn is_allowed(url: &str) -> bool {
    // Browsers leave these out before they look for a scheme.
    let url: String = url
        .chars()
        .filter(|c| !c.is_whitespace() && !c.is_control())
        .collect();
    let scheme = url
        .find([':', '/', '?', '#'])
        .filter(|at| url[*at..].starts_with(':'))
        .map(|at| &url[..at]);
    scheme.is_none_or(|scheme| {
        SCHEMES
            .iter()
            .any(|known| scheme.eq_ignore_ascii_case(known))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every tag and every picture that a reader of Markdown finds, also one that knows more than ours.
    fn active(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        for options in [Options::empty(), Options::all()] {
            for event in Parser::new_ext(text, options) {
                match event {
                    Event::Html(html) | Event::InlineHtml(html) => found.push(html.to_string()),
                    Event::Start(Tag::Image { dest_url, .. }) => {
                        found.push(format!("picture {dest_url}"))
                    }
                    Event::Start(Tag::Link { dest_url, .. }) if !is_allowed(&dest_url) => {
                        found.push(format!("link {dest_url}"));
                    }
                    _ => {}
                }
            }
        }
        found
    }

    /// What hides HTML from a reader line by line.
    const TRICKS: [&str; 16] = [
        "<script>alert(1)</script>",
        "one ` alone <img src=x onerror=alert(1)>",
        "a ``` b <b>bold</b> ```` c",
        "text\n    <img src=x>\nmore",
        "- item\n\n      <img src=x>\n\n<b>",
        "`` ` <i> ` <b> ``",
        "````\n```\n<script>\n```\n<b>\n````\n<img src=x>",
        "~~~\n<b>\n```\n~~~\n<i>\n```\n<b>",
        "   ```\n<b>\n   ```\n    ```\n<i>",
        "``` a`b\n<script>",
        "<div>\n```\n</div>\n\n<script>\n```\n<b>",
        "<!-- \n```\n--> <script>\n```\n<img src=x>",
        "| a | b |\n|---|---|\n| ` | <b> ` |",
        "[^1]: text\n\n        <script>x</script>",
        "\\`<b>\\`",
        "<details>\n\n```\n</details>\n<script>",
    ];

    #[test]
    fn no_html_passes_whatever_surrounds_it() {
        for trick in TRICKS {
            for safe in [answer(trick), quoted(trick), fenced(trick, "")] {
                assert_eq!(active(&safe), [""; 0], "{trick:?} became {safe:?}");
            }
        }
    }

    #[test]
    fn links_that_run_something_and_pictures_are_text() {
        for link in [
            "[a](javascript:alert(1))",
            "[a](JaVaScRiPt:alert(1))",
            "[a](&#106;avascript:alert(1))",
            "[a](java&#9;script:alert(1))",
            "[a](data:text/html;base64,PHNjcmlwdD4=)",
            "[a][x] and [x]\n\n[x]: vbscript:x",
            "<javascript:alert(1)>",
            "![a](https://example.com/spy.png)",
            "[![a](javascript:x)](https://example.com)",
        ] {
            assert_eq!(active(&answer(link)), [""; 0], "{link}: {}", answer(link));
        }
        for link in [
            "[a](https://example.com/x:y)",
            "[a](#there)",
            "[a](docs/a:b.md)",
            "[a](mailto:a@b.example)",
        ] {
            assert_eq!(answer(link), link);
        }
    }

    #[test]
    fn markdown_stays_markdown() {
        let text = "# Title\n\nUse `Vec<u8>` *here*:\n\n```rust\nlet a: Vec<u8>; // @here\n```\n\n1. one\n2. two";
        assert_eq!(answer(text), text);
        assert_eq!(
            answer("a < b, <b>, @you, me@home.example"),
            "a &lt; b, &lt;b>, @\u{2060}you, me@home.example"
        );
        assert_eq!(quoted("a\n\nb"), "> a\n>\n> b");
    }

    #[test]
    fn a_block_of_code_that_was_cut_off_is_closed_where_it_would_go_on() {
        assert_eq!(answer("```rust\nlet a;"), "```rust\nlet a;\n```");
        assert_eq!(answer("````\n```"), "````\n```\n````");
        assert_eq!(answer("~~~"), "~~~\n~~~");
        assert_eq!(answer("```\na\n```"), "```\na\n```");
        // A list and a quotation end by themselves.
        assert_eq!(answer("- ```\n  a"), "- ```\n  a");
        assert_eq!(quoted("```\na"), "> ```\n> a");
    }

    #[test]
    fn names_stay_names() {
        let name = "[x](javascript:a) <b> `c` ![i](u) a|b\r\n## @you \u{202e}&amp; \u{1b}[2J";
        let safe = escape(name);
        assert_eq!(active(&safe), [""; 0], "{safe}");
        assert!(
            !safe.contains(['\n', '\u{202e}', '\u{1b}'])
                && safe.contains("a\\|b \\#\\# @\u{2060}you"),
            "{safe}"
        );
    }

    proptest! {
        #[test]
        fn nothing_active_passes(
            text in "(`{1,4}|~{3}|\n|\n\n| {1,5}|\t|<b>|<script>|</div>|<!--|-->|- |> |1\\. |\\||\\\\|\\[a\\]|\\(javascript:x\\)|!|[a-c]|\\[a\\]: data:x|---){0,40}"
        ) {
            for safe in [answer(&text), quoted(&text)] {
                prop_assert_eq!(active(&safe), Vec::<String>::new(), "{:?}", safe);
            }
        }
    }
}
