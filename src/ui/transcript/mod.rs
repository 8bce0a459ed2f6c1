//! A conversation of any length, at the price of what is visible of it.
//!
//! [`Transcript`] is a vertical list of [`Row`]s that the caller tells it about anew each frame, through a
//! [`RowSource`]: rows of text, which it splits, lays out and draws itself ([`blocks`], [`markdown`],
//! [`code`]), and rows of the caller's own. It remembers each row by its key.
//!
//! Only what is visible is laid out; what was never seen has an estimated height. Where an estimate above
//! the view gives way to the real height, the list scrolls by the difference, so that what is being read
//! stays where it is. At its end the list stays at its end, until the user scrolls up.

mod blocks;
mod code;
mod draw;
mod markdown;

use std::collections::HashMap;
use std::ops::Range;

use egui::{Id, Rect, ScrollArea, Stroke, TextStyle, Ui, UiBuilder, pos2, vec2};

use self::blocks::{Block, Blocks, Format, Kind};
use self::code::{Code, CodeState};
use self::markdown::{Ink, Laid};
use crate::ui::theme::{self, Tokens};

pub use self::code::wait_for_colors;

/// What the list asks its owner for.
pub trait RowSource {
    /// How many rows there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The row at `index`. Called for every row in every frame: it must cost next to nothing.
    fn row(&self, index: usize) -> Row<'_>;

    /// Draws the row at `index`, which said [`Body::Own`], into a `ui` of the list's width.
    ///
    /// Called only while it is visible; its height is what it took.
    fn draw(&mut self, index: usize, ui: &mut Ui);
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// What it is remembered by: the same in each frame, and another for each row.
    pub key: u64,
    /// The space above it.
    pub gap: f32,
    /// What is in it.
    pub body: Body<'a>,
}

/// What is in a row.
#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    /// The owner draws it. Until it was seen it is taken to be so high.
    Own {
        /// Its probable height.
        estimate: f32,
    },
    /// The list draws this text.
    Text {
        /// The whole text, however long; it may grow from frame to frame.
        text: &'a str,
        /// How it looks.
        tone: Tone,
        /// Whether more is about to arrive: a cursor stands at its end.
        growing: bool,
    },
}

/// How a text looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Markdown across the whole width.
    Answer,
    /// Markdown that is read second: dim, behind a bar.
    Reasoning,
    /// What the user said, as typed, in a bubble at the right.
    Prompt,
}

/// What became of the list in a frame.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    /// Whether its end is visible, and will stay so while it grows.
    pub at_end: bool,
    /// How many blocks of text are laid out.
    pub laid_out: usize,
}

/// The list's memory: one for each conversation on the screen.
pub struct Transcript {
    rows: Vec<RowState>,
    /// Where each row begins (its gap included), and where the last one ends.
    tops: Vec<f64>,
    layout: Option<Layout>,
    /// How far the list is scrolled, and whether it follows its end.
    offset: f64,
    follows: bool,
    /// Where the top of the view was when it was last drawn, in today's heights.
    drawn: f64,
    visible: Range<usize>,
    frame: u64,
    jump: Option<Jump>,
}

enum Jump {
    By(f32),
    To(u64),
}

struct RowState {
    key: u64,
    gap: f32,
    height: f32,
    len: usize,
    newlines: usize,
    /// Whether `height` is more than an estimate (own rows), or must be estimated anew.
    measured: bool,
    text: Option<Box<TextState>>,
}

struct TextState {
    tone: Tone,
    blocks: Blocks,
    states: Vec<BlockState>,
}

#[derive(Default)]
struct BlockState {
    /// The space above the block, and its height.
    gap: f32,
    height: f32,
    /// The length it was laid out at; none if the height is an estimate.
    len: Option<usize>,
    laid: Option<Laid>,
    code: Option<Box<CodeState>>,
    seen: u64,
}

/// What the height of a text depends on, besides the text.
#[derive(Clone, Copy, PartialEq)]
struct Layout {
    width: f32,
    pixels_per_point: f32,
    dark: bool,
    body: f32,
    monospace: f32,
}

impl Default for Transcript {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            tops: vec![0.0],
            layout: None,
            offset: 0.0,
            follows: true,
            drawn: 0.0,
            visible: 0..0,
            frame: 0,
            jump: None,
        }
    }
}

