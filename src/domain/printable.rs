//! Text that others wrote (a server, a cluster, a file), made safe to print: it moves no cursor, changes no order of
//! letters and hides none.

use std::borrow::Cow;

/// Stands for a character that has no picture of its own.
const UNKNOWN: char = '\u{fffd}';

/// Makes a text printable piece by piece, however it was cut.
///
/// - Line feeds and tabs stay; a carriage return before a line feed is left out.
/// - Every other C0 character and DEL become their picture, e.g. ESC becomes U+241B `␛`.
/// - C1 characters, bidi marks, embeddings, overrides and isolates, line and paragraph separators and characters that
///   show nothing become U+FFFD. A word joiner (U+2060) is left out.
/// - Joiners and variation selectors stay behind the letters and emoji that need them.
#[derive(Debug, Default)]
pub struct Printable {
    /// What was printed last.
    before: Option<char>,
    /// A carriage return, of which the next character decides.
    carriage_return: bool,
}

impl Printable {
    /// Adds the next piece to `out`.
    pub fn push(&mut self, text: &str, out: &mut String) {
        for c in text.chars() {
            if std::mem::take(&mut self.carriage_return) && c != '\n' {
                self.put('\u{240d}', out);
            }
            match c {
                '\r' => self.carriage_return = true,
                '\u{2060}' => {}
                c => {
                    let shown = self.shown(c);
                    self.put(shown, out);
                }
            }
        }
    }

    /// Adds what was held back.
    pub fn end(&mut self, out: &mut String) {
        if std::mem::take(&mut self.carriage_return) {
            self.put('\u{240d}', out);
        }
    }

    fn put(&mut self, c: char, out: &mut String) {
        self.before = Some(c);
        out.push(c);
    }

    fn shown(&self, c: char) -> char {
        let behind = |fits: fn(char) -> bool| {
            if self.before.is_some_and(fits) {
                c
            } else {
                UNKNOWN
            }
        };
        match c {
            '\n' | '\t' | ' '..='~' => c,
            '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or(UNKNOWN),
            '\u{7f}' => '\u{2421}',
            // C1, soft hyphen.
            '\u{80}'..='\u{9f}' | '\u{ad}' => UNKNOWN,
            // Bidi: marks, embeddings and overrides, isolates, and what was there before them.
            '\u{61c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{206f}' => UNKNOWN,
            // Nothing to see: fillers, zero-width spaces, invisible operators, annotations.
            '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}' | '\u{3164}'
            | '\u{ffa0}' => UNKNOWN,
            '\u{200b}' | '\u{2061}'..='\u{2065}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' => UNKNOWN,
            // Line and paragraph separators.
            '\u{2028}' | '\u{2029}' => UNKNOWN,
            // Joiners: scripts and emoji need them, names in Latin letters do not.
            '\u{200c}' | '\u{200d}' | '\u{e0100}'..='\u{e01ef}' => {
                behind(|c| !c.is_ascii() && c != UNKNOWN)
            }
            '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{fe00}'..='\u{fe0f}' => {
                behind(|c| (!c.is_ascii() && c != UNKNOWN) || matches!(c, '0'..='9' | '#' | '*'))
            }
            // Tags: the flags of England, Scotland and Wales end in them.
            '\u{e0020}'..='\u{e007f}' => {
                behind(|c| matches!(c, '\u{1f3f4}' | '\u{e0020}'..='\u{e007e}'))
            }
            '\u{e0000}'..='\u{e0fff}' => UNKNOWN,
            c => c,
        }
    }
}

/// Whether the character is printed as it is wherever it stands.
pub fn is_printable(c: char) -> bool {
    c != '\r' && c != '\u{2060}' && Printable::default().shown(c) == c
}

/// The text as [`Printable`] shows it.
pub fn printable(text: &str) -> Cow<'_, str> {
    if text
        .bytes()
        .all(|byte| matches!(byte, b'\n' | b'\t' | b' '..=b'~'))
    {
        return Cow::Borrowed(text);
    }
    let (mut out, mut filter) = (String::with_capacity(text.len()), Printable::default());
    filter.push(text, &mut out);
    filter.end(&mut out);
    Cow::Owned(out)
}

/// The same on one line: each run of line ends and tabs becomes a space.
pub fn one_line(text: &str) -> Cow<'_, str> {
    let text = printable(text);
    if !text.contains(['\n', '\t']) {
        return text;
    }
    let parts = text
        .split(['\n', '\t'])
        .map(str::trim)
        .filter(|part| !part.is_empty());
    Cow::Owned(parts.collect::<Vec<_>>().join(" "))
}

