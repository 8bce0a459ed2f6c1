//! LaTeX within Markdown. Markdown would take its backslashes for escapes and its underscores for emphasis, so it is
//! lifted out of the source first, and put where it was when the source has been read.

use std::borrow::Cow;

/// A source with a mark in the place of each formula.
pub(super) struct Lifted<'a> {
    /// What is Markdown.
    pub(super) source: Cow<'a, str>,
    /// Stands before and after a formula's number; it is nowhere else in the source.
    mark: char,
    formulas: Vec<Formula<'a>>,
}

/// A formula as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Formula<'a> {
    /// With its delimiters.
    pub(super) written: &'a str,
    /// What is between them.
    pub(super) latex: &'a str,
    /// It stands on a line of its own.
    pub(super) is_display: bool,
}

/// A part of a text of the source.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'t, 'a> {
    Words(&'t str),
    Formula(Formula<'a>),
}

impl<'a> Lifted<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        let mut private = '\u{e000}'..='\u{e0ff}';
        let mut lifted = Self {
            source: Cow::Borrowed(source),
            mark: '\u{e000}',
            formulas: Vec::new(),
        };
        let may_have = [r"\(", r"\[", "$"].iter().any(|it| source.contains(it));
        if let Some(mark) = private.find(|mark| !source.contains(*mark))
            && may_have
        {
            lifted.mark = mark;
            lifted.source = Cow::Owned(lift(source, mark, &mut lifted.formulas));
        }
        lifted
    }

    /// The words and the formulas of a text that Markdown has found in the source.
    pub(super) fn parts<'t>(&self, text: &'t str) -> Vec<Part<'t, 'a>> {
        let mut parts = Vec::new();
        for (at, piece) in text.split(self.mark).enumerate() {
            let formula = match at % 2 {
                0 => None,
                _ => piece
                    .parse()
                    .ok()
                    .and_then(|at: usize| self.formulas.get(at)),
            };
            match formula {
                Some(formula) => parts.push(Part::Formula(*formula)),
                None if piece.is_empty() => {}
                None => parts.push(Part::Words(piece)),
            }
        }
        parts
    }

    /// A text of the source as it was written, e.g. one that turned out to be code.
    pub(super) fn written<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.formulas.is_empty() || !text.contains(self.mark) {
            return Cow::Borrowed(text);
        }
        let parts = self.parts(text).into_iter();
        parts
            .map(|part| match part {
                Part::Words(words) => words.to_owned(),
                Part::Formula(formula) => formula.written.to_owned(),
            })
            .collect()
    }
}

/// The source with marks; the formulas go to `formulas`.
fn lift<'a>(source: &'a str, mark: char, formulas: &mut Vec<Formula<'a>>) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find(['\\', '$', '`']) {
        out.push_str(&rest[..at]);
        let before = rest[..at].chars().next_back();
        rest = &rest[at..];
        if let Some(code) = code_span(rest) {
            out.push_str(&rest[..code]);
            rest = &rest[code..];
        } else if let Some(formula) = formula(rest, before) {
            out.push_str(&format!("{mark}{}{mark}", formulas.len()));
            formulas.push(formula);
            rest = &rest[formula.written.len()..];
        } else if rest.starts_with(r"\(") || rest.starts_with(r"\[") {
            // It is not closed, or not yet: it is shown as it is written.
            out.push('\\');
            out.push_str(&rest[..2]);
            rest = &rest[2..];
        } else {
            // An escaped sign begins nothing.
            let signs = if rest.starts_with('\\') { 2 } else { 1 };
            let len: usize = rest.chars().take(signs).map(char::len_utf8).sum();
            out.push_str(&rest[..len]);
            rest = &rest[len..];
        }
    }
    out.push_str(rest);
    out
}

/// How long the code span, or the run of backticks, is that begins the text.
fn code_span(text: &str) -> Option<usize> {
    let run = |text: &str| text.len() - text.trim_start_matches('`').len();
    let marks = run(text);
    if marks == 0 {
        return None;
    }
    let mut at = marks;
    while let Some(next) = text[at..].find('`') {
        at += next;
        let found = run(&text[at..]);
        at += found;
        if found == marks {
            return Some(at);
        }
    }
    Some(marks)
}

