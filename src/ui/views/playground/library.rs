//! The kept prompts over the page: type to filter, Enter takes one. What has places asks for their values first.

use std::collections::HashMap;
use std::ops::ControlFlow;

use egui::{
    Button, Context, Id, Key, Modal, Modifiers, Popup, ScrollArea, TextEdit, TextStyle, Ui,
    UiBuilder, vec2,
};

use super::list::{self, ListUi, Pressed, ROW, Row, RowResponse};
use crate::domain::library::{LibraryChange, MOST_NAME, Prompt, starters};
use crate::domain::units;
use crate::prompts::template::Template;
use crate::protocol::Command;
use crate::state::State;
use crate::ui::widgets::{
    MARGIN, caption, empty_state, failure_box, field, field_error, fit_middle, from_right,
    primary_button, small_button, strong, tokens,
};

/// What is open of the library.
#[derive(Default)]
pub(super) struct LibraryUi {
    view: View,
    list: ListUi,
    filter: String,
    /// What is filled in or written was just opened, and the keyboard is not there yet.
    fresh: bool,
    /// What was filled in last, by the names of the prompt and the place.
    values: HashMap<(String, String), String>,
    /// What is being written, as it was when that began.
    began: Option<Prompt>,
    /// What was being written when the library was closed beside it, as in [`View::Edit`].
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

/// What is to become of a prompt whose places are filled.
pub(super) enum Taken {
    /// Into the draft.
    Insert(String),
    /// Sent by itself: the draft stays as it is.
    Send(String),
    /// It becomes the system prompt.
    System(String),
}

/// What a row was asked for.
enum Wish {
    Take,
    System,
    Edit,
    Duplicate,
    Delete,
}

impl Wish {
    /// What a key asks of a prompt, and whether it is sent at once.
    fn pressed((pressed, prompt): (Pressed, Prompt)) -> (Self, Prompt, bool) {
        match pressed {
            Pressed::Take => (Self::Take, prompt, false),
            Pressed::Send => (Self::Take, prompt, true),
            Pressed::Edit => (Self::Edit, prompt, false),
            Pressed::Delete => (Self::Delete, prompt, false),
        }
    }
}

impl LibraryUi {
    pub(super) fn is_open(&self) -> bool {
        !matches!(self.view, View::Closed)
    }

    pub(super) fn toggle(&mut self, state: &mut State, out: &mut Vec<Command>) {
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
        state.prompts.deleted = None;
        state.load_prompts(out);
    }

