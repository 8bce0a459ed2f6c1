//! A row of text as a list of blocks: what is known of the height of each, and how the visible ones are drawn.

use std::ops::Range;

use egui::{Id, Rect, Stroke, Ui, pos2, vec2};

use super::Tone;
use super::blocks::{Block, Blocks, Format, Kind};
use super::code::{Code, CodeState};
use super::markdown::{self, Ink, Laid};
use crate::ui::theme::{self, Tokens};

pub(super) struct TextState {
    tone: Tone,
    blocks: Blocks,
    pub(super) states: Vec<BlockState>,
}

#[derive(Default)]
pub(super) struct BlockState {
    /// The space above the block, and its height.
    gap: f32,
    height: f32,
    /// The length it was laid out at; none if the height is an estimate.
    len: Option<usize>,
    pub(super) laid: Option<Laid>,
    pub(super) code: Option<Box<CodeState>>,
    pub(super) seen: u64,
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
    pub(super) fn padding(self) -> f32 {
        if self == Self::Prompt { 8.0 } else { 0.0 }
    }

    /// Where the text begins, and how wide it is.
    pub(super) fn inner(self, width: f32) -> (f32, f32) {
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
    pub(super) fn new(tone: Tone) -> Self {
        Self {
            tone,
            blocks: Blocks::new(tone.format()),
            states: Vec::new(),
        }
    }

    /// All heights become estimates again.
    pub(super) fn lay_out_anew(&mut self, text: &str, width: f32) {
        self.read(text, width);
        let width = self.tone.inner(width).1;
        for (block, state) in self.blocks.get().iter().zip(&mut self.states) {
            state.laid = None;
            state.len = None;
            state.height = markdown::estimate(text, block, width);
        }
    }

    /// Splits what was added into blocks and estimates the new ones.
    pub(super) fn read(&mut self, text: &str, width: f32) {
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

    pub(super) fn height(&self) -> f32 {
        self.states
            .iter()
            .map(|block| block.gap + block.height)
            .sum::<f32>()
            + 2.0 * self.tone.padding()
    }

    /// Lays out the blocks within `view`, given from the row's top.
    ///
    /// Returns by how much what begins above the line `kept` below the view's top became higher.
    pub(super) fn lay_out(
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
    pub(super) fn lay_out_code(&mut self, ui: &Ui, text: &str, width: f32, frame: u64) {
        if let (Some(block), Some(state)) = (self.blocks.get().last(), self.states.last_mut())
            && matches!(block.kind, Kind::Code(_))
            && state.code.is_some()
        {
            let seen = state.seen;
            state.lay_out(ui, text, block, self.tone, width, frame);
            state.seen = seen;
        }
    }

    pub(super) fn draw(
        &mut self,
        ui: &mut Ui,
        id: Id,
        rect: Rect,
        text: &str,
        growing: bool,
        frame: u64,
    ) {
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
