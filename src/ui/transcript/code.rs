//! A block of code: its language, a button that copies it, and its lines, of which only the visible ones
//! are laid out. Colours are worked out on a thread of their own and arrive when they are ready, so
//! no frame waits for them.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use egui::text::{ByteIndex, LayoutJob, LayoutSection, TextFormat, TextWrapping};
use egui::{
    Align2, Button, Color32, FontId, Id, Rect, ScrollArea, TextStyle, Ui, UiBuilder, pos2, vec2,
};

use parking_lot::Mutex;

use super::colors::{Colors, Highlighter, Job, language};
use super::draw;
use crate::ui::theme::{self, Tokens};

/// How many lines are coloured and laid out together.
const CHUNK: usize = 24;
/// How many lines before a chunk are read with it, so that a string or comment begun there is known.
const CONTEXT: usize = 48;
/// A longer line is shown on several.
const LONG_LINE: usize = 300;

const HEADER: f32 = 32.0;
const PADDING: f32 = 12.0;
const SCROLL_BAR: f32 = 12.0;

/// The state of a code block between frames.
#[derive(Default)]
pub(super) struct CodeState {
    /// Where each shown line starts in the code.
    lines: Vec<usize>,
    /// The longest line, in columns.
    columns: usize,
    len: usize,
    chunks: HashMap<usize, Chunk>,
}

#[derive(Default)]
struct Chunk {
    colors: Arc<Mutex<Colors>>,
    seen: u64,
}

/// A code block as it is now.
#[derive(Clone, Copy)]
pub(super) struct Code<'a> {
    pub text: &'a str,
    pub info: &'a str,
}

impl CodeState {
    /// Takes note of what was added to `code`, and says how high it is at `width`.
    pub(super) fn height(&mut self, ui: &Ui, code: Code<'_>, width: f32) -> f32 {
        self.read(code.text);
        let (row, column) = cell(ui);
        let scrolls = self.columns as f32 * column > width - 2.0 * PADDING;
        HEADER
            + self.lines.len().max(1) as f32 * row
            + PADDING
            + if scrolls { SCROLL_BAR } else { 0.0 }
    }

    fn read(&mut self, text: &str) {
        if text.len() < self.len {
            *self = Self::default();
        } else if text.len() == self.len {
            return;
        }
        // The last line may have grown.
        let mut start = self.lines.pop().unwrap_or(0);
        while start < text.len() {
            let rest = &text.as_bytes()[start..];
            let end = match rest.iter().take(LONG_LINE).position(|&b| b == b'\n') {
                Some(end) => start + end + 1,
                None if rest.len() > LONG_LINE => text.floor_char_boundary(start + LONG_LINE),
                None => text.len(),
            };
            let line = &text[start..end];
            let columns = line.chars().map(columns_of).sum();
            self.columns = self.columns.max(columns);
            self.lines.push(start);
            start = end;
        }
        self.len = text.len();
    }

    /// Draws the block into `rect`, which is as high as [`Self::height`] said.
    pub(super) fn draw(&mut self, ui: &mut Ui, rect: Rect, id: Id, code: Code<'_>, frame: u64) {
        let tokens = Tokens::of(ui.style());
        ui.painter().rect(
            rect,
            theme::ROUNDING,
            tokens.code,
            egui::Stroke::new(1.0, tokens.line),
            egui::StrokeKind::Inside,
        );
        let (header, body) = rect.split_top_bottom_at_y(rect.top() + HEADER);
        header_ui(ui, header, id, code);

        let row = cell(ui).0;
        let body = body.shrink2(vec2(PADDING, 0.0));
        let size = vec2(
            self.columns as f32 * cell(ui).1,
            self.lines.len() as f32 * row,
        );
        if size.x <= body.width() {
            return self.lines_ui(ui, body.min, row, id, code, frame);
        }
        let mut child = ui.new_child(UiBuilder::new().max_rect(body).scope_id(id.with("code")));
        child.shrink_clip_rect(body);
        ScrollArea::horizontal()
            .id_salt("lines")
            .auto_shrink(false)
            .show(&mut child, |ui| {
                let (rect, _) = ui.allocate_exact_size(size, egui::Sense::hover());
                self.lines_ui(ui, rect.min, row, id, code, frame);
            });
    }

    fn lines_ui(&mut self, ui: &Ui, min: egui::Pos2, row: f32, id: Id, code: Code<'_>, frame: u64) {
        let clip = ui.clip_rect();
        let line_at = |y: f32| ((y - min.y) / row).max(0.0) as usize;
        let first = line_at(clip.top()) / CHUNK;
        let last = line_at(clip.bottom()).min(self.lines.len().saturating_sub(1)) / CHUNK;
        for index in first..=last {
            let lines = index * CHUNK..((index + 1) * CHUNK).min(self.lines.len());
            if lines.is_empty() {
                break;
            }
            let job = self.chunk_job(ui, index, lines.clone(), code, frame);
            let pos = pos2(min.x, min.y + lines.start as f32 * row);
            draw::label(ui, id.with(index), pos, job, None);
        }
        self.chunks
            .retain(|_, chunk| frame < chunk.seen + draw::FORGET_AFTER);
    }