impl Transcript {
    /// Goes to the end and follows it from then on.
    pub fn jump_to_latest(&mut self) {
        self.follows = true;
    }

    /// Scrolls down by so many points; up if negative.
    pub fn scroll_by(&mut self, points: f32) {
        self.jump = Some(Jump::By(points));
    }

    /// Brings the row with this key to the top.
    pub fn scroll_to(&mut self, key: u64) {
        self.jump = Some(Jump::To(key));
    }

    /// Draws the rows in what room there is.
    pub fn show(&mut self, ui: &mut Ui, id: Id, source: &mut dyn RowSource) -> Shown {
        self.frame += 1;
        let bars = ui.spacing().scroll.floating_allocated_width;
        self.remember(ui, source, (ui.available_width() - bars).floor().max(80.0));
        self.apply_jump();

        let view = ui.available_height();
        if self.follows {
            self.offset = self.end(view);
        }
        let forced = self.offset as f32;
        let area = ScrollArea::vertical()
            .id_salt(id)
            .auto_shrink(false)
            .content_margin(0)
            .vertical_scroll_offset(forced);
        // The area knows the end of the last frame: it would spring back from where the end is now.
        let bounces = std::mem::replace(&mut ui.spacing_mut().scroll.kinetic.rubber_band, false);
        let output = area.show_viewport(ui, |ui, viewport| self.rows_ui(ui, id, viewport, source));
        ui.spacing_mut().scroll.kinetic.rubber_band = bounces;

        let end = self.end(output.inner_rect.height());
        let scrolled = output.state.clamped_offset().y - forced.clamp(0.0, end as f32);
        self.offset = (self.offset + f64::from(scrolled)).clamp(0.0, end);
        // Scrolling up lets go of the end; arriving there takes hold of it again.
        self.follows = if scrolled < -0.5 {
            false
        } else {
            self.follows || end - self.offset < 1.0 && self.jump.is_none()
        };
        if !self.follows && end - self.offset > JUMP_FROM && jump_button(ui, id, output.inner_rect)
        {
            self.follows = true;
            ui.ctx().request_repaint();
        }
        if self.frame.is_multiple_of(draw::FORGET_AFTER / 2) {
            self.forget();
        }
        Shown {
            at_end: self.follows,
            laid_out: self.laid_out(),
        }
    }

    fn end(&self, view: f32) -> f64 {
        (self.total() - f64::from(view)).max(0.0)
    }

    fn total(&self) -> f64 {
        self.tops.last().copied().unwrap_or(0.0)
    }

    fn apply_jump(&mut self) {
        match self.jump.take() {
            None => {}
            Some(Jump::By(points)) => {
                self.offset = (self.offset + f64::from(points)).max(0.0);
                self.follows = false;
            }
            Some(Jump::To(key)) => {
                if let Some(index) = self.find(key, 0) {
                    self.offset = self.tops[index];
                    self.follows = false;
                }
            }
        }
    }

    /// Takes note of the rows as they are now.
    fn remember(&mut self, ui: &Ui, source: &dyn RowSource, width: f32) {
        let size = |style: TextStyle| style.resolve(ui.style()).size;
        let layout = Layout {
            width,
            pixels_per_point: ui.pixels_per_point(),
            dark: ui.visuals().dark_mode,
            body: size(TextStyle::Body),
            monospace: size(TextStyle::Monospace),
        };
        let relaid = self.layout.replace(layout) != Some(layout);
        // What is read at the top stays at the top, whatever happened above it.
        let first = self.row_at(self.offset);
        let anchor = self
            .rows
            .get(first)
            .map(|row| (row.key, self.offset - self.tops[first], row.height));

        self.match_rows(source);
        let frame = self.frame;
        for (index, state) in self.rows.iter_mut().enumerate() {
            let row = source.row(index);
            state.gap = row.gap;
            if relaid {
                state.measured = false;
            }
            match row.body {
                Body::Own { estimate } => {
                    if !state.measured {
                        state.height = estimate;
                    }
                }
                Body::Text { text, tone, .. } => {
                    if relaid && let Some(text_state) = &mut state.text {
                        text_state.lay_out_anew(text, width);
                    }
                    if !state.measured || state.len != text.len() {
                        state.note(ui, text, tone, width, frame);
                    }
                }
            }
        }
        self.place();
        if let Some((key, into, height)) = anchor
            && let Some(index) = self.find(key, first)
        {
            let scale = if relaid {
                self.rows[index].height / height.max(1.0)
            } else {
                1.0
            };
            let offset = self.tops[index] + into * f64::from(scale);
            self.drawn += offset - self.offset;
            self.offset = offset;
        }
    }

