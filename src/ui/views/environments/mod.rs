//! Environments: the clusters and APIs that are connected, and whether everything they need works.

mod checks;
mod extras;
mod fields;
mod form;
mod import;
mod list;

use std::collections::HashMap;

use egui::{Button, Id, Label, Layout, Modal, RichText, ScrollArea, Ui, vec2};

use self::checks::{check_button_ui, checks_ui};
use self::fields::fields_ui;
use self::form::{Form, key_change};
use self::import::{import_ui, take_drop};
use self::list::list_ui;
pub(in crate::ui) use self::list::state_color;
use crate::domain::environment::{ApiAddress, ClusterAccess, EnvId, Environment, KeyPlace};
use crate::domain::settings::Settings;
use crate::domain::workspace::Page;
use crate::protocol::{Command, FilePurpose, PickedFile};
use crate::state::State;
use crate::state::action::Actions;
use crate::state::action::EnvironmentAction;
use crate::state::environments::imports::ImportAction;
use crate::ui::theme::{GAP, GRID, HALF, PAD};
use crate::ui::widgets::{
    answers, caption, card, column, danger_button, filling_card, from_right, page_head,
    primary_button, strong, tokens,
};

/// The forms, by environment, so that half an edit survives a look elsewhere.
#[derive(Default)]
pub struct EnvironmentsUi {
    forms: HashMap<EnvId, Form>,
    /// The environment that is about to be deleted.
    deleting: Option<EnvId>,
    /// The key that is being saved.
    saving: Option<(EnvId, String)>,
    /// The environment that was saved last: the Playground is next.
    saved: Option<EnvId>,
    /// The environment that was added, until its form has the keyboard.
    added: Option<EnvId>,
}

impl EnvironmentsUi {
    /// Draws the page, and does what it asks of the state.
    pub fn show(&mut self, ui: &mut Ui, state: &mut State, out: &mut Vec<Command>) {
        let clock = crate::ui::clock(ui.ctx());
        let mut actions = Actions::default();
        let picked = state.environments.picked_file.take();
        let saved = state.environments.last_save.take();
        self.take_save(saved);
        self.page_ui(ui, state, picked, &mut actions);
        crate::ui::perform(ui.ctx(), actions, state, clock, out);
    }

