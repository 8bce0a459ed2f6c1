//! The kept prompts over the page: type to filter, Enter takes one. What has places asks for their values first.

mod edit;
mod fill;

use std::collections::HashMap;
use std::ops::ControlFlow;

use egui::{Button, Context, Id, Modal, Popup, Ui, UiBuilder, vec2};

use super::list::{self, ListRow, ListRowResponse, ListUi, ROW, RowKey};
use crate::domain::library::{LibraryChange, Prompt, starters};
use crate::domain::units;
use crate::prompts::template::Template;
use crate::state::State;
use crate::state::action::Actions;
use crate::state::library::PromptsAction;
use crate::ui::theme::GAP;
use crate::ui::widgets::{
    caption, danger_button, empty_state, failure_box, from_right, primary_button, small_button,
};

/// The library's open view and its list.
#[derive(Default)]
pub(super) struct LibraryUi {
    view: View,
    list: ListUi,
    filter: String,
    /// A form was just opened: its first field takes the keyboard in the next frame.
    fresh: bool,
    /// The last values, by prompt and placeholder.
    values: HashMap<(String, String), String>,
    /// The edited prompt as it was when editing began, to notice changes.
    began: Option<Prompt>,
    /// An edit that a click beside the library interrupted, as in [`View::Edit`]; it is there at the next opening.
    unfinished: Option<(Option<String>, Prompt)>,
}

#[derive(Default)]
enum View {
    #[default]
    Closed,
    List,
    /// The values of a prompt's places.
    Fill(Prompt),
    /// A prompt that is written: the name of the one it replaces, and what is typed.
    Edit(Option<String>, Prompt),
}

/// The use of a prompt whose placeholders are filled.
pub(super) enum PromptUse {
    /// Into the draft.
    Insert(String),
    /// Sent by itself: the draft stays as it is.
    Send(String),
    /// It becomes the system prompt.
    System(String),
}

/// An action on one prompt.
enum PromptAction {
    Take,
    System,
    Edit,
    Duplicate,
    Delete,
}

impl PromptAction {
    /// The action of a key, and whether the prompt is sent at once.
    fn pressed((pressed, prompt): (RowKey, Prompt)) -> (Self, Prompt, bool) {
        match pressed {
            RowKey::Take => (Self::Take, prompt, false),
            RowKey::Send => (Self::Take, prompt, true),
            RowKey::Edit => (Self::Edit, prompt, false),
            RowKey::Delete => (Self::Delete, prompt, false),
        }
    }
}

impl LibraryUi {
    pub(super) fn is_open(&self) -> bool {
        !matches!(self.view, View::Closed)
    }

    pub(super) fn toggle(&mut self, out: &mut Actions) {
        if self.is_open() {
            self.close();
            return;
        }
        let written = self
            .unfinished
            .take()
            .map(|(old, prompt)| View::Edit(old, prompt));
        *self = Self {
            view: written.unwrap_or(View::List),
            list: ListUi::opened(),
            fresh: true,
            values: std::mem::take(&mut self.values),
            began: self.began.take(),
            ..Self::default()
        };
        out.push(PromptsAction::Load);
    }

    /// Draws it, if it is open. Gives what was taken; `Break(None)` when it was closed without.
    pub(super) fn show(
        &mut self,
        ctx: &Context,
        state: &State,
        out: &mut Actions,
    ) -> ControlFlow<Option<PromptUse>> {
        if !self.is_open() {
            return ControlFlow::Continue(());
        }
        let screen = ctx.content_rect().size();
        let size = vec2((screen.x - 80.0).min(680.0), (screen.y - 80.0).min(560.0));
        let mut taken = None;
        let modal = Modal::new(Id::unique("prompts")).show(ctx, |ui| {
            ui.set_width(size.x);
            ui.set_height(size.y);
            match std::mem::take(&mut self.view) {
                View::Closed => {}
                View::List => self.list_ui(ui, state, &mut taken, out),
                View::Fill(prompt) => self.fill_ui(ui, prompt, &mut taken),
                View::Edit(old, prompt) => self.edit_ui(ui, state, old, prompt, out),
            }
        });
        if modal.should_close() {
            self.close();
        }
        if taken.is_some() {
            self.view = View::Closed;
        }
        if self.is_open() {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(taken)
        }
    }

