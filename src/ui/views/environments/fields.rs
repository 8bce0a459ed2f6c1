//! The form's fields.

use std::path::PathBuf;

use egui::{
    Align, CollapsingHeader, Label, Layout, Response, RichText, Role, TextEdit, TextStyle, Ui,
    WidgetInfo, vec2,
};
use secrecy::ExposeSecret as _;

use super::extras::extras_ui;
use super::form::{Form, PlaceKind, Problems};
use crate::domain::environment::{ApiAddress, ClusterAccess, EnvId, Environment};
use crate::domain::pasted;
use crate::protocol::{Command, FilePurpose, KeyStatus};
use crate::state::action::{Actions, EnvironmentAction};
use crate::state::cluster::ClusterAction;
use crate::state::{Loadable, State};
use crate::ui::theme::{APART, GAP, GRID};
use crate::ui::widgets::{
    Choice, MARGIN, Section, caption, column, field, field_error, picker, small_button, strong,
    tokens, warning_box,
};

/// Narrower forms have the cluster below the API.
const TWO_COLUMNS: f32 = 560.0;

/// Gives the first of them.
pub(super) fn fields_ui(
    ui: &mut Ui,
    form: &mut Form,
    state: &State,
    out: &mut Actions,
) -> Response {
    let problems = form.problems(&state.environments.settings);
    let width = ui.available_width();
    if width < TWO_COLUMNS {
        let first = api_ui(ui, form, &problems, state, out);
        ui.add_space(GAP);
        cluster_ui(ui, form, problems.namespace.as_deref(), state, out);
        return first;
    }
    let gap = APART;
    let half = (width - gap) / 2.0;
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = gap;
        let first = column(ui, vec2(half, 0.0), |ui| {
            api_ui(ui, form, &problems, state, out)
        });
        column(ui, vec2(half, 0.0), |ui| {
            cluster_ui(ui, form, problems.namespace.as_deref(), state, out);
        });
        first
    })
    .inner
}

fn problem_ui(ui: &mut Ui, problem: Option<&String>) {
    if let Some(text) = problem {
        field_error(ui, text);
    }
}

fn api_ui(
    ui: &mut Ui,
    form: &mut Form,
    problems: &Problems,
    state: &State,
    out: &mut Actions,
) -> Response {
    strong(ui, "API");
    let first = field(ui, "Name", &mut form.name, "");
    problem_ui(ui, problems.name.as_ref());
    field(ui, "API domain", &mut form.api, "https://api.example.com");
    match (&problems.api, ApiAddress::parse(&form.api)) {
        // An empty field is not yet a mistake.
        (Some(text), _) if form.api.trim().is_empty() => {
            caption(ui, text);
        }
        (Some(text), _) => field_error(ui, text),
        (None, Ok(api)) => {
            let text = format!("Chat endpoint: {}", api.chat());
            let text = RichText::new(text).small().color(tokens(ui).faint);
            ui.add(Label::new(text).wrap());
        }
        (None, Err(_)) => {}
    }
    ui.add_space(GRID);
    key_ui(ui, form, state, out);
    problem_ui(ui, problems.variable.as_ref());
    ui.add_space(GRID);
    let is_set = !form.extras.is_empty() || !form.key_header.is_empty();
    let section = CollapsingHeader::new("Headers and query parameters").default_open(is_set);
    section.show(ui, |ui| {
        key_header_ui(ui, form);
        problem_ui(ui, problems.key_header.as_ref());
        extras_ui(ui, &mut form.extras, &problems.extras);
    });
    ui.add_space(GRID);
    path_field(ui, &form.id, FilePurpose::CaFile, &mut form.ca_file, out);
    path_field(
        ui,
        &form.id,
        FilePurpose::ClientCert,
        &mut form.client_cert,
        out,
    );
    path_field(
        ui,
        &form.id,
        FilePurpose::ClientKey,
        &mut form.client_key,
        out,
    );
    ui.checkbox(
        &mut form.accept_invalid_certs,
        "Accept invalid certificates (not recommended)",
    );
    if form.accept_invalid_certs {
        warning_box(
            ui,
            "Anyone on the network path can read your key and your chats. Use a CA certificate file instead.",
        );
    }
    first
}