    fn page_ui(
        &mut self,
        ui: &mut Ui,
        state: &State,
        picked: Option<PickedFile>,
        out: &mut Actions,
    ) {
        page_head(
            ui,
            "Environments",
            "The cluster, the API and the key for your models",
        );
        take_drop(ui, out);
        self.take_file(state, picked, out);
        card(ui).show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.spacing_mut().item_spacing.y = GRID;
            self.toolbar_ui(ui, state, out);
            let unsaved = |id: &EnvId| {
                let form = self.forms.get(id);
                form.is_some_and(|form| self.is_changed(form, &state.environments.settings))
            };
            out.extend(list_ui(ui, state, unsaved).map(EnvironmentAction::Switch));
        });
        let size = ui.available_size();
        let gap = PAD;
        // The form has room for its two buttons side by side.
        let checks = (size.x * 0.36).clamp(240.0, 520.0);
        ui.spacing_mut().item_spacing.x = gap;
        ui.horizontal_top(|ui| {
            column(ui, vec2(size.x - checks - gap, size.y), |ui| {
                filling_card(ui, |ui| self.form_ui(ui, state, out))
            });
            column(ui, vec2(checks, size.y), |ui| {
                filling_card(ui, |ui| checks_ui(ui, state, out))
            });
        });
        self.delete_ui(ui, state, out);
        import_ui(ui, state, out);
    }

    fn take_file(&mut self, state: &State, picked: Option<PickedFile>, out: &mut Actions) {
        let Some(PickedFile { env, purpose, path }) = picked else {
            return;
        };
        if purpose == FilePurpose::Import {
            return out.push(ImportAction::Read(path));
        }
        let Some(env) = state.environments.settings.get(&env) else {
            return;
        };
        let form = self
            .forms
            .entry(env.id.clone())
            .or_insert_with(|| Form::of(env));
        let field = match purpose {
            FilePurpose::Kubeconfig => &mut form.kubeconfig,
            FilePurpose::CaFile => &mut form.ca_file,
            FilePurpose::ClientCert => &mut form.client_cert,
            FilePurpose::ClientKey => &mut form.client_key,
            FilePurpose::Kubectl => &mut form.kubectl,
            FilePurpose::Import => return,
        };
        *field = path.display().to_string();
    }

    /// A typed key that could not be saved goes back into its form.
    fn take_save(&mut self, saved: Option<bool>) {
        match saved {
            Some(true) => {
                let saved = self.saving.take().map(|(env, _)| env);
                self.saved = saved.or(self.saved.take());
            }
            Some(false) => {
                if let Some((env, key)) = self.saving.take()
                    && let Some(form) = self.forms.get_mut(&env)
                {
                    form.key = key;
                }
            }
            None => {}
        }
    }

    fn toolbar_ui(&mut self, ui: &mut Ui, state: &State, out: &mut Actions) {
        let own = !state.env().demo;
        ui.horizontal(|ui| {
            let add = ui.button("Add");
            if add.on_hover_text("Add an environment").clicked() {
                self.add(state, None, out);
            }
            let from = "From SambaWiz, a kubeconfig, or another Batida's settings";
            if ui.button("Import…").on_hover_text(from).clicked() {
                out.push(ImportAction::Begin);
            }
            if ui.add_enabled(own, Button::new("Duplicate")).clicked() {
                self.add(state, Some(state.env().clone()), out);
            }
            if danger_button(ui, "Delete…", own).clicked() {
                self.deleting = Some(state.env().id.clone());
            }
            from_right(ui, |ui| {
                let mut notify = state.environments.settings.care.notify;
                let ticked = ui.checkbox(&mut notify, "Desktop notifications");
                let why = "When a deployment of the environment in use becomes ready or stops; and when one of its models \
                           ceases to answer probes, or answers again. What the demo makes up calls nobody";
                if ticked.on_hover_text(why).changed() {
                    out.push(EnvironmentAction::SetNotify(notify));
                }
            });
        });
    }

    /// A new environment, empty or after another, saved at once so that it is in the list.
    fn add(&mut self, state: &State, like: Option<Environment>, out: &mut Actions) {
        let base = like.as_ref().map_or("New environment".to_owned(), |env| {
            format!("{} copy", env.name)
        });
        let name = state.environments.free_name(&base);
        let id = EnvId::fresh();
        let env = match like {
            Some(env) => Environment { id, name, ..env },
            None => Environment {
                key: usual_key_place(state),
                ..Environment::blank(id, name)
            },
        };
        self.forms.insert(env.id.clone(), Form::of(&env));
        self.added = Some(env.id.clone());
        out.push(EnvironmentAction::Save(Box::new(env), None));
    }

    fn is_changed(&self, form: &Form, settings: &Settings) -> bool {
        !form.key.is_empty()
            || !extras::typed(&form.extras).is_empty()
            || settings.get(&form.id).is_some_and(|env| {
                form.read(settings).as_ref() != Some(env) && Form::of(env) != *form
            })
    }

    fn form_ui(&mut self, ui: &mut Ui, state: &State, out: &mut Actions) {
        if state.env().demo {
            return demo_ui(ui, state, out);
        }
        let env = state.env();
        let id = env.id.clone();
        let mut form = self.forms.remove(&id).unwrap_or_else(|| Form::of(env));
        let height = (ui.available_height() - 40.0).max(60.0);
        ScrollArea::vertical()
            .id_salt("form")
            .max_height(height)
            .auto_shrink([false, false])
            .show(ui, |ui| {
                ui.set_width(ui.available_width() - 4.0);
                ui.spacing_mut().item_spacing.y = GRID;
                let first = fields_ui(ui, &mut form, state, out);
                if self.added.take_if(|added| *added == id).is_some() {
                    first.request_focus();
                }
            });
        let changed = self.is_changed(&form, &state.environments.settings);
        let meant = form.read(&state.environments.settings);
        ui.add_space(GRID);
        ui.horizontal(|ui| {
            if danger_button(ui, "Discard", changed).clicked() {
                form = Form::of(env);
            }
            from_right(ui, |ui| {
                let is_saved = !changed && self.saved.as_ref() == Some(&id) && env.api.is_some();
                if is_saved && primary_button(ui, "Open Playground", true).clicked() {
                    out.push(Page::Playground);
                }
                let save = if is_saved {
                    ui.add_enabled(false, Button::new("Saved"))
                } else {
                    primary_button(ui, "Save", meant.is_some() && changed)
                };
                if let (true, Some(meant)) = (save.clicked(), meant) {
                    let key = key_change(&form, &meant);
                    self.saving = Some((meant.id.clone(), std::mem::take(&mut form.key)));
                    let values = extras::typed(&form.extras);
                    if !values.is_empty() {
                        out.push(Command::StageExtras {
                            env: meant.id.clone(),
                            values,
                        });
                    }
                    out.push(EnvironmentAction::Save(Box::new(meant), key));
                    out.push(EnvironmentAction::Check);
                }
            });
        });
        self.forms.insert(id, form);
    }

    fn delete_ui(&mut self, ui: &Ui, state: &State, out: &mut Actions) {
        let Some(id) = self.deleting.clone() else {
            return;
        };
        let Some(name) = state
            .environments
            .settings
            .get(&id)
            .map(|env| env.name.clone())
        else {
            self.deleting = None;
            return;
        };
        let modal = Modal::new(Id::unique("delete environment")).show(ui.ctx(), |ui| {
            ui.set_width(360.0);
            strong(ui, format!("Delete {name}?"));
            ui.add(Label::new("This deletes its settings, its key and this session's conversation with it. The cluster is not changed.").wrap());
            ui.add_space(GAP);
            let answer = answers(ui, "Cancel", false, |ui| {
                danger_button(ui, "Delete environment", true)
            });
            if answer.done {
                self.forms.remove(&id);
                out.push(EnvironmentAction::Delete(id.clone()));
            }
            if answer.done || answer.left {
                self.deleting = None;
            }
        });
        if modal.should_close() {
            self.deleting = None;
        }
    }
}

