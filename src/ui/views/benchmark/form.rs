//! The form of a benchmark plan: checked and kept while it is typed.

use egui::{ScrollArea, Ui};

use super::draft::Draft;
use super::fields::{endpoint_ui, fields_ui, group_ui, problem_ui};
use super::foot::Foot;
use crate::domain::command_line;
use crate::domain::plan::{Field, Plan, Target};
use crate::domain::units;
use crate::protocol::Command;
use crate::state::State;
use crate::state::action::Actions;
use crate::state::bench::{BenchAction, Form, Preset, Read, presets};
use crate::ui::theme::GRID;
use crate::ui::views::deployments::{NO_DEPLOYMENT, deployment_sections};
use crate::ui::widgets::{
    Choice, LONGEST_TOLD, Place, Section, Sign, caption, card, field, focus_when_new, picker,
    picker_is_open, picker_may_open, small_button, small_button_if, small_danger_button,
    tick_picker,
};

/// What is open in one environment's form.
#[derive(Debug, Default)]
pub(super) struct FormUi {
    /// Whose models are offered; `None` for all of the API's.
    deployment: Option<String>,
    /// What was ticked when the list of models was opened.
    listed: Vec<Target>,
    /// The model in use was taken over once.
    seeded: bool,
    /// The name being typed for a new preset.
    naming: Option<String>,
}

pub(super) fn show(
    ui: &mut Ui,
    form_ui: &mut FormUi,
    draft: &mut Draft,
    state: &State,
    out: &mut Actions,
) {
    draft.follow(state);
    draft.edit(|form| form_ui.seed(form, state));
    card(ui).show(ui, |ui| {
        ui.set_min_size(ui.available_size());
        let read = draft.form().read();
        let foot = Foot::of(state, &read, out);
        ScrollArea::vertical()
            .id_salt("form")
            .max_height(ui.available_height() - foot.height())
            .auto_shrink([false, false])
            .show(ui, |ui| {
                ui.set_width(ui.available_width() - 4.0);
                ui.spacing_mut().item_spacing.y = GRID;
                presets_ui(ui, form_ui, draft, state, &read, out);
                targets_ui(ui, form_ui, draft, state, &read);
                fields_ui(ui, draft, state.env(), &read);
            });
        draft.tell(out);
        ui.add_space(GRID);
        foot.show(ui, state, &read, out);
    });
    let typing = ui.ctx().memory(|memory| memory.focused().is_some());
    draft.keep(typing, out);
}

impl FormUi {
    /// The first time the model in use elsewhere is taken over. Whether the form changed.
    fn seed(&mut self, form: &mut Form, state: &State) -> bool {
        if self.seeded {
            return false;
        }
        let Some(target) = state.bench_target() else {
            return false;
        };
        self.seeded = true;
        let choice = &state.panes().get(0).choice;
        self.deployment.clone_from(&choice.deployment);
        let takes = form.targets.is_empty();
        if takes {
            form.targets.push(target);
        }
        takes
    }
}

fn presets_ui(
    ui: &mut Ui,
    form_ui: &mut FormUi,
    draft: &mut Draft,
    state: &State,
    read: &Read,
    out: &mut Actions,
) {
    // A preset says nothing of models.
    let same = |plan: &Plan| {
        Plan {
            targets: read.plan.targets.clone(),
            ..plan.clone()
        } == read.plan
    };
    let kept = state.workspace.benches.get(&state.env().id);
    let picked = presets(kept).find(|preset| read.problems.is_empty() && same(preset.plan));
    caption(ui, "Preset");
    let choices = |own: bool| {
        let presets = presets(kept).filter(|preset| preset.is_own == own);
        presets.map(|preset| Choice::plain(preset.name)).collect()
    };
    let sections = [
        Section {
            heading: "Built in",
            choices: choices(false),
        },
        Section {
            heading: "Your own",
            choices: choices(true),
        },
    ];
    let shown = picked.as_ref().map_or("Custom", |preset| preset.name);
    let width = ui.available_width();
    if let Some(name) = picker(ui, "Preset", Some(shown), None, width, &sections) {
        let chosen = presets(kept).filter(|preset| preset.name == name).last();
        if let Some(preset) = chosen {
            draft.edit(|form| {
                form.take(preset.plan);
                true
            });
        }
    }
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = GRID;
        preset_buttons_ui(ui, form_ui, picked, state, read, out);
    });
    naming_ui(ui, form_ui, out);
}

