//! What Markdown leaves in a text: addresses that are written bare, and marks of footnotes whose text stands in another
//! block.

use linkify::{LinkFinder, LinkKind};

use crate::ui::transcript::draw;

/// A piece of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    Text(&'t str),
    /// The address of a page.
    Address(&'t str),
    /// The name of a footnote.
    Footnote(&'t str),
}

/// The pieces of a text, in order; together they are all of it.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    if !text.contains("://") {
        footnotes(text, &mut pieces);
        return pieces;
    }
    let mut finder = LinkFinder::new();
    finder.kinds(&[LinkKind::Url]);
    for span in finder.spans(text) {
        match span.kind() {
            Some(_) if draw::opens(span.as_str()) => pieces.push(Piece::Address(span.as_str())),
            _ => footnotes(span.as_str(), &mut pieces),
        }
    }
    pieces
}

/// `[^name]`
fn footnotes<'t>(mut text: &'t str, pieces: &mut Vec<Piece<'t>>) {
    while let Some((before, name, after)) = first_footnote(text) {
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        pieces.push(Piece::Footnote(name));
        text = after;
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
}

fn first_footnote(text: &str) -> Option<(&str, &str, &str)> {
    text.match_indices("[^").find_map(|(at, sign)| {
        let (name, after) = text[at + sign.len()..].split_once(']')?;
        let is_name = |name: &str| {
            !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '[' || c == '^')
        };
        is_name(name).then_some((&text[..at], name, after))
    })
}

#[cfg(test)]
mod tests {
    use super::Piece::{Address, Footnote, Text};
    use super::*;

    #[test]
    fn addresses_end_where_a_sentence_does() {
        let text = "See https://a.example/b_(c)?d=e, (http://f.example). Not ftp://g or h.example.";
        let expected = [
            Text("See "),
            Address("https://a.example/b_(c)?d=e"),
            Text(", ("),
            Address("http://f.example"),
            Text("). Not "),
            Text("ftp://g"),
            Text(" or h.example."),
        ];
        assert_eq!(pieces(text), expected);
    }

    #[test]
    fn footnotes_have_names_without_spaces() {
        let expected = [
            Text("a"),
            Footnote("1"),
            Text(" [^ x] [^]"),
            Footnote("b-c"),
        ];
        assert_eq!(pieces("a[^1] [^ x] [^][^b-c]"), expected);
        assert_eq!(pieces("[^a"), [Text("[^a")]);
    }
}
