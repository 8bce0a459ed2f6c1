//! Home: environments, and whether everything they need works.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use egui::{
    Button, CornerRadius, Id, Label, Layout, Modal, RichText, Role, ScrollArea, Sense, TextEdit, TextStyle,
    Ui, WidgetInfo, vec2,
};
use secrecy::{ExposeSecret as _, SecretString};

use super::super::theme;
use super::super::widgets::{
    Choice, MARGIN, Section, caption, details_ui, dot, failure_box, field, field_error, filling_card,
    from_right, page_head, picker, primary_button, shortened, small_button, strong, tokens, warning_box,
};
use crate::domain::environment::{ApiAddress, ClusterAccess, EnvId, Environment, KeyPlace};
use crate::domain::settings::Settings;
use crate::domain::units;
use crate::protocol::{Check, Command, FilePurpose, KeyChange, KeyStatus, Verdict};
use crate::state::{Loadable, State};

/// The forms, by environment, so that half an edit survives a look elsewhere.
#[derive(Debug, Default)]
pub struct HomeUi {
    forms: HashMap<EnvId, Form>,
    /// The environment that is about to be deleted.
    deleting: Option<EnvId>,
}

/// An environment as it is typed.
#[derive(Debug, Clone)]
struct Form {
    id: EnvId,
    name: String,
    has_cluster: bool,
    kubectl: String,
    kubeconfig: String,
    context: String,
    namespace: String,
    api: String,
    place: PlaceKind,
    variable: String,
    /// A new key; empty keeps the one there is.
    key: String,
    ca_file: String,
    accept_invalid_certs: bool,
}

/// Where a key is kept, without the variable's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PlaceKind {
    Keychain,
    Variable,
    SettingsFile,
    None,
}

impl PlaceKind {
    const ALL: [Self; 4] = [Self::Keychain, Self::Variable, Self::SettingsFile, Self::None];

    fn label(self) -> &'static str {
        match self {
            Self::Keychain => "System keychain",
            Self::Variable => "Environment variable",
            Self::SettingsFile => "Settings file, in the clear",
            Self::None => "No key needed",
        }
    }
}

impl Form {
    fn of(env: &Environment) -> Self {
        let cluster = env.cluster.clone();
        let path = |path: Option<&PathBuf>| path.map(|p| p.display().to_string()).unwrap_or_default();
        let access = cluster.clone().unwrap_or_default();
        let (place, variable) = match &env.key {
            KeyPlace::None => (PlaceKind::None, String::new()),
            KeyPlace::Keychain => (PlaceKind::Keychain, String::new()),
            KeyPlace::Variable(name) => (PlaceKind::Variable, name.clone()),
            KeyPlace::SettingsFile => (PlaceKind::SettingsFile, String::new()),
        };
        Self {
            id: env.id.clone(),
            name: env.name.clone(),
            has_cluster: cluster.is_some(),
            kubectl: path(access.kubectl.as_ref()),
            kubeconfig: path(access.kubeconfig.as_ref()),
            context: access.context.unwrap_or_default(),
            namespace: access.namespace,
            api: env.api.as_ref().map(|api| api.root().to_owned()).unwrap_or_default(),
            place,
            variable: if variable.is_empty() { crate::snippet::KEY_VARIABLE.to_owned() } else { variable },
            key: String::new(),
            ca_file: path(env.ca_file.as_ref()),
            accept_invalid_certs: env.accept_invalid_certs,
        }
    }

    /// The environment that is meant, if every field makes sense.
    fn read(&self, settings: &Settings) -> Option<Environment> {
        let Problems { name, api, namespace, variable } = self.problems(settings);
        if [name, api, namespace, variable].iter().any(Option::is_some) {
            return None;
        }
        let path = |text: &str| Some(text.trim()).filter(|text| !text.is_empty()).map(PathBuf::from);
        Some(Environment {
            id: self.id.clone(),
            name: self.name.trim().to_owned(),
            demo: false,
            api: ApiAddress::parse(&self.api).ok(),
            key: match self.place {
                PlaceKind::None => KeyPlace::None,
                PlaceKind::Keychain => KeyPlace::Keychain,
                PlaceKind::Variable => KeyPlace::Variable(self.variable.trim().to_owned()),
                PlaceKind::SettingsFile => KeyPlace::SettingsFile,
            },
            ca_file: path(&self.ca_file),
            accept_invalid_certs: self.accept_invalid_certs,
            cluster: self.has_cluster.then(|| ClusterAccess {
                kubectl: path(&self.kubectl),
                kubeconfig: path(&self.kubeconfig),
                context: Some(self.context.trim().to_owned()).filter(|context| !context.is_empty()),
                namespace: self.namespace.trim().to_owned(),
            }),
        })
    }

