//! Where a growing text may be cut into blocks: pure, no drawing.
//!
//! Markdown is read line by line, and each line is read once, so an answer of any length grows at the
//! price of what was added. A block is the smallest piece that means the same alone as in its text: a
//! paragraph, one item of a top-level list, a table, a fenced code block. What is inside a block is
//! pulldown-cmark's business, once it is drawn; see [`super::markdown`].
//!
//! What is too long to be laid out at once is cut further, at a space between words. Emphasis that spans
//! such a cut shows its asterisks; that is the price of a paragraph of many pages.

use std::ops::Range;

/// A paragraph is cut before it is longer than this, in bytes.
const LONG_TEXT: usize = 4 * 1024;
/// The same for a list item or a quotation, which hold paragraphs of their own.
const LONG_ITEM: usize = 12 * 1024;
/// A table is cut after so many rows; each part repeats the header.
const TABLE_ROWS: usize = 30;
/// A cut looks this far ahead, so that it does not depend on where the network cut the text.
const LOOK_AHEAD: usize = 8;

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Markdown, as models write it.
    Markdown,
    /// As typed: nothing in it is special.
    Plain,
}

/// A stretch of the text that is laid out by itself.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Block {
    /// Which bytes: each byte of the text is in exactly one block.
    pub range: Range<usize>,
    /// What they are.
    pub kind: Kind,
}

/// What a block is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// Paragraphs, headings, quotations, tables, rules, HTML.
    Flow,
    /// One item of a top-level list, with its number if it has one.
    Item {
        /// The item's number in its list.
        number: Option<u64>,
    },
    /// A long paragraph goes on.
    More,
    /// A long table goes on below the header in these bytes.
    MoreTable(Range<usize>),
    /// Fenced code.
    Code(Fence),
    /// Text as typed.
    Plain,
}

/// The parts of a fenced code block.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fence {
    /// What follows the opening fence: the language.
    pub info: Range<usize>,
    /// The code, the last line's end included.
    pub body: Range<usize>,
    /// Whether the closing fence has arrived.
    pub closed: bool,
}

/// A text's blocks, kept up to date while it grows.
#[derive(Clone, Debug)]
pub(super) struct Blocks {
    format: Format,
    blocks: Vec<Block>,
    /// The whole lines before this are read for good.
    done: usize,
    /// No line ends between `done` and here.
    searched: usize,
    /// How things stand at `done`, and how many blocks are there.
    state: State,
    settled: usize,
    /// The last block as of `done`; reading on may extend it.
    last_settled: Option<Block>,
    len: usize,
    tail: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
struct State {
    inside: Inside,
    after_blank: bool,
    /// A cut was made within a line: what follows on it is not the start of a line.
    mid_line: bool,
    last_line: Range<usize>,
}

#[derive(Clone, Debug, Default)]
enum Inside {
    #[default]
    Nothing,
    Text,
    Quote,
    Item {
        content: usize,
        number: Option<u64>,
        delimiter: u8,
        fenced: bool,
    },
    Table {
        head: Range<usize>,
        rows: usize,
    },
    Code {
        mark: u8,
        len: usize,
    },
}

impl Blocks {
    /// Of an empty text.
    pub(super) fn new(format: Format) -> Self {
        Self {
            format,
            blocks: Vec::new(),
            done: 0,
            searched: 0,
            state: State::default(),
            settled: 0,
            last_settled: None,
            len: 0,
            tail: Vec::new(),
        }
    }

    /// The blocks, in order.
    pub(super) fn get(&self) -> &[Block] {
        &self.blocks
    }