    fn chunk_job(
        &mut self,
        ui: &Ui,
        index: usize,
        lines: Range<usize>,
        code: Code<'_>,
        frame: u64,
    ) -> LayoutJob {
        let offset = |line: usize| self.lines.get(line).copied().unwrap_or(code.text.len());
        let range = offset(lines.start)..offset(lines.end);
        let before = offset(lines.start.saturating_sub(CONTEXT))..range.start;
        let text = code.text[range].trim_end_matches(['\n', '\r']);

        let tokens = Tokens::of(ui.style());
        let font = TextStyle::Monospace.resolve(ui.style());
        let chunk = self.chunks.entry(index).or_default();
        chunk.seen = frame;
        let broken = lines
            .clone()
            .skip(1)
            .any(|line| !code.text[..offset(line)].ends_with('\n'));
        if broken || text.contains('\r') {
            // Lines that are broken to be shown are no longer what a syntax knows.
            let lines = lines.map(|line| {
                code.text[offset(line)..offset(line + 1)].trim_end_matches(['\n', '\r'])
            });
            return colored(
                &lines.collect::<Vec<_>>().join("\n"),
                &[],
                &font,
                tokens.text,
            );
        }
        let mut colors = chunk.colors.lock();
        let wanted = (tokens.dark, text.len());
        if colors.asked.is_none()
            && (colors.dark, colors.len) != wanted
            && !text.is_empty()
            && let Some(language) = language(code.info)
        {
            colors.asked = Some(wanted);
            Highlighter::of(ui.ctx()).ask(Job {
                language: language.to_owned(),
                text: [&code.text[before.clone()], text].concat(),
                skip: before.len(),
                dark: tokens.dark,
                answer: Arc::clone(&chunk.colors),
                ctx: ui.ctx().clone(),
            });
        }
        let runs = if colors.dark == tokens.dark {
            colors.runs.as_slice()
        } else {
            &[]
        };
        colored(text, runs, &font, tokens.text)
    }
}

/// The text in the colours that are known, the rest of it in `plain`.
fn colored(text: &str, runs: &[(usize, Color32)], font: &FontId, plain: Color32) -> LayoutJob {
    let mut sections = Vec::with_capacity(runs.len() + 1);
    let mut start: usize = 0;
    for &(len, color) in runs.iter().chain([&(usize::MAX, plain)]) {
        let end = start.saturating_add(len).min(text.len());
        // The text may be another than the one that was coloured, until its own colours arrive.
        if end <= start || !text.is_char_boundary(end) {
            continue;
        }
        sections.push(LayoutSection {
            leading_space: 0.0,
            byte_range: ByteIndex(start)..ByteIndex(end),
            format: TextFormat::simple(font.clone(), color),
        });
        start = end;
    }
    LayoutJob {
        text: text.to_owned(),
        sections,
        wrap: TextWrapping::no_max_width(),
        ..LayoutJob::default()
    }
}

fn header_ui(ui: &mut Ui, rect: Rect, id: Id, code: Code<'_>) {
    if !ui.is_rect_visible(rect) {
        return;
    }
    let tokens = Tokens::of(ui.style());
    let rect = rect.shrink2(vec2(PADDING, 4.0));
    let name = code
        .info
        .split_whitespace()
        .next()
        .filter(|name| name.len() < 40)
        .unwrap_or("code");
    ui.painter().text(
        rect.left_center(),
        Align2::LEFT_CENTER,
        name,
        TextStyle::Small.resolve(ui.style()),
        tokens.faint,
    );
    let layout = egui::Layout::right_to_left(egui::Align::Center);
    let mut child = ui.new_child(
        UiBuilder::new()
            .max_rect(rect)
            .layout(layout)
            .scope_id(id.with("header")),
    );
    child.style_mut().spacing.button_padding = vec2(8.0, 2.0);
    child.style_mut().spacing.interact_size.y = 20.0;
    let copied = id.with("copied");
    let now = ui.input(|input| input.time);
    let until: f64 = ui.data(|data| data.get_temp(copied)).unwrap_or(0.0);
    let shown = now < until;
    let text = if shown { "Copied" } else { "Copy code" };
    let button =
        Button::new(egui::RichText::new(text).small().color(tokens.dim)).frame_when_inactive(false);
    if child.add(button).clicked() {
        ui.copy_text(code.text.to_owned());
        ui.data_mut(|data| data.insert_temp(copied, now + COPIED_FOR));
        ui.ctx().request_repaint_after_secs(COPIED_FOR as f32);
    }
}

/// How long the button says that it copied, in seconds.
const COPIED_FOR: f64 = 1.5;

/// How wide a character is, in columns, so that nothing at the right is cut off.
fn columns_of(c: char) -> usize {
    match c {
        '\t' => 4,
        '\u{1100}'.. => 2,
        _ => 1,
    }
}

/// The height of a line and the width of a column.
fn cell(ui: &Ui) -> (f32, f32) {
    let font = TextStyle::Monospace.resolve(ui.style());
    ui.fonts_mut(|fonts| (fonts.row_height(&font), fonts.glyph_width(&font, '0')))
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_same_however_the_code_grew() {
        let text = format!("a\n\n{}\né漢\nlast", "x".repeat(800));
        let mut at_once = CodeState::default();
        at_once.read(&text);
        let mut growing = CodeState::default();
        for end in (0..=text.len()).filter(|&end| text.is_char_boundary(end)) {
            growing.read(&text[..end]);
        }
        assert_eq!(growing.lines, at_once.lines);
        assert_eq!(at_once.lines, [0, 2, 3, 303, 603, 804, 810]);
    }

    #[test]
    fn colours_of_a_shorter_text_are_kept_for_its_start() {
        // Any two different colours will do; these are named constants.
        let (first, rest) = (Color32::PLACEHOLDER, Color32::TRANSPARENT);
        let job = colored("let x = 1;", &[(3, first)], &FontId::monospace(12.0), rest);
        let lens: Vec<_> = job
            .sections
            .iter()
            .map(|s| (s.byte_range.end.0, s.format.color))
            .collect();
        assert_eq!(lens, [(3, first), (10, rest)]);
        let other = colored("漢", &[(1, first)], &FontId::monospace(12.0), rest);
        assert_eq!(other.sections.len(), 1);
    }
}
