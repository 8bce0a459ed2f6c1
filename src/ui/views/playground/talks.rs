//! The kept conversations over the page: type to search, Enter opens. Four panes need the width, so it is closed by
//! default.

use std::time::Duration;

use egui::{
    Button, Context, Id, Key, Modal, Modifiers, Popup, Role, TextEdit, TextStyle, Ui, UiBuilder,
    WidgetInfo, vec2,
};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::list::{self, ListUi, Pressed, ROW, Row, RowResponse};
use crate::domain::history::{ExportFormat, SessionId, SessionRow};
use crate::domain::units;
use crate::protocol::Command;
use crate::state::State;
use crate::ui::widgets::{
    MARGIN, caption, empty_state, failure_box, fit_middle, from_right, small_button, text_info,
};

/// What is typed and marked in the list.
#[derive(Default)]
pub(super) struct TalksUi {
    open: bool,
    list: ListUi,
    /// The one that is being given another title, as it is typed.
    renaming: Option<(SessionId, String)>,
    /// It was just asked for, and the keyboard is not there yet.
    fresh_name: bool,
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
        *self = Self {
            open: !self.open,
            list: ListUi::opened(),
            ..Self::default()
        };
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
                if new
                    .on_hover_text("Begin anew in all panes (Ctrl+N); the charts stay")
                    .clicked()
                {
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
        let (label, hint) = (
            "Search conversations",
            "Search titles, models and what was said",
        );
        self.list.search_ui(ui, label, hint, &mut state.talks.text);
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
                    empty_state(
                        ui,
                        "Nothing found",
                        "No conversation has all of these words in it",
                        40.0,
                    );
                }
                Some(total) => self.rows_ui(ui, state, total, (now, today), out),
            }
        });
        if total.is_none_or(|total| total == 0) {
            state.want_talks(0..1, out);
        }
        ui.horizontal(|ui| {
            caption(
                ui,
                "Enter opens it in the active pane · F2 renames · Shift+Delete deletes",
            );
            from_right(ui, |ui| {
                if state.talks.rows.is_loading() || state.talks.is_opening() {
                    ui.add(egui::Spinner::new().size(12.0));
                }
                if let Some(total) = total {
                    caption(
                        ui,
                        units::counted(
                            usize::try_from(total).unwrap_or(usize::MAX),
                            "conversation",
                        ),
                    );
                }
            });
        });
    }

    /// Up and Down move the mark, Enter opens what is marked.
    fn keys(
        &mut self,
        ui: &Ui,
        state: &mut State,
        total: u64,
        now: Duration,
        out: &mut Vec<Command>,
    ) {
        let pressed = self
            .list
            .keys(ui, usize::try_from(total).unwrap_or(usize::MAX));
        let Some(row) = state.talks.rows.at(self.list.marked() as u64).cloned() else {
            return;
        };
        let wish = match pressed {
            Some(Pressed::Take) => Some(Wish::Open(row.id)),
            Some(Pressed::Edit) => Some(Wish::Rename(row.id, row.title)),
            Some(Pressed::Delete) => Some(Wish::Delete(row.id)),
            Some(Pressed::Send) | None => None,
        };
        self.grant(wish, state, now, out);
    }

    fn grant(
        &mut self,
        wish: Option<Wish>,
        state: &mut State,
        now: Duration,
        out: &mut Vec<Command>,
    ) {
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
        let shown = state.pane_chat_ids();
        let active = state.active_pane();
        let mut wish = None;
        let total = usize::try_from(total).unwrap_or(usize::MAX);
        let Self {
            list,
            renaming,
            fresh_name,
            ..
        } = self;
        let (marked, mut leave) = (list.marked(), false);
        let seen = list.rows_ui(ui, "conversations", total, |ui, rect, index| {
            let row = state
                .talks
                .rows
                .at(index as u64)
                .filter(|row| !state.talks.is_gone(&row.id));
            let Some(row) = row.cloned() else { return };
            let mut inside = ui.new_child(UiBuilder::new().id_salt(&row.id).max_rect(rect));
            match renaming {
                Some((id, title)) if *id == row.id => {
                    leave |= rename_ui(&mut inside, (id, title), fresh_name, state, out);
                }
                _ if state.talks.is_removed(&row.id) => removed_ui(&mut inside, &row, &mut wish),
                _ => {
                    let pane = shown.iter().position(|id| id.as_ref() == Some(&row.id));
                    let place = pane.map(|pane| pane == active);
                    let busy = state.talk_is_busy(&row.id);
                    row_ui(
                        &mut inside,
                        &row,
                        (index == marked, place, busy),
                        today,
                        &mut wish,
                    );
                }
            }
        });
        if leave {
            *renaming = None;
            list.refocus();
        }
        let seen = seen.start as u64..seen.end as u64;
        state.want_talks(seen, out);
        self.grant(wish, state, now, out);
    }
}