    /// Reads what was added to the text, and returns the first block that may have changed.
    ///
    /// A text that did not grow but became another is read anew.
    pub(super) fn update(&mut self, text: &str) -> usize {
        let bytes = text.as_bytes();
        if bytes.len() < self.len || !bytes[..self.len].ends_with(&self.tail) {
            *self = Self::new(self.format);
        } else if bytes.len() == self.len {
            return self.blocks.len();
        }
        self.len = bytes.len();
        self.tail.clear();
        self.tail
            .extend_from_slice(&bytes[bytes.len().saturating_sub(32)..]);

        self.blocks.truncate(self.settled);
        if let (Some(last), Some(settled)) = (self.blocks.last_mut(), &self.last_settled) {
            last.clone_from(settled);
        }
        let first_changed = self.settled.saturating_sub(1);

        while let Some(end) = bytes[self.searched..].iter().position(|&b| b == b'\n') {
            let line = self.done..self.searched + end + 1;
            self.read(text, line.clone(), true);
            self.settle(line.end);
            self.searched = line.end;
        }
        self.searched = bytes.len();
        if self.done < bytes.len() {
            // The last line may still become something else; only a cut inside it is for good.
            let (state, done) = (self.state.clone(), self.done);
            self.read(text, self.done..bytes.len(), false);
            if self.done == done {
                self.state = state;
            }
        }
        first_changed
    }

    fn settle(&mut self, done: usize) {
        self.done = done;
        self.settled = self.blocks.len();
        self.last_settled = self.blocks.last().cloned();
    }

    /// Reads one line. `whole` says that its end has arrived.
    fn read(&mut self, text: &str, line: Range<usize>, whole: bool) {
        if std::mem::take(&mut self.state.mid_line) {
            // It is still the line that was cut: a bar at its end makes a table's head of it.
            self.state.last_line.end = line.end;
            self.extend(line.end);
        } else if self.format == Format::Plain {
            self.read_plain(line.clone());
        } else {
            self.read_markdown(text, line.clone());
        }
        while let Some(at) = self.cut(text) {
            if let Some(last) = self.blocks.last_mut() {
                last.range.end = at;
            }
            // What goes on after a cut is a paragraph, whatever it was part of.
            self.state.inside = Inside::Text;
            let kind = if self.format == Format::Plain {
                Kind::Plain
            } else {
                Kind::More
            };
            self.blocks.push(Block {
                range: at..at,
                kind,
            });
            // A line of spaces so far may still become anything.
            let blank = text[line.clone()]
                .bytes()
                .all(|byte| byte.is_ascii_whitespace());
            if !whole && !blank && at > line.start {
                self.state.mid_line = true;
                self.settle(at);
            }
            self.extend(line.end);
        }
    }

    fn cut(&self, text: &str) -> Option<usize> {
        let long = match &self.state.inside {
            Inside::Text => LONG_TEXT,
            Inside::Quote | Inside::Item { fenced: false, .. } => LONG_ITEM,
            _ => return None,
        };
        cut(text, self.blocks.last()?.range.clone(), long)
    }

    fn read_plain(&mut self, line: Range<usize>) {
        if self.blocks.is_empty() {
            self.start(line, Kind::Plain, Inside::Text);
        } else {
            self.extend(line.end);
        }
    }

