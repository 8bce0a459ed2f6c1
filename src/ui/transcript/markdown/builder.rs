//! Turns Markdown into the pieces of a [`Laid`] block.

use std::ops::Range;

use egui::text::{LayoutJob, TextFormat, TextWrapping};
use egui::{Color32, Ui, Vec2, pos2, vec2};
use pulldown_cmark::{
    CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd, TextMergeStream,
};

use super::math::Lifted;
use super::{GAP, INDENT, ITEM_GAP, Ink, Laid, MAX_LINE, Nested, Piece, Table, Text, What};
use crate::ui::theme::Tokens;
use crate::ui::transcript::code::{Code, CodeState};
use crate::ui::transcript::order;

pub(super) struct Builder<'u> {
    pub(super) ui: &'u Ui,
    pub(super) tokens: &'static Tokens,
    pub(super) ink: Color32,
    pub(super) width: f32,
    /// The left end of what is being laid out, and where the next piece goes.
    pub(super) left: f32,
    pub(super) y: f32,
    pub(super) pieces: Vec<Piece>,
    pub(super) text: Text,
    pub(super) style: Inline,
    lists: Vec<Option<u64>>,
    /// For each item that is open: whether its first piece is still to come, directly beside its marker.
    beside_marker: bool,
    quotes: Vec<(usize, f32)>,
    pub(super) link: Option<(usize, String)>,
    code: Option<(String, String)>,
    /// The footnote whose text begins.
    note: Option<String>,
    pub(super) table: Option<Table>,
    /// It is as wide as its text.
    is_plain: bool,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Inline {
    pub(super) strong: u32,
    pub(super) emphasis: u32,
    pub(super) strike: u32,
    pub(super) heading: Option<HeadingLevel>,
}

impl<'u> Builder<'u> {
    pub(super) fn new(ui: &'u Ui, width: f32, ink: Ink) -> Self {
        let tokens = Tokens::of(ui.style());
        Self {
            ui,
            tokens,
            ink: if ink == Ink::Dim {
                tokens.dim
            } else {
                tokens.text
            },
            width,
            left: 0.0,
            y: 0.0,
            pieces: Vec::new(),
            text: Text::default(),
            style: Inline::default(),
            lists: Vec::new(),
            beside_marker: false,
            quotes: Vec::new(),
            link: None,
            code: None,
            note: None,
            table: None,
            is_plain: false,
        }
    }

    pub(super) fn plain(&mut self, text: &str) {
        self.is_plain = true;
        self.push(text);
        self.flush();
    }

    pub(super) fn markdown(&mut self, source: &str, number: Option<u64>) {
        let options = Options::ENABLE_TABLES
            | Options::ENABLE_STRIKETHROUGH
            | Options::ENABLE_TASKLISTS
            | Options::ENABLE_FOOTNOTES;
        let mut number = number;
        let lifted = Lifted::new(source);
        for event in TextMergeStream::new(Parser::new_ext(&lifted.source, options)) {
            match event {
                Event::Start(Tag::List(Some(first))) => {
                    self.lists.push(Some(number.take().unwrap_or(first)))
                }
                Event::Start(tag) => self.start(tag, &lifted),
                Event::End(tag) => self.end(tag),
                Event::Text(text) => match &mut self.code {
                    Some((code, _)) => code.push_str(&lifted.written(&text)),
                    None => self.text(&text, &lifted),
                },
                Event::InlineHtml(html) if is_break(&html) => self.push("\n"),
                // Of formulas within Markdown the parser is told nothing.
                Event::Code(code)
                | Event::Html(code)
                | Event::InlineHtml(code)
                | Event::InlineMath(code)
                | Event::DisplayMath(code) => {
                    self.push_as(&lifted.written(&code), self.code_format());
                }
                Event::FootnoteReference(name) => self.footnote(&name),
                Event::SoftBreak => self.push(" "),
                Event::HardBreak => self.push("\n"),
                Event::Rule => {
                    self.begin_piece(GAP);
                    let width = self.width - self.left;
                    self.piece(What::Rule(width), vec2(width, 1.0));
                }
                Event::TaskListMarker(done) => {
                    if let Some(marker) = self
                        .pieces
                        .last_mut()
                        .filter(|p| matches!(p.what, What::Marker(_)))
                    {
                        marker.pos.x = self.left;
                        marker.what = What::Check(done);
                    }
                }
            }
        }
        self.flush();
        if self.pieces.is_empty() && !source.trim().is_empty() {
            // Definitions of links and the like: they mean something elsewhere, but hide nothing here.
            self.push(source.trim());
            self.flush();
        }
    }