/// Another title is typed in the row's place: Enter takes it, Escape leaves it. Gives whether that is over.
fn rename_ui(
    ui: &mut Ui,
    (id, title): (&SessionId, &mut String),
    fresh: &mut bool,
    state: &mut State,
    out: &mut Vec<Command>,
) -> bool {
    let escape = ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape));
    let enter = ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Enter));
    let (mut save, mut leave) = (enter, escape);
    ui.horizontal_centered(|ui| {
        let width = ui.available_width() - 166.0;
        let edit = ui.add(
            TextEdit::singleline(title)
                .desired_width(width)
                .margin(MARGIN)
                .char_limit(200),
        );
        edit.widget_info(|| text_info("New title", title));
        if std::mem::take(fresh) {
            edit.request_focus();
        }
        save |= ui
            .add_enabled(!title.trim().is_empty(), Button::new("Rename"))
            .clicked();
        leave |= ui.button("Leave").clicked();
    });
    if save && !title.trim().is_empty() {
        state.rename_session(id, title, out);
        leave = true;
    }
    leave
}

fn removed_ui(ui: &mut Ui, row: &SessionRow, wish: &mut Option<Wish>) {
    ui.horizontal_centered(|ui| {
        ui.add_space(12.0);
        if list::deleted_ui(ui, &row.title, 80.0) {
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
    let below = told_below(row, place, today);
    let spoken = format!("{}, {below}", row.title);
    let drawn = Row {
        title: &row.title,
        below: &below,
        spoken: (&spoken, place.is_some()),
        current: place == Some(true),
        marked,
    };
    let RowResponse { clicked, more } = list::row_ui(ui, &drawn);
    if clicked {
        *wish = Some(Wish::Open(row.id.clone()));
    }
    Popup::menu(&more).width(170.0).show(|ui| {
        if ui.button("Rename").clicked() {
            *wish = Some(Wish::Rename(row.id.clone(), row.title.clone()));
        }
        for (format, name) in [
            (ExportFormat::Markdown, "Export as Markdown…"),
            (ExportFormat::Json, "Export as JSON…"),
        ] {
            if ui.button(name).clicked() {
                *wish = Some(Wish::Export(row.id.clone(), format));
            }
        }
        let delete = ui.add_enabled(!busy, Button::new("Delete"));
        if delete
            .on_disabled_hover_text("It is being answered: stop that first")
            .clicked()
        {
            *wish = Some(Wish::Delete(row.id.clone()));
        }
    });
}

fn told_below(row: &SessionRow, place: Option<bool>, today: Timestamp) -> String {
    let mut parts = Vec::new();
    parts.extend(place.map(|active| {
        if active {
            "shown now".to_owned()
        } else {
            "in another pane".to_owned()
        }
    }));
    parts.push(match &row.models[..] {
        [] => "no model".to_owned(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    });
    parts.push(when(row.ended.unwrap_or(row.began), today));
    parts.push(units::counted(
        usize::try_from(row.requests).unwrap_or(usize::MAX),
        "answer",
    ));
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
    at.strftime(if at.year() == now.year() {
        "%-d %b"
    } else {
        "%-d %b %Y"
    })
    .to_string()
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
            undo = button
                .on_hover_text("Back to the conversation that was here")
                .clicked();
        });
    });
    undo
}
