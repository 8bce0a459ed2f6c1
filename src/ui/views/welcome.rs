//! The welcome page: connect a first cluster or API, or try the demo. Help brings it back.

use egui::{Align, Layout, ScrollArea, Ui, vec2};

use super::environments::NewEnvironment;
use crate::domain::environment::{
    ApiAddress, ClusterAccess, EnvId, Environment, KEY_VARIABLE, KeyPlace, is_variable,
};
use crate::domain::pasted;
use crate::domain::workspace::Page;
use crate::protocol::Command;
use crate::state::action::{Action, Actions, EnvironmentAction};
use crate::state::cluster::ClusterAction;
use crate::state::environments::imports::ImportAction;
use crate::state::{Loadable, State};
use crate::ui::keys::KEYS;
use crate::ui::theme::{GAP, GRID};
use crate::ui::widgets::{
    MARGIN, caption, card, column, field_error, page_head, primary_button, shortened, small_button,
    strong, tokens,
};

/// More of them are found in Environments.
const MAX_CONTEXTS: usize = 6;
const WIDTH: f32 = 720.0;

/// What is typed on the page.
#[derive(Default)]
pub struct WelcomeUi {
    address: String,
    // Never printed: this type has no Debug.
    key: String,
    /// Connect was clicked, so that an empty address is a mistake by now.
    tried: bool,
}

impl WelcomeUi {
    /// Draws the page, and does what it asks of the state.
    pub fn show(&mut self, ui: &mut Ui, state: &mut State, out: &mut Vec<Command>) {
        let clock = crate::ui::clock(ui.ctx());
        let mut actions = Actions::default();
        page_head(
            ui,
            "Welcome to Batida",
            "See whether your models answer, and how fast. Begin with one of these",
        );
        ScrollArea::vertical()
            .id_salt("welcome")
            .auto_shrink([false, false])
            .show(ui, |ui| {
                let width = ui.available_width().min(WIDTH);
                column(ui, vec2(width, 0.0), |ui| {
                    cluster_ui(ui, state, &mut actions);
                    self.api_ui(ui, state, &mut actions);
                    demo_ui(ui, &mut actions);
                    keys_ui(ui);
                });
            });
        crate::ui::perform(ui.ctx(), actions, state, clock, out);
    }

    fn api_ui(&mut self, ui: &mut Ui, state: &State, out: &mut Actions) {
        section(
            ui,
            "Connect an API",
            "Any server with an OpenAI-compatible API, by its address",
            |ui| {
                let has_keychain = state.environments.has_keychain != Some(false);
                let parsed = ApiAddress::parse(&self.address);
                ui.horizontal_top(|ui| {
                    let connect = 112.0;
                    let half = (ui.available_width() - connect - 16.0) / 2.0;
                    let mut entered = false;
                    column(ui, vec2(half, 0.0), |ui| {
                        let name = caption(ui, "API domain");
                        let edit = egui::TextEdit::singleline(&mut self.address)
                            .hint_text("https://api.example.com")
                            .desired_width(f32::INFINITY)
                            .margin(MARGIN);
                        let edit = ui.add(edit).labelled_by(name.id);
                        entered |=
                            edit.lost_focus() && ui.input(|it| it.key_pressed(egui::Key::Enter));
                    });
                    column(ui, vec2(half, 0.0), |ui| {
                        let label = if has_keychain {
                            "API key"
                        } else {
                            "Environment variable with the API key"
                        };
                        let name = caption(ui, label);
                        let edit = egui::TextEdit::singleline(&mut self.key)
                            .password(has_keychain)
                            .hint_text("None")
                            .desired_width(f32::INFINITY)
                            .margin(MARGIN);
                        let edit = ui.add(edit).labelled_by(name.id);
                        entered |=
                            edit.lost_focus() && ui.input(|it| it.key_pressed(egui::Key::Enter));
                    });
                    ui.with_layout(Layout::bottom_up(Align::Min), |ui| {
                        if primary_button(ui, "Connect API", true).clicked() || entered {
                            self.tried = true;
                            let named = has_keychain || is_usual_variable(self.key.trim());
                            if let (Ok(api), true) = (ApiAddress::parse(&self.address), named) {
                                self.connect(state, api, out);
                            }
                        }
                    });
                });
                match parsed {
                    Err(why) if self.tried || !self.address.trim().is_empty() => {
                        field_error(ui, &why.to_string());
                    }
                    _ => {}
                }
                if !has_keychain && !is_usual_variable(self.key.trim()) {
                    field_error(
                        ui,
                        &format!(
                            "Enter the name of the variable, such as {KEY_VARIABLE}, not the key itself"
                        ),
                    );
                }
                if let (_, Some(note)) = pasted::strip(&self.key) {
                    caption(ui, note);
                }
                caption(
                    ui,
                    if has_keychain {
                        "The key is kept in the system keychain, never in the settings file"
                    } else {
                        "This computer has no keychain. Batida reads the variable when it starts; Environments offers another \
                     place"
                    },
                );
            },
        );
    }

    fn connect(&mut self, state: &State, api: ApiAddress, out: &mut Actions) {
        let typed = self.key.trim();
        let place = match state.environments.has_keychain {
            _ if typed.is_empty() => KeyPlace::None,
            Some(false) => KeyPlace::Variable(typed.to_owned()),
            _ => KeyPlace::Keychain,
        };
        let new = NewEnvironment {
            name: api.host().to_owned(),
            api: Some(api),
            cluster: None,
            place: Some(place),
            key: std::mem::take(&mut self.key),
        };
        new.save(state, out);
        out.push(Page::Playground);
        *self = Self::default();
    }
}

