//! Where a growing text may be cut into blocks: pure, no drawing.
//!
//! Markdown is read line by line, and each line is read once, so an answer of any length grows at the
//! price of what was added. A block is the smallest piece that means the same alone as in its text: a
//! paragraph, one item of a top-level list, a table, a fenced code block. What is inside a block is
//! pulldown-cmark's business, once it is drawn; see [`super::markdown`].
//!
//! What is too long to be laid out at once is cut further, at a space between words. Emphasis that spans
//! such a cut shows its asterisks; that is the price of a paragraph of many pages.

mod cut;
mod lines;

use std::ops::Range;

use self::cut::cut;
use self::lines::{
    Indent, ItemStart, closes_fence, fence_start, formula_after, indent_of, is_footnote,
    is_table_rule, item_start,
};

/// A paragraph is cut before it is longer than this, in bytes.
const LONG_TEXT: usize = 4 * 1024;
/// The same for a list item or a quotation, which hold paragraphs of their own.
const LONG_ITEM: usize = 12 * 1024;
/// A table is cut after so many rows; each part repeats the header.
const TABLE_ROWS: usize = 30;

/// A list item's marker, `123456789.`, in bytes.
const LONGEST_MARKER: usize = 10;

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
    /// What ends the formula that is open before the last line, and after it: its lines begin no lists.
    formula_before: Option<&'static [u8]>,
    formula: Option<&'static [u8]>,
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
            if self.format == Format::Markdown {
                let whole = &text.as_bytes()[self.state.last_line.clone()];
                self.state.formula = formula_after(self.state.formula_before, whole);
            }
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
            // A line of spaces so far may still become anything, and one with a marker alone an item.
            let undecided = text[line.clone()].trim().len() <= LONGEST_MARKER;
            if !whole && !undecided && at > line.start {
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
            let closes = indent.columns <= 3 && closes_fence(&bytes[indent.bytes..], mark, len);
            return self.read_code(line.end, closes);
        }
        let rest = &bytes[indent.bytes..];
        if rest.iter().all(u8::is_ascii_whitespace) {
            return self.read_blank(line);
        }
        let last_line = std::mem::replace(&mut self.state.last_line, line.clone());
        self.state.formula_before = self.state.formula.filter(|_| !after_blank);
        self.state.formula = formula_after(self.state.formula_before, bytes);
        if self.state.formula_before.is_some() {
            return self.extend(line.end);
        }
        if self.continues_item(rest, &indent) {
            return self.extend(line.end);
        }
        if self.starts_fence_or_item(rest, &line, &indent, after_blank) {
            return;
        }
        let begins = match &self.state.inside {
            Inside::Nothing => true,
            // Indented code may hold blank lines.
            _ if after_blank => !(indent.columns >= 4 && self.last_starts_indented(text)),
            // Without a blank line this is the same paragraph, or it ends the item by its own kind.
            Inside::Table { .. } | Inside::Item { .. } => {
                rest.starts_with(b">") || rest.starts_with(b"#")
            }
            Inside::Text | Inside::Quote | Inside::Code { .. } => false,
        };
        if begins {
            self.start_flow(text, line, rest);
        } else {
            self.continue_flow(text, line, rest, &last_line);
        }
    }

    /// A line within fenced code.
    fn read_code(&mut self, end: usize, closes: bool) {
        self.extend(end);
        if let Some(Block {
            kind: Kind::Code(fence),
            ..
        }) = self.blocks.last_mut()
        {
            fence.closed = closes;
            if !closes {
                fence.body.end = end;
            }
        }
        if closes {
            self.state.inside = Inside::Nothing;
        }
    }

    fn read_blank(&mut self, line: Range<usize>) {
        self.state.after_blank = true;
        if self.blocks.is_empty() {
            self.start(line, Kind::Flow, Inside::Nothing);
        } else {
            self.extend(line.end);
        }
    }

    /// Whether a line belongs to the item before it. Only deeper lines do for certain.
    fn continues_item(&mut self, rest: &[u8], indent: &Indent) -> bool {
        let Inside::Item {
            content, fenced, ..
        } = &mut self.state.inside
        else {
            return false;
        };
        if indent.columns < *content {
            *fenced = false;
            return false;
        }
        if fence_start(rest).is_some()
            || (*fenced && (rest.starts_with(b"```") || rest.starts_with(b"~~~")))
        {
            *fenced = !*fenced;
        }
        true
    }

    /// Starts fenced code or a list item, if the line opens one.
    fn starts_fence_or_item(
        &mut self,
        rest: &[u8],
        line: &Range<usize>,
        indent: &Indent,
        after_blank: bool,
    ) -> bool {
        if indent.columns > 3 {
            return false;
        }
        if let Some((mark, len)) = fence_start(rest) {
            let info = line.start + indent.bytes + len..line.end;
            let fence = Fence {
                info,
                body: line.end..line.end,
                closed: false,
            };
            self.start(line.clone(), Kind::Code(fence), Inside::Code { mark, len });
            return true;
        }
        if is_footnote(rest)
            && (after_blank || matches!(self.state.inside, Inside::Nothing | Inside::Item { .. }))
        {
            let inside = Inside::Item {
                content: 4,
                number: None,
                delimiter: b'^',
                fenced: false,
            };
            self.start(line.clone(), Kind::Item { number: None }, inside);
            return true;
        }
        let Some(item) = item_start(rest) else {
            return false;
        };
        let interrupts = match self.state.inside {
            Inside::Nothing | Inside::Item { .. } => true,
            _ => after_blank || item.interrupts,
        };
        if interrupts {
            self.start_item(line.clone(), indent, &item);
        }
        interrupts
    }

    /// Starts a paragraph, a heading or a quotation.
    fn start_flow(&mut self, text: &str, line: Range<usize>, rest: &[u8]) {
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
        self.start(line, Kind::Flow, inside);
    }

    /// Another line of the same block, which may turn out to be a table.
    fn continue_flow(
        &mut self,
        text: &str,
        line: Range<usize>,
        rest: &[u8],
        last_line: &Range<usize>,
    ) {
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

#[cfg(test)]
mod tests;