    fn find(&self, key: u64, probably: usize) -> Option<usize> {
        let there = self.rows.get(probably).is_some_and(|row| row.key == key);
        if there {
            Some(probably)
        } else {
            self.rows.iter().position(|row| row.key == key)
        }
    }

    fn match_rows(&mut self, source: &dyn RowSource) {
        let len = source.len();
        let same = self
            .rows
            .iter()
            .enumerate()
            .take(len)
            .take_while(|&(i, r)| r.key == source.row(i).key)
            .count();
        if same < self.rows.len() {
            let mut rest: HashMap<u64, RowState> =
                self.rows.drain(same..).map(|row| (row.key, row)).collect();
            for index in same..len {
                let key = source.row(index).key;
                self.rows
                    .push(rest.remove(&key).unwrap_or_else(|| RowState::new(key)));
            }
        } else {
            self.rows
                .extend((same..len).map(|index| RowState::new(source.row(index).key)));
        }
    }

    fn place(&mut self) {
        self.tops.clear();
        self.tops.push(0.0);
        let mut top = 0.0;
        self.tops.extend(self.rows.iter().map(|row| {
            top += f64::from(row.gap + row.height);
            top
        }));
    }

    fn row_at(&self, y: f64) -> usize {
        self.tops.partition_point(|&top| top <= y).saturating_sub(1)
    }

    fn rows_ui(&mut self, ui: &mut Ui, id: Id, viewport: Rect, source: &mut dyn RowSource) {
        let view = viewport.height();
        // What was at the top of the view when it was last drawn is not to move, if it is still in view:
        // scrolling up, all that comes into view has an estimated height.
        let kept = self.drawn - self.offset;
        let kept = if (0.0..f64::from(view)).contains(&kept) {
            kept
        } else {
            0.0
        };
        self.visible = self.lay_out(ui, view, kept, source);
        ui.set_height(self.total() as f32);

        // The scroll area stands at the offset it was given before anything was laid out.
        let top = ui.max_rect().top() + viewport.top();
        let left = ui.max_rect().left();
        let width = self
            .layout
            .map_or(ui.available_width(), |layout| layout.width);
        let mut moved = 0.0;
        for index in self.visible.clone() {
            let y = top + (self.tops[index] - self.offset) as f32 + self.rows[index].gap;
            let row = source.row(index);
            let id = id.with(row.key);
            match row.body {
                Body::Text { text, growing, .. } => {
                    if let Some(state) = &mut self.rows[index].text {
                        let rect = Rect::from_min_size(pos2(left, y), vec2(width, state.height()));
                        state.draw(ui, id, rect, text, growing, self.frame);
                    }
                }
                Body::Own { .. } => {
                    let state = &mut self.rows[index];
                    let rect = Rect::from_min_size(pos2(left, y), vec2(width, state.height));
                    let mut child = ui.new_child(UiBuilder::new().max_rect(rect).scope_id(id));
                    source.draw(index, &mut child);
                    let height = child.min_rect().height();
                    if (height - state.height).abs() > 0.1 {
                        if self.tops[index] < self.offset + kept {
                            moved += f64::from(height - state.height);
                        }
                        state.height = height;
                        ui.ctx().request_repaint();
                    }
                    state.measured = true;
                }
            }
        }
        self.offset += moved;
        self.drawn = self.offset;
    }

