//! The list of the dialogs: a search field, a mark that keys move, rows of two lines.

use std::ops::Range;

use egui::text::{LayoutJob, TextWrapping};
use egui::{
    Align, Align2, CornerRadius, Key, Layout, Modifiers, Popup, Rect, Response, Role, ScrollArea,
    Sense, Stroke, StrokeKind, TextEdit, TextStyle, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};

use crate::ui::theme::{self, ROUNDING};
use crate::ui::widgets::{MARGIN, caption, fit_middle, small_button, text_info, tokens};

/// A row's height, with the space below it.
pub(super) const ROW: f32 = 46.0;
/// The width of the button at a row's end.
const MORE: f32 = 46.0;

/// The marked row and the visible part of a list.
#[derive(Default)]
pub(super) struct ListUi {
    /// The keyboard is to be in the field, and is not there yet.
    fresh: bool,
    /// The row that Enter takes.
    marked: usize,
    /// It was marked by a key: it is to be seen.
    reveal: bool,
    /// How tall the list was, and which rows were seen.
    seen: (f32, Range<usize>),
}

/// An action on the marked row, by key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RowKey {
    /// Enter.
    Take,
    /// Ctrl+Enter.
    Send,
    /// F2.
    Edit,
    /// Shift+Delete.
    Delete,
}

impl ListUi {
    /// One whose field has the keyboard, and whose first row is marked.
    pub(super) fn opened() -> Self {
        Self {
            fresh: true,
            ..Self::default()
        }
    }

    /// Gives the field the keyboard again.
    pub(super) fn refocus(&mut self) {
        self.fresh = true;
    }

    pub(super) fn marked(&self) -> usize {
        self.marked
    }

    /// Moves the mark with the keys, and tells what else was pressed. To be asked before the field is drawn, which
    /// would take the keys for its own.
    pub(super) fn keys(&mut self, ui: &Ui, total: usize) -> Option<RowKey> {
        if Popup::is_any_open(ui.ctx()) || total == 0 {
            return None;
        }
        let page = ((self.seen.0 / ROW) as isize - 1).max(1);
        let moves = [
            (Key::ArrowUp, -1),
            (Key::ArrowDown, 1),
            (Key::PageUp, -page),
            (Key::PageDown, page),
        ];
        for (key, by) in moves {
            let count =
                ui.input_mut(|input| input.count_and_consume_key(Modifiers::NONE, key)) as isize;
            if count > 0 {
                self.marked = self.marked.saturating_add_signed(by * count);
                self.reveal = true;
            }
        }
        // The list may have become shorter, too.
        self.marked = self.marked.min(total - 1);
        let keys = [
            (Modifiers::COMMAND, Key::Enter, RowKey::Send),
            (Modifiers::NONE, Key::Enter, RowKey::Take),
            (Modifiers::NONE, Key::F2, RowKey::Edit),
            (Modifiers::SHIFT, Key::Delete, RowKey::Delete),
        ];
        let pressed = |modifiers, key| ui.input_mut(|input| input.consume_key(modifiers, key));
        keys.into_iter()
            .find(|(modifiers, key, _)| pressed(*modifiers, *key))
            .map(|(.., what)| what)
    }

    /// The field that the list is searched with.
    pub(super) fn search_ui(
        &mut self,
        ui: &mut Ui,
        label: &str,
        hint: &str,
        text: &mut dyn egui::TextBuffer,
    ) {
        let edit = TextEdit::singleline(text)
            .hint_text(hint)
            .desired_width(f32::INFINITY)
            .margin(MARGIN);
        let edit = ui.add(edit);
        edit.widget_info(|| text_info(label, text.as_str()));
        if std::mem::take(&mut self.fresh) {
            edit.request_focus();
        }
        if edit.changed() {
            (self.marked, self.reveal) = (0, true);
        }
    }

