//! The kept conversations over the page: type to search, Enter opens. Four panes need the width, so it is closed by
//! default.

use std::borrow::Cow;

use egui::{
    Button, Context, Id, Key, Modal, Modifiers, Popup, Role, TextEdit, TextStyle, Ui, UiBuilder,
    WidgetInfo, vec2,
};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::list::{self, ListRow, ListRowResponse, ListUi, ROW, RowKey};
use crate::domain::history::{ExportFormat, SessionId, SessionRow};
use crate::domain::units;
use crate::state::State;
use crate::state::action::Actions;
use crate::state::history::ConversationsAction;
use crate::state::panes::PaneAction;
use crate::ui::theme::PAD;
use crate::ui::widgets::{
    MARGIN, answers, caption, danger_button, empty_state, failure_box, fit_middle, focus_when_new,
    from_right, small_button, text_info,
};

/// The list of conversations: its search, its mark, and a title being changed.
#[derive(Default)]
pub(super) struct ConversationsUi {
    open: bool,
    list: ListUi,
    /// The one that is being given another title, as it is typed.
    renaming: Option<(SessionId, String)>,
}

/// An action on one conversation.
enum ConversationAction {
    Open(SessionId),
    Rename(SessionId, String),
    Delete(SessionId),
    Keep(SessionId),
    Export(SessionId, ExportFormat),
}

impl ConversationsUi {
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
        state: &State,
        today: Timestamp,
        out: &mut Actions,
    ) -> bool {
        if !self.open {
            return false;
        }
        let screen = ctx.content_rect().size();
        let size = vec2((screen.x - 80.0).min(680.0), (screen.y - 80.0).min(620.0));
        let modal = Modal::new(Id::unique("conversations")).show(ctx, |ui| {
            ui.set_width(size.x);
            ui.set_height(size.y);
            self.contents_ui(ui, state, today, out);
        });
        if modal.should_close() {
            self.open = false;
        }
        if !self.open {
            out.push(ConversationsAction::Search(String::new()));
        }
        !self.open
    }

    fn contents_ui(&mut self, ui: &mut Ui, state: &State, today: Timestamp, out: &mut Actions) {
        ui.horizontal(|ui| {
            ui.heading("Conversations");
            from_right(ui, |ui| {
                if ui.button("Close").clicked() {
                    self.open = false;
                }
                let can = state.panes().can_clear();
                let new = ui.add_enabled(can, Button::new("New conversation"));
                if new
                    .on_hover_text(
                        "Start a new conversation in all panes (Ctrl+N); charts are kept",
                    )
                    .clicked()
                {
                    out.push(PaneAction::Clear);
                    self.open = false;
                }
            });
        });
        let total = state.conversations.rows.total();
        // Before the field takes Delete for its own.
        if self.renaming.is_none() {
            self.keys(ui, state, total.unwrap_or(0), out);
        }
        let mut text = Cow::Borrowed(state.conversations.text.as_str());
        let (label, hint) = ("Search conversations", "Search titles, models and messages");
        self.list.search_ui(ui, label, hint, &mut text);
        if let Cow::Owned(text) = text {
            out.push(ConversationsAction::Search(text));
        }
        if let Some(failure) = state.conversations.rows.failure() {
            failure_box(ui, "conversations", failure, None);
            if small_button(ui, "Try again").clicked() {
                out.push(ConversationsAction::Reload);
            }
        }
        let foot = 26.0;
        let height = (ui.available_height() - foot).max(ROW);
        ui.allocate_ui(vec2(ui.available_width(), height), |ui| {
            ui.set_min_size(vec2(ui.available_width(), height));
            match total {
                None => empty_state(ui, "Loading conversations…", "", 40.0),
                Some(0) if state.conversations.text.trim().is_empty() => {
                    let advice = "Conversations on the Playground are saved here, on this computer";
                    empty_state(ui, "No conversations yet", advice, 40.0);
                }
                Some(0) => {
                    empty_state(
                        ui,
                        "No matches",
                        "No conversation contains all of these words",
                        40.0,
                    );
                }
                Some(total) => self.rows_ui(ui, state, total, today, out),
            }
        });
        if total.is_none_or(|total| total == 0) {
            out.push(ConversationsAction::Want(0..1));
        }
        foot_ui(ui, state, total);
    }

    /// Up and Down move the mark, Enter opens what is marked.
    fn keys(&mut self, ui: &Ui, state: &State, total: u64, out: &mut Actions) {
        let pressed = self
            .list
            .keys(ui, usize::try_from(total).unwrap_or(usize::MAX));
        let Some(row) = state.conversations.rows.at(self.list.marked() as u64) else {
            return;
        };
        let action = match pressed {
            Some(RowKey::Take) => Some(ConversationAction::Open(row.id.clone())),
            Some(RowKey::Edit) => Some(ConversationAction::Rename(
                row.id.clone(),
                row.title.clone(),
            )),
            Some(RowKey::Delete) => Some(ConversationAction::Delete(row.id.clone())),
            Some(RowKey::Send) | None => None,
        };
        self.perform(action, state, out);
    }

    fn perform(&mut self, action: Option<ConversationAction>, state: &State, out: &mut Actions) {
        match action {
            Some(ConversationAction::Open(id)) if !state.conversations.is_removed(&id) => {
                out.push(ConversationsAction::Open(id));
                self.open = false;
            }
            Some(ConversationAction::Rename(id, title)) if !state.conversations.is_removed(&id) => {
                self.renaming = Some((id, title));
            }
            Some(ConversationAction::Delete(id)) => out.push(ConversationsAction::Remove(id)),
            Some(ConversationAction::Keep(id)) => out.push(ConversationsAction::Keep(id)),
            Some(ConversationAction::Export(id, format)) => {
                out.push(ConversationsAction::Export(id, format));
            }
            _ => {}
        }
    }

    fn rows_ui(
        &mut self,
        ui: &mut Ui,
        state: &State,
        total: u64,
        today: Timestamp,
        out: &mut Actions,
    ) {
        let active = state.panes().active();
        let mut action = None;
        let total = usize::try_from(total).unwrap_or(usize::MAX);
        let Self { list, renaming, .. } = self;
        let (marked, mut leave) = (list.marked(), false);
        let seen = list.rows_ui(ui, "conversations", total, |ui, rect, index| {
            let row = state
                .conversations
                .rows
                .at(index as u64)
                .filter(|row| !state.conversations.is_gone(&row.id));
            let Some(row) = row else { return };
            let mut inside = ui.new_child(UiBuilder::new().id_salt(&row.id).max_rect(rect));
            match renaming {
                Some((id, title)) if *id == row.id => {
                    leave |= rename_ui(&mut inside, (id, title), out);
                }
                _ if state.conversations.is_removed(&row.id) => {
                    removed_ui(&mut inside, row, &mut action)
                }
                _ => {
                    let pane = state.panes().showing(&row.id);
                    let place = pane.map(|pane| pane == active);
                    let busy = state.playgrounds.is_busy(&row.id);
                    row_ui(
                        &mut inside,
                        row,
                        (index == marked, place, busy),
                        today,
                        &mut action,
                    );
                }
            }
        });
        if leave {
            *renaming = None;
            list.refocus();
        }
        let seen = seen.start as u64..seen.end as u64;
        out.push(ConversationsAction::Want(seen));
        self.perform(action, state, out);
    }
}