    fn problems(&self, settings: &Settings) -> Problems {
        let name = self.name.trim();
        let taken =
            settings.environments.iter().any(|env| env.id != self.id && env.name.eq_ignore_ascii_case(name));
        let namespace = self.namespace.trim();
        let dns = |text: &str| {
            text.len() <= 63
                && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                && !text.starts_with('-')
                && !text.ends_with('-')
        };
        let variable = self.variable.trim();
        let variable_ok = !variable.is_empty()
            && variable.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !variable.starts_with(|c: char| c.is_ascii_digit());
        Problems {
            name: match name {
                "" => Some("give it a name".to_owned()),
                _ if taken => Some("another environment has this name".to_owned()),
                _ => None,
            },
            // A cluster alone is fine; without either there is nothing to look at.
            api: match ApiAddress::parse(&self.api) {
                Ok(_) => None,
                Err(_) if self.api.trim().is_empty() && self.has_cluster => None,
                Err(error) => Some(error.to_string()),
            },
            namespace: match namespace {
                _ if !self.has_cluster => None,
                "" => Some("type the namespace SambaStack runs in".to_owned()),
                text if !dns(text) => {
                    Some("a namespace has lower-case letters, digits and hyphens, at most 63".to_owned())
                }
                _ => None,
            },
            variable: match self.place {
                PlaceKind::Variable if !variable_ok => {
                    Some("a variable's name has letters, digits and _, and no digit first".to_owned())
                }
                _ => None,
            },
        }
    }
}

/// What is wrong with which field.
struct Problems {
    name: Option<String>,
    api: Option<String>,
    namespace: Option<String>,
    variable: Option<String>,
}

impl HomeUi {
    /// Draws the page.
    pub fn show(&mut self, ui: &mut Ui, state: &mut State, now: Duration, out: &mut Vec<Command>) {
        page_head(ui, "Home", "Environments: where your models run – a cluster, an API and a key");
        self.take_file(state);
        let width = ui.available_width();
        let height = ui.available_height();
        let gap = 14.0;
        let list = (width * 0.235).clamp(200.0, 290.0);
        let checks = (width * 0.365).clamp(220.0, 460.0);
        let form = width - list - checks - 2.0 * gap;
        ui.spacing_mut().item_spacing.x = gap;
        ui.horizontal_top(|ui| {
            let column = |ui: &mut Ui, width: f32, contents: &mut dyn FnMut(&mut Ui)| {
                ui.allocate_ui_with_layout(vec2(width, height), Layout::top_down(egui::Align::Min), |ui| {
                    ui.spacing_mut().item_spacing.x = 8.0;
                    ui.set_width(width);
                    contents(ui);
                });
            };
            column(ui, list, &mut |ui| filling_card(ui, |ui| self.list_ui(ui, state, out)));
            column(ui, form, &mut |ui| filling_card(ui, |ui| self.form_ui(ui, state, out)));
            column(ui, checks, &mut |ui| filling_card(ui, |ui| checks_ui(ui, state, now, out)));
        });
        self.delete_ui(ui, state, out);
    }

    fn take_file(&mut self, state: &mut State) {
        let Some((purpose, path)) = state.picked_file.take() else { return };
        let form = self.forms.entry(state.env().id.clone()).or_insert_with(|| Form::of(state.env()));
        let field = match purpose {
            FilePurpose::Kubeconfig => &mut form.kubeconfig,
            FilePurpose::CaFile => &mut form.ca_file,
            FilePurpose::Kubectl => &mut form.kubectl,
        };
        *field = path.display().to_string();
    }

