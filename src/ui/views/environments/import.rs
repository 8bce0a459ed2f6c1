//! Environments of another file: what would be added, what clashes, and what is wrong with it.

use std::borrow::Cow;
use std::path::PathBuf;

use egui::{
    Checkbox, Color32, Frame, Id, Label, Modal, RichText, Role, ScrollArea, TextEdit, Ui,
    WidgetInfo,
};

use crate::domain::environment::EnvId;
use crate::domain::units;
use crate::import::environments::Offer;
use crate::protocol::FilePurpose;
use crate::state::State;
use crate::state::action::{Actions, EnvironmentAction};
use crate::state::environments::imports::{EnvImport, ImportAction};
use crate::ui::theme::{self, GAP, HALF, Tokens};
use crate::ui::widgets::{
    MARGIN, answers, caption, drop_hint, failure_box, focus_when_new, primary_button, strong,
    tokens,
};

/// The kinds of files that can be imported.
const KNOWN: &str = "SambaWiz's app-config.json, a kubeconfig, or another Batida's settings.toml";

/// Takes a file that was dropped on the page.
pub(super) fn take_drop(ui: &Ui, out: &mut Actions) {
    let dropped = ui.input(|input| {
        let mut paths = input
            .raw
            .dropped_files
            .iter()
            .map(|file| file.path().to_owned());
        // One that comes without a path, e.g. out of a browser, cannot be read.
        paths.find(|path| !path.as_os_str().is_empty())
    });
    out.extend(dropped.map(ImportAction::Read));
    if ui.input(|input| !input.raw.hovered_files.is_empty()) {
        drop_hint(ui, "Drop a file to import its environments", KNOWN);
    }
}

/// Draws the import while it is open.
pub(super) fn import_ui(ui: &Ui, state: &State, out: &mut Actions) {
    let Some(import) = &state.environments.import else {
        return;
    };
    let modal = Modal::new(Id::unique("import environments")).show(ui.ctx(), |ui| {
        ui.set_width(520.0);
        strong(ui, "Import environments");
        caption(
            ui,
            format!("{KNOWN}. You can also drop a file in Environments"),
        );
        let label = caption(ui, "File to import");
        ui.horizontal(|ui| {
            let mut path = Cow::Borrowed(import.path.as_str());
            let edit = TextEdit::singleline(&mut path)
                .margin(MARGIN)
                .desired_width(360.0);
            let typed = ui.add(edit).labelled_by(label.id);
            focus_when_new(&typed);
            let entered =
                typed.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
            let typed_path = path.trim().to_owned();
            if let Cow::Owned(path) = path {
                out.push(ImportAction::Path(path));
            }
            let read = ui.add_enabled(!typed_path.is_empty(), egui::Button::new("Read file"));
            if read.clicked() || (entered && !typed_path.is_empty()) {
                out.push(ImportAction::Read(PathBuf::from(typed_path)));
            }
            let browse = ui.button("Browse…");
            browse.widget_info(|| {
                WidgetInfo::labeled(Role::Button, true, "Browse for a file to import…")
            });
            if browse.clicked() {
                out.push(EnvironmentAction::PickFile(
                    EnvId::ad_hoc(),
                    FilePurpose::Import,
                ));
            }
        });
        found_ui(ui, state, import, out);
        ui.add_space(GAP);
        let chosen = import.ticked.iter().filter(|on| **on).count();
        let add = match chosen {
            0 => "Add".to_owned(),
            n => format!("Add {}", units::counted(n, "environment")),
        };
        let answer = answers(ui, "Cancel", true, |ui| {
            primary_button(ui, &add, chosen > 0)
        });
        if answer.done {
            out.push(ImportAction::Add);
        }
        if answer.left {
            out.push(ImportAction::Close);
        }
    });
    if modal.should_close() {
        out.push(ImportAction::Close);
    }
}

fn found_ui(ui: &mut Ui, state: &State, import: &EnvImport, out: &mut Actions) {
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
    ui.add_space(GAP);
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
            for (at, (offer, ticked)) in found.offers.iter().zip(&import.ticked).enumerate() {
                let mut on = *ticked;
                offer_ui(ui, state, offer, &mut on);
                if on != *ticked {
                    out.push(ImportAction::Tick(at, on));
                }
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
        .inner_margin(theme::margin(6, 1))
        .show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = HALF;
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
    let free = state.environments.free_name(&env.name);
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