fn cluster_ui(
    ui: &mut Ui,
    form: &mut Form,
    problem: Option<&str>,
    state: &State,
    out: &mut Actions,
) {
    strong(ui, "Cluster");
    ui.checkbox(&mut form.has_cluster, "Connect to a cluster (kubectl)");
    let before = [
        &form.kubeconfig,
        &form.context,
        &form.namespace,
        &form.kubectl,
    ]
    .map(String::len);
    let kubeconfig = &mut form.kubeconfig;
    path_field(ui, &form.id, FilePurpose::Kubeconfig, kubeconfig, out);
    context_ui(ui, form, state, out);
    let hint = "Namespace of the context";
    field(ui, "Namespace", &mut form.namespace, hint);
    if let Some(text) = problem {
        field_error(ui, text);
    }
    path_field(ui, &form.id, FilePurpose::Kubectl, &mut form.kubectl, out);
    let after = [
        &form.kubeconfig,
        &form.context,
        &form.namespace,
        &form.kubectl,
    ]
    .map(String::len);
    // Whoever names a cluster wants to be connected to it.
    form.has_cluster |= after
        .iter()
        .zip(before)
        .any(|(after, before)| *after > before);
}

/// The name of the header that carries the key, for APIs that expect another than the usual one.
fn key_header_ui(ui: &mut Ui, form: &mut Form) {
    if form.place == PlaceKind::None {
        return;
    }
    let usual = match ApiAddress::parse(&form.api) {
        Ok(api) if api.is_azure_deployment() => "api-key (Azure)",
        _ => "Authorization: Bearer; some APIs need api-key or x-api-key",
    };
    field(ui, "API key header", &mut form.key_header, usual);
}

fn path_field(
    ui: &mut Ui,
    env: &EnvId,
    purpose: FilePurpose,
    text: &mut String,
    out: &mut Actions,
) {
    let (label, hint) = match purpose {
        FilePurpose::CaFile => ("CA certificate", "System certificates"),
        FilePurpose::ClientCert => ("Client certificate", "None"),
        FilePurpose::ClientKey => ("Client key", "Same file as the client certificate"),
        FilePurpose::Kubeconfig => ("Kubeconfig", "kubectl default"),
        FilePurpose::Kubectl => ("kubectl program", "kubectl from PATH"),
        FilePurpose::Import => return,
    };
    let name = caption(ui, label);
    // The button takes what it needs, the field the rest.
    ui.allocate_ui_with_layout(
        vec2(ui.available_width(), 28.0),
        Layout::right_to_left(Align::Center),
        |ui| {
            let browse = ui.button("Browse…");
            browse.widget_info(|| {
                WidgetInfo::labeled(Role::Button, true, format!("Browse for {label}…"))
            });
            if browse.clicked() {
                out.push(EnvironmentAction::PickFile(env.clone(), purpose));
            }
            let edit = TextEdit::singleline(text).hint_text(hint).margin(MARGIN);
            ui.add_sized(vec2(ui.available_width(), 28.0), edit)
                .labelled_by(name.id);
        },
    );
}

/// The context's field, with a list to pick from once the kubeconfig was read.
fn context_ui(ui: &mut Ui, form: &mut Form, state: &State, out: &mut Actions) {
    // Listed under a name of its own, so that the form's values do not disturb the open environment.
    let listing = EnvId(format!("{}#form", form.id.0));
    field(
        ui,
        "Context",
        &mut form.context,
        "Current context of the kubeconfig",
    );
    let contexts = state
        .environments
        .connection_of(&listing)
        .map(|place| &place.cluster.contexts);
    let mut ask = false;
    match contexts {
        Some(Loadable::Loading { job, .. }) => {
            let job = *job;
            ui.horizontal(|ui| {
                ui.spinner();
                if small_button(ui, "Cancel loading").clicked() {
                    out.push(Command::Cancel { job });
                }
            });
        }
        Some(Loadable::Ready(contexts, _)) => {
            let choices = contexts
                .names
                .iter()
                .map(|name| Choice {
                    name,
                    remark: (contexts.current.as_ref() == Some(name)).then(|| "current".to_owned()),
                    sign: None,
                    enabled: true,
                })
                .collect();
            let picked = Some(form.context.as_str()).filter(|context| !context.is_empty());
            let width = ui.available_width();
            if let Some(name) = picker(
                ui,
                "Contexts",
                picked,
                None,
                width,
                &[Section {
                    heading: "",
                    choices,
                }],
            ) {
                form.context = name;
            }
            ask = small_button(ui, "Reload contexts").clicked();
        }
        Some(Loadable::Failed { why, .. }) => {
            field_error(ui, &why.to_string());
            ask = small_button(ui, "Reload contexts").clicked();
        }
        _ => ask = small_button(ui, "Load contexts from the kubeconfig").clicked(),
    }
    if ask {
        let path = |text: &str| {
            Some(text.trim())
                .filter(|text| !text.is_empty())
                .map(PathBuf::from)
        };
        let cluster = ClusterAccess {
            kubectl: path(&form.kubectl),
            kubeconfig: path(&form.kubeconfig),
            ..ClusterAccess::default()
        };
        out.push(ClusterAction::ListContexts(Box::new(Environment {
            cluster: Some(cluster),
            ..Environment::blank(listing, "form")
        })));
    }
}

