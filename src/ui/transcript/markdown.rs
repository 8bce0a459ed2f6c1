//! One block of Markdown: what it is made of, where each piece of it stands, and how it is drawn.
//!
//! Nothing is ever fetched: an image becomes a link to it, HTML is shown as it was written.

use std::ops::Range;

use egui::text::{LayoutJob, TextFormat, TextWrapping};
use egui::{
    Align, Color32, FontFamily, FontId, Id, Pos2, Rect, Stroke, TextStyle, Ui, Vec2, pos2, vec2,
};
use pulldown_cmark::{Alignment, CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::blocks::{Block, Kind};
use super::code::{Code, CodeState};
use super::draw::{self, Link};
use crate::ui::theme::{self, Tokens};

/// Between a paragraph and what follows it.
const GAP: f32 = 10.0;
/// Between the items of a list.
const ITEM_GAP: f32 = 4.0;
/// How far a list's text stands to the right of its marker's left.
const INDENT: f32 = 24.0;
const CELL: Vec2 = vec2(10.0, 6.0);
const BODY_LINE: f32 = 20.0;

/// A block that is laid out for one width.
pub(super) struct Laid {
    pieces: Vec<Piece>,
    pub height: f32,
    pub width: f32,
}

struct Piece {
    pos: Pos2,
    what: What,
}

enum What {
    Text(Text),
    /// A list's marker: seen, not selected.
    Marker(LayoutJob),
    Check(bool),
    Rule(f32),
    /// The bar of a quotation, this high.
    Bar(f32),
    Code(Box<Nested>),
    /// A table's outline, with the height of its header and the bottoms of its rows.
    Grid {
        size: Vec2,
        header: f32,
        rows: Vec<f32>,
    },
}

#[derive(Default)]
struct Text {
    job: LayoutJob,
    links: Vec<Link>,
    chars: usize,
    /// Shift to the right within a table's cell.
    size: Vec2,
}

/// Code inside a list or a quotation; code at the top is a block of its own.
struct Nested {
    text: String,
    info: String,
    size: Vec2,
    state: CodeState,
}

/// Which text: what is read, or what is read second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Ink {
    Text,
    Dim,
}

impl Laid {
    /// Lays out a block of `text` that is no fenced code.
    pub(super) fn new(ui: &Ui, text: &str, block: &Block, width: f32, ink: Ink) -> Self {
        let source = &text[block.range.clone()];
        let mut builder = Builder::new(ui, width, ink);
        match &block.kind {
            Kind::Plain => builder.plain(source.trim_end_matches(['\n', '\r'])),
            Kind::MoreTable(head) => {
                builder.markdown(&[&text[head.clone()], source].concat(), None)
            }
            Kind::Item { number } => builder.markdown(source, *number),
            Kind::Flow | Kind::More | Kind::Code(_) => builder.markdown(source, None),
        }
        builder.finish()
    }

    /// Draws the block with its upper left corner at `min`, and returns the end of its last text.
    pub(super) fn draw(&mut self, ui: &mut Ui, min: Pos2, id: Id, frame: u64) -> Option<Rect> {
        let tokens = Tokens::of(ui.style());
        let line = Stroke::new(1.0, tokens.line);
        let mut end = None;
        for (index, piece) in self.pieces.iter_mut().enumerate() {
            let pos = min + piece.pos.to_vec2();
            let id = id.with(index);
            match &mut piece.what {
                What::Text(text) => {
                    if !ui.is_rect_visible(Rect::from_min_size(pos, text.size)) {
                        continue;
                    }
                    let galley = draw::label(ui, id, pos, text.job.clone());
                    draw::links(ui, id, pos, &galley, &text.links);
                    end = Some(
                        galley
                            .pos_from_cursor(galley.end())
                            .translate(pos.to_vec2()),
                    );
                }
                What::Marker(job) => {
                    let galley = ui.fonts_mut(|fonts| fonts.layout_job(job.clone()));
                    ui.painter()
                        .galley(pos - vec2(galley.size().x, 0.0), galley, tokens.dim);
                }
                What::Check(done) => check(ui, pos, *done, id),
                What::Rule(width) => {
                    ui.painter().hline(pos.x..=pos.x + *width, pos.y, line);
                }
                What::Bar(height) => {
                    ui.painter().vline(
                        pos.x,
                        pos.y..=pos.y + *height,
                        Stroke::new(3.0, tokens.line_strong),
                    );
                }
                What::Code(nested) => {
                    let rect = Rect::from_min_size(pos, nested.size);
                    if ui.is_rect_visible(rect) {
                        let code = Code {
                            text: &nested.text,
                            info: &nested.info,
                        };
                        nested.state.draw(ui, rect, id, code, frame);
                    }
                }
                What::Grid { size, header, rows } => {
                    let rect = Rect::from_min_size(pos, *size);
                    let head = Rect::from_min_size(pos, vec2(size.x, *header));
                    ui.painter()
                        .rect_filled(head, theme::ROUNDING, tokens.raised);
                    for row in rows {
                        ui.painter().hline(rect.x_range(), pos.y + *row, line);
                    }
                    ui.painter()
                        .rect_stroke(rect, theme::ROUNDING, line, egui::StrokeKind::Inside);
                }
            }
        }
        end
    }
}