    /// Lays out what is visible until nothing moves any more, and returns the visible rows.
    fn lay_out(&mut self, ui: &Ui, view: f32, kept: f64, source: &dyn RowSource) -> Range<usize> {
        let view = f64::from(view);
        let width = self.layout.map_or(0.0, |layout| layout.width);
        let mut rounds = 0;
        loop {
            if self.follows {
                self.offset = (self.total() - view).max(0.0);
            }
            let mut changed = false;
            let first = self.row_at(self.offset).min(self.rows.len());
            let mut top = self.tops.get(first).copied().unwrap_or(0.0);
            let mut end = first;
            while end < self.rows.len() && (top < self.offset + view || end == first) {
                let row = &mut self.rows[end];
                let before = row.height;
                if let Body::Text { text, tone, .. } = source.row(end).body {
                    let start = top + f64::from(row.gap);
                    let unseen = row.text.is_none();
                    let state = row
                        .text
                        .get_or_insert_with(|| Box::new(TextState::new(tone)));
                    state.read(text, width);
                    if unseen && top < self.offset + kept {
                        // Its blocks are estimated one by one from now on.
                        self.offset += f64::from(state.height() - before);
                    }
                    let (from, to) = (
                        (self.offset - start) as f32,
                        (self.offset + view - start) as f32,
                    );
                    let above = state.lay_out(ui, text, width, from..to, kept as f32, self.frame);
                    row.height = state.height();
                    self.offset += f64::from(above);
                    changed |= (row.height - before).abs() > 0.1;
                }
                top += f64::from(row.gap + row.height);
                end += 1;
            }
            if changed {
                self.place();
            }
            rounds += 1;
            if !changed || rounds == MOST_ROUNDS {
                if self.follows {
                    self.offset = (self.total() - view).max(0.0);
                }
                return first..end;
            }
        }
    }

    fn laid_out(&self) -> usize {
        let rows = self.rows.get(self.visible.clone()).unwrap_or_default();
        let blocks = rows
            .iter()
            .filter_map(|row| row.text.as_ref())
            .flat_map(|text| &text.states);
        blocks.filter(|block| block.seen == self.frame).count()
    }

    /// Frees what was not seen for a while; the heights stay.
    fn forget(&mut self) {
        let old = |block: &BlockState| block.seen + draw::FORGET_AFTER < self.frame;
        for text in self.rows.iter_mut().filter_map(|row| row.text.as_mut()) {
            for block in text.states.iter_mut().filter(|block| old(block)) {
                block.laid = None;
                block.code = None;
            }
        }
    }
}

/// Heights settle in two rounds, or three where an estimate was much too high.
const MOST_ROUNDS: usize = 8;
/// How far from the end the way back to it is offered.
const JUMP_FROM: f64 = 48.0;

fn jump_button(ui: &mut Ui, id: Id, view: Rect) -> bool {
    let size = vec2(124.0, 28.0);
    let rect = Rect::from_center_size(pos2(view.center().x, view.bottom() - 26.0), size);
    let mut child = ui.new_child(UiBuilder::new().max_rect(rect).scope_id(id.with("jump")));
    child
        .put(rect, egui::Button::new("Jump to latest"))
        .clicked()
}

impl RowState {
    fn new(key: u64) -> Self {
        Self {
            key,
            gap: 0.0,
            height: 0.0,
            len: 0,
            newlines: 0,
            measured: false,
            text: None,
        }
    }

    /// The text is new, has grown, or its room has changed.
    fn note(&mut self, ui: &Ui, text: &str, tone: Tone, width: f32, frame: u64) {
        match &mut self.text {
            // What was seen once is kept exact at the price of what was added.
            Some(state) => {
                state.read(text, width);
                state.lay_out_code(ui, text, width, frame);
                self.height = state.height();
            }
            None => {
                if text.len() != self.len {
                    self.newlines = markdown::newlines(text.as_bytes());
                }
                let inner = tone.inner(width);
                self.height = markdown::estimate_of(text.len(), self.newlines, inner.1)
                    + 2.0 * tone.padding();
            }
        }
        self.len = text.len();
        self.measured = true;
    }
}

impl Tone {
    fn format(self) -> Format {
        if self == Self::Prompt {
            Format::Plain
        } else {
            Format::Markdown
        }
    }

    fn ink(self) -> Ink {
        if self == Self::Reasoning {
            Ink::Dim
        } else {
            Ink::Text
        }
    }

    /// The space above and below the text.
    fn padding(self) -> f32 {
        if self == Self::Prompt { 8.0 } else { 0.0 }
    }

    /// Where the text begins, and how wide it is.
    fn inner(self, width: f32) -> (f32, f32) {
        match self {
            Self::Answer => (0.0, width),
            Self::Reasoning => (14.0, width - 14.0),
            Self::Prompt => {
                let left = (width * 0.2).floor();
                (left + 12.0, width - left - 24.0)
            }
        }
    }
}

