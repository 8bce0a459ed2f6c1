//! Turns Markdown into the pieces of a [`Laid`] block.

use std::ops::Range;

use egui::text::{LayoutJob, TextFormat, TextWrapping};
use egui::{Align, Color32, FontFamily, FontId, Stroke, TextStyle, Ui, Vec2, pos2, vec2};
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::{GAP, INDENT, ITEM_GAP, Ink, Laid, Nested, Piece, Table, Text, What};
use crate::ui::theme::{self, Tokens};
use crate::ui::transcript::code::{Code, CodeState};
use crate::ui::transcript::draw::{self, Link};

pub(super) struct Builder<'u> {
    ui: &'u Ui,
    tokens: &'static Tokens,
    ink: Color32,
    pub(super) width: f32,
    /// The left end of what is being laid out, and where the next piece goes.
    pub(super) left: f32,
    pub(super) y: f32,
    pub(super) pieces: Vec<Piece>,
    text: Text,
    style: Inline,
    lists: Vec<Option<u64>>,
    /// For each item that is open: whether its first piece is still to come, directly beside its marker.
    beside_marker: bool,
    quotes: Vec<(usize, f32)>,
    link: Option<(usize, String)>,
    code: Option<(String, String)>,
    pub(super) table: Option<Table>,
}

#[derive(Clone, Copy, Default)]
struct Inline {
    strong: u32,
    emphasis: u32,
    strike: u32,
    heading: Option<HeadingLevel>,
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
            table: None,
        }
    }

    pub(super) fn plain(&mut self, text: &str) {
        self.push(text);
        self.flush();
    }

    pub(super) fn markdown(&mut self, source: &str, number: Option<u64>) {
        let options = Options::ENABLE_TABLES
            | Options::ENABLE_STRIKETHROUGH
            | Options::ENABLE_TASKLISTS
            | Options::ENABLE_FOOTNOTES;
        let mut number = number;
        for event in Parser::new_ext(source, options) {
            match event {
                Event::Start(Tag::List(Some(first))) => {
                    self.lists.push(Some(number.take().unwrap_or(first)))
                }
                Event::Start(tag) => self.start(tag),
                Event::End(tag) => self.end(tag),
                Event::Text(text) => match &mut self.code {
                    Some((code, _)) => code.push_str(&text),
                    None => self.push(&text),
                },
                Event::Code(code) => self.push_as(&code, self.code_format()),
                Event::Html(html) => self.push_as(&html, self.code_format()),
                Event::InlineHtml(html) if is_break(&html) => self.push("\n"),
                Event::InlineHtml(html) => self.push_as(&html, self.code_format()),
                Event::InlineMath(math) | Event::DisplayMath(math) => {
                    self.push_as(&math, self.code_format())
                }
                Event::FootnoteReference(name) => self.push(&format!("[{name}]")),
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

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph | Tag::HtmlBlock => self.flush(),
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
                self.push(&format!("[{name}] "));
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
            Tag::Link { dest_url, .. } => self.link = Some((self.text.chars, dest_url.to_string())),
            Tag::Image { dest_url, .. } => {
                self.link = Some((self.text.chars, dest_url.to_string()));
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
            TagEnd::Link | TagEnd::Image => {
                if let Some((start, url)) = self.link.take() {
                    let chars = start..self.text.chars;
                    if draw::opens(&url) && !chars.is_empty() {
                        self.text.links.push(Link { chars, url });
                    } else if !url.is_empty() {
                        // Not to be opened from here, but not hidden either.
                        self.push(&format!(" ({url})"));
                    }
                }
            }
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

    fn push(&mut self, text: &str) {
        self.push_as(text, self.format());
    }

    fn push_as(&mut self, text: &str, format: TextFormat) {
        let text = text.replace('\r', "");
        self.text.chars += text.chars().count();
        self.text.job.append(&text, 0.0, format);
    }

    fn format(&self) -> TextFormat {
        let Inline {
            strong,
            emphasis,
            strike,
            heading,
        } = self.style;
        let size = match heading {
            Some(HeadingLevel::H1) => 19.0,
            Some(HeadingLevel::H2) => 17.0,
            Some(HeadingLevel::H3) => 15.0,
            Some(_) | None => self.size(),
        };
        let bold = strong > 0 || heading.is_some();
        let family = if bold {
            theme::semibold()
        } else {
            FontFamily::Proportional
        };
        let linked = self.link.as_ref().is_some_and(|(_, url)| draw::opens(url));
        let color = if linked { self.tokens.accent } else { self.ink };
        let stroke = |on: bool| {
            if on {
                Stroke::new(1.0, color)
            } else {
                Stroke::NONE
            }
        };
        TextFormat {
            font_id: FontId::new(size, family),
            line_height: Some((size * 1.5).round()),
            color,
            italics: emphasis > 0,
            strikethrough: stroke(strike > 0),
            valign: Align::Center,
            ..TextFormat::default()
        }
    }

    fn code_format(&self) -> TextFormat {
        let format = self.format();
        TextFormat {
            font_id: FontId::monospace(format.font_id.size - 1.0),
            line_height: Some(format.font_id.size + 4.0),
            background: self.tokens.raised,
            expand_bg: 1.0,
            ..format
        }
    }

    fn size(&self) -> f32 {
        TextStyle::Body.resolve(self.ui.style()).size
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
        let size = self.measure(&mut text, self.width - self.left);
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
        text.job.wrap = if width.is_finite() {
            TextWrapping::wrap_at_width(width.max(24.0))
        } else {
            TextWrapping::no_max_width()
        };
        text.size = self
            .ui
            .fonts_mut(|fonts| fonts.layout_job(text.job.clone()))
            .size();
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