/// Whether this is empty or a variable's name in capitals. A key may look like a name in small letters, and a name is
/// written to the settings file.
fn is_usual_variable(name: &str) -> bool {
    name.is_empty() || (is_variable(name) && !name.contains(|c: char| c.is_ascii_lowercase()))
}

/// The contexts of the kubeconfig are read at once.
fn cluster_ui(ui: &mut Ui, state: &State, out: &mut Actions) {
    let about = "Finds what is deployed on a SambaStack cluster, through kubectl";
    section(ui, "Connect a cluster", about, |ui| {
        // Listed under a name of its own, beside the environments.
        let listing = EnvId("welcome#contexts".to_owned());
        let known = state.environments.connection_of(&listing);
        let contexts = known.map(|known| &known.cluster.contexts);
        let (mut ask, mut again) = (false, None);
        match contexts {
            None | Some(Loadable::Absent) => ask = true,
            Some(Loadable::Loading { job, .. }) => {
                ui.horizontal(|ui| {
                    ui.spinner();
                    caption(ui, "Reading the contexts of your kubeconfig");
                    if small_button(ui, "Cancel loading").clicked() {
                        out.push(Command::Cancel { job: *job });
                    }
                });
            }
            Some(Loadable::Failed { why, .. }) => {
                caption(ui, why.to_string());
                again = Some("Try again");
            }
            Some(Loadable::Ready(contexts, _)) if contexts.names.is_empty() => {
                caption(ui, "Your kubeconfig has no contexts");
                again = Some("Read it again");
            }
            Some(Loadable::Ready(contexts, _)) => {
                for name in contexts.names.iter().take(MAX_CONTEXTS) {
                    let is_current = contexts.current.as_ref() == Some(name);
                    context_ui(ui, state, name, is_current, out);
                }
                if contexts.names.len() > MAX_CONTEXTS {
                    let more = contexts.names.len() - MAX_CONTEXTS;
                    caption(ui, format!("{more} more: choose Other cluster…"));
                }
            }
        }
        ui.horizontal(|ui| {
            ask |= again.is_some_and(|again| small_button(ui, again).clicked());
            others_ui(ui, state, out);
        });
        if ask {
            out.push(ClusterAction::ListContexts(Box::new(Environment {
                cluster: Some(ClusterAccess::default()),
                ..Environment::blank(listing, "welcome")
            })));
        }
    });
}

/// Where the contexts of the usual kubeconfig are not what is wanted.
fn others_ui(ui: &mut Ui, state: &State, out: &mut Actions) {
    if small_button(ui, "Other cluster…")
        .on_hover_text("Choose a kubeconfig, a context and a namespace in Environments")
        .clicked()
    {
        connect_cluster(state, None, out);
    }
    if small_button(ui, "Import environments…")
        .on_hover_text("From SambaWiz, a kubeconfig, or another Batida's settings")
        .clicked()
    {
        out.push(Page::Environments);
        out.push(ImportAction::Begin);
    }
}

fn context_ui(ui: &mut Ui, state: &State, name: &str, is_current: bool, out: &mut Actions) {
    ui.horizontal(|ui| {
        let button = small_button(ui, "Connect");
        button.widget_info(|| {
            egui::WidgetInfo::labeled(egui::Role::Button, true, format!("Connect {name}"))
        });
        if button.clicked() {
            connect_cluster(state, Some(name), out);
        }
        let width = ui.available_width() - if is_current { 140.0 } else { 0.0 };
        let color = tokens(ui).text;
        shortened(ui, name, egui::TextStyle::Body, color, width);
        if is_current {
            caption(ui, "current context");
        }
    });
}

/// The form is next: a cluster alone has no API to chat with.
fn connect_cluster(state: &State, context: Option<&str>, out: &mut Actions) {
    let new = NewEnvironment {
        name: context.unwrap_or("New cluster").to_owned(),
        api: None,
        cluster: Some(ClusterAccess {
            context: context.map(str::to_owned),
            ..ClusterAccess::default()
        }),
        place: None,
        key: String::new(),
    };
    new.save(state, out);
    if context.is_some() {
        out.push(EnvironmentAction::Check);
    }
    out.push(Page::Environments);
}

fn demo_ui(ui: &mut Ui, out: &mut Actions) {
    let about = "Simulated models on a simulated cluster, on this computer. No key is needed and no data leaves it";
    section(ui, "Try the demo", about, |ui| {
        if ui.button("Open the demo").clicked() {
            out.push(EnvironmentAction::Switch(EnvId::demo()));
            out.push(Action::EndWelcome);
            out.push(Page::Playground);
        }
    });
}

fn keys_ui(ui: &mut Ui) {
    egui::CollapsingHeader::new("Keyboard shortcuts").show(ui, |ui| {
        egui::Grid::new("keys")
            .num_columns(2)
            .spacing(vec2(16.0, 4.0))
            .show(ui, |ui| {
                for (keys, what) in KEYS {
                    caption(ui, keys);
                    ui.label(what);
                    ui.end_row();
                }
            });
    });
}

fn section(ui: &mut Ui, title: &str, about: &str, contents: impl FnOnce(&mut Ui)) {
    card(ui).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing = vec2(GAP, GRID);
        strong(ui, title);
        caption(ui, about);
        ui.add_space(GRID);
        contents(ui);
    });
    ui.add_space(GAP);
}