/// An environment that is connected from the welcome page.
// No Debug: it holds a key.
pub(in crate::ui::views) struct NewEnvironment {
    /// Its name; a number is added if another has it.
    pub(in crate::ui::views) name: String,
    pub(in crate::ui::views) api: Option<ApiAddress>,
    pub(in crate::ui::views) cluster: Option<ClusterAccess>,
    /// Where the key is; `None` for the usual place.
    pub(in crate::ui::views) place: Option<KeyPlace>,
    /// The key to keep there; empty for none.
    pub(in crate::ui::views) key: String,
}

impl NewEnvironment {
    /// Asks for it to be saved and used.
    pub(in crate::ui::views) fn save(self, state: &State, out: &mut Actions) {
        let env = Environment {
            api: self.api,
            cluster: self.cluster,
            key: self.place.unwrap_or_else(|| usual_key_place(state)),
            ..Environment::blank(EnvId::fresh(), state.environments.free_name(&self.name))
        };
        let key = Form {
            key: self.key,
            ..Form::of(&env)
        };
        let key = key_change(&key, &env);
        out.push(EnvironmentAction::Save(Box::new(env), key));
    }
}

/// Where there is no keychain a variable is the next best place.
fn usual_key_place(state: &State) -> KeyPlace {
    if state.environments.has_keychain == Some(false) {
        KeyPlace::Variable(crate::domain::environment::KEY_VARIABLE.to_owned())
    } else {
        KeyPlace::Keychain
    }
}

fn demo_ui(ui: &mut Ui, state: &State, out: &mut Actions) {
    strong(ui, "Demo");
    let height = (ui.available_height() - 40.0).max(30.0);
    ScrollArea::vertical()
        .id_salt("demo")
        .max_height(height)
        .auto_shrink([false, false])
        .show(ui, |ui| demo_facts_ui(ui, state));
    ui.with_layout(Layout::bottom_up(egui::Align::Min), |ui| {
        check_button_ui(ui, state, out)
    });
}

fn demo_facts_ui(ui: &mut Ui, state: &State) {
    let dim = tokens(ui).dim;
    ui.add(Label::new("Simulated models and a simulated cluster, on this machine. Everything else is real: kubectl commands run as processes, answers stream over HTTP, and every figure is measured.").wrap());
    ui.add(Label::new(RichText::new("No data leaves this machine, and no key is needed. The demo cannot be changed or deleted; add your own environment next to it.").color(dim)).wrap());
    ui.add_space(GAP);
    let api = state.connection().api.as_ref().map_or_else(
        || "starting…".to_owned(),
        crate::domain::environment::ApiAddress::text,
    );
    let cluster = state.env().cluster.as_ref();
    let namespace = cluster.map_or("", |cluster| &cluster.namespace);
    // One below the other: side by side they are wider than the card is in a small window.
    for (name, value) in [("API", api.as_str()), ("Namespace", namespace)] {
        ui.spacing_mut().item_spacing.y = HALF;
        caption(ui, name);
        ui.add(Label::new(value).wrap());
        ui.add_space(GRID);
    }
}