    fn read_markdown(&mut self, text: &str, line: Range<usize>) {
        let bytes = &text.as_bytes()[line.clone()];
        let indent = indent_of(bytes);
        let after_blank = std::mem::take(&mut self.state.after_blank);

        if let Inside::Code { mark, len } = self.state.inside {
            self.extend(line.end);
            let closes = indent.columns <= 3 && closes_fence(&bytes[indent.bytes..], mark, len);
            if let Some(Block {
                kind: Kind::Code(fence),
                ..
            }) = self.blocks.last_mut()
            {
                fence.closed = closes;
                if !closes {
                    fence.body.end = line.end;
                }
            }
            if closes {
                self.state.inside = Inside::Nothing;
            }
            return;
        }

        let rest = &bytes[indent.bytes..];
        if rest.iter().all(u8::is_ascii_whitespace) {
            self.state.after_blank = true;
            if self.blocks.is_empty() {
                self.start(line, Kind::Flow, Inside::Nothing);
            } else {
                self.extend(line.end);
            }
            return;
        }
        let last_line = std::mem::replace(&mut self.state.last_line, line.clone());

        // Nothing but deeper lines belongs to an item for certain; they are read with it.
        if let Inside::Item {
            content, fenced, ..
        } = &mut self.state.inside
        {
            if indent.columns >= *content {
                if fence_start(rest).is_some()
                    || (*fenced && (rest.starts_with(b"```") || rest.starts_with(b"~~~")))
                {
                    *fenced = !*fenced;
                }
                return self.extend(line.end);
            }
            *fenced = false;
        }
        if indent.columns <= 3 {
            if let Some((mark, len)) = fence_start(rest) {
                let info = line.start + indent.bytes + len..line.end;
                let fence = Fence {
                    info,
                    body: line.end..line.end,
                    closed: false,
                };
                return self.start(line, Kind::Code(fence), Inside::Code { mark, len });
            }
            if let Some(item) = item_start(rest) {
                let interrupts = match self.state.inside {
                    Inside::Nothing | Inside::Item { .. } => true,
                    _ => after_blank || item.interrupts,
                };
                if interrupts {
                    return self.start_item(line, &indent, &item);
                }
            }
        }
        let begins = match &self.state.inside {
            Inside::Nothing => true,
            // Indented code may hold blank lines.
            _ if after_blank => !(indent.columns >= 4 && self.last_starts_indented(text)),
            Inside::Table { .. } => rest.starts_with(b">") || rest.starts_with(b"#"),
            // Without a blank line this is the same paragraph, or it ends the item by its own kind.
            Inside::Item { .. } => rest.starts_with(b">") || rest.starts_with(b"#"),
            Inside::Text | Inside::Quote | Inside::Code { .. } => false,
        };
        if begins {
            let inside = if rest.starts_with(b">") {
                Inside::Quote
            } else {
                Inside::Text
            };
            // Blank lines that open the text belong to its first block.
            if let [first] = self.blocks.as_mut_slice()
                && matches!(self.state.inside, Inside::Nothing)
                && text.as_bytes()[first.range.clone()]
                    .iter()
                    .all(u8::is_ascii_whitespace)
            {
                first.range.end = line.end;
                self.state.inside = inside;
                return;
            }
            return self.start(line, Kind::Flow, inside);
        }
        if let Inside::Table { head, rows } = &mut self.state.inside {
            *rows += 1;
            if *rows > TABLE_ROWS {
                *rows = 1;
                let kind = Kind::MoreTable(head.clone());
                self.blocks.push(Block { range: line, kind });
                return;
            }
        } else if matches!(self.state.inside, Inside::Text)
            && is_table_rule(rest)
            && text.as_bytes()[last_line.clone()].contains(&b'|')
        {
            self.state.inside = Inside::Table {
                head: last_line.start..line.end,
                rows: 0,
            };
        }
        self.extend(line.end);
    }

    fn start_item(&mut self, line: Range<usize>, indent: &Indent, item: &ItemStart) {
        let number = match (&self.state.inside, item.number) {
            (
                Inside::Item {
                    number: Some(before),
                    delimiter,
                    ..
                },
                Some(_),
            ) if *delimiter == item.delimiter => Some(before.saturating_add(1)),
            (_, number) => number,
        };
        let inside = Inside::Item {
            content: indent.columns + item.width,
            number,
            delimiter: item.delimiter,
            fenced: item.fenced,
        };
        self.start(line, Kind::Item { number }, inside);
    }

    fn start(&mut self, line: Range<usize>, kind: Kind, inside: Inside) {
        self.blocks.push(Block { range: line, kind });
        self.state.inside = inside;
    }

    fn extend(&mut self, end: usize) {
        if let Some(last) = self.blocks.last_mut() {
            last.range.end = end;
        }
    }

