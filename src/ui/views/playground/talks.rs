//! The kept conversations over the page: type to search, Enter opens. Four panes need the width, so it is closed by
//! default.

use std::time::Duration;

use egui::{
    Align, Button, Context, CornerRadius, Id, Key, Layout, Modal, Modifiers, Popup, Rect, Role, ScrollArea,
    Sense, Stroke, TextEdit, TextStyle, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::domain::history::{ExportFormat, SessionId, SessionRow};
use crate::domain::units;
use crate::protocol::Command;
use crate::state::State;
use crate::ui::theme::{self, ROUNDING};
use crate::ui::widgets::{
    MARGIN, caption, empty_state, failure_box, fit_middle, from_right, small_button, tokens,
};

/// A row's height, with the space below it.
const ROW: f32 = 46.0;
/// Of the button at a row's end.
const MORE: f32 = 46.0;

/// What is typed and marked in the list.
#[derive(Default)]
pub(super) struct TalksUi {
    open: bool,
    /// It was opened, and the keyboard is not there yet.
    fresh: bool,
    /// The row that Enter opens.
    marked: u64,
    /// It was marked by a key: it is to be seen.
    reveal: bool,
    /// The one that is being given another title, as it is typed.
    renaming: Option<(SessionId, String)>,
    /// It was just asked for, and the keyboard is not there yet.
    fresh_name: bool,
    /// How tall the list was, and which rows were seen.
    seen: (f32, std::ops::Range<u64>),
}

/// What a row was asked for.
enum Wish {
    Open(SessionId),
    Rename(SessionId, String),
    Delete(SessionId),
    Keep(SessionId),
    Export(SessionId, ExportFormat),
}

impl TalksUi {
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    pub(super) fn toggle(&mut self) {
        *self = Self { open: !self.open, fresh: true, ..Self::default() };
    }

    /// Draws the list, if it is open. Gives whether it was closed: one can type on.
    pub(super) fn show(
        &mut self,
        ctx: &Context,
        state: &mut State,
        (now, today): (Duration, Timestamp),
        out: &mut Vec<Command>,
    ) -> bool {
        if !self.open {
            return false;
        }
        let screen = ctx.content_rect().size();
        let size = vec2((screen.x - 80.0).min(680.0), (screen.y - 80.0).min(620.0));
        let modal = Modal::new(Id::unique("conversations")).show(ctx, |ui| {
            ui.set_width(size.x);
            ui.set_height(size.y);
            self.contents_ui(ui, state, (now, today), out);
        });
        if modal.should_close() {
            self.open = false;
        }
        if !self.open {
            state.talks.text.clear();
        }
        !self.open
    }

    fn contents_ui(
        &mut self,
        ui: &mut Ui,
        state: &mut State,
        (now, today): (Duration, Timestamp),
        out: &mut Vec<Command>,
    ) {
        ui.horizontal(|ui| {
            ui.heading("Conversations");
            from_right(ui, |ui| {
                if ui.button("Close").clicked() {
                    self.open = false;
                }
                let can = state.can_clear();
                let new = ui.add_enabled(can, Button::new("New conversation"));
                if new.on_hover_text("Begin anew in all panes (Ctrl+N); the charts stay").clicked() {
                    state.clear();
                    self.open = false;
                }
            });
        });
        let total = state.talks.rows.total();
        // Before the field takes Delete for its own.
        if self.renaming.is_none() {
            self.keys(ui, state, total.unwrap_or(0), now, out);
        }
        let edit = TextEdit::singleline(&mut state.talks.text)
            .hint_text("Search titles, models and what was said")
            .desired_width(f32::INFINITY)
            .margin(MARGIN);
        let edit = ui.add(edit);
        edit.widget_info(|| {
            let mut info = WidgetInfo::labeled(Role::TextInput, true, "Search conversations");
            info.current_text_value = Some(state.talks.text.clone());
            info
        });
        if std::mem::take(&mut self.fresh) {
            edit.request_focus();
        }
        if edit.changed() {
            (self.marked, self.reveal) = (0, true);
        }
        if let Some(failure) = state.talks.rows.failure().cloned() {
            failure_box(ui, "conversations", &failure, None);
            if small_button(ui, "Try again").clicked() {
                state.reload_talks();
            }
        }
        let foot = 26.0;
        let height = (ui.available_height() - foot).max(ROW);
        ui.allocate_ui(vec2(ui.available_width(), height), |ui| {
            ui.set_min_size(vec2(ui.available_width(), height));
            match total {
                None => empty_state(ui, "Reading the history…", "", 40.0),
                Some(0) if state.talks.text.trim().is_empty() => {
                    let advice = "What you say on the Playground is kept here, on this computer";
                    empty_state(ui, "No conversation yet", advice, 40.0);
                }
                Some(0) => {
                    empty_state(ui, "Nothing found", "No conversation has all of these words in it", 40.0);
                }
                Some(total) => self.rows_ui(ui, state, total, (now, today), out),
            }
        });
        if total.is_none_or(|total| total == 0) {
            state.want_talks(0..1, out);
        }
        ui.horizontal(|ui| {
            caption(ui, "Enter opens it in the active pane · F2 renames · Shift+Delete deletes");
            from_right(ui, |ui| {
                if state.talks.rows.is_loading() || state.talks.is_opening() {
                    ui.add(egui::Spinner::new().size(12.0));
                }
                if let Some(total) = total {
                    caption(ui, units::counted(usize::try_from(total).unwrap_or(usize::MAX), "conversation"));
                }
            });
        });
    }

    /// Up and Down move the mark, Enter opens what is marked.
    fn keys(&mut self, ui: &Ui, state: &mut State, total: u64, now: Duration, out: &mut Vec<Command>) {
        if Popup::is_any_open(ui.ctx()) {
            return;
        }
        let page = ((self.seen.0 / ROW) as i64 - 1).max(1);
        let moves = [(Key::ArrowUp, -1), (Key::ArrowDown, 1), (Key::PageUp, -page), (Key::PageDown, page)];
        for (key, by) in moves {
            let count = ui.input_mut(|input| input.count_and_consume_key(Modifiers::NONE, key)) as i64;
            if count > 0 {
                self.marked = self.marked.saturating_add_signed(by * count).min(total.saturating_sub(1));
                self.reveal = true;
            }
        }
        let Some(row) = state.talks.rows.at(self.marked).cloned() else { return };
        let pressed = |modifiers, key| ui.input_mut(|input| input.consume_key(modifiers, key));
        let wish = if pressed(Modifiers::NONE, Key::Enter) {
            Some(Wish::Open(row.id))
        } else if pressed(Modifiers::NONE, Key::F2) {
            Some(Wish::Rename(row.id, row.title))
        } else if pressed(Modifiers::SHIFT, Key::Delete) {
            Some(Wish::Delete(row.id))
        } else {
            None
        };
        self.grant(wish, state, now, out);
    }

    fn grant(&mut self, wish: Option<Wish>, state: &mut State, now: Duration, out: &mut Vec<Command>) {
        match wish {
            Some(Wish::Open(id)) if !state.talks.is_removed(&id) => {
                state.open_talk(&id, out);
                self.open = false;
            }
            Some(Wish::Rename(id, title)) if !state.talks.is_removed(&id) => {
                self.renaming = Some((id, title));
                self.fresh_name = true;
            }
            Some(Wish::Delete(id)) => state.remove_talk(&id, now),
            Some(Wish::Keep(id)) => state.keep_talk(&id),
            Some(Wish::Export(id, format)) => state.export_talk(&id, format, out),
            _ => {}
        }
    }

    fn rows_ui(
        &mut self,
        ui: &mut Ui,
        state: &mut State,
        total: u64,
        (now, today): (Duration, Timestamp),
        out: &mut Vec<Command>,
    ) {
        let height = ui.available_height();
        let mut area = ScrollArea::vertical().id_salt("conversations").auto_shrink(false).content_margin(0);
        if std::mem::take(&mut self.reveal) && !self.seen.1.contains(&self.marked) {
            area = area.vertical_scroll_offset((self.marked as f32 * ROW - height / 2.0).max(0.0));
        }
        ui.spacing_mut().item_spacing.y = 0.0;
        let shown = state.pane_chat_ids();
        let active = state.active_pane();
        let mut wish = None;
        let mut seen = 0..1;
        let rows = usize::try_from(total).unwrap_or(usize::MAX);
        area.show_rows(ui, ROW, rows, |ui, range| {
            seen = range.start as u64..range.end as u64;
            for index in seen.clone() {
                let width = ui.available_width();
                let (rect, _) = ui.allocate_exact_size(vec2(width, ROW), Sense::hover());
                let Some(row) = state.talks.rows.at(index).filter(|row| !state.talks.is_gone(&row.id)) else {
                    continue;
                };
                let row = row.clone();
                let rect = rect.with_max_y(rect.bottom() - 2.0);
                let mut inside = ui.new_child(UiBuilder::new().id_salt(&row.id).max_rect(rect));
                if self.renaming.as_ref().is_some_and(|(id, _)| *id == row.id) {
                    self.rename_ui(&mut inside, state, out);
                } else if state.talks.is_removed(&row.id) {
                    removed_ui(&mut inside, &row, &mut wish);
                } else {
                    let pane = shown.iter().position(|id| id.as_ref() == Some(&row.id));
                    let place = pane.map(|pane| pane == active);
                    let busy = state.talk_is_busy(&row.id);
                    row_ui(&mut inside, &row, (index == self.marked, place, busy), today, &mut wish);
                }
            }
        });
        // Its first and last row may be half out of sight.
        self.seen = (height, seen.start + 1..seen.end.saturating_sub(1));
        state.want_talks(seen, out);
        self.grant(wish, state, now, out);
    }

    /// Another title is typed in the row's place: Enter takes it, Escape leaves it.
    fn rename_ui(&mut self, ui: &mut Ui, state: &mut State, out: &mut Vec<Command>) {
        let Self { renaming: Some((id, title)), fresh_name: fresh, .. } = self else { return };
        let id = id.clone();
        let escape = ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape));
        let enter = ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Enter));
        let (mut save, mut leave) = (enter, escape);
        ui.horizontal_centered(|ui| {
            let width = ui.available_width() - 166.0;
            let edit =
                ui.add(TextEdit::singleline(title).desired_width(width).margin(MARGIN).char_limit(200));
            edit.widget_info(|| {
                let mut info = WidgetInfo::labeled(Role::TextInput, true, "New title");
                info.current_text_value = Some(title.clone());
                info
            });
            if std::mem::take(fresh) {
                edit.request_focus();
            }
            save |= ui.add_enabled(!title.trim().is_empty(), Button::new("Rename")).clicked();
            leave |= ui.button("Leave").clicked();
        });
        if save && !title.trim().is_empty() {
            let title = title.clone();
            state.rename_session(&id, &title, out);
            leave = true;
        }
        if leave {
            self.renaming = None;
            self.fresh = true;
        }
    }
}