fn check(ui: &Ui, pos: Pos2, done: bool, id: Id) {
    let tokens = Tokens::of(ui.style());
    let rect = Rect::from_min_size(pos + vec2(-18.0, 3.0), Vec2::splat(13.0));
    let response = ui.interact(rect, id, egui::Sense::hover());
    let name = if done { "Done" } else { "To do" };
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, ui.is_enabled(), name));
    ui.painter().rect_stroke(
        rect,
        3,
        Stroke::new(1.0, tokens.line_strong),
        egui::StrokeKind::Inside,
    );
    if done {
        let at = |x, y| rect.min + vec2(x, y);
        let mark = vec![at(3.0, 6.5), at(5.5, 9.5), at(10.0, 3.5)];
        ui.painter().line(mark, Stroke::new(1.5, tokens.accent));
    }
}

/// The height a block that was never laid out is taken to have.
pub(super) fn estimate(text: &str, block: &Block, width: f32) -> f32 {
    let source = &text.as_bytes()[block.range.clone()];
    let per_line = (width / 6.6).max(8.0);
    match &block.kind {
        Kind::Plain => estimate_of(source.len(), newlines(source), width),
        Kind::Code(fence) => newlines(&text.as_bytes()[fence.body.clone()]) as f32 * 16.0 + 44.0,
        // A table's lines are its rows.
        Kind::MoreTable(_) => (newlines(source) + 1) as f32 * 32.0,
        _ if source.starts_with(b"|") => newlines(source) as f32 * 32.0,
        _ => (source.len() as f32 / per_line).ceil().max(1.0) * BODY_LINE,
    }
}

/// The height of a text of so many bytes and line ends, taken as a whole.
pub(super) fn estimate_of(len: usize, newlines: usize, width: f32) -> f32 {
    let per_line = (width / 6.6).max(8.0);
    // A line end costs half a line on average: it leaves the line before it unfilled.
    (len as f32 / per_line + 0.5 * newlines as f32)
        .ceil()
        .max(1.0)
        * BODY_LINE
}

pub(super) fn newlines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&b| b == b'\n').count()
}

/// The space between two blocks.
pub(super) fn gap(above: &Block, below: &Block) -> f32 {
    match (&above.kind, &below.kind) {
        (_, Kind::More | Kind::Plain) => 0.0,
        (Kind::Item { .. }, Kind::Item { .. }) => ITEM_GAP,
        _ => GAP,
    }
}

struct Builder<'u> {
    ui: &'u Ui,
    tokens: &'static Tokens,
    ink: Color32,
    width: f32,
    /// The left end of what is being laid out, and where the next piece goes.
    left: f32,
    y: f32,
    pieces: Vec<Piece>,
    text: Text,
    style: Inline,
    lists: Vec<Option<u64>>,
    /// For each item that is open: whether its first piece is still to come, directly beside its marker.
    beside_marker: bool,
    quotes: Vec<(usize, f32)>,
    link: Option<(usize, String)>,
    code: Option<(String, String)>,
    table: Option<Table>,
}