    fn last_starts_indented(&self, text: &str) -> bool {
        self.blocks
            .last()
            .is_some_and(|last| indent_of(&text.as_bytes()[last.range.clone()]).columns >= 4)
    }
}

/// Where to cut a block that has become too long: between words, best after a sentence.
///
/// Looks at nothing beyond `long` and a few bytes, so the answer is the same however much has arrived.
fn cut(text: &str, block: Range<usize>, long: usize) -> Option<usize> {
    if block.len() < long + LOOK_AHEAD {
        return None;
    }
    let bytes = text.as_bytes();
    let mut between_words = None;
    for at in (block.start + long / 2..block.start + long).rev() {
        let space = matches!(bytes[at - 1], b' ' | b'\n');
        // What begins with a letter is a paragraph also when it is read alone.
        if space && text.is_char_boundary(at) && text[at..].starts_with(char::is_alphabetic) {
            if matches!(bytes[at - 2], b'.' | b'!' | b'?' | b':' | b'\n') {
                return Some(at);
            }
            between_words = between_words.or(Some(at));
        }
    }
    between_words.or_else(|| {
        (block.start + long / 2..=block.start + long)
            .rev()
            .find(|&at| text.is_char_boundary(at))
    })
}

struct Indent {
    bytes: usize,
    columns: usize,
}

fn indent_of(line: &[u8]) -> Indent {
    let mut columns = 0;
    let mut bytes = 0;
    for byte in line {
        match byte {
            b' ' => columns += 1,
            b'\t' => columns += 4 - columns % 4,
            _ => break,
        }
        bytes += 1;
    }
    Indent { bytes, columns }
}

fn run_of(line: &[u8], mark: u8) -> usize {
    line.iter().take_while(|&&b| b == mark).count()
}

fn fence_start(line: &[u8]) -> Option<(u8, usize)> {
    let &mark = line.first()?;
    let len = run_of(line, mark);
    let fence = len >= 3 && (mark == b'~' || mark == b'`' && !line[len..].contains(&b'`'));
    fence.then_some((mark, len))
}

fn closes_fence(line: &[u8], mark: u8, len: usize) -> bool {
    let run = run_of(line, mark);
    run >= len && line[run..].iter().all(u8::is_ascii_whitespace)
}

struct ItemStart {
    number: Option<u64>,
    delimiter: u8,
    /// How far the item's content stands to the right of its marker.
    width: usize,
    /// Whether it may follow a paragraph without a blank line.
    interrupts: bool,
    fenced: bool,
}

fn item_start(line: &[u8]) -> Option<ItemStart> {
    let digits = line
        .iter()
        .take(10)
        .take_while(|b| b.is_ascii_digit())
        .count();
    let &delimiter = line.get(digits)?;
    let number = match (digits, delimiter) {
        (0, b'-' | b'*' | b'+') => None,
        (1..=9, b'.' | b')') => Some(std::str::from_utf8(&line[..digits]).ok()?.parse().ok()?),
        _ => return None,
    };
    let content = &line[digits + 1..];
    let space = indent_of(content);
    let empty = content.iter().all(u8::is_ascii_whitespace);
    if space.columns == 0 && !empty || is_rule(line) {
        return None;
    }
    // Five columns and more are one column and indented code.
    let gap = if empty || space.columns > 4 {
        1
    } else {
        space.columns
    };
    Some(ItemStart {
        number,
        delimiter,
        width: digits + 1 + gap,
        interrupts: !empty && number.is_none_or(|n| n == 1),
        fenced: fence_start(&content[space.bytes..]).is_some(),
    })
}

/// `***`, `- - -`: a thematic break, though it begins like an item.
fn is_rule(line: &[u8]) -> bool {
    let mark = line[0];
    matches!(mark, b'-' | b'*')
        && line.iter().all(|&b| b == mark || b.is_ascii_whitespace())
        && line.iter().filter(|&&b| b == mark).count() >= 3
}

/// `|---|:-:|`, below a table's header.
fn is_table_rule(line: &[u8]) -> bool {
    line.iter()
        .all(|b| matches!(b, b'|' | b'-' | b':' | b' ' | b'\t' | b'\r' | b'\n'))
        && line.contains(&b'|')
        && line.contains(&b'-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn blocks_of(text: &str, format: Format) -> Vec<Block> {
        let mut blocks = Blocks::new(format);
        blocks.update(text);
        blocks.get().to_vec()
    }

    #[track_caller]
    fn check_blocks(text: &str, expected: &[&str]) {
        let blocks = blocks_of(text, Format::Markdown);
        let found: Vec<_> = blocks.iter().map(|b| &text[b.range.clone()]).collect();
        assert_eq!(found, expected);
    }

    #[track_caller]
    fn check_covers(text: &str, blocks: &[Block]) {
        let mut at = 0;
        for block in blocks {
            assert_eq!(block.range.start, at, "{blocks:?}");
            at = block.range.end;
        }
        assert_eq!(at, text.len(), "{blocks:?}");
    }

    #[test]
    fn blocks_are_what_stands_alone() {
        check_blocks("", &[]);
        check_blocks("\n\na\nb\n\nc", &["\n\na\nb\n\n", "c"]);
        check_blocks(
            "a\n```rs\nfn\n\n- x\n```\nb",
            &["a\n", "```rs\nfn\n\n- x\n```\n", "b"],
        );
        check_blocks(
            "a\n- b\n  - c\n\n  d\n- e\nf",
            &["a\n", "- b\n  - c\n\n  d\n", "- e\nf"],
        );
        check_blocks(
            "| a | b |\n|---|---|\n| c | d |\n\ne",
            &["| a | b |\n|---|---|\n| c | d |\n\n", "e"],
        );
        check_blocks(
            "1. a\n   ```\n   - b\n   ```\n2. c",
            &["1. a\n   ```\n   - b\n   ```\n", "2. c"],
        );
        check_blocks("    a\n\n    b\n\nc", &["    a\n\n    b\n\n", "c"]);
        check_blocks("a\n2. b\n***\n", &["a\n2. b\n***\n"]);
    }

    #[test]
    fn items_are_numbered_as_markdown_numbers_them() {
        let numbers: Vec<_> = blocks_of("3. a\n3. b\n\n9. c\n\nd\n\n7) e", Format::Markdown)
            .into_iter()
            .filter_map(|b| {
                if let Kind::Item { number } = b.kind {
                    number
                } else {
                    None
                }
            })
            .collect();
        assert_eq!(numbers, [3, 4, 5, 7]);
    }

    #[test]
    fn an_open_fence_is_code_to_the_end() {
        let text = "a\n~~~ py x\ncode\n";
        let blocks = blocks_of(text, Format::Markdown);
        let Kind::Code(fence) = &blocks[1].kind else {
            panic!("{blocks:?}")
        };
        assert_eq!(
            (
                &text[fence.info.clone()],
                &text[fence.body.clone()],
                fence.closed
            ),
            (" py x\n", "code\n", false)
        );
    }

    #[test]
    fn no_block_is_too_long_to_lay_out() {
        let words = "word ".repeat(100_000);
        for text in [
            words.clone(),
            format!("- {words}"),
            format!("> {words}"),
            "x".repeat(400_000),
            "漢".repeat(99_999),
        ] {
            for format in [Format::Markdown, Format::Plain] {
                let blocks = blocks_of(&text, format);
                check_covers(&text, &blocks);
                assert!(
                    blocks
                        .iter()
                        .all(|b| b.range.len() <= LONG_ITEM + LOOK_AHEAD)
                );
            }
        }
        let table = format!("|a|\n|-|\n{}", "|b|\n".repeat(1_000));
        assert!(
            blocks_of(&table, Format::Markdown)
                .iter()
                .all(|b| b.range.len() < 200)
        );
    }

    #[test]
    fn another_text_is_read_anew() {
        let mut blocks = Blocks::new(Format::Markdown);
        blocks.update("a\n\nb\n\nc");
        blocks.update("b\n\nc\n\nd and more");
        assert_eq!(
            blocks.get(),
            blocks_of("b\n\nc\n\nd and more", Format::Markdown)
        );
        blocks.update("x");
        assert_eq!(blocks.get(), blocks_of("x", Format::Markdown));
    }

    fn markdown() -> impl Strategy<Value = Text> {
        let piece = prop_oneof![
            Just("\n".to_owned()),
            Just("\n\n".to_owned()),
            Just("```".to_owned()),
            Just("```rust\n".to_owned()),
            Just("~~~~\n".to_owned()),
            Just("- ".to_owned()),
            Just("* ".to_owned()),
            Just("12. ".to_owned()),
            Just("1) ".to_owned()),
            Just("    ".to_owned()),
            Just("\t".to_owned()),
            Just("  ".to_owned()),
            Just("> ".to_owned()),
            Just("# ".to_owned()),
            Just("---\n".to_owned()),
            Just("| a | b |\n".to_owned()),
            Just("|---|---|\n".to_owned()),
            Just("`".to_owned()),
            Just("**".to_owned()),
            Just("<b>".to_owned()),
            Just("é漢🙂".to_owned()),
            Just("\r\n".to_owned()),
            "[a-z ]{0,12}",
            (1..3_000_usize, 0..3_u8)
                .prop_map(|(n, k)| ["long. ", "漢", " "][usize::from(k)].repeat(n)),
        ];
        proptest::collection::vec(piece, 0..40).prop_map(|pieces| Text(pieces.concat()))
    }

    /// Long stretches of the same are not worth printing.
    #[derive(Clone)]
    struct Text(String);

    impl std::fmt::Debug for Text {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            let mut runs: Vec<(char, usize)> = Vec::new();
            for c in self.0.chars() {
                match runs.last_mut() {
                    Some((last, n)) if *last == c => *n += 1,
                    _ => runs.push((c, 1)),
                }
            }
            runs.truncate(400);
            runs.iter().try_for_each(|(c, n)| {
                if *n > 4 {
                    write!(f, "({c}×{n})")
                } else {
                    write!(f, "{}", c.to_string().repeat(*n).escape_debug())
                }
            })
        }
    }