    fn list_ui(&mut self, ui: &mut Ui, state: &mut State, out: &mut Vec<Command>) {
        let buttons = 74.0;
        let list_height = (ui.available_height() - buttons).max(40.0);
        let mut goes_to = None;
        ScrollArea::vertical()
            .id_salt("environments")
            .max_height(list_height)
            .auto_shrink([false, false])
            .show(ui, |ui| {
                for env in &state.settings.environments {
                    let unsaved =
                        self.forms.get(&env.id).is_some_and(|form| self.is_changed(form, &state.settings));
                    if environment_ui(ui, env, env.id == state.settings.selected, unsaved) {
                        goes_to = Some(env.id.clone());
                    }
                }
            });
        if let Some(id) = goes_to {
            state.switch(&id, out);
        }
        let own = !state.env().demo;
        let half = vec2((ui.available_width() - 8.0) / 2.0, 28.0);
        ui.horizontal(|ui| {
            if ui.add(Button::new("Add").min_size(half)).on_hover_text("Add an environment").clicked() {
                self.add(state, None, out);
            }
            if ui.add_enabled(own, Button::new("Duplicate").min_size(half)).clicked() {
                self.add(state, Some(state.env().clone()), out);
            }
        });
        let whole = vec2(ui.available_width(), 28.0);
        if ui.add_enabled_ui(own, |ui| ui.add_sized(whole, Button::new("Delete…"))).inner.clicked() {
            self.deleting = Some(state.env().id.clone());
        }
    }

    /// A new environment, empty or after another, saved at once so that it is in the list.
    fn add(&mut self, state: &mut State, like: Option<Environment>, out: &mut Vec<Command>) {
        let settings = &state.settings;
        let base = like.as_ref().map_or("New environment".to_owned(), |env| format!("{} copy", env.name));
        let name = (1..)
            .map(|n| if n == 1 { base.clone() } else { format!("{base} {n}") })
            .find(|name| settings.by_name(name).is_none())
            .unwrap_or(base);
        let id = (1..)
            .map(|n| EnvId(format!("env-{n}")))
            .find(|id| settings.get(id).is_none())
            .unwrap_or_else(EnvId::ad_hoc);
        let env = match like {
            Some(env) => Environment { id, name, ..env },
            None => Environment { key: KeyPlace::Keychain, ..Environment::blank(id, name) },
        };
        self.forms.insert(env.id.clone(), Form::of(&env));
        state.save_environment(env, None, out);
    }

    fn is_changed(&self, form: &Form, settings: &Settings) -> bool {
        !form.key.is_empty()
            || settings
                .get(&form.id)
                .is_some_and(|env| form.read(settings).as_ref() != Some(env) && Form::of(env).differs(form))
    }

    fn form_ui(&mut self, ui: &mut Ui, state: &mut State, out: &mut Vec<Command>) {
        if state.env().demo {
            return demo_ui(ui, state, out);
        }
        let env = state.env().clone();
        let id = env.id.clone();
        let mut form = self.forms.remove(&id).unwrap_or_else(|| Form::of(&env));
        let height = (ui.available_height() - 40.0).max(60.0);
        ScrollArea::vertical().id_salt("form").max_height(height).auto_shrink([false, false]).show(
            ui,
            |ui| {
                ui.set_width(ui.available_width() - 4.0);
                ui.spacing_mut().item_spacing.y = 4.0;
                fields_ui(ui, &mut form, state, out);
            },
        );
        let changed = self.is_changed(&form, &state.settings);
        let meant = form.read(&state.settings);
        ui.add_space(4.0);
        ui.horizontal(|ui| {
            if ui.add_enabled(changed, Button::new("Discard changes")).clicked() {
                form = Form::of(&env);
            }
            from_right(ui, |ui| {
                let save = primary_button(ui, "Save", meant.is_some() && changed);
                if let (true, Some(meant)) = (save.clicked(), meant) {
                    let key = key_change(&form, &meant);
                    form.key.clear();
                    state.save_environment(meant, key, out);
                    state.check(out);
                }
            });
        });
        self.forms.insert(id, form);
    }