impl TextState {
    fn new(tone: Tone) -> Self {
        Self {
            tone,
            blocks: Blocks::new(tone.format()),
            states: Vec::new(),
        }
    }

    /// All heights become estimates again.
    fn lay_out_anew(&mut self, text: &str, width: f32) {
        self.read(text, width);
        let width = self.tone.inner(width).1;
        for (block, state) in self.blocks.get().iter().zip(&mut self.states) {
            state.laid = None;
            state.len = None;
            state.height = markdown::estimate(text, block, width);
        }
    }

    /// Splits what was added into blocks and estimates the new ones.
    fn read(&mut self, text: &str, width: f32) {
        let changed = self.blocks.update(text);
        let blocks = self.blocks.get();
        let width = self.tone.inner(width).1;
        self.states.truncate(blocks.len());
        for index in changed.min(self.states.len())..blocks.len() {
            let block = &blocks[index];
            if index == self.states.len() {
                self.states.push(BlockState::default());
            }
            let state = &mut self.states[index];
            state.gap = if index == 0 {
                0.0
            } else {
                markdown::gap(&blocks[index - 1], block)
            };
            if !matches!(block.kind, Kind::Code(_)) {
                state.code = None;
            }
            if state.len == Some(block.range.len()) {
                continue;
            }
            // A height that was real once is the better estimate of what it became.
            state.laid = None;
            state.height = state.height.max(markdown::estimate(text, block, width));
            state.len = None;
        }
    }

    fn height(&self) -> f32 {
        self.states
            .iter()
            .map(|block| block.gap + block.height)
            .sum::<f32>()
            + 2.0 * self.tone.padding()
    }

    /// Lays out the blocks within `view`, given from the row's top.
    ///
    /// Returns by how much what begins above the line `kept` below the view's top became higher.
    fn lay_out(
        &mut self,
        ui: &Ui,
        text: &str,
        width: f32,
        view: Range<f32>,
        kept: f32,
        frame: u64,
    ) -> f32 {
        let mut above = 0.0;
        let mut top = self.tone.padding();
        for (block, state) in self.blocks.get().iter().zip(&mut self.states) {
            top += state.gap;
            // The view moves along with what it shows.
            if top >= view.end + above {
                break;
            }
            if top + state.height > view.start + above {
                let before = state.height;
                // What was just seen grows downwards.
                let unseen = state.seen + 1 < frame;
                state.lay_out(ui, text, block, self.tone, width, frame);
                if unseen && top < view.start + kept + above {
                    above += state.height - before;
                }
            }
            top += state.height;
        }
        above
    }

    /// The height of code is known without laying it out.
    fn lay_out_code(&mut self, ui: &Ui, text: &str, width: f32, frame: u64) {
        if let (Some(block), Some(state)) = (self.blocks.get().last(), self.states.last_mut())
            && matches!(block.kind, Kind::Code(_))
            && state.code.is_some()
        {
            let seen = state.seen;
            state.lay_out(ui, text, block, self.tone, width, frame);
            state.seen = seen;
        }
    }

    fn draw(&mut self, ui: &mut Ui, id: Id, rect: Rect, text: &str, growing: bool, frame: u64) {
        let tokens = Tokens::of(ui.style());
        let (min, width) = (rect.min, rect.width());
        let padding = self.tone.padding();
        let (left, inner) = self.tone.inner(width);
        let mut left = min.x + left;
        let height = rect.height();
        match self.tone {
            Tone::Answer => {}
            Tone::Reasoning => {
                let stroke = Stroke::new(2.0, tokens.line);
                ui.painter()
                    .vline(min.x + 4.0, min.y..=min.y + height, stroke);
            }
            Tone::Prompt => {
                // A bubble is as wide as what is in it, unless that is very long.
                let widest = match self.states.as_slice() {
                    [
                        BlockState {
                            laid: Some(laid), ..
                        },
                    ] => laid.width.ceil(),
                    _ => inner,
                };
                left = min.x + width - 12.0 - widest;
                let bubble = Rect::from_min_max(
                    pos2(left - 12.0, min.y),
                    pos2(min.x + width, min.y + height),
                );
                ui.painter()
                    .rect_filled(bubble, theme::CARD_ROUNDING, tokens.bubble);
            }
        }
        let clip = ui.clip_rect();
        let mut y = min.y + padding;
        let mut end = None;
        let last = self.states.len().saturating_sub(1);
        for (index, (block, state)) in self.blocks.get().iter().zip(&mut self.states).enumerate() {
            y += state.gap;
            if y > clip.bottom() {
                break;
            }
            if y + state.height >= clip.top() {
                let rect = Rect::from_min_size(pos2(left, y), vec2(inner, state.height));
                let drawn = state.draw(ui, id.with(block.range.start), rect, text, block, frame);
                end = drawn.filter(|_| index == last);
            }
            y += state.height;
        }
        if growing && let Some(end) = end {
            let cursor = Rect::from_center_size(end.center() + vec2(5.0, 0.0), vec2(7.0, 15.0));
            ui.painter().rect_filled(cursor, 1, tokens.text);
        }
    }
}