    #[test]
    fn a_line_that_was_cut_can_still_be_a_tables_head() {
        let text = format!("{}| a | b |\n|---|---|\n> ", "long. ".repeat(700));
        let mut growing = Blocks::new(Format::Markdown);
        for at in [4_190, 4_205, text.len()] {
            growing.update(&text[..at]);
        }
        assert_eq!(growing.get(), blocks_of(&text, Format::Markdown));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn growing_equals_reading_at_once(
            Text(text) in markdown(),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..30),
            plain: bool,
        ) {
            let format = if plain { Format::Plain } else { Format::Markdown };
            let mut cuts: Vec<_> = cuts.iter().map(|i| text.floor_char_boundary(i.index(text.len() + 1))).collect();
            cuts.sort_unstable();
            let mut growing = Blocks::new(format);
            let mut before: Vec<Block> = Vec::new();
            for at in cuts.into_iter().chain([text.len()]) {
                let changed = growing.update(&text[..at]);
                prop_assert!(changed >= before.len() || before[..changed] == growing.get()[..changed]);
                before = growing.get().to_vec();
                check_covers(&text[..at], &before);
            }
            prop_assert!(before == blocks_of(&text, format), "grown: {:?}", before);
        }

        #[test]
        fn any_text_is_covered(text in any::<String>()) {
            check_covers(&text, &blocks_of(&text, Format::Markdown));
            check_covers(&text, &blocks_of(&text, Format::Plain));
        }
    }
}