fn key_ui(ui: &mut Ui, form: &mut Form, state: &State, out: &mut Actions) {
    let name = caption(ui, "API key");
    egui::ComboBox::from_id_salt("key place")
        .width(ui.available_width() - 8.0)
        .selected_text(form.place.label())
        .show_ui(ui, |ui| {
            for place in PlaceKind::ALL {
                let missing =
                    place == PlaceKind::Keychain && state.environments.has_keychain == Some(false);
                let label = if missing {
                    "System keychain (not available)"
                } else {
                    place.label()
                };
                ui.add_enabled_ui(!missing, |ui| {
                    ui.selectable_value(&mut form.place, place, label)
                });
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
            field(
                ui,
                "Variable name",
                &mut form.variable,
                crate::domain::environment::KEY_VARIABLE,
            );
            hint(ui, "Read when Batida starts; never stored");
        }
        PlaceKind::None => hint(ui, "Requests are sent without a key"),
        PlaceKind::Keychain | PlaceKind::SettingsFile => {
            present_key_ui(ui, state, out);
            let present = matches!(state.connection().key, Some(KeyStatus::Present { .. }));
            let hint_text = if present {
                "Leave empty to keep the current key"
            } else {
                "Paste the API key"
            };
            let label = caption(ui, "New key");
            let edit = TextEdit::singleline(&mut form.key)
                .password(true)
                .hint_text(hint_text)
                .desired_width(f32::INFINITY)
                .margin(MARGIN);
            ui.add(edit).labelled_by(label.id);
            if let (_, Some(note)) = pasted::strip(&form.key) {
                hint(ui, &note);
            }
            if form.place == PlaceKind::SettingsFile {
                warning_box(
                    ui,
                    "The key is stored unencrypted in the settings file, readable only by you (mode 0600)",
                );
            } else {
                hint(
                    ui,
                    "Stored in the system keychain, never in the settings file",
                );
            }
        }
    }
    if let (PlaceKind::Variable, Some(KeyStatus::Missing(why))) =
        (form.place, &state.connection().key)
        && state.env().api.is_some()
    {
        let why = why.to_string();
        field_error(ui, &why);
    }
}

/// The key there is: masked, or in the clear while the user looks at it.
fn present_key_ui(ui: &mut Ui, state: &State, out: &mut Actions) {
    let env = state.env();
    let revealed = state
        .environments
        .revealed_key
        .as_ref()
        .filter(|(id, _)| *id == env.id)
        .map(|(_, key)| key.expose_secret().to_owned());
    match &state.connection().key {
        Some(KeyStatus::Present { tail }) => {
            ui.horizontal_wrapped(|ui| {
                let shown = revealed
                    .clone()
                    .unwrap_or_else(|| format!("••••••••••••{tail}"));
                let label = ui
                    .add(Label::new(RichText::new(shown).text_style(TextStyle::Monospace)).wrap());
                label.widget_info(|| WidgetInfo::labeled(Role::Label, true, "API key, masked"));
                if revealed.is_some() {
                    if small_button(ui, "Hide key").clicked() {
                        out.push(EnvironmentAction::HideKey);
                    }
                } else if small_button(ui, "Reveal key").clicked() {
                    out.push(EnvironmentAction::RevealKey);
                }
            });
        }
        // Before an API is named, a key that is missing is not yet a mistake.
        Some(KeyStatus::Missing(_)) if env.api.is_none() => {}
        Some(KeyStatus::Missing(why)) => field_error(ui, &why.to_string()),
        Some(KeyStatus::NotNeeded) | None => {}
    }
}
