//! Environments of another file: what would be added, what clashes, and what is wrong with it.

use std::path::PathBuf;

use egui::{
    Checkbox, Color32, Frame, Id, Label, Margin, Modal, RichText, Role, ScrollArea, TextEdit, Ui,
    WidgetInfo,
};

use crate::domain::environment::EnvId;
use crate::domain::units;
use crate::import::environments::Offer;
use crate::protocol::{Command, FilePurpose};
use crate::state::State;
use crate::state::imports::EnvImport;
use crate::ui::theme::Tokens;
use crate::ui::widgets::{
    MARGIN, caption, drop_hint, failure_box, from_right, primary_button, strong, tokens,
};

/// The kinds of files that can be imported.
const KNOWN: &str = "SambaWiz's app-config.json, a kubeconfig, or another Batida's settings.toml";

/// The actions of the dialog in a frame.
enum ImportAction {
    Browse,
    Read(PathBuf),
    Add,
    Close,
}

/// Takes a file that was dropped on the page.
pub(super) fn take_drop(ui: &Ui, state: &mut State, out: &mut Vec<Command>) {
    let dropped = ui.input(|input| {
        let mut paths = input
            .raw
            .dropped_files
            .iter()
            .map(|file| file.path().to_owned());
        // One that comes without a path, e.g. out of a browser, cannot be read.
        paths.find(|path| !path.as_os_str().is_empty())
    });
    if let Some(path) = dropped {
        state.read_environments(path, out);
    }
    if ui.input(|input| !input.raw.hovered_files.is_empty()) {
        drop_hint(ui, "Drop a file to import its environments", KNOWN);
    }
}

/// Draws the import while it is open.
pub(super) fn import_ui(ui: &Ui, state: &mut State, out: &mut Vec<Command>) {
    let Some(mut import) = state.import.take() else {
        return;
    };
    let mut asked = None;
    let modal = Modal::new(Id::unique("import environments")).show(ui.ctx(), |ui| {
        ui.set_width(520.0);
        strong(ui, "Import environments");
        caption(ui, format!("{KNOWN}. You can also drop a file on Home"));
        let label = caption(ui, "File to import");
        ui.horizontal(|ui| {
            let edit = TextEdit::singleline(&mut import.path)
                .margin(MARGIN)
                .desired_width(360.0);
            let typed = ui.add(edit).labelled_by(label.id);
            let entered =
                typed.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
            let path = import.path.trim();
            let read = ui.add_enabled(!path.is_empty(), egui::Button::new("Read file"));
            if read.clicked() || (entered && !path.is_empty()) {
                asked = Some(ImportAction::Read(PathBuf::from(path)));
            }
            let browse = ui.button("Browse…");
            browse.widget_info(|| {
                WidgetInfo::labeled(Role::Button, true, "Browse for a file to import…")
            });
            if browse.clicked() {
                asked = Some(ImportAction::Browse);
            }
        });
        found_ui(ui, state, &mut import);
        ui.add_space(8.0);
        from_right(ui, |ui| {
            let chosen = import.ticked.iter().filter(|on| **on).count();
            let add = match chosen {
                0 => "Add".to_owned(),
                n => format!("Add {}", units::counted(n, "environment")),
            };
            if primary_button(ui, &add, chosen > 0).clicked() {
                asked = Some(ImportAction::Add);
            }
            if ui.button("Cancel").clicked() {
                asked = Some(ImportAction::Close);
            }
        });
    });
    if modal.should_close() {
        asked = Some(ImportAction::Close);
    }
    state.import = Some(import);
    match asked {
        None => {}
        Some(ImportAction::Browse) => {
            state.pick_file(EnvId::ad_hoc(), FilePurpose::Import, out);
        }
        Some(ImportAction::Read(path)) => state.read_environments(path, out),
        Some(ImportAction::Add) => state.add_environments(out),
        Some(ImportAction::Close) => state.close_import(out),
    }
}

fn found_ui(ui: &mut Ui, state: &State, import: &mut EnvImport) {
    if import.offers.is_loading() {
        ui.spinner();
        return;
    }
    if let Some(why) = import.offers.failure() {
        failure_box(ui, "import", why, None);
        return;
    }
    let Some(found) = import.offers.value() else {
        return;
    };
    ui.add_space(6.0);
    caption(
        ui,
        format!(
            "{} in {}",
            units::counted(found.offers.len(), "environment"),
            found.source.name()
        ),
    );
    let height = (ui.ctx().content_rect().height() * 0.5).max(120.0);
    ScrollArea::vertical()
        .id_salt("offers")
        .max_height(height)
        .auto_shrink([false, true])
        .show(ui, |ui| {
            ui.set_width(ui.available_width() - 6.0);
            for (offer, on) in found.offers.iter().zip(&mut import.ticked) {
                offer_ui(ui, state, offer, on);
            }
        });
}

fn offer_ui(ui: &mut Ui, state: &State, offer: &Offer, on: &mut bool) {
    let tokens = tokens(ui);
    let Offer { env, wrong, .. } = offer;
    let name = if env.name.is_empty() {
        "(no name)"
    } else {
        &env.name
    };
    ui.add_enabled(wrong.is_none(), Checkbox::new(on, name));
    Frame::new()
        .inner_margin(Margin {
            left: 22,
            bottom: 6,
            ..Margin::ZERO
        })
        .show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 2.0;
            for (text, color) in lines(state, offer, tokens) {
                ui.add(Label::new(RichText::new(text).small().color(color)).wrap());
            }
        });
}

/// The lines below an environment's name, with their colours.
fn lines(state: &State, offer: &Offer, tokens: &Tokens) -> Vec<(String, Color32)> {
    let Offer {
        env,
        key,
        wrong,
        doubt,
        remarks,
    } = offer;
    let mut parts = Vec::new();
    if let Some(cluster) = &env.cluster {
        parts.push(match cluster.namespace.is_empty() {
            true => cluster.namespace_label().to_owned(),
            false => format!("namespace {}", cluster.namespace),
        });
        parts.extend(
            cluster
                .kubeconfig
                .as_ref()
                .map(|path| path.display().to_string()),
        );
    }
    parts.extend(env.api.as_ref().map(|api| api.host().to_owned()));
    if key.is_some() {
        parts.push("includes its key".to_owned());
    }
    let mut lines = Vec::new();
    if !parts.is_empty() {
        lines.push((parts.join(" · "), tokens.dim));
    }
    if let Some(why) = wrong {
        lines.push((format!("Cannot be added: {why}"), tokens.error));
        return lines;
    }
    let free = state.free_name(&env.name);
    if free != env.name {
        let told = format!("An environment with this name exists; this one is added as {free}");
        lines.push((told, tokens.warning));
    }
    lines.extend(doubt.iter().map(|doubt| (doubt.clone(), tokens.error)));
    lines.extend(
        remarks
            .iter()
            .map(|remark| (remark.clone(), tokens.warning)),
    );
    lines
}
