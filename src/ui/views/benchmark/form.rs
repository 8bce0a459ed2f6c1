//! The form of a benchmark plan: checked and kept while it is typed.

use egui::{Button, Checkbox, Role, ScrollArea, TextStyle, Ui, WidgetInfo, vec2};

use super::draft::Draft;
use super::fields::{fields_ui, group_ui, problem_ui};
use super::foot::Foot;
use crate::domain::command_line;
use crate::domain::deployment::DeploymentState;
use crate::domain::plan::{Field, Plan, Target};
use crate::domain::units;
use crate::protocol::Command;
use crate::state::State;
use crate::state::action::Actions;
use crate::state::bench::{BenchAction, Form, Preset, Read};
use crate::ui::widgets::{
    Choice, LONGEST_TOLD, MOST_LINES, Section, caption, card, field, fit_middle, picker,
    small_button, small_button_if, tokens,
};

const NO_DEPLOYMENT: &str = "None: any model of the API";

/// What is open in one environment's form.
#[derive(Debug, Default)]
pub(super) struct FormUi {
    /// Whose models are offered; `None` for all of the API's.
    deployment: Option<String>,
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
                ui.spacing_mut().item_spacing.y = 5.0;
                presets_ui(ui, form_ui, draft, state, &read, out);
                targets_ui(ui, form_ui, draft, state, &read);
                fields_ui(ui, draft, state.env(), &read);
            });
        draft.tell(out);
        ui.add_space(4.0);
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
        let choice = &state.panes().get(0).choice;
        let known = state
            .connection()
            .cluster
            .deployment_of(choice)
            .is_some_and(|deployment| {
                deployment
                    .models
                    .iter()
                    .any(|model| Some(&model.serving_name) == choice.model.as_ref())
            });
        let Some(model) = choice.model.clone() else {
            return false;
        };
        self.seeded = true;
        self.deployment.clone_from(&choice.deployment);
        let takes = form.targets.is_empty();
        if takes {
            form.targets.push(Target {
                deployment: choice.deployment.clone().filter(|_| known),
                model,
            });
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
    let picked = state
        .presets()
        .find(|preset| read.problems.is_empty() && same(preset.plan));
    caption(ui, "Preset");
    let choices = |own: bool| {
        let presets = state.presets().filter(|preset| preset.is_own == own);
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
        let chosen = state.presets().filter(|preset| preset.name == name).last();
        if let Some(preset) = chosen {
            draft.edit(|form| {
                form.take(preset.plan);
                true
            });
        }
    }
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
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
        && small_button(ui, "Delete")
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
    let enter = edit.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
    let mut done = false;
    ui.horizontal(|ui| {
        let can = !name.trim().is_empty();
        if (small_button_if(ui, can, "Save preset").clicked() || enter) && can {
            out.push(BenchAction::SavePreset(name.trim().to_owned()));
            done = true;
        }
        done |= small_button(ui, "Cancel").clicked();
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
    if let Some((target, on)) = models_ui(ui, form_ui, draft.form(), state) {
        draft.edit(|form| {
            form.targets.retain(|other| *other != target);
            form.targets.extend(on.then_some(target));
            true
        });
    }
    problem_ui(ui, read, Field::Model);
}

/// The deployment whose models are offered.
fn deployment_ui(ui: &mut Ui, form_ui: &mut FormUi, state: &State) {
    let tokens = tokens(ui);
    caption(ui, "Deployment");
    let view = state.connection().cluster.view.value();
    let lines = |those: fn(DeploymentState) -> bool| -> Vec<Choice<'_>> {
        view.into_iter()
            .flat_map(|view| &view.deployments)
            .filter(|deployment| those(deployment.state))
            .map(|deployment| {
                let is_ready = deployment.state == DeploymentState::Deployed;
                Choice {
                    name: &deployment.name,
                    remark: (!is_ready).then(|| deployment.state.label().to_owned()),
                    dot: Some(tokens.deployment(deployment)),
                    enabled: is_ready || deployment.state == DeploymentState::Unknown,
                }
            })
            .collect()
    };
    let sections = [
        Section {
            heading: "Deployed",
            choices: lines(|it| it == DeploymentState::Deployed),
        },
        // Its pods may not be listed: it may well answer.
        Section {
            heading: "State unknown",
            choices: lines(|it| it == DeploymentState::Unknown),
        },
        Section {
            heading: "Not ready",
            choices: lines(|it| {
                !matches!(it, DeploymentState::Deployed | DeploymentState::Unknown)
            }),
        },
        Section {
            heading: "Without one",
            choices: vec![Choice::plain(NO_DEPLOYMENT)],
        },
    ];
    let shown = form_ui.deployment.as_deref();
    let dot = shown.map(|_| tokens.ok);
    let width = ui.available_width();
    let shown = Some(shown.unwrap_or(NO_DEPLOYMENT));
    if let Some(name) = picker(ui, "Deployment", shown, dot, width, &sections) {
        form_ui.deployment = Some(name).filter(|name| name != NO_DEPLOYMENT);
    }
}

/// Check boxes in a list under a button: the models of the deployment, those chosen elsewhere, the API's. Gives
/// the one that is to be chosen, or no longer.
fn models_ui(ui: &mut Ui, form_ui: &FormUi, form: &Form, state: &State) -> Option<(Target, bool)> {
    let chosen = &form.targets;
    let mut toggled = None;
    let names = chosen
        .iter()
        .map(|target| target.model.as_str())
        .collect::<Vec<_>>()
        .join(", ");
    let width = ui.available_width();
    let shown = if names.is_empty() {
        "None".to_owned()
    } else {
        units::shorten_middle(&names, LONGEST_TOLD)
    };
    let text = fit_middle(ui, &shown, &TextStyle::Button, width - 48.0);
    let button = ui.add(Button::new((text, egui::Atom::grow())).min_size(vec2(width, 30.0)));
    let tip = egui::pos2(button.rect.right() - 14.0, button.rect.center().y + 2.5);
    ui.painter().add(egui::Shape::convex_polygon(
        vec![tip, tip + vec2(-4.0, -5.0), tip + vec2(4.0, -5.0)],
        tokens(ui).dim,
        egui::Stroke::NONE,
    ));
    button.widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, format!("Models: {shown}")));
    let button = if names.is_empty() {
        button
    } else {
        button.on_hover_text(chosen_told(chosen))
    };
    let filter_id = ui.make_persistent_id("models filter");
    egui::Popup::menu(&button)
        .width(width.max(320.0))
        .accessible_name("Models list")
        .close_behavior(egui::PopupCloseBehavior::CloseOnClickOutside)
        .show(|ui| {
            let mut offers = offers(state, form_ui.deployment.as_deref(), chosen);
            if offers
                .iter()
                .map(|(_, targets)| targets.len())
                .sum::<usize>()
                > MOST_LINES
            {
                filter_ui(ui, filter_id, &mut offers);
            }
            ScrollArea::vertical().max_height(360.0).show(ui, |ui| {
                ui.set_width(width.max(300.0));
                for (heading, targets) in offers.iter().filter(|(_, targets)| !targets.is_empty()) {
                    caption(ui, *heading);
                    if targets.len() > MOST_LINES {
                        let more = units::count((targets.len() - MOST_LINES) as u64);
                        caption(ui, format!("{more} more: type to filter"));
                    }
                    for (target, enabled) in targets.iter().take(MOST_LINES) {
                        let mut on = chosen.contains(target);
                        let name = fit_middle(
                            ui,
                            &target.model,
                            &TextStyle::Button,
                            ui.available_width() - 28.0,
                        );
                        let line = ui.add_enabled(*enabled, Checkbox::new(&mut on, name));
                        line.widget_info(|| {
                            WidgetInfo::selected(Role::CheckBox, *enabled, on, &target.model)
                        });
                        let told = units::shorten_middle(&target.model, LONGEST_TOLD);
                        if line.on_hover_text(told).changed() {
                            toggled = Some((target.clone(), on));
                        }
                    }
                }
                if offers.iter().all(|(_, targets)| targets.is_empty()) {
                    caption(ui, "No models yet");
                }
            });
        });
    toggled
}