    fn start(&mut self, tag: Tag<'_>, lifted: &Lifted<'_>) {
        match tag {
            Tag::Paragraph | Tag::HtmlBlock => {
                self.flush();
                if let Some(name) = self.note.take() {
                    self.footnote(&name);
                    self.push(" ");
                }
            }
            Tag::Heading { level, .. } => {
                self.flush();
                self.style.heading = Some(level);
            }
            Tag::BlockQuote(_) => {
                self.begin_piece(GAP);
                self.quotes.push((self.pieces.len(), self.y));
                self.left += 16.0;
                self.beside_marker = true;
            }
            Tag::CodeBlock(kind) => {
                self.flush();
                let info = if let CodeBlockKind::Fenced(info) = kind {
                    info.to_string()
                } else {
                    String::new()
                };
                self.code = Some((String::new(), info));
            }
            Tag::List(first) => {
                self.flush();
                self.lists.push(first);
            }
            Tag::Item => self.item(),
            Tag::FootnoteDefinition(name) => {
                self.flush();
                self.note = Some(name.to_string());
            }
            Tag::Table(alignments) => {
                self.flush();
                self.table = Some(Table {
                    alignments,
                    rows: Vec::new(),
                });
            }
            Tag::TableHead | Tag::TableRow => {
                if let Some(table) = &mut self.table {
                    table.rows.push(Vec::new());
                }
                self.style.strong = u32::from(matches!(tag, Tag::TableHead));
            }
            Tag::Emphasis => self.style.emphasis += 1,
            Tag::Strong => self.style.strong += 1,
            Tag::Strikethrough => self.style.strike += 1,
            Tag::Link { dest_url, .. } => {
                let url = lifted.written(&dest_url).into_owned();
                self.link = Some((self.text.chars, url));
            }
            Tag::Image { dest_url, .. } => {
                let url = lifted.written(&dest_url).into_owned();
                self.link = Some((self.text.chars, url));
                self.push("Image: ");
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph | TagEnd::HtmlBlock | TagEnd::FootnoteDefinition => self.flush(),
            TagEnd::Heading(_) => {
                self.flush();
                self.style.heading = None;
            }
            TagEnd::BlockQuote(_) => {
                self.flush();
                self.left -= 16.0;
                if let Some((at, top)) = self.quotes.pop() {
                    let what = What::Bar(self.y - top);
                    self.pieces.insert(
                        at,
                        Piece {
                            pos: pos2(self.left + 2.0, top),
                            what,
                        },
                    );
                }
            }
            TagEnd::CodeBlock => self.end_code(),
            TagEnd::List(_) => {
                self.lists.pop();
            }
            TagEnd::Item => {
                self.flush();
                self.beside_marker = false;
                self.left -= INDENT;
            }
            TagEnd::TableCell => {
                let cell = std::mem::take(&mut self.text);
                if let Some(row) = self.table.as_mut().and_then(|table| table.rows.last_mut()) {
                    row.push(cell);
                }
            }
            TagEnd::TableHead => self.style.strong = 0,
            TagEnd::Table => self.end_table(),
            TagEnd::Emphasis => self.style.emphasis = self.style.emphasis.saturating_sub(1),
            TagEnd::Strong => self.style.strong = self.style.strong.saturating_sub(1),
            TagEnd::Strikethrough => self.style.strike = self.style.strike.saturating_sub(1),
            TagEnd::Link | TagEnd::Image => self.end_link(),
            _ => {}
        }
    }

    fn item(&mut self) {
        self.flush();
        let depth = self.lists.len();
        let marker = match self.lists.last_mut() {
            Some(Some(number)) => {
                let marker = format!("{number}.");
                *number = number.saturating_add(1);
                marker
            }
            _ if depth.is_multiple_of(2) => "◦".to_owned(),
            _ => "•".to_owned(),
        };
        self.begin_piece(ITEM_GAP);
        self.left += INDENT;
        let format = TextFormat {
            color: self.tokens.dim,
            ..self.format()
        };
        let job = LayoutJob::single_section(marker, format);
        self.pieces.push(Piece {
            pos: pos2(self.left - 7.0, self.y),
            what: What::Marker(job),
        });
        self.beside_marker = true;
    }

    fn end_code(&mut self) {
        let Some((text, info)) = self.code.take() else {
            return;
        };
        self.begin_piece(GAP);
        let mut state = CodeState::default();
        let width = (self.width - self.left).max(40.0);
        let height = state.height(
            self.ui,
            Code {
                text: &text,
                info: &info,
            },
            width,
        );
        let size = vec2(width, height);
        self.piece(
            What::Code(Box::new(Nested {
                text,
                info,
                size,
                state,
            })),
            size,
        );
    }

    /// Puts what was written so far below what is there.
    fn flush(&mut self) {
        if self.text.job.text.is_empty() || self.table.is_some() {
            return;
        }
        let mut text = std::mem::take(&mut self.text);
        // Trailing line ends would be an empty line.
        if text.job.text.ends_with('\n') {
            trim_end(&mut text.job);
        }
        let above = match self.style.heading {
            Some(HeadingLevel::H1 | HeadingLevel::H2) => GAP + 4.0,
            _ if !self.lists.is_empty() && self.text_follows_text() => ITEM_GAP,
            _ => GAP,
        };
        self.begin_piece(above);
        let room = (self.width - self.left).min(MAX_LINE);
        let size = self.measure(&mut text, room);
        self.piece(What::Text(text), size);
    }

    fn text_follows_text(&self) -> bool {
        matches!(
            self.pieces.last(),
            Some(Piece {
                what: What::Text(_),
                ..
            })
        )
    }

    pub(super) fn measure(&self, text: &mut Text, width: f32) -> Vec2 {
        text.order = order::cut(&mut text.job);
        text.job.wrap = if width.is_finite() {
            TextWrapping::wrap_at_width(width.max(24.0))
        } else {
            TextWrapping::no_max_width()
        };
        text.size = self
            .ui
            .fonts_mut(|fonts| fonts.layout_job(text.job.clone()))
            .size();
        if let Some(order) = &mut text.order {
            let room = if self.is_plain { f32::INFINITY } else { width };
            text.size.x = order.align(text.size.x, room);
        }
        text.size
    }

    /// Leaves space above the next piece, unless it is the first one.
    pub(super) fn begin_piece(&mut self, gap: f32) {
        // `flush` calls back with nothing left to put down.
        if !self.text.job.text.is_empty() && self.table.is_none() {
            self.flush();
        }
        if !std::mem::take(&mut self.beside_marker) && self.y > 0.0 {
            self.y += gap;
        }
    }

    pub(super) fn piece(&mut self, what: What, size: Vec2) {
        self.pieces.push(Piece {
            pos: pos2(self.left, self.y),
            what,
        });
        self.y += size.y;
    }

    pub(super) fn finish(self) -> Laid {
        let right = |piece: &Piece| match &piece.what {
            What::Text(text) => piece.pos.x + text.size.x,
            What::Grid { size, .. } => piece.pos.x + size.x,
            What::Code(nested) => piece.pos.x + nested.size.x,
            _ => piece.pos.x,
        };
        let width = self.pieces.iter().map(right).fold(0.0, f32::max);
        Laid {
            pieces: self.pieces,
            height: self.y.max(1.0),
            width,
        }
    }
}

fn is_break(html: &str) -> bool {
    let name = html
        .trim_start_matches('<')
        .trim_end_matches('>')
        .trim_end_matches('/')
        .trim();
    name.eq_ignore_ascii_case("br")
}

fn trim_end(job: &mut LayoutJob) {
    let len = job.text.trim_end_matches('\n').len();
    job.text.truncate(len);
    for section in &mut job.sections {
        let Range { start, end } = &mut section.byte_range;
        start.0 = start.0.min(len);
        end.0 = end.0.min(len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaks_are_breaks() {
        assert!(is_break("<br>") && is_break("<BR />") && is_break("<br/>") && !is_break("<b>"));
    }
}