impl BlockState {
    fn lay_out(&mut self, ui: &Ui, text: &str, block: &Block, tone: Tone, width: f32, frame: u64) {
        self.seen = frame;
        let width = tone.inner(width).1;
        if let Kind::Code(fence) = &block.kind {
            if self.len != Some(block.range.len()) || self.code.is_none() {
                let code = Code {
                    text: &text[fence.body.clone()],
                    info: &text[fence.info.clone()],
                };
                self.height = self.code.get_or_insert_default().height(ui, code, width);
            }
        } else if self.laid.is_none() {
            let laid = Laid::new(ui, text, block, width, tone.ink());
            self.height = laid.height;
            self.laid = Some(laid);
        }
        self.len = Some(block.range.len());
    }

    fn draw(
        &mut self,
        ui: &mut Ui,
        id: Id,
        rect: Rect,
        text: &str,
        block: &Block,
        frame: u64,
    ) -> Option<Rect> {
        if let (Kind::Code(fence), Some(state)) = (&block.kind, &mut self.code) {
            let code = Code {
                text: &text[fence.body.clone()],
                info: &text[fence.info.clone()],
            };
            state.draw(ui, rect, id, code, frame);
            return None;
        }
        self.laid.as_mut()?.draw(ui, rect.min, id, frame)
    }
}

/// The head of a section that folds, such as an answer's reasoning: a row to be drawn by the owner.
///
/// `open` is turned over when it is clicked. It is [`FOLD_HEIGHT`] high.
pub fn fold_ui(ui: &mut Ui, open: &mut bool, title: &str) -> egui::Response {
    let tokens = Tokens::of(ui.style());
    let size = vec2(ui.available_width(), FOLD_HEIGHT);
    let (rect, mut response) = ui.allocate_exact_size(size, egui::Sense::click());
    if response.clicked() {
        *open = !*open;
        response.mark_changed();
    }
    response.widget_info(|| {
        egui::WidgetInfo::selected(egui::Role::Button, ui.is_enabled(), *open, title)
    });
    let fill = if response.hovered() {
        tokens.hover
    } else {
        tokens.raised
    };
    ui.painter().rect_filled(rect, theme::ROUNDING, fill);
    if response.has_focus() {
        let stroke = ui.visuals().widgets.active.bg_stroke;
        ui.painter()
            .rect_stroke(rect, theme::ROUNDING, stroke, egui::StrokeKind::Inside);
    }
    let center = pos2(rect.left() + 15.0, rect.center().y);
    let turn = if *open {
        egui::emath::Rot2::from_angle(std::f32::consts::FRAC_PI_2)
    } else {
        egui::emath::Rot2::IDENTITY
    };
    let corners =
        [vec2(-2.5, -4.0), vec2(3.0, 0.0), vec2(-2.5, 4.0)].map(|corner| center + turn * corner);
    ui.painter().add(egui::Shape::convex_polygon(
        corners.to_vec(),
        tokens.dim,
        Stroke::NONE,
    ));
    let font = TextStyle::Small.resolve(ui.style());
    ui.painter().text(
        pos2(rect.left() + 26.0, center.y),
        egui::Align2::LEFT_CENTER,
        title,
        font,
        tokens.dim,
    );
    response
}

/// How high [`fold_ui`] is.
pub const FOLD_HEIGHT: f32 = 28.0;