    /// Draws it, if it is open. Gives what was taken; `Break(None)` when it was closed without.
    pub(super) fn show(
        &mut self,
        ctx: &Context,
        state: &mut State,
        out: &mut Vec<Command>,
    ) -> ControlFlow<Option<Taken>> {
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

    // ---- the list ---------------------------------------------------------------------------------------

    fn list_ui(
        &mut self,
        ui: &mut Ui,
        state: &mut State,
        taken: &mut Option<Taken>,
        out: &mut Vec<Command>,
    ) {
        self.view = View::List;
        let drafting = state.drafting_pane();
        let draft = state.pane_chat(drafting).draft.trim().to_owned();
        ui.horizontal(|ui| {
            ui.heading("Prompts");
            from_right(ui, |ui| {
                if ui.button("Close").clicked() {
                    self.view = View::Closed;
                }
                let save = ui.add_enabled(!draft.is_empty(), Button::new("Save the draft…"));
                let help = "Keeps what is typed below as a prompt";
                if save
                    .on_hover_text(help)
                    .on_disabled_hover_text("Nothing is typed below")
                    .clicked()
                {
                    let name = draft
                        .split_whitespace()
                        .take(6)
                        .collect::<Vec<_>>()
                        .join(" ");
                    self.edit(None, Prompt::new(name, &*draft));
                }
                if ui.button("New prompt…").clicked() {
                    self.edit(None, Prompt::new("", ""));
                }
            });
        });
        let all = state
            .prompts
            .library
            .as_ref()
            .map(|library| library.prompts.clone())
            .unwrap_or_default();
        let wanted = self.filter.trim().to_lowercase();
        let fits = |prompt: &&Prompt| {
            let text = format!("{}\n{}", prompt.name, prompt.text).to_lowercase();
            wanted.split_whitespace().all(|word| text.contains(word))
        };
        let shown: Vec<Prompt> = all.iter().filter(fits).cloned().collect();
        // Before the field takes them for its own.
        let pressed = self.list.keys(ui, shown.len());
        let wish = pressed
            .zip(shown.get(self.list.marked()).cloned())
            .map(Wish::pressed);
        self.grant(wish, &all, taken, state, out);
        self.list
            .search_ui(ui, "Filter prompts", "Type to filter", &mut self.filter);
        if let Some(failure) = state.prompts.failure.clone() {
            failure_box(ui, "prompts", &failure, None);
        }
        let height = (ui.available_height() - 30.0).max(ROW);
        ui.allocate_ui(vec2(ui.available_width(), height), |ui| {
            ui.set_min_size(vec2(ui.available_width(), height));
            match (&state.prompts.library, shown.is_empty()) {
                (None, _) if state.prompts.failure.is_none() => {
                    empty_state(ui, "Reading the prompts…", "", 40.0);
                }
                (_, true) if all.is_empty() => {
                    let advice =
                        "Keep what you say often, with {{places}} for what differs each time";
                    empty_state(ui, "No prompts yet", advice, 40.0);
                    ui.add_space(8.0);
                    ui.vertical_centered(|ui| {
                        if primary_button(ui, "Add starter prompts", true).clicked() {
                            state.change_prompts(LibraryChange::Add(starters()), out);
                        }
                    });
                }
                (_, true) => empty_state(
                    ui,
                    "Nothing found",
                    "No prompt has all of these words in it",
                    40.0,
                ),
                (_, false) => {
                    let wish = self.rows_ui(ui, &shown);
                    self.grant(wish, &all, taken, state, out);
                }
            }
        });
        self.foot_ui(ui, state, all.len(), out);
    }

    fn foot_ui(&mut self, ui: &mut Ui, state: &mut State, count: usize, out: &mut Vec<Command>) {
        ui.horizontal(|ui| {
            let deleted = state
                .prompts
                .deleted
                .as_ref()
                .map(|(_, prompt)| prompt.name.clone());
            if let Some(name) = deleted {
                if list::deleted_ui(ui, &name, 260.0) {
                    state.undo_delete_prompt(out);
                }
            } else {
                caption(
                    ui,
                    "Enter inserts · Ctrl+Enter sends · F2 edits · Shift+Delete deletes",
                );
            }
            from_right(ui, |ui| {
                let help = "A JSON file as Export writes it; what is there already stays";
                if small_button(ui, "Import…").on_hover_text(help).clicked() {
                    state.import_prompts(out);
                }
                let export = ui
                    .add_enabled_ui(count > 0, |ui| small_button(ui, "Export…"))
                    .inner;
                if export
                    .on_hover_text("All prompts as one JSON file")
                    .clicked()
                {
                    state.export_prompts(out);
                }
                caption(ui, units::counted(count, "prompt"));
            });
        });
    }

    fn grant(
        &mut self,
        wish: Option<(Wish, Prompt, bool)>,
        all: &[Prompt],
        taken: &mut Option<Taken>,
        state: &mut State,
        out: &mut Vec<Command>,
    ) {
        let Some((wish, prompt, send)) = wish else {
            return;
        };
        match wish {
            Wish::Take | Wish::System => {
                let template = Template::parse(&prompt.text);
                if !template.placeholders().is_empty() {
                    self.view = View::Fill(prompt);
                    self.fresh = true;
                    return;
                }
                let text = template.fill(|_| None);
                *taken = Some(match wish {
                    Wish::System => Taken::System(text),
                    _ if send => Taken::Send(text),
                    _ => Taken::Insert(text),
                });
            }
            Wish::Edit => self.edit(Some(prompt.name.clone()), prompt),
            Wish::Duplicate => {
                let at = all
                    .iter()
                    .position(|known| known.name == prompt.name)
                    .map_or(all.len(), |at| at + 1);
                state.change_prompts(LibraryChange::Restore(at, prompt), out);
            }
            Wish::Delete => state.change_prompts(LibraryChange::Remove(prompt.name), out),
        }
    }

    fn rows_ui(&mut self, ui: &mut Ui, shown: &[Prompt]) -> Option<(Wish, Prompt, bool)> {
        let mut wish = None;
        let marked = self.list.marked();
        self.list
            .rows_ui(ui, "prompts", shown.len(), |ui, rect, index| {
                let prompt = &shown[index];
                let mut inside =
                    ui.new_child(UiBuilder::new().id_salt(&prompt.name).max_rect(rect));
                let asked = row_ui(&mut inside, prompt, index == marked);
                wish = asked
                    .map(|asked| (asked, prompt.clone(), false))
                    .or(wish.take());
            });
        wish
    }

    // ---- the values -------------------------------------------------------------------------------------

    fn fill_ui(&mut self, ui: &mut Ui, prompt: Prompt, taken: &mut Option<Taken>) {
        let template = Template::parse(&prompt.text);
        let places = template.placeholders();
        let send = ui.input_mut(|input| input.consume_key(Modifiers::COMMAND, Key::Enter));
        let enter = ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Enter));
        let mut back = false;
        ui.horizontal(|ui| {
            let width = ui.available_width() - 80.0;
            let name = fit_middle(ui, &prompt.name, &TextStyle::Heading, width);
            ui.heading(name);
            from_right(ui, |ui| back = ui.button("Back").clicked());
        });
        let foot = 40.0;
        let height = (ui.available_height() - foot).max(60.0);
        ui.allocate_ui(vec2(ui.available_width(), height), |ui| {
            ui.set_min_size(vec2(ui.available_width(), height));
            ScrollArea::vertical()
                .id_salt("values")
                .auto_shrink(false)
                .show(ui, |ui| {
                    ui.set_width(ui.available_width() - 8.0);
                    for place in &places {
                        let typed = self
                            .values
                            .entry((prompt.name.clone(), place.name.clone()))
                            .or_insert_with(|| place.default.clone().unwrap_or_default());
                        let name = caption(ui, &place.name);
                        let edit = TextEdit::multiline(typed)
                            .desired_rows(1)
                            .desired_width(f32::INFINITY)
                            .margin(MARGIN)
                            .hint_text(place.default.clone().unwrap_or_default())
                            .return_key(egui::KeyboardShortcut::new(Modifiers::SHIFT, Key::Enter));
                        let edit = ui.add(edit).labelled_by(name.id);
                        if std::mem::take(&mut self.fresh) {
                            edit.request_focus();
                        }
                    }
                    ui.add_space(8.0);
                    caption(ui, "What will be said");
                    let text = self.filled(&prompt, &template);
                    ui.add(
                        egui::Label::new(egui::RichText::new(text).color(tokens(ui).dim)).wrap(),
                    );
                });
        });
        let mut asked = (enter, send, false);
        ui.horizontal(|ui| {
            from_right(ui, |ui| {
                asked.0 |= primary_button(ui, "Insert", true)
                    .on_hover_text("Enter")
                    .clicked();
                asked.1 |= ui.button("Send").on_hover_text("Ctrl+Enter").clicked();
                asked.2 |= ui.button("Use as system prompt").clicked();
            });
        });
        // Escape leaves the values, not the whole library.
        back |= ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape));
        let text = self.filled(&prompt, &template);
        *taken = match asked {
            (_, true, _) => Some(Taken::Send(text)),
            (true, ..) => Some(Taken::Insert(text)),
            (.., true) => Some(Taken::System(text)),
            _ => None,
        };
        if back {
            self.go_to_list();
        } else {
            self.view = View::Fill(prompt);
        }
    }

    fn filled(&self, prompt: &Prompt, template: &Template) -> String {
        let key = |name: &str| (prompt.name.clone(), name.to_owned());
        template.fill(|name| self.values.get(&key(name)).map(String::as_str))
    }

    fn go_to_list(&mut self) {
        self.view = View::List;
        self.list.refocus();
    }

    // ---- writing one ------------------------------------------------------------------------------------

    fn edit(&mut self, old: Option<String>, prompt: Prompt) {
        self.began = Some(prompt.clone());
        self.view = View::Edit(old, prompt);
        self.fresh = true;
    }

    fn edit_ui(
        &mut self,
        ui: &mut Ui,
        state: &mut State,
        old: Option<String>,
        mut prompt: Prompt,
        out: &mut Vec<Command>,
    ) {
        let mut back = false;
        strong(
            ui,
            if old.is_some() {
                "Edit prompt"
            } else {
                "New prompt"
            },
        );
        let name = field(ui, "Name", &mut prompt.name, "What it is for");
        if std::mem::take(&mut self.fresh) {
            name.request_focus();
        }
        let library = state.prompts.library.as_ref();
        let all = library
            .map(|library| library.prompts.as_slice())
            .unwrap_or_default();
        let typed = prompt.name.trim();
        let taken = Some(typed) != old.as_deref() && all.iter().any(|known| known.name == typed);
        let wrong = if taken {
            Some("Another prompt has this name".to_owned())
        } else if typed.chars().count() > MOST_NAME {
            Some(format!("At most {MOST_NAME} characters"))
        } else {
            None
        };
        if let Some(wrong) = &wrong {
            field_error(ui, wrong);
        }
        let label = caption(ui, "Text");
        let height = (ui.available_height() - 74.0).max(60.0);
        ScrollArea::vertical()
            .id_salt("prompt text")
            .max_height(height)
            .auto_shrink([false, true])
            .show(ui, |ui| {
                let rows = (height / ui.text_style_height(&TextStyle::Body))
                    .floor()
                    .max(3.0) as usize
                    - 1;
                let edit = TextEdit::multiline(&mut prompt.text)
                    .desired_width(f32::INFINITY)
                    .desired_rows(rows)
                    .margin(MARGIN)
                    .hint_text("Explain {{topic}} in {{sentences=two}} sentences");
                ui.add(edit).labelled_by(label.id);
            });
        let places = Template::parse(&prompt.text).placeholders();
        let told: Vec<String> = places
            .iter()
            .map(|place| {
                match place
                    .default
                    .as_deref()
                    .filter(|default| !default.is_empty())
                {
                    Some(default) => format!("{} ({default})", place.name),
                    None => place.name.clone(),
                }
            })
            .collect();
        let told = match told.is_empty() {
            true => {
                "Write {{name}} or {{name=value}} where something is to be filled in".to_owned()
            }
            false => format!("To be filled in: {}", told.join(", ")),
        };
        let width = ui.available_width();
        let told = fit_middle(ui, &told, &TextStyle::Small, width);
        caption(ui, told);
        let ready = wrong.is_none() && !typed.is_empty() && !prompt.text.trim().is_empty();
        let mut save = false;
        ui.horizontal(|ui| {
            from_right(ui, |ui| {
                save = primary_button(ui, "Save", ready).clicked();
                back = ui.button("Cancel").clicked();
            });
        });
        // Escape leaves what is written, not the whole library.
        back |= ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape));
        if save {
            prompt.name = prompt.name.trim().to_owned();
            state.change_prompts(
                LibraryChange::Put {
                    old: old.clone(),
                    prompt: prompt.clone(),
                },
                out,
            );
        }
        if save || back {
            self.go_to_list();
        } else {
            self.view = View::Edit(old, prompt);
        }
    }
}

fn row_ui(ui: &mut Ui, prompt: &Prompt, marked: bool) -> Option<Wish> {
    let below = prompt
        .text
        .split_whitespace()
        .take(40)
        .collect::<Vec<_>>()
        .join(" ");
    let spoken = format!("Prompt {}", prompt.name);
    let (title, below) = (&*prompt.name, &*below);
    let row = Row {
        title,
        below,
        spoken: (&spoken, marked),
        current: false,
        marked,
    };
    let RowResponse { clicked, more } = list::row_ui(ui, &row);
    let mut wish = clicked.then_some(Wish::Take);
    Popup::menu(&more).width(170.0).show(|ui| {
        for (name, what) in [
            ("Use as system prompt", Wish::System),
            ("Edit…", Wish::Edit),
            ("Duplicate", Wish::Duplicate),
            ("Delete", Wish::Delete),
        ] {
            if ui.button(name).clicked() {
                wish = Some(what);
            }
        }
    });
    wish
}