fn removed_ui(ui: &mut Ui, row: &SessionRow, wish: &mut Option<Wish>) {
    ui.horizontal_centered(|ui| {
        ui.add_space(12.0);
        let small = TextStyle::Small;
        let width = ui.available_width() - 80.0;
        let told = fit_middle(ui, &format!("Deleted: {}", row.title), &small, width);
        caption(ui, told);
        let undo = small_button(ui, "Undo");
        undo.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Undo delete"));
        if undo.clicked() {
            *wish = Some(Wish::Keep(row.id.clone()));
        }
    });
}

/// `place`: it is shown in a pane, and whether that is the active one. `busy`: something is being said in it.
fn row_ui(
    ui: &mut Ui,
    row: &SessionRow,
    (marked, place, busy): (bool, Option<bool>, bool),
    today: Timestamp,
    wish: &mut Option<Wish>,
) {
    let tokens = tokens(ui);
    let rect = ui.max_rect();
    let text = Rect::from_min_max(rect.min, pos2(rect.right() - MORE, rect.bottom()));
    let response = ui.interact(text, ui.scope_id().with("row"), Sense::click());
    let fill = match (place, response.hovered() || response.has_focus()) {
        (Some(true), _) => tokens.selection,
        (_, true) => tokens.hover,
        _ => egui::Color32::TRANSPARENT,
    };
    ui.painter().rect_filled(rect, CornerRadius::same(ROUNDING), fill);
    if marked {
        let stroke = Stroke::new(1.0, tokens.accent);
        ui.painter().rect_stroke(rect, CornerRadius::same(ROUNDING), stroke, egui::StrokeKind::Inside);
    }
    let width = text.width() - 24.0;
    let title = fit_middle(ui, &row.title, &theme::strong_text(), width);
    let below = told_below(row, place, today);
    let small = fit_middle(ui, &below, &TextStyle::Small, width);
    let at = text.left_top() + vec2(12.0, 6.0);
    let paint = |at, words, style: TextStyle, color| {
        ui.painter().text(at, egui::Align2::LEFT_TOP, words, style.resolve(ui.style()), color);
    };
    paint(at, title, theme::strong_text(), tokens.text);
    paint(at + vec2(0.0, 19.0), small, TextStyle::Small, tokens.dim);
    let spoken = format!("{}, {below}", row.title);
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, place.is_some(), &spoken));
    let response = if row.title.chars().count() > 60 { response.on_hover_text(&row.title) } else { response };
    if response.clicked() {
        *wish = Some(Wish::Open(row.id.clone()));
    }
    let end = Rect::from_min_max(pos2(text.right(), rect.top()), rect.max - vec2(6.0, 0.0));
    let mut end = ui.new_child(UiBuilder::new().max_rect(end).layout(Layout::right_to_left(Align::Center)));
    let more = small_button(&mut end, "···");
    more.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("More on {}", row.title)));
    Popup::menu(&more).width(170.0).show(|ui| {
        if ui.button("Rename").clicked() {
            *wish = Some(Wish::Rename(row.id.clone(), row.title.clone()));
        }
        for (format, name) in
            [(ExportFormat::Markdown, "Export as Markdown…"), (ExportFormat::Json, "Export as JSON…")]
        {
            if ui.button(name).clicked() {
                *wish = Some(Wish::Export(row.id.clone(), format));
            }
        }
        let delete = ui.add_enabled(!busy, Button::new("Delete"));
        if delete.on_disabled_hover_text("It is being answered: stop that first").clicked() {
            *wish = Some(Wish::Delete(row.id.clone()));
        }
    });
}