    fn delete_ui(&mut self, ui: &Ui, state: &mut State, out: &mut Vec<Command>) {
        let Some(id) = self.deleting.clone() else { return };
        let Some(name) = state.settings.get(&id).map(|env| env.name.clone()) else {
            self.deleting = None;
            return;
        };
        let modal = Modal::new(Id::unique("delete environment")).show(ui.ctx(), |ui| {
            ui.set_width(360.0);
            strong(ui, format!("Delete {name}?"));
            ui.add(Label::new("Its settings, its key and this session's conversation with it are forgotten. The cluster is not touched.").wrap());
            ui.add_space(8.0);
            from_right(ui, |ui| {
                if primary_button(ui, "Delete environment", true).clicked() {
                    self.forms.remove(&id);
                    state.delete_environment(&id, out);
                    self.deleting = None;
                }
                if ui.button("Keep it").clicked() {
                    self.deleting = None;
                }
            });
        });
        if modal.should_close() {
            self.deleting = None;
        }
    }
}

impl Form {
    fn differs(&self, other: &Self) -> bool {
        let all = |form: &Self| {
            let Self {
                id: _,
                name,
                has_cluster,
                kubectl,
                kubeconfig,
                context,
                namespace,
                api,
                place,
                variable,
                key,
                ca_file,
                accept_invalid_certs,
            } = form.clone();
            (
                name,
                has_cluster,
                kubectl,
                kubeconfig,
                context,
                namespace,
                api,
                (place, variable, key, ca_file, accept_invalid_certs),
            )
        };
        all(self) != all(other)
    }
}

/// The key that was typed, if its place takes one. When only the place changed, the key moves or goes by itself.
fn key_change(form: &Form, meant: &Environment) -> Option<KeyChange> {
    let typed = form.key.trim();
    let keeps = matches!(meant.key, KeyPlace::Keychain | KeyPlace::SettingsFile);
    if keeps && !typed.is_empty() {
        return Some(KeyChange { env: meant.id.clone(), key: Some(SecretString::from(typed.to_owned())) });
    }
    None
}

/// A line of the list. Gives whether it was clicked.
fn environment_ui(ui: &mut Ui, env: &Environment, selected: bool, unsaved: bool) -> bool {
    let tokens = tokens(ui);
    let below = match (&env.cluster, &env.api) {
        _ if env.demo => "built in · simulated models".to_owned(),
        (Some(cluster), Some(api)) => format!("{} · {}", cluster.namespace, api.host()),
        (Some(cluster), None) => format!("{} · no API domain yet", cluster.namespace),
        (None, Some(api)) => format!("no cluster · {}", api.host()),
        (None, None) => "nothing typed yet".to_owned(),
    };
    let width = ui.available_width();
    let (rect, response) = ui.allocate_exact_size(vec2(width, 46.0), Sense::click());
    let fill = if selected { Some(tokens.raised) } else { response.hovered().then_some(tokens.hover) };
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
        dot(
            ui,
            if env.demo {
                tokens.dim
            } else if env.accept_invalid_certs {
                tokens.warning
            } else {
                tokens.ok
            },
        );
        let name = if unsaved { format!("{} (unsaved)", env.name) } else { env.name.clone() };
        shortened(ui, &name, theme::strong_text(), tokens.text, width - 50.0);
    });
    inside.horizontal(|ui| {
        ui.add_space(18.0);
        shortened(ui, &below, TextStyle::Small, tokens.dim, width - 50.0);
    });
    response.widget_info(|| {
        WidgetInfo::selected(Role::Button, true, selected, format!("Environment {}", env.name))
    });
    response.clicked()
}

fn demo_ui(ui: &mut Ui, state: &mut State, out: &mut Vec<Command>) {
    strong(ui, "Demo");
    let dim = tokens(ui).dim;
    ui.add(Label::new("Simulated models on this machine, and a made-up cluster. Everything else is real: kubectl's commands run as processes, answers stream over HTTP, and every figure is measured.").wrap());
    ui.add(Label::new(RichText::new("Nothing leaves this machine, and no key is needed. It cannot be changed or deleted; add an environment of your own beside it.").color(dim)).wrap());
    ui.add_space(8.0);
    let env = state.env().clone();
    let api = state.place().api.as_ref().map_or_else(|| "starting…".to_owned(), |api| api.root().to_owned());
    let namespace = env.cluster.map(|cluster| cluster.namespace).unwrap_or_default();
    // One below the other: side by side they are wider than the card is in a small window.
    for (name, value) in [("API", api), ("Namespace", namespace)] {
        ui.spacing_mut().item_spacing.y = 2.0;
        caption(ui, name);
        ui.add(Label::new(value).wrap());
        ui.add_space(4.0);
    }
    ui.with_layout(Layout::bottom_up(egui::Align::Min), |ui| check_button_ui(ui, state, out));
}