#[derive(Clone, Copy, Default)]
struct Inline {
    strong: u32,
    emphasis: u32,
    strike: u32,
    heading: Option<HeadingLevel>,
}

struct Table {
    alignments: Vec<Alignment>,
    rows: Vec<Vec<Text>>,
}

impl<'u> Builder<'u> {
    fn new(ui: &'u Ui, width: f32, ink: Ink) -> Self {
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

    fn plain(&mut self, text: &str) {
        self.push(text);
        self.flush();
    }

    fn markdown(&mut self, source: &str, number: Option<u64>) {
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

    fn end_table(&mut self) {
        let Some(mut table) = self.table.take() else {
            return;
        };
        self.begin_piece(GAP);
        let columns = table.rows.iter().map(Vec::len).max().unwrap_or(0);
        if columns == 0 {
            return;
        }
        let mut natural = vec![0.0_f32; columns];
        for row in &mut table.rows {
            for (cell, width) in row.iter_mut().zip(&mut natural) {
                *width = width.max(self.measure(cell, f32::INFINITY).x);
            }
        }
        let room = self.width - self.left - columns as f32 * 2.0 * CELL.x;
        let widths = share(&natural, room.max(columns as f32 * 24.0));

        let top = self.y;
        let mut bottoms = Vec::with_capacity(table.rows.len());
        let mut cells = Vec::new();
        let mut y = 0.0;
        for row in table.rows {
            let mut x = self.left + CELL.x;
            let mut height: f32 = 0.0;
            for (column, mut cell) in row.into_iter().enumerate() {
                let width = widths[column];
                let size = self.measure(&mut cell, width.ceil() + 1.0);
                height = height.max(size.y);
                let slack = (width - size.x).max(0.0);
                let shift = match table.alignments.get(column) {
                    Some(Alignment::Right) => slack,
                    Some(Alignment::Center) => slack / 2.0,
                    _ => 0.0,
                };
                cells.push(Piece {
                    pos: pos2(x + shift, top + y + CELL.y),
                    what: What::Text(cell),
                });
                x += width + 2.0 * CELL.x;
            }
            y += height + 2.0 * CELL.y;
            bottoms.push(y);
        }
        bottoms.pop();
        let size = vec2(
            widths.iter().sum::<f32>() + columns as f32 * 2.0 * CELL.x,
            y,
        );
        let header = bottoms.first().copied().unwrap_or(y);
        self.piece(
            What::Grid {
                size,
                header,
                rows: bottoms,
            },
            size,
        );
        self.pieces.append(&mut cells);
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

    fn measure(&self, text: &mut Text, width: f32) -> Vec2 {
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
    fn begin_piece(&mut self, gap: f32) {
        // `flush` calls back with nothing left to put down.
        if !self.text.job.text.is_empty() && self.table.is_none() {
            self.flush();
        }
        if !std::mem::take(&mut self.beside_marker) && self.y > 0.0 {
            self.y += gap;
        }
    }

    fn piece(&mut self, what: What, size: Vec2) {
        self.pieces.push(Piece {
            pos: pos2(self.left, self.y),
            what,
        });
        self.y += size.y;
    }

    fn finish(self) -> Laid {
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

/// Gives each column what it wants, and when that is too much, the narrow ones first.
fn share(wanted: &[f32], room: f32) -> Vec<f32> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|&a, &b| wanted[a].total_cmp(&wanted[b]));
    let mut given = vec![0.0; wanted.len()];
    let mut left = room;
    for (taken, &column) in order.iter().enumerate() {
        let fair = left / (wanted.len() - taken) as f32;
        given[column] = wanted[column].min(fair);
        left -= given[column];
    }
    given
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrow_columns_keep_what_they_need() {
        assert_eq!(share(&[10.0, 20.0], 100.0), [10.0, 20.0]);
        assert_eq!(share(&[10.0, 500.0, 300.0], 110.0), [10.0, 50.0, 50.0]);
    }

    #[test]
    fn breaks_are_breaks() {
        assert!(is_break("<br>") && is_break("<BR />") && is_break("<br/>") && !is_break("<b>"));
    }
}
