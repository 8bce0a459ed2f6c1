//! Text on the screen that can be selected, with links that open on a click, under identities that do not
//! change when what stands above it does.

use std::ops::Range;
use std::sync::Arc;

use egui::text::LayoutJob;
use egui::text_selection::LabelSelectionState;
use egui::{Galley, Id, Pos2, Rect, Role, Sense, Stroke, Ui, WidgetInfo, pos2};

use super::order::Order;

/// Frames after which the layout of a row out of sight is dropped.
pub(super) const FORGET_AFTER: u64 = 240;

/// A link in a text.
#[derive(Clone, Debug)]
pub(super) struct Link {
    /// The characters (not bytes) that are the link.
    pub chars: Range<usize>,
    pub url: String,
}

/// Draws selectable text, and returns it as it was laid out. `order`: of a text that is read from the right.
///
/// Its galley is asked for each frame instead of kept, because egui may redraw its font atlas.
pub(super) fn label(
    ui: &Ui,
    id: Id,
    pos: Pos2,
    job: LayoutJob,
    order: Option<&mut Order>,
) -> Arc<Galley> {
    let galley = ui.fonts_mut(|fonts| fonts.layout_job(job));
    let galley = match order {
        Some(order) => order.ordered(galley),
        None => galley,
    };
    let rect = Rect::from_min_size(pos, galley.size());
    if ui.is_rect_visible(rect) {
        // As egui's label does: the text can be selected, and is no stop of the Tab key.
        let response = ui.interact(rect, id, Sense::click_and_drag() - Sense::FOCUSABLE);
        response.widget_info(|| WidgetInfo::labeled(Role::Label, ui.is_enabled(), galley.text()));
        let color = ui.visuals().text_color();
        LabelSelectionState::label_text_selection(
            ui,
            &response,
            pos,
            Arc::clone(&galley),
            color,
            Stroke::NONE,
        );
    }
    galley
}

/// Makes the links of a drawn text work, each a stop of the Tab key.
pub(super) fn links(ui: &Ui, id: Id, pos: Pos2, galley: &Galley, links: &[Link]) {
    for (index, link) in links.iter().enumerate() {
        let id = id.with(("link", index));
        let name: String = galley
            .text()
            .chars()
            .skip(link.chars.start)
            .take(link.chars.len())
            .collect();
        let mut parts = rects_of(galley, &link.chars)
            .map(|rect| rect.translate(pos.to_vec2()))
            .filter(|rect| ui.is_rect_visible(*rect))
            .enumerate()
            .map(|(part, rect)| ui.interact(rect, id.with(part), Sense::click()));
        let underline = |part: &egui::Response| {
            let y = part.rect.center().y + 0.55 * part.rect.height().min(14.0);
            ui.painter().hline(
                part.rect.x_range(),
                y,
                Stroke::new(1.0, ui.visuals().hyperlink_color),
            );
        };
        let Some(first) = parts.next() else { continue };
        underline(&first);
        // A link that is wrapped is one link.
        let response = parts.inspect(underline).fold(first, |all, part| all | part);
        response.widget_info(|| WidgetInfo::labeled(Role::Link, ui.is_enabled(), &name));
        if response.has_focus() {
            let stroke = ui.visuals().widgets.active.bg_stroke;
            ui.painter().rect_stroke(
                response.rect.expand(1.0),
                2,
                stroke,
                egui::StrokeKind::Outside,
            );
        }
        if response
            .on_hover_cursor(egui::CursorIcon::PointingHand)
            .on_hover_text(&link.url)
            .clicked()
        {
            ui.open_url(egui::OpenUrl::new_tab(&link.url));
        }
    }
}

/// Where the characters stand, one rectangle for each row they are on.
fn rects_of(galley: &Galley, chars: &Range<usize>) -> impl Iterator<Item = Rect> {
    let mut start = 0;
    galley.rows.iter().filter_map(move |row| {
        let count = row.char_count_including_newline().0;
        let here = chars.start.max(start)..chars.end.min(start + count);
        let row_start = start;
        start += count;
        let glyphs = row.glyphs.iter().skip(here.start.saturating_sub(row_start));
        let glyphs = glyphs.take(here.len());
        // Words that are read from the right may stand in any order.
        let span = glyphs.fold(None, |span: Option<(f32, f32)>, glyph| {
            let (left, right) = (glyph.pos.x, glyph.max_x());
            let (min, max) = span.unwrap_or((left, right));
            Some((min.min(left), max.max(right)))
        });
        span.map(|(left, right)| {
            let x = row.pos.x;
            let (top, bottom) = (row.pos.y, row.pos.y + row.height());
            Rect::from_min_max(pos2(x + left, top), pos2(x + right, bottom))
        })
    })
}

/// Whether a link may be opened: nothing but the web and mail, whatever a model wrote.
pub(super) fn opens(url: &str) -> bool {
    ["https://", "http://", "mailto:"].iter().any(|scheme| {
        url.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_web_and_mail_are_opened() {
        assert!(opens("https://a.b") && opens("HTTP://a") && opens("mailto:a@b"));
        assert!(
            !opens("file:///etc/passwd") && !opens("javascript:x") && !opens("/etc") && !opens("é")
        );
    }
}