/// The formula that begins the text. `before`: what it follows.
fn formula(text: &str, before: Option<char>) -> Option<Formula<'_>> {
    let (open, close, is_display) = [
        (r"\(", r"\)", false),
        (r"\[", r"\]", true),
        ("$$", "$$", true),
        ("$", "$", false),
    ]
    .into_iter()
    .find(|(open, ..)| text.starts_with(open))?;
    let inside = &text[open.len()..];
    let mut at = 0;
    let end = loop {
        let rest = &inside[at..];
        if rest.starts_with(close) {
            break at;
        }
        // A line break of LaTeX, `\\`, does not escape what follows it.
        let step = if rest.starts_with('\\') { 2 } else { 1 };
        let step: usize = rest.chars().take(step).map(char::len_utf8).sum();
        if step == 0 {
            return None;
        }
        at += step;
    };
    let latex = &inside[..end];
    let has_blank_line = latex.trim().lines().any(|line| line.trim().is_empty());
    // A dollar is money or a variable much more often than LaTeX.
    let is_money = open == "$"
        && (before.is_some_and(char::is_alphanumeric)
            || latex.starts_with(char::is_whitespace)
            || latex.ends_with(char::is_whitespace)
            || latex.contains('\n')
            || inside[end + 1..].starts_with(char::is_alphanumeric)
            || !has_command(latex));
    (!latex.trim().is_empty() && !has_blank_line && !is_money).then(|| Formula {
        written: &text[..open.len() + end + close.len()],
        latex,
        is_display,
    })
}

/// Whether there is a command such as `\alpha` in it.
fn has_command(latex: &str) -> bool {
    let after = latex.split('\\').skip(1);
    after
        .into_iter()
        .any(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written as formulas, and what Markdown reads.
    fn lifted(source: &str) -> (Vec<&str>, String) {
        let lifted = Lifted::new(source);
        let formulas = lifted.formulas.iter().map(|formula| formula.written);
        (formulas.collect(), lifted.source.replace('\u{e000}', "#"))
    }

    #[test]
    fn formulas_are_taken_out_as_they_are_written() {
        let text = r"so \(a_1 * b\) is \[x
= \\[2pt] y\] and $$z$$ or $\alpha$.";
        let (formulas, rest) = lifted(text);
        let expected = [
            r"\(a_1 * b\)",
            "\\[x\n= \\\\[2pt] y\\]",
            "$$z$$",
            r"$\alpha$",
        ];
        assert_eq!(formulas, expected);
        assert_eq!(rest, "so #0# is #1# and #2# or #3#.");
        let lifted = Lifted::new(text);
        assert_eq!(lifted.written(&lifted.source), text);
        assert_eq!(lifted.parts(&lifted.source).len(), 9);
    }

    #[test]
    fn money_code_and_what_is_not_closed_is_no_formula() {
        for text in [
            "$5 or $6, $HOME/$USER_x, a$\\b$c",
            r"`\(a\)` and ``\[ ` \]``",
            r"\\(a\\)",
            "$$ a\n\nb $$",
            "$$$$ and `",
        ] {
            assert_eq!(lifted(text), (Vec::new(), text.to_owned()));
        }
        assert_eq!(lifted(r"\(a and \[b").1, r"\\(a and \\[b");
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_lost(source in "[\\\\()\\[\\]$`a_ \n\u{e000}é]{0,60}") {
            let lifted = Lifted::new(&source);
            let written = lifted.written(&lifted.source);
            // What is not closed gets a backslash that Markdown takes away.
            let others = |text: &str| text.replace('\\', "");
            proptest::prop_assert_eq!(others(&written), others(&source));
        }
    }
}