/// Saving and deleting a preset, and the form as a command.
fn preset_buttons_ui(
    ui: &mut Ui,
    form_ui: &mut FormUi,
    picked: Option<Preset<'_>>,
    state: &State,
    read: &Read,
    out: &mut Actions,
) {
    let is_of_models = |(field, _): &(Field, String)| *field == Field::Model;
    let can = read.problems.iter().all(is_of_models);
    if small_button_if(ui, can, "Save as…")
        .on_hover_text("Keep this form as a preset")
        .clicked()
    {
        form_ui.naming = Some(String::new());
    }
    if let Some(preset) = picked.filter(|preset| preset.is_own)
        && small_danger_button(ui, "Delete", true)
            .on_hover_text(format!("Delete the preset {}", preset.name))
            .clicked()
    {
        out.push(BenchAction::DeletePreset(preset.name.to_owned()));
    }
    let copy = small_button_if(ui, read.problems.is_empty(), "Copy as command");
    if copy
        .on_hover_text("Copy the batida bench command that runs the same plan")
        .clicked()
    {
        out.push(Command::Copy {
            what: "Command".to_owned(),
            text: command_line::bench(&read.plan, state.env()),
        });
    }
}

fn naming_ui(ui: &mut Ui, form_ui: &mut FormUi, out: &mut Actions) {
    let Some(name) = &mut form_ui.naming else {
        return;
    };
    let edit = field(ui, "Preset's name", name, "e.g. Nightly sweep");
    focus_when_new(&edit);
    let enter = edit.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
    let mut done = false;
    ui.horizontal(|ui| {
        done = small_button(ui, "Cancel").clicked();
        let can = !name.trim().is_empty();
        if (small_button_if(ui, can, "Save preset").clicked() || enter) && can {
            out.push(BenchAction::SavePreset(name.trim().to_owned()));
            done = true;
        }
    });
    if done {
        form_ui.naming = None;
    }
}

fn targets_ui(ui: &mut Ui, form_ui: &mut FormUi, draft: &mut Draft, state: &State, read: &Read) {
    group_ui(ui, "What to measure");
    if state.env().cluster.is_some() {
        deployment_ui(ui, form_ui, state);
    }
    caption(ui, "Models (run in turn)");
    if let Some(target) = models_ui(ui, form_ui, draft.form(), state) {
        draft.edit(|form| {
            let before = form.targets.len();
            form.targets.retain(|other| *other != target);
            if form.targets.len() == before {
                form.targets.push(target);
            }
            true
        });
    }
    problem_ui(ui, read, Field::Model);
    endpoint_ui(ui, draft, read);
}

/// The deployment whose models are offered.
fn deployment_ui(ui: &mut Ui, form_ui: &mut FormUi, state: &State) {
    const LABEL: &str = "Deployment";
    caption(ui, LABEL);
    let cluster = &state.connection().cluster;
    let sections = if picker_may_open(ui, LABEL) {
        deployment_sections(cluster)
    } else {
        Vec::new()
    };
    let picked = form_ui.deployment.as_deref();
    let view = cluster.view.value();
    let deployment = view.and_then(|view| {
        let mut all = view.deployments.iter();
        all.find(|it| Some(it.name.as_str()) == picked)
    });
    let sign = deployment.map(|it| Sign::Health(cluster.health(it)));
    let width = ui.available_width();
    let shown = Some(picked.unwrap_or(NO_DEPLOYMENT));
    if let Some(name) = picker(ui, LABEL, shown, sign, width, &sections) {
        form_ui.deployment = Some(name).filter(|name| name != NO_DEPLOYMENT);
    }
}