fn told_below(row: &SessionRow, place: Option<bool>, today: Timestamp) -> String {
    let mut parts = Vec::new();
    parts.extend(
        place.map(|active| if active { "shown now".to_owned() } else { "in another pane".to_owned() }),
    );
    parts.push(match &row.models[..] {
        [] => "no model".to_owned(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    });
    parts.push(when(row.ended.unwrap_or(row.began), today));
    parts.push(units::counted(usize::try_from(row.requests).unwrap_or(usize::MAX), "answer"));
    parts.push(row.environment.clone());
    parts.join(" · ")
}

/// `today 14:05`, `yesterday 09:12`, `21 Nov`, `21 Nov 2025`, in the user's time zone.
fn when(moment: Timestamp, today: Timestamp) -> String {
    let zone = TimeZone::system();
    let (at, now) = (moment.to_zoned(zone.clone()), today.to_zoned(zone));
    if at.date() == now.date() {
        return at.strftime("today %H:%M").to_string();
    }
    if now.date().yesterday().is_ok_and(|day| day == at.date()) {
        return at.strftime("yesterday %H:%M").to_string();
    }
    at.strftime(if at.year() == now.year() { "%-d %b" } else { "%-d %b %Y" }).to_string()
}

/// What was opened in a pane, and the way back; as long as nothing was said in it.
pub(super) fn opened_ui(ui: &mut Ui, title: &str) -> bool {
    let mut undo = false;
    ui.horizontal(|ui| {
        let width = ui.available_width() - 64.0;
        let told = fit_middle(ui, &format!("Opened: {title}"), &TextStyle::Small, width);
        caption(ui, told);
        from_right(ui, |ui| {
            let button = small_button(ui, "Undo");
            button.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Undo opening"));
            undo = button.on_hover_text("Back to the conversation that was here").clicked();
        });
    });
    undo
}