/// Of a list that is too long to look through: leaves what has the typed text in its name.
fn filter_ui(ui: &mut Ui, id: egui::Id, offers: &mut Offers) {
    let mut filter: String = ui.data_mut(|data| data.get_temp(id).unwrap_or_default());
    let edit = egui::TextEdit::singleline(&mut filter)
        .hint_text("Type to filter")
        .desired_width(f32::INFINITY);
    ui.add(edit)
        .widget_info(|| WidgetInfo::labeled(Role::TextInput, true, "Filter models"));
    let wanted = filter.trim().to_lowercase();
    if !wanted.is_empty() {
        for (_, targets) in offers {
            targets.retain(|(target, _)| target.model.to_lowercase().contains(&wanted));
        }
    }
    ui.data_mut(|data| data.insert_temp(id, filter));
}

fn chosen_told(chosen: &[Target]) -> String {
    let line = |target: &Target| match &target.deployment {
        Some(deployment) => format!("{} on {deployment}", target.model),
        None => target.model.clone(),
    };
    chosen.iter().map(line).collect::<Vec<_>>().join("\n")
}

type Offers = [(&'static str, Vec<(Target, bool)>); 3];

fn offers(state: &State, deployment: Option<&str>, chosen: &[Target]) -> Offers {
    let cluster = &state.connection().cluster;
    let found = cluster
        .view
        .value()
        .into_iter()
        .flat_map(|view| &view.deployments);
    let of_deployment: Vec<(Target, bool)> = found
        .filter(|found| Some(found.name.as_str()) == deployment)
        .flat_map(|found| &found.models)
        .map(|model| {
            let target = Target {
                deployment: deployment.map(str::to_owned),
                model: model.serving_name.clone(),
            };
            (target, model.chats())
        })
        .collect();
    let offered = |target: &Target| {
        of_deployment
            .iter()
            .any(|(other, _)| other.model == target.model)
    };
    let elsewhere: Vec<(Target, bool)> = chosen
        .iter()
        .filter(|target| of_deployment.iter().all(|(other, _)| other != *target))
        .map(|target| (target.clone(), true))
        .collect();
    let of_api = cluster.api_models.value().into_iter().flatten();
    let others = of_api
        .map(|id| Target {
            deployment: None,
            model: id.clone(),
        })
        .filter(|target| !offered(target) && chosen.iter().all(|other| other.model != target.model))
        .map(|target| {
            let embeds = crate::domain::deployment::embeds_by_name(&target.model);
            (target, !embeds)
        })
        .collect();
    [
        ("Models of this deployment", of_deployment),
        ("Selected", elsewhere),
        ("Other models of this API", others),
    ]
}