fn foot_ui(ui: &mut Ui, state: &State, total: Option<u64>) {
    ui.horizontal(|ui| {
        caption(
            ui,
            "Enter opens in the active pane · F2 renames · Shift+Delete deletes",
        );
        from_right(ui, |ui| {
            if state.conversations.rows.is_loading() || state.conversations.is_opening() {
                ui.add(egui::Spinner::new().size(12.0));
            }
            if let Some(total) = total {
                caption(
                    ui,
                    units::counted(usize::try_from(total).unwrap_or(usize::MAX), "conversation"),
                );
            }
        });
    });
}

/// Another title is typed in the row's place: Enter takes it, Escape leaves it. Gives whether that is over.
fn rename_ui(ui: &mut Ui, (id, title): (&SessionId, &mut String), out: &mut Actions) -> bool {
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
        focus_when_new(&edit);
        let answer = answers(ui, "Cancel", true, |ui| {
            ui.add_enabled(!title.trim().is_empty(), Button::new("Rename"))
        });
        save |= answer.done;
        leave |= answer.left;
    });
    if save && !title.trim().is_empty() {
        out.push(ConversationsAction::Rename(id.clone(), title.clone()));
        leave = true;
    }
    leave
}

fn removed_ui(ui: &mut Ui, row: &SessionRow, action: &mut Option<ConversationAction>) {
    ui.horizontal_centered(|ui| {
        ui.add_space(PAD);
        if list::deleted_ui(ui, &row.title, 80.0) {
            *action = Some(ConversationAction::Keep(row.id.clone()));
        }
    });
}

/// `place`: it is shown in a pane, and whether that is the active one. `busy`: something is being said in it.
fn row_ui(
    ui: &mut Ui,
    row: &SessionRow,
    (marked, place, busy): (bool, Option<bool>, bool),
    today: Timestamp,
    action: &mut Option<ConversationAction>,
) {
    let below = details_of(row, place, today);
    let spoken = format!("{}, {below}", row.title);
    let drawn = ListRow {
        title: &row.title,
        below: &below,
        spoken: (&spoken, place.is_some()),
        current: place == Some(true),
        marked,
    };
    let ListRowResponse { clicked, more } = list::row_ui(ui, &drawn);
    if clicked {
        *action = Some(ConversationAction::Open(row.id.clone()));
    }
    Popup::menu(&more).width(170.0).show(|ui| {
        if ui.button("Rename").clicked() {
            *action = Some(ConversationAction::Rename(
                row.id.clone(),
                row.title.clone(),
            ));
        }
        for (format, name) in [
            (ExportFormat::Markdown, "Export as Markdown…"),
            (ExportFormat::Json, "Export as JSON…"),
        ] {
            if ui.button(name).clicked() {
                *action = Some(ConversationAction::Export(row.id.clone(), format));
            }
        }
        let delete = danger_button(ui, "Delete", !busy);
        if delete
            .on_disabled_hover_text("An answer is in progress; stop it first")
            .clicked()
        {
            *action = Some(ConversationAction::Delete(row.id.clone()));
        }
    });
}

fn details_of(row: &SessionRow, place: Option<bool>, today: Timestamp) -> String {
    let mut parts = Vec::new();
    parts.extend(place.map(|active| {
        if active {
            "open".to_owned()
        } else {
            "open in another pane".to_owned()
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

/// Names the conversation that was opened, with Undo until a message is sent. Gives whether Undo was clicked.
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
                .on_hover_text("Return to the previous conversation")
                .clicked();
        });
    });
    undo
}