fn fields_ui(ui: &mut Ui, form: &mut Form, state: &mut State, out: &mut Vec<Command>) {
    let problems = form.problems(&state.settings);
    let problem = |ui: &mut Ui, problem: &Option<String>| {
        if let Some(text) = problem {
            field_error(ui, text);
        }
    };
    field(ui, "Name", &mut form.name, "");
    problem(ui, &problems.name);
    field(ui, "API domain", &mut form.api, "https://api.example.com");
    match (&problems.api, ApiAddress::parse(&form.api)) {
        (Some(text), _) => field_error(ui, text),
        (None, Ok(api)) => {
            ui.add(
                Label::new(
                    RichText::new(format!("Chat goes to {}", api.chat())).small().color(tokens(ui).faint),
                )
                .wrap(),
            );
        }
        (None, Err(_)) => {}
    }
    ui.add_space(4.0);
    key_ui(ui, form, state, out);
    problem(ui, &problems.variable);
    ui.add_space(4.0);
    path_field(
        ui,
        "CA certificate",
        &mut form.ca_file,
        "The system's certificates",
        FilePurpose::CaFile,
        out,
    );
    ui.checkbox(&mut form.accept_invalid_certs, "Accept invalid certificates (not recommended)");
    if form.accept_invalid_certs {
        warning_box(
            ui,
            "Whoever sits between you and the API can read the key and the chats. A CA certificate file is the better way.",
        );
    }
    ui.add_space(8.0);
    ui.checkbox(&mut form.has_cluster, "Find deployments on a cluster, through kubectl");
    if form.has_cluster {
        field(ui, "Namespace", &mut form.namespace, "sambastack");
        problem(ui, &problems.namespace);
        path_field(ui, "Kubeconfig", &mut form.kubeconfig, "kubectl's default", FilePurpose::Kubeconfig, out);
        context_ui(ui, form, state, out);
        path_field(
            ui,
            "kubectl program",
            &mut form.kubectl,
            "kubectl, found in PATH",
            FilePurpose::Kubectl,
            out,
        );
    }
}

fn path_field(
    ui: &mut Ui,
    label: &str,
    text: &mut String,
    hint: &str,
    purpose: FilePurpose,
    out: &mut Vec<Command>,
) {
    let name = caption(ui, label);
    ui.horizontal(|ui| {
        let width = (ui.available_width() - 84.0).max(60.0);
        let edit = TextEdit::singleline(text).hint_text(hint.to_owned()).desired_width(width).margin(MARGIN);
        ui.add_sized([width, 28.0], edit).labelled_by(name.id);
        let browse = ui.button("Browse…");
        browse.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("Browse for {label}…")));
        if browse.clicked() {
            out.push(Command::PickFile { purpose });
        }
    });
}

/// The context's field, with a list to pick from once the kubeconfig was read.
fn context_ui(ui: &mut Ui, form: &mut Form, state: &mut State, out: &mut Vec<Command>) {
    // Listed under a name of its own, so that the form's values do not disturb the open environment.
    let listing = EnvId(format!("{}#form", form.id.0));
    field(ui, "Context", &mut form.context, "The kubeconfig's current one");
    let contexts = state.place_of(&listing).map(|place| &place.contexts);
    let mut ask = false;
    match contexts {
        Some(Loadable::Loading { .. }) => {
            ui.spinner();
        }
        Some(Loadable::Ready(contexts, _)) => {
            let choices = contexts
                .names
                .iter()
                .map(|name| Choice {
                    name,
                    remark: (contexts.current.as_ref() == Some(name)).then(|| "current".to_owned()),
                    dot: None,
                    enabled: true,
                })
                .collect();
            let picked = Some(form.context.as_str()).filter(|context| !context.is_empty());
            let width = ui.available_width();
            if let Some(name) =
                picker(ui, "Contexts", picked, None, width, &[Section { heading: "", choices }])
            {
                form.context = name;
            }
            ask = small_button(ui, "Read contexts again").clicked();
        }
        Some(Loadable::Failed { why, .. }) => {
            field_error(ui, &why.to_string());
            ask = small_button(ui, "Read contexts again").clicked();
        }
        _ => ask = small_button(ui, "Read contexts from the kubeconfig").clicked(),
    }
    if ask {
        let path = |text: &str| Some(text.trim()).filter(|text| !text.is_empty()).map(PathBuf::from);
        let cluster = ClusterAccess {
            kubectl: path(&form.kubectl),
            kubeconfig: path(&form.kubeconfig),
            ..ClusterAccess::default()
        };
        state.list_contexts(
            Environment { cluster: Some(cluster), ..Environment::blank(listing, "form") },
            out,
        );
    }
}

