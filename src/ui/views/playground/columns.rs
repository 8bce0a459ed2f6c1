//! The page's columns: the chat, the sheet of parameters, and the figures behind a divider.

use egui::{CursorIcon, EventFilter, Key, Rect, Role, Sense, Stroke, Ui, WidgetInfo, pos2};

use super::MIN_PANE_WIDTH;
use crate::state::action::Actions;
use crate::state::panes::PaneAction;
use crate::ui::theme::{GAP, GRID, PAD};
use crate::ui::widgets::tokens;

/// How wide the sheet of parameters is.
pub(super) const SHEET: f32 = 300.0;
/// The figures are never narrower.
const MIN_FIGURES: f32 = 282.0;
/// Nor is the chat, beside a sheet or where the divider is dragged.
const MIN_CHAT: f32 = 440.0;

/// How wide the page's columns are. The sheet stands between them.
pub(super) struct Columns {
    pub(super) left: f32,
    /// `None` where they are hidden.
    pub(super) figures: Option<f32>,
}

impl Columns {
    /// `wanted`: the figures are, with the width that the user has given them. They give way to a sheet.
    pub(super) fn of(width: f32, wanted: Option<Option<f32>>, has_sheet: bool) -> Self {
        let room = width - if has_sheet { SHEET + PAD } else { 0.0 };
        let least = if has_sheet { MIN_CHAT } else { MIN_PANE_WIDTH };
        let most = (room - PAD - MIN_CHAT).max(MIN_FIGURES);
        let figures = wanted
            .map(|placed| figures_width(width, placed).min(most))
            .filter(|figures| room - PAD - figures >= least);
        Self {
            left: room - figures.map_or(0.0, |figures| figures + PAD),
            figures,
        }
    }
}

/// `placed`: the width that the user has given them.
fn figures_width(width: f32, placed: Option<f32>) -> f32 {
    placed.unwrap_or((width * 0.3).min(360.0)).max(MIN_FIGURES)
}

/// Whether that many panes are seen whole beside the figures, on a page of that width, with a sheet or without.
pub(super) fn all_fit(panes: usize, (width, has_sheet): (f32, bool), placed: Option<f32>) -> bool {
    let needed = panes as f32 * (MIN_PANE_WIDTH + GAP) - GAP;
    let sheet = if has_sheet { SHEET + PAD } else { 0.0 };
    width - sheet - PAD - figures_width(width, placed) >= needed
}

/// How far an arrow key moves the divider.
const STEP: f32 = 4.0 * GRID;

/// Draws it into the gap before the figures, which are `width` wide. It can be dragged, moved by the arrow keys, and put
/// back by a double click.
pub(super) fn divider_ui(ui: &Ui, width: f32, dragged: &mut Option<f32>, out: &mut Actions) {
    let next = ui.cursor();
    let rect = Rect::from_min_max(
        pos2(next.left() - PAD, next.top()),
        pos2(next.left(), next.top() + ui.available_height()),
    );
    let response = ui.interact(
        rect,
        ui.scope_id().with("figures' width"),
        Sense::click_and_drag(),
    );
    response.widget_info(|| WidgetInfo::labeled(Role::Splitter, true, "Resize figures"));
    let tokens = tokens(ui);
    let color = match (
        response.dragged(),
        response.hovered() || response.has_focus(),
    ) {
        (true, _) => Some(tokens.accent),
        (false, true) => Some(tokens.line_strong),
        (false, false) => None,
    };
    if let Some(color) = color {
        let stroke = Stroke::new(2.0, color);
        ui.painter().vline(rect.center().x, rect.y_range(), stroke);
    }
    // Else they would move the keyboard's focus.
    let arrows = EventFilter {
        horizontal_arrows: true,
        ..EventFilter::default()
    };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, arrows));
    let key = |key| response.has_focus() && ui.input(|input| input.key_pressed(key));
    if key(Key::ArrowLeft) || key(Key::ArrowRight) {
        let by = if key(Key::ArrowLeft) { STEP } else { -STEP };
        out.push(PaneAction::PlaceFigures(Some(width + by)));
    }
    if response.dragged() {
        *dragged = Some(width - response.drag_delta().x);
    } else if let Some(width) = dragged.take() {
        out.push(PaneAction::PlaceFigures(Some(width)));
    }
    if response.double_clicked() {
        out.push(PaneAction::PlaceFigures(None));
    }
    response
        .on_hover_cursor(CursorIcon::ResizeHorizontal)
        .on_hover_text("Drag to resize; double-click for the usual width");
}