    /// Draws the rows in sight, each with `row`, and gives which these are.
    pub(super) fn rows_ui(
        &mut self,
        ui: &mut Ui,
        id: &str,
        total: usize,
        mut row: impl FnMut(&mut Ui, Rect, usize),
    ) -> Range<usize> {
        let height = ui.available_height();
        let mut area = ScrollArea::vertical()
            .id_salt(id)
            .auto_shrink(false)
            .content_margin(0);
        if std::mem::take(&mut self.reveal) && !self.seen.1.contains(&self.marked) {
            area = area.vertical_scroll_offset((self.marked as f32 * ROW - height / 2.0).max(0.0));
        }
        ui.spacing_mut().item_spacing.y = 0.0;
        let mut seen = 0..1;
        area.show_rows(ui, ROW, total, |ui, range| {
            seen = range;
            for index in seen.clone() {
                let (rect, _) =
                    ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::hover());
                row(ui, rect.with_max_y(rect.bottom() - 2.0), index);
            }
        });
        // The first and the last row may be half out of sight.
        self.seen = (height, seen.start + 1..seen.end.saturating_sub(1));
        seen
    }
}

/// A row, as it is drawn and told.
pub(super) struct ListRow<'a> {
    /// The first line, shortened in the middle.
    pub(super) title: &'a str,
    /// The second, cut at its end: its beginning tells most.
    pub(super) below: &'a str,
    /// How a screen reader says the row, and whether as a selected one.
    pub(super) spoken: (&'a str, bool),
    /// The row stands for what is open on the page.
    pub(super) current: bool,
    /// Enter takes it.
    pub(super) marked: bool,
}

/// The response of a row.
pub(super) struct ListRowResponse {
    pub(super) clicked: bool,
    /// The button at its end, which opens a menu.
    pub(super) more: Response,
}

/// Draws a row over all of `ui`.
pub(super) fn row_ui(ui: &mut Ui, row: &ListRow<'_>) -> ListRowResponse {
    let tokens = tokens(ui);
    let rect = ui.max_rect();
    let text = Rect::from_min_max(rect.min, pos2(rect.right() - MORE, rect.bottom()));
    let response = ui.interact(text, ui.scope_id().with("row"), Sense::click());
    let fill = match (row.current, response.hovered() || response.has_focus()) {
        (true, _) => tokens.selection,
        (_, true) => tokens.hover,
        _ => egui::Color32::TRANSPARENT,
    };
    let corners = CornerRadius::same(ROUNDING);
    ui.painter().rect_filled(rect, corners, fill);
    if row.marked {
        ui.painter().rect_stroke(
            rect,
            corners,
            Stroke::new(1.0, tokens.accent),
            StrokeKind::Inside,
        );
    }
    let width = text.width() - 24.0;
    let at = text.left_top() + vec2(12.0, 6.0);
    let title = fit_middle(ui, row.title, &theme::strong_text(), width);
    let is_cut = title != row.title;
    let font = theme::strong_text().resolve(ui.style());
    ui.painter()
        .text(at, Align2::LEFT_TOP, title, font, tokens.text);
    let small = TextStyle::Small.resolve(ui.style());
    let mut below = LayoutJob::simple_singleline(row.below.to_owned(), small, tokens.dim);
    below.wrap = TextWrapping::truncate_at_width(width);
    let below = ui.painter().layout_job(below);
    ui.painter().galley(at + vec2(0.0, 19.0), below, tokens.dim);
    let (spoken, selected) = row.spoken;
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, selected, spoken));
    let response = if is_cut {
        response.on_hover_text(row.title)
    } else {
        response
    };
    let end = Rect::from_min_max(pos2(text.right(), rect.top()), rect.max - vec2(6.0, 0.0));
    let mut end = ui.new_child(
        UiBuilder::new()
            .max_rect(end)
            .layout(Layout::right_to_left(Align::Center)),
    );
    let more = small_button(&mut end, "···");
    more.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("More on {}", row.title)));
    ListRowResponse {
        clicked: response.clicked(),
        more,
    }
}

/// Names what was deleted, with Undo. Gives whether Undo was clicked. `room`: the width that is kept free.
pub(super) fn deleted_ui(ui: &mut Ui, name: &str, room: f32) -> bool {
    let width = ui.available_width() - room;
    let told = fit_middle(ui, &format!("Deleted: {name}"), &TextStyle::Small, width);
    caption(ui, told);
    let undo = small_button(ui, "Undo");
    undo.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Undo delete"));
    undo.clicked()
}