fn key_ui(ui: &mut Ui, form: &mut Form, state: &mut State, out: &mut Vec<Command>) {
    let name = caption(ui, "API key");
    egui::ComboBox::from_id_salt("key place")
        .width(ui.available_width() - 8.0)
        .selected_text(form.place.label())
        .show_ui(ui, |ui| {
            for place in PlaceKind::ALL {
                ui.selectable_value(&mut form.place, place, place.label());
            }
        })
        .response
        .labelled_by(name.id);
    let faint = tokens(ui).faint;
    let hint = |ui: &mut Ui, text: &str| {
        ui.add(Label::new(RichText::new(text).small().color(faint)).wrap());
    };
    match form.place {
        PlaceKind::Variable => {
            field(ui, "Variable's name", &mut form.variable, crate::snippet::KEY_VARIABLE);
            hint(ui, "Read when Batida starts; never written anywhere");
        }
        PlaceKind::None => hint(ui, "Requests carry no key"),
        PlaceKind::Keychain | PlaceKind::SettingsFile => {
            present_key_ui(ui, state, out);
            let label = caption(ui, "New key");
            let edit = TextEdit::singleline(&mut form.key)
                .password(true)
                .hint_text("Leave empty to keep the key")
                .desired_width(f32::INFINITY)
                .margin(MARGIN);
            ui.add(edit).labelled_by(label.id);
            if form.place == PlaceKind::SettingsFile {
                warning_box(
                    ui,
                    "The key will stand in the clear in the settings file, readable by you alone (mode 0600)",
                );
            } else {
                hint(ui, "Kept in the system keychain; never written to the settings file");
            }
        }
    }
    if let (PlaceKind::Variable, Some(KeyStatus::Missing(why))) = (form.place, &state.place().key) {
        let why = why.to_string();
        field_error(ui, &why);
    }
}

/// The key there is: masked, or in the clear while the user looks at it.
fn present_key_ui(ui: &mut Ui, state: &mut State, out: &mut Vec<Command>) {
    let env = state.env().clone();
    let revealed = state
        .revealed_key
        .as_ref()
        .filter(|(id, _)| *id == env.id)
        .map(|(_, key)| key.expose_secret().to_owned());
    match state.place().key.clone() {
        Some(KeyStatus::Present { tail }) => {
            ui.horizontal_wrapped(|ui| {
                let shown = revealed.clone().unwrap_or_else(|| format!("••••••••••••{tail}"));
                let label = ui.add(Label::new(RichText::new(shown).text_style(TextStyle::Monospace)).wrap());
                label.widget_info(|| WidgetInfo::labeled(Role::Label, true, "The key, masked"));
                if revealed.is_some() {
                    if small_button(ui, "Hide").clicked() {
                        state.revealed_key = None;
                    }
                } else if small_button(ui, "Reveal").clicked() {
                    out.push(Command::RevealKey { place: env });
                }
            });
        }
        Some(KeyStatus::Missing(why)) => field_error(ui, &why.to_string()),
        Some(KeyStatus::NotNeeded) | None => {}
    }
}

fn check_button_ui(ui: &mut Ui, state: &mut State, out: &mut Vec<Command>) {
    let running = state.place().checks.running;
    match running {
        Some(job) => {
            if ui.add(Button::new("Cancel checks").min_size(vec2(110.0, 28.0))).clicked() {
                out.push(Command::Cancel { job });
            }
        }
        None => {
            let again = if state.place().checks.done.is_empty() { "Run checks" } else { "Check again" };
            let primary = state.env().demo;
            let clicked = if primary {
                primary_button(ui, again, true).clicked()
            } else {
                ui.add(Button::new(again).min_size(vec2(110.0, 28.0))).clicked()
            };
            if clicked {
                state.check(out);
            }
        }
    }
}