    /// A click beside the library is no decision about what is being written: that is there at the next opening.
    fn close(&mut self) {
        if let View::Edit(old, prompt) = std::mem::take(&mut self.view)
            && self.began.as_ref() != Some(&prompt)
        {
            self.unfinished = Some((old, prompt));
        }
    }

    fn list_ui(
        &mut self,
        ui: &mut Ui,
        state: &State,
        taken: &mut Option<PromptUse>,
        out: &mut Actions,
    ) {
        self.view = View::List;
        let drafting = state.panes().drafting();
        let draft = state.panes().chat(drafting).draft.trim();
        self.head_ui(ui, draft);
        let library = state.prompts.library.as_ref();
        let all = library.map_or(&[][..], |library| &library.prompts);
        let wanted = self.filter.trim().to_lowercase();
        let fits = |prompt: &&Prompt| {
            let text = format!("{}\n{}", prompt.name, prompt.text).to_lowercase();
            wanted.split_whitespace().all(|word| text.contains(word))
        };
        let shown: Vec<&Prompt> = all.iter().filter(fits).collect();
        // Before the field takes them for its own.
        let pressed = self.list.keys(ui, shown.len());
        let action = pressed
            .zip(
                shown
                    .get(self.list.marked())
                    .map(|prompt| (*prompt).clone()),
            )
            .map(PromptAction::pressed);
        self.perform(action, all, taken, out);
        self.list
            .search_ui(ui, "Filter prompts", "Type to filter", &mut self.filter);
        if let Some(failure) = &state.prompts.failure {
            failure_box(ui, "prompts", failure, None);
        }
        let height = (ui.available_height() - 30.0).max(ROW);
        ui.allocate_ui(vec2(ui.available_width(), height), |ui| {
            ui.set_min_size(vec2(ui.available_width(), height));
            match (&state.prompts.library, shown.is_empty()) {
                (None, _) if state.prompts.failure.is_none() => {
                    empty_state(ui, "Loading prompts…", "", 40.0);
                }
                (_, true) if all.is_empty() => {
                    let advice =
                        "Save the prompts you use often, with {{placeholders}} for the parts that change";
                    empty_state(ui, "No prompts yet", advice, 40.0);
                    ui.add_space(GAP);
                    ui.vertical_centered(|ui| {
                        if primary_button(ui, "Add starter prompts", true).clicked() {
                            out.push(PromptsAction::Change(LibraryChange::Add(starters())));
                        }
                    });
                }
                (_, true) => empty_state(
                    ui,
                    "No matches",
                    "No prompt contains all of these words",
                    40.0,
                ),
                (_, false) => {
                    let action = self.rows_ui(ui, &shown);
                    self.perform(action, all, taken, out);
                }
            }
        });
        self.foot_ui(ui, state, all.len(), out);
    }

    fn head_ui(&mut self, ui: &mut Ui, draft: &str) {
        ui.horizontal(|ui| {
            ui.heading("Prompt library");
            from_right(ui, |ui| {
                if ui.button("Close").clicked() {
                    self.view = View::Closed;
                }
                let save = ui.add_enabled(!draft.is_empty(), Button::new("Save draft…"));
                let help = "Save the message you are typing as a prompt";
                if save
                    .on_hover_text(help)
                    .on_disabled_hover_text("The message is empty")
                    .clicked()
                {
                    let name = draft
                        .split_whitespace()
                        .take(6)
                        .collect::<Vec<_>>()
                        .join(" ");
                    self.edit(None, Prompt::new(name, draft));
                }
                if ui.button("New prompt…").clicked() {
                    self.edit(None, Prompt::new("", ""));
                }
            });
        });
    }