/// Whether nothing of a text can be seen: white space, characters of no width and control characters.
pub fn is_blank(text: &str) -> bool {
    let is_unseen = |c: char| {
        let no_width =
            matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{ad}');
        c.is_whitespace() || c.is_control() || no_width
    };
    text.chars().all(is_unseen)
}

/// The first `most` characters, and how many more there are.
pub fn cut(text: &str, most: usize) -> Cow<'_, str> {
    let Some((at, _)) = text.char_indices().nth(most) else {
        return Cow::Borrowed(text);
    };
    let left = text[at..].chars().count();
    // What is left out is longer than the words that say so.
    if left < 40 {
        return Cow::Borrowed(text);
    }
    let left = super::units::count(left as u64);
    Cow::Owned(format!(
        "{}… ({left} more characters)",
        text[..at].trim_end()
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_nobody_sees_is_blank() {
        for text in [
            "",
            " \n\t",
            "\u{200b}\u{200b}",
            "\u{feff} \0",
            "\u{2060}\u{200d}",
        ] {
            assert!(is_blank(text), "{text:?}");
        }
        for text in ["a", " .", "\u{200b}é", "🙂"] {
            assert!(!is_blank(text), "{text:?}");
        }
    }

    #[test]
    fn control_characters_become_pictures_or_signs() {
        for (text, shown) in [
            ("plain, ünd 漢字 🎉", "plain, ünd 漢字 🎉"),
            ("two\nlines\tand a tab", "two\nlines\tand a tab"),
            ("\u{1b}[2Jx\u{1b}]0;owned\u{7}\u{8}", "␛[2Jx␛]0;owned␇␈"),
            ("a\r\nb\rc\r", "a\nb␍c␍"),
            ("\u{0}\u{7f}\u{9b}31m\u{85}", "␀␡\u{fffd}31m\u{fffd}"),
            (
                "such \u{202e}gnp.exe\u{202c}",
                "such \u{fffd}gnp.exe\u{fffd}",
            ),
            (
                "\u{2066}a\u{2069}\u{200e}b\u{61c}",
                "\u{fffd}a\u{fffd}\u{fffd}b\u{fffd}",
            ),
            (
                "gpt\u{200b}-\u{200d}oss\u{fe0f}\u{ad}\u{feff}\u{e0061}",
                "gpt\u{fffd}-\u{fffd}oss\u{fffd}\u{fffd}\u{fffd}\u{fffd}",
            ),
            ("@\u{2060}someone", "@someone"),
            // What emoji and scripts need stays.
            (
                "👩\u{200d}🔬 1\u{fe0f}\u{20e3} می\u{200c}خواهم",
                "👩\u{200d}🔬 1\u{fe0f}\u{20e3} می\u{200c}خواهم",
            ),
            (
                "🏴\u{e0067}\u{e0062}\u{e007f}",
                "🏴\u{e0067}\u{e0062}\u{e007f}",
            ),
        ] {
            assert_eq!(printable(text), shown, "{text:?}");
        }
    }

    #[test]
    fn a_line_is_one_line() {
        assert_eq!(
            one_line("no\nbatida: all is well\r\n\tend\n"),
            "no batida: all is well end"
        );
        assert_eq!(one_line("as it is"), "as it is");
    }

    #[test]
    fn what_is_cut_says_how_much_is_left_out() {
        assert_eq!(cut("short", 10), "short");
        assert_eq!(
            cut(&"é".repeat(1_234), 200),
            format!("{}… (1,034 more characters)", "é".repeat(200))
        );
        assert_eq!(cut(&"x".repeat(210), 200), "x".repeat(210));
    }

    fn acts(c: char) -> bool {
        (c.is_control() && !matches!(c, '\n' | '\t'))
            || matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2028}'
                | '\u{2029}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    }

    proptest! {
        #[test]
        fn nothing_that_acts_is_left_however_the_text_is_cut(
            text in "(\r|\n|\u{1b}|\u{9b}|\u{202e}|\u{200d}|[\\x00-\\xff]|\\PC|\\pC){0,40}",
            at in 0_usize..200,
        ) {
            let at = text.floor_char_boundary(at);
            let (mut pieces, mut filter) = (String::new(), Printable::default());
            filter.push(&text[..at], &mut pieces);
            filter.push(&text[at..], &mut pieces);
            filter.end(&mut pieces);
            prop_assert!(!pieces.chars().any(acts), "{pieces:?}");
            prop_assert_eq!(pieces, printable(&text));
        }
    }
}