fn checks_ui(ui: &mut Ui, state: &mut State, now: Duration, out: &mut Vec<Command>) {
    ui.horizontal(|ui| {
        strong(ui, "Checks");
        if state.place().checks.running.is_some() {
            ui.spinner();
        }
        if !state.env().demo {
            from_right(ui, |ui| check_button_ui(ui, state, out));
        }
    });
    let _ = now;
    ScrollArea::vertical().id_salt("checks").auto_shrink([false, false]).show(ui, |ui| {
        ui.set_width(ui.available_width() - 4.0);
        if let Some(trouble) = state.place().trouble.clone() {
            failure_box(ui, "place", &trouble, None);
        }
        let checks = &state.place().checks;
        if checks.done.is_empty() && checks.running.is_none() {
            caption(
                ui,
                "kubectl, the cluster, the API and the key: see what works, and what to do where it does not",
            );
            return;
        }
        for (n, check) in checks.done.iter().enumerate() {
            check_ui(ui, n, check, out);
        }
    });
}

fn check_ui(ui: &mut Ui, n: usize, check: &Check, out: &mut Vec<Command>) {
    let tokens = tokens(ui);
    let (color, word) = match check.verdict {
        Verdict::Good => (tokens.ok, "good"),
        Verdict::Warning => (tokens.warning, "warning"),
        Verdict::Bad => (tokens.error, "failed"),
        Verdict::Skipped => (tokens.faint, "skipped"),
    };
    ui.horizontal_top(|ui| {
        ui.vertical(|ui| {
            ui.add_space(4.0);
            dot(ui, color);
        });
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = 2.0;
            let width = ui.available_width();
            let title = shortened(ui, &check.title, theme::strong_text(), tokens.text, width);
            title.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{}: {word}", check.title)));
            let took = check.took.map(|took| format!(" · {}", units::duration(took))).unwrap_or_default();
            ui.add(
                Label::new(RichText::new(format!("{}{took}", check.finding)).small().color(tokens.dim))
                    .wrap(),
            );
            if !check.advice.is_empty() {
                let is_command = check.advice.starts_with("kubectl ");
                let style = if is_command { theme::small_figure_text() } else { TextStyle::Small };
                ui.add(Label::new(RichText::new(&check.advice).text_style(style)).wrap());
                if is_command && small_button(ui, "Copy command").clicked() {
                    out.push(Command::Copy { what: "Command".to_owned(), text: check.advice.clone() });
                }
            }
            details_ui(ui, &format!("check {n}"), &check.details);
        });
    });
    ui.add_space(6.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_reads_back_what_it_was_made_of() {
        let settings = Settings::default();
        let env = Environment {
            api: ApiAddress::parse("api.example.com").ok(),
            key: KeyPlace::Variable("KEY".to_owned()),
            cluster: Some(ClusterAccess { context: Some("east".to_owned()), ..ClusterAccess::default() }),
            ..Environment::blank(EnvId("x".to_owned()), "prod")
        };
        assert_eq!(Form::of(&env).read(&settings), Some(env));
    }

    #[test]
    fn nonsense_is_refused_field_by_field() {
        let settings = Settings::default();
        let mut form = Form::of(&Environment::blank(EnvId("x".to_owned()), "demo"));
        form.has_cluster = true;
        form.namespace = "Not_A_Namespace".to_owned();
        form.api = "ftp://x".to_owned();
        form.place = PlaceKind::Variable;
        form.variable = "1 KEY".to_owned();
        let Problems { name, api, namespace, variable } = form.problems(&settings);
        assert!([name, api, namespace, variable].iter().all(Option::is_some), "Demo's name is taken");
        assert_eq!(form.read(&settings), None);
    }

    #[test]
    fn only_a_typed_key_replaces_the_key() {
        let env = Environment { key: KeyPlace::Keychain, ..Environment::blank(EnvId("x".to_owned()), "a") };
        let mut form = Form::of(&env);
        assert!(key_change(&form, &env).is_none());
        form.key = " new-key\n".to_owned();
        let change = key_change(&form, &env).and_then(|change| change.key);
        assert_eq!(change.as_ref().map(|key| key.expose_secret()), Some("new-key"));
    }
}
