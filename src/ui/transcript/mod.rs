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
mod colors;
mod draw;
mod fold;
mod markdown;
mod order;
mod row;
mod text;

use std::collections::HashMap;
use std::ops::Range;

use egui::{Id, Rect, ScrollArea, TextStyle, Ui, UiBuilder, pos2, vec2};

use self::row::RowState;
use self::text::{BlockState, TextState};

pub use self::colors::wait_for_colors;
pub use self::fold::{FOLD_HEIGHT, fold_ui};

/// The source of the rows: the owner of the list.
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
    /// Identifies the row: the same in each frame, and unique in the list.
    pub key: u64,
    /// The space above it.
    pub gap: f32,
    /// Its content.
    pub body: Body<'a>,
}

/// The content of a row.
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
    /// The user's message, as typed, in a bubble at the right.
    Prompt,
}

/// The list's state after a frame.
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
    /// How far the rows stand from the left of the room there is for them.
    left: f32,
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

/// The inputs that a text's height depends on, besides the text.
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
            left: 0.0,
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
        let room = (ui.available_width() - bars).floor().max(80.0);
        let width = room.min(MAX_WIDTH);
        self.left = ((room - width) / 2.0).floor();
        self.remember(ui, source, width);
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
        let left = ui.max_rect().left() + self.left;
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
            if !changed || rounds == MAX_ROUNDS {
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

/// In wider views the rows stand in the middle.
const MAX_WIDTH: f32 = 800.0;
/// Heights settle in two rounds, or three where an estimate was much too high.
const MAX_ROUNDS: usize = 8;
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
