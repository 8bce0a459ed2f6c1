//! Home: environments, and whether everything they need works.

mod checks;
mod deployments;
mod detail;
mod extras;
mod fields;
mod form;
mod import;
mod logs;
mod models;
mod text;

use std::collections::HashMap;

use egui::{
    Button, Color32, CornerRadius, Id, Label, Layout, Modal, RichText, Role, ScrollArea, Sense,
    TextStyle, Ui, WidgetInfo, vec2,
};

use self::checks::{check_button_ui, checks_ui};
use self::fields::fields_ui;
use self::form::{Form, key_change};
use self::import::{import_ui, take_drop};
use crate::domain::environment::{EnvId, Environment, KeyPlace};
use crate::domain::settings::Settings;
use crate::protocol::{Command, FilePurpose, PickedFile, Verdict};
use crate::state::action::Actions;
use crate::state::action::EnvironmentAction;
use crate::state::cluster::ClusterAction;
use crate::state::imports::ImportAction;
use crate::state::{ConnectionState, State};
use crate::ui::theme;
use crate::ui::widgets::{
    caption, dot, filling_card, from_right, page_head, primary_button, shortened, strong, tokens,
};

/// The forms, by environment, so that half an edit survives a look elsewhere.
#[derive(Default)]
pub struct HomeUi {
    forms: HashMap<EnvId, Form>,
    /// The environment that is about to be deleted.
    deleting: Option<EnvId>,
    /// The key that is being saved.
    saving: Option<(EnvId, String)>,
}

