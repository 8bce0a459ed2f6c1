//! The list's memory of one row.

use egui::Ui;

use super::text::TextState;
use super::{Tone, markdown};

pub(super) struct RowState {
    pub(super) key: u64,
    pub(super) gap: f32,
    pub(super) height: f32,
    pub(super) len: usize,
    newlines: usize,
    /// Whether `height` is more than an estimate (own rows), or must be estimated anew.
    pub(super) measured: bool,
    pub(super) text: Option<Box<TextState>>,
}

impl RowState {
    pub(super) fn new(key: u64) -> Self {
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
    pub(super) fn note(&mut self, ui: &Ui, text: &str, tone: Tone, width: f32, frame: u64) {
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
