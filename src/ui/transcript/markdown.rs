//! One block of Markdown: what it is made of, where each piece of it stands, and how it is drawn.
//!
//! Nothing is ever fetched: an image becomes a link to it, HTML is shown as it was written, and so is LaTeX that one
//! line of Unicode cannot say.

mod builder;
mod inline;
mod latex;
mod math;
mod table;
mod words;

use egui::text::LayoutJob;
use egui::{Id, Pos2, Rect, Stroke, Ui, Vec2, vec2};
use pulldown_cmark::Alignment;

use self::builder::Builder;
use super::blocks::{Block, Kind};
use super::code::{Code, CodeState};
use super::draw::{self, Link};
use super::order::Order;
use crate::ui::theme::{self, Tokens};

/// Between a paragraph and what follows it.
const GAP: f32 = 10.0;
/// Between the items of a list.
const ITEM_GAP: f32 = 4.0;
/// How far a list's text stands to the right of its marker's left.
const INDENT: f32 = 24.0;
const CELL: Vec2 = vec2(10.0, 6.0);
const BODY_LINE: f32 = 20.0;
/// How wide a letter is on average.
const LETTER: f32 = 6.6;
/// Longer lines are hard to read: 90 letters. Code and tables may be wider.
const MAX_LINE: f32 = 90.0 * LETTER;

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
    /// In which order its words stand, where some are read from the right.
    order: Option<Order>,
    size: Vec2,
}

/// The cells of a table, row by row.
struct Table {
    alignments: Vec<Alignment>,
    rows: Vec<Vec<Text>>,
}

/// Code inside a list or a quotation; code at the top is a block of its own.
struct Nested {
    text: String,
    info: String,
    size: Vec2,
    state: CodeState,
}

/// The strength of a text's colour: normal, or dim for text of second rank.
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
                    let galley = draw::label(ui, id, pos, text.job.clone(), text.order.as_mut());
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
    let per_line = (width.min(MAX_LINE) / LETTER).max(8.0);
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
    let per_line = (width.min(MAX_LINE) / LETTER).max(8.0);
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