impl HomeUi {
    /// Draws the page, and does what it asks of the state.
    pub fn show(&mut self, ui: &mut Ui, state: &mut State, out: &mut Vec<Command>) {
        let clock = crate::ui::clock(ui.ctx());
        let mut actions = Actions::default();
        if state.connection().cluster.page.is_some() {
            deployments::show(ui, state, &mut actions);
        } else {
            let picked = state.picked_file.take();
            let saved = state.last_save.take();
            self.take_save(saved);
            self.page_ui(ui, state, picked, &mut actions);
        }
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
            "Home",
            "Environments: the cluster, the API and the key for your models",
        );
        take_drop(ui, out);
        self.take_file(state, picked, out);
        let width = ui.available_width();
        let height = ui.available_height();
        let gap = 14.0;
        let list = (width * 0.235).clamp(200.0, 290.0);
        // The form has room for its two buttons side by side.
        let checks = (width * 0.365)
            .clamp(220.0, 460.0)
            .min(width - list - 2.0 * gap - 250.0);
        let form = width - list - checks - 2.0 * gap;
        ui.spacing_mut().item_spacing.x = gap;
        ui.horizontal_top(|ui| {
            let column = |ui: &mut Ui, width: f32, contents: &mut dyn FnMut(&mut Ui)| {
                ui.allocate_ui_with_layout(
                    vec2(width, height),
                    Layout::top_down(egui::Align::Min),
                    |ui| {
                        ui.spacing_mut().item_spacing.x = 8.0;
                        ui.set_width(width);
                        contents(ui);
                    },
                );
            };
            column(ui, list, &mut |ui| {
                filling_card(ui, |ui| self.list_ui(ui, state, out))
            });
            column(ui, form, &mut |ui| {
                filling_card(ui, |ui| self.form_ui(ui, state, out))
            });
            column(ui, checks, &mut |ui| {
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
        let Some(env) = state.settings.get(&env) else {
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
            Some(true) => self.saving = None,
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

    fn list_ui(&mut self, ui: &mut Ui, state: &State, out: &mut Actions) {
        let buttons = 142.0;
        let list_height = (ui.available_height() - buttons).max(40.0);
        let mut goes_to = None;
        ScrollArea::vertical()
            .id_salt("environments")
            .max_height(list_height)
            .auto_shrink([false, false])
            .show(ui, |ui| {
                for env in &state.settings.environments {
                    let unsaved = self
                        .forms
                        .get(&env.id)
                        .is_some_and(|form| self.is_changed(form, &state.settings));
                    let color = state_color(ui, env, state.connection_of(&env.id));
                    let selected = env.id == state.settings.selected;
                    if environment_ui(ui, env, color, selected, unsaved) {
                        goes_to = Some(env.id.clone());
                    }
                }
            });
        if let Some(id) = goes_to {
            out.push(EnvironmentAction::Switch(id));
        }
        let own = !state.env().demo;
        let half = vec2((ui.available_width() - 8.0) / 2.0, 28.0);
        ui.horizontal(|ui| {
            if ui
                .add(Button::new("Add").min_size(half))
                .on_hover_text("Add an environment")
                .clicked()
            {
                self.add(state, None, out);
            }
            let import = ui.add(Button::new("Import…").min_size(half));
            let from = "From SambaWiz, a kubeconfig, or another Batida's settings";
            if import.on_hover_text(from).clicked() {
                out.push(ImportAction::Begin);
            }
        });
        ui.horizontal(|ui| {
            if ui
                .add_enabled(own, Button::new("Duplicate").min_size(half))
                .clicked()
            {
                self.add(state, Some(state.env().clone()), out);
            }
            if ui
                .add_enabled(own, Button::new("Delete…").min_size(half))
                .clicked()
            {
                self.deleting = Some(state.env().id.clone());
            }
        });
        let whole = vec2(ui.available_width(), 28.0);
        let has_cluster = state.env().cluster.is_some();
        let page = ui.add_enabled_ui(has_cluster, |ui| {
            ui.add_sized(whole, Button::new("Deployments"))
        });
        if page
            .inner
            .on_hover_text("Show the cluster's deployments, their pods and problems")
            .clicked()
        {
            out.push(ClusterAction::ShowPicked);
        }
        let mut notify = state.settings.care.notify;
        let ticked = ui.checkbox(&mut notify, "Desktop notifications");
        let why = "When a deployment of the environment in use becomes ready or stops; and when one of its models \
                   ceases to answer probes, or answers again. What the demo makes up calls nobody";
        if ticked.on_hover_text(why).changed() {
            out.push(EnvironmentAction::SetNotify(notify));
        }
    }

    /// A new environment, empty or after another, saved at once so that it is in the list.
    fn add(&mut self, state: &State, like: Option<Environment>, out: &mut Actions) {
        let settings = &state.settings;
        let base = like.as_ref().map_or("New environment".to_owned(), |env| {
            format!("{} copy", env.name)
        });
        let name = (1..)
            .map(|n| {
                if n == 1 {
                    base.clone()
                } else {
                    format!("{base} {n}")
                }
            })
            .find(|name| settings.by_name(name).is_none())
            .unwrap_or(base);
        let id = EnvId::fresh();
        let env = match like {
            Some(env) => Environment { id, name, ..env },
            None => {
                // Where there is no keychain a variable is the next best place.
                let variable =
                    KeyPlace::Variable(crate::domain::environment::KEY_VARIABLE.to_owned());
                let key = if state.has_keychain == Some(false) {
                    variable
                } else {
                    KeyPlace::Keychain
                };
                Environment {
                    key,
                    ..Environment::blank(id, name)
                }
            }
        };
        self.forms.insert(env.id.clone(), Form::of(&env));
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
                ui.spacing_mut().item_spacing.y = 4.0;
                fields_ui(ui, &mut form, state, out);
            });
        let changed = self.is_changed(&form, &state.settings);
        let meant = form.read(&state.settings);
        ui.add_space(4.0);
        ui.horizontal(|ui| {
            if ui.add_enabled(changed, Button::new("Discard")).clicked() {
                form = Form::of(env);
            }
            from_right(ui, |ui| {
                let save = primary_button(ui, "Save", meant.is_some() && changed);
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
        let Some(name) = state.settings.get(&id).map(|env| env.name.clone()) else {
            self.deleting = None;
            return;
        };
        let modal = Modal::new(Id::unique("delete environment")).show(ui.ctx(), |ui| {
            ui.set_width(360.0);
            strong(ui, format!("Delete {name}?"));
            ui.add(Label::new("This deletes its settings, its key and this session's conversation with it. The cluster is not changed.").wrap());
            ui.add_space(8.0);
            from_right(ui, |ui| {
                if primary_button(ui, "Delete environment", true).clicked() {
                    self.forms.remove(&id);
                    out.push(EnvironmentAction::Delete(id.clone()));
                    self.deleting = None;
                }
                if ui.button("Cancel").clicked() {
                    self.deleting = None;
                }
            });
        });
        if modal.should_close() {
            self.deleting = None;
        }
    }
}

/// An environment's state as a colour; `None` before it was opened.
fn state_color(ui: &Ui, env: &Environment, place: Option<&ConnectionState>) -> Color32 {
    let tokens = tokens(ui);
    let Some(place) = place else {
        return tokens.faint;
    };
    let failed = place.cluster.view.failure().is_some()
        || place.cluster.api_models.failure().is_some()
        || place.trouble.is_some()
        || place
            .checks
            .done
            .iter()
            .any(|check| check.verdict == Verdict::Bad);
    let seen = place.cluster.view.value().is_some() || place.cluster.api_models.value().is_some();
    match (failed, seen) {
        (true, _) => tokens.error,
        (false, true) if env.accept_invalid_certs => tokens.warning,
        (false, true) => tokens.ok,
        (false, false) => tokens.faint,
    }
}

/// A line of the list. Gives whether it was clicked.
fn environment_ui(
    ui: &mut Ui,
    env: &Environment,
    color: Color32,
    selected: bool,
    unsaved: bool,
) -> bool {
    let tokens = tokens(ui);
    let below = match (&env.cluster, &env.api) {
        _ if env.demo => "built in · simulated".to_owned(),
        _ if unsaved => "unsaved changes".to_owned(),
        (Some(cluster), Some(api)) => format!("{} · {}", cluster.namespace_label(), api.host()),
        (Some(cluster), None) => format!("{} · no API domain yet", cluster.namespace_label()),
        (None, Some(api)) => format!("no cluster · {}", api.host()),
        (None, None) => "not configured".to_owned(),
    };
    let width = ui.available_width();
    let (rect, response) = ui.allocate_exact_size(vec2(width, 46.0), Sense::click());
    let fill = if selected {
        Some(tokens.raised)
    } else {
        response.hovered().then_some(tokens.hover)
    };
    if let Some(fill) = fill {
        ui.painter().rect_filled(rect, CornerRadius::same(6), fill);
    }
    if response.has_focus() {
        ui.painter().rect_stroke(
            rect,
            CornerRadius::same(6),
            egui::Stroke::new(1.0, tokens.accent),
            egui::StrokeKind::Inside,
        );
    }
    let mut inside = ui.new_child(egui::UiBuilder::new().max_rect(rect.shrink2(vec2(10.0, 5.0))));
    inside.spacing_mut().item_spacing.y = 2.0;
    inside.spacing_mut().interact_size.y = 16.0;
    inside.horizontal(|ui| {
        dot(ui, color);
        shortened(
            ui,
            &env.name,
            theme::strong_text(),
            tokens.text,
            width - 50.0,
        );
    });
    inside.horizontal(|ui| {
        ui.add_space(18.0);
        shortened(ui, &below, TextStyle::Small, tokens.dim, width - 50.0);
    });
    response.widget_info(|| {
        WidgetInfo::selected(
            Role::Button,
            true,
            selected,
            format!("Environment {}", env.name),
        )
    });
    response.clicked()
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
    ui.add_space(8.0);
    let api = state.connection().api.as_ref().map_or_else(
        || "starting…".to_owned(),
        crate::domain::environment::ApiAddress::text,
    );
    let cluster = state.env().cluster.as_ref();
    let namespace = cluster.map_or("", |cluster| &cluster.namespace);
    // One below the other: side by side they are wider than the card is in a small window.
    for (name, value) in [("API", api.as_str()), ("Namespace", namespace)] {
        ui.spacing_mut().item_spacing.y = 2.0;
        caption(ui, name);
        ui.add(Label::new(value).wrap());
        ui.add_space(4.0);
    }
}