const MODELS: &str = "Models";

/// A list with ticks under a button.
/// Gives the one that is to be chosen, or no longer.
fn models_ui(ui: &mut Ui, form_ui: &mut FormUi, form: &Form, state: &State) -> Option<Target> {
    if !picker_is_open(ui, MODELS) && form_ui.listed != form.targets {
        form_ui.listed.clone_from(&form.targets);
    }
    let offers = if picker_may_open(ui, MODELS) {
        let embeds = !form.endpoint().streams();
        let deployment = form_ui.deployment.as_deref();
        offers(state, deployment, &form_ui.listed, embeds)
    } else {
        Offers::default()
    };
    let sections = offers.each_ref().map(|(heading, targets)| Section {
        heading,
        choices: targets
            .iter()
            .map(|(target, enabled)| Choice {
                enabled: *enabled,
                ..Choice::plain(&target.model)
            })
            .collect(),
    });
    let names: Vec<&str> = form.targets.iter().map(|it| it.model.as_str()).collect();
    let names = units::shorten_middle(&names.join(", "), LONGEST_TOLD);
    let shown = Some(names.as_str()).filter(|names| !names.is_empty());
    let told = chosen_told(&form.targets);
    let target = |(section, line): Place| &offers[section].1[line].0;
    let is_ticked = |place: Place| form.targets.contains(target(place));
    let width = ui.available_width();
    let toggled = tick_picker(ui, MODELS, (shown, &told), width, &sections, &is_ticked);
    toggled.map(target).cloned()
}

fn chosen_told(chosen: &[Target]) -> String {
    let line = |target: &Target| match &target.deployment {
        Some(deployment) => format!("{} on {deployment}", target.model),
        None => target.model.clone(),
    };
    chosen.iter().map(line).collect::<Vec<_>>().join("\n")
}

type Offers = [(&'static str, Vec<(Target, bool)>); 2];

/// The models of the deployment, or those of the API where none is picked, and what was `listed` besides when the list
/// was opened: a line stays where it is while the list is open, whatever is ticked. `embeds`: those that create
/// embeddings can be chosen.
fn offers(state: &State, deployment: Option<&str>, listed: &[Target], embeds: bool) -> Offers {
    let cluster = &state.connection().cluster;
    let found = cluster.view.value().into_iter();
    let of_deployment = found
        .flat_map(|view| &view.deployments)
        .filter(|found| Some(found.name.as_str()) == deployment)
        .flat_map(|found| &found.models)
        .map(|model| {
            let target = Target {
                deployment: deployment.map(str::to_owned),
                model: model.serving_name.clone(),
            };
            (target, embeds || model.chats())
        });
    let of_api = cluster.api_models.value().into_iter().flatten();
    let of_api = of_api
        .filter(|_| deployment.is_none())
        .filter(|id| {
            let mut with_deployment = listed.iter().filter(|it| it.deployment.is_some());
            with_deployment.all(|other| other.model != **id)
        })
        .map(|id| {
            let chats = !crate::domain::deployment::embeds_by_name(id);
            let target = Target {
                deployment: None,
                model: id.clone(),
            };
            (target, embeds || chats)
        });
    let offered: Vec<(Target, bool)> = of_deployment.chain(of_api).collect();
    let is_offered = |target: &&Target| offered.iter().any(|(other, _)| other == *target);
    let elsewhere = listed.iter().filter(|target| !is_offered(target));
    let elsewhere = elsewhere.map(|target| (target.clone(), true)).collect();
    let heading = if deployment.is_some() {
        "Models of this deployment"
    } else {
        "Models of this API"
    };
    [(heading, offered), ("Selected", elsewhere)]
}