    fn foot_ui(&mut self, ui: &mut Ui, state: &State, count: usize, out: &mut Actions) {
        ui.horizontal(|ui| {
            if let Some((_, prompt)) = &state.prompts.deleted {
                if list::deleted_ui(ui, &prompt.name, 260.0) {
                    out.push(PromptsAction::UndoDelete);
                }
            } else {
                caption(
                    ui,
                    "Enter inserts · Ctrl+Enter sends · F2 edits · Shift+Delete deletes",
                );
            }
            from_right(ui, |ui| {
                let help = "Import a JSON file written by Export; existing prompts are kept";
                if small_button(ui, "Import…").on_hover_text(help).clicked() {
                    out.push(PromptsAction::Import);
                }
                let export = ui
                    .add_enabled_ui(count > 0, |ui| small_button(ui, "Export…"))
                    .inner;
                if export
                    .on_hover_text("Save all prompts as one JSON file")
                    .clicked()
                {
                    out.push(PromptsAction::Export);
                }
                caption(ui, units::counted(count, "prompt"));
            });
        });
    }

    fn perform(
        &mut self,
        action: Option<(PromptAction, Prompt, bool)>,
        all: &[Prompt],
        taken: &mut Option<PromptUse>,
        out: &mut Actions,
    ) {
        let Some((action, prompt, send)) = action else {
            return;
        };
        match action {
            PromptAction::Take | PromptAction::System => {
                let template = Template::parse(&prompt.text);
                if !template.placeholders().is_empty() {
                    self.view = View::Fill(prompt);
                    self.fresh = true;
                    return;
                }
                let text = template.fill(|_| None);
                *taken = Some(match action {
                    PromptAction::System => PromptUse::System(text),
                    _ if send => PromptUse::Send(text),
                    _ => PromptUse::Insert(text),
                });
            }
            PromptAction::Edit => self.edit(Some(prompt.name.clone()), prompt),
            PromptAction::Duplicate => {
                let at = all
                    .iter()
                    .position(|known| known.name == prompt.name)
                    .map_or(all.len(), |at| at + 1);
                out.push(PromptsAction::Change(LibraryChange::Restore(at, prompt)));
            }
            PromptAction::Delete => {
                out.push(PromptsAction::Change(LibraryChange::Remove(prompt.name)));
            }
        }
    }

    fn rows_ui(&mut self, ui: &mut Ui, shown: &[&Prompt]) -> Option<(PromptAction, Prompt, bool)> {
        let mut action = None;
        let marked = self.list.marked();
        self.list
            .rows_ui(ui, "prompts", shown.len(), |ui, rect, index| {
                let prompt = shown[index];
                let mut inside =
                    ui.new_child(UiBuilder::new().id_salt(&prompt.name).max_rect(rect));
                let asked = row_ui(&mut inside, prompt, index == marked);
                action = asked
                    .map(|asked| (asked, prompt.clone(), false))
                    .or(action.take());
            });
        action
    }

    fn go_to_list(&mut self) {
        self.view = View::List;
        self.list.refocus();
    }
}

fn row_ui(ui: &mut Ui, prompt: &Prompt, marked: bool) -> Option<PromptAction> {
    let below = prompt
        .text
        .split_whitespace()
        .take(40)
        .collect::<Vec<_>>()
        .join(" ");
    let spoken = format!("Prompt {}", prompt.name);
    let (title, below) = (&*prompt.name, &*below);
    let row = ListRow {
        title,
        below,
        spoken: (&spoken, marked),
        current: false,
        marked,
    };
    let ListRowResponse { clicked, more } = list::row_ui(ui, &row);
    let mut action = clicked.then_some(PromptAction::Take);
    Popup::menu(&more).width(170.0).show(|ui| {
        for (name, what) in [
            ("Use as system prompt", PromptAction::System),
            ("Edit…", PromptAction::Edit),
            ("Duplicate", PromptAction::Duplicate),
            ("Delete", PromptAction::Delete),
        ] {
            let button = match what {
                PromptAction::Delete => danger_button(ui, name, true),
                _ => ui.button(name),
            };
            if button.clicked() {
                action = Some(what);
            }
        }
    });
    action
}
