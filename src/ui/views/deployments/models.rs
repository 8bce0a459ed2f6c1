//! The models of a deployment: their names and sizes, whether the API routes them, and whether they answer.

use egui::{Checkbox, DragValue, Role, TextStyle, Ui, WidgetInfo};

use crate::domain::deployment::{Deployment, DeploymentState, ServedModel, Tier};
use crate::domain::units;
use crate::protocol::ProbeTarget;
use crate::state::State;
use crate::state::action::Actions;
use crate::state::cluster::probes::Found;
use crate::state::cluster::{ClusterAction, ClusterState};
use crate::ui::theme::GRID;
use crate::ui::views::paragraphs::wrapped;
use crate::ui::widgets::{
    caption, dot, from_right, shortened, small_button, small_button_if, tokens,
};

/// The probes that the user asked for in a frame.
#[derive(Debug, Default)]
pub(super) struct ProbeRequest {
    pub(super) probe: Vec<ProbeTarget>,
    pub(super) cancel: bool,
}

/// The probes of all models, at the head of the page.
pub(super) fn probes_ui(ui: &mut Ui, state: &State, out: &mut Actions) {
    let (benching, has_api) = (state.bench.measures(&state.env().id), state.env().has_api());
    let running = state.connection().cluster.probes.running().is_some();
    let minutes = state.environments.probe_minutes();
    let (mut on, mut every) = (minutes.is_some(), minutes.unwrap_or(5));
    from_right(ui, |ui| {
        if running {
            if small_button(ui, "Cancel probes").clicked() {
                out.push(ClusterAction::CancelProbes);
            }
        } else {
            let all = small_button_if(ui, has_api && !benching, "Probe all models");
            let why = "Requests one token from each routed model to see whether it responds. Nothing is stored";
            let why_not = match benching {
                true => "A benchmark is running on this environment, and a probe would disturb it",
                false => "This environment has no API",
            };
            let all = all.on_hover_text(why).on_disabled_hover_text(why_not);
            if all.clicked() {
                out.push(ClusterAction::ProbeAll);
            }
        }
        let value = DragValue::new(&mut every)
            .range(1..=60)
            .speed(0.1)
            .suffix(" min");
        let value = ui.add_enabled(on, value);
        value.widget_info(|| WidgetInfo::labeled(Role::SpinButton, on, "Minutes between probes"));
        let ticked = ui.add(Checkbox::new(&mut on, "Probe every"));
        ticked.clone().on_hover_text(
            "Requests one token from each routed model at this interval, while Batida is open and this \
             environment is selected",
        );
        if ticked.changed() || (on && value.changed()) {
            out.push(ClusterAction::SetProbeMinutes(on.then_some(every)));
        }
        if benching && (running || on) {
            caption(ui, "probes are paused during the benchmark");
        }
    });
}

/// All of a deployment's.
pub(super) fn models_ui(
    ui: &mut Ui,
    cluster: &ClusterState,
    deployment: &Deployment,
    may_probe: bool,
    probe_request: &mut ProbeRequest,
) {
    let idle = cluster.probes.running().is_none() && may_probe;
    let targets = cluster.targets([deployment]);
    if targets.len() > 1 && small_button_if(ui, idle, "Probe these models").clicked() {
        probe_request.probe = targets;
    }
    for model in &deployment.models {
        model_ui(ui, cluster, deployment, model, idle, probe_request);
    }
}

fn model_ui(
    ui: &mut Ui,
    cluster: &ClusterState,
    deployment: &Deployment,
    model: &ServedModel,
    idle: bool,
    probe_request: &mut ProbeRequest,
) {
    let tokens = tokens(ui);
    let name = &model.serving_name;
    let found = cluster.probes.found(name);
    let is_silent = cluster.probes.silent(name, deployment.since).is_some();
    let (color, routing) = match (cluster.is_routed(model), deployment.state) {
        (Some(true), _) if is_silent => (tokens.error, "routed by the API"),
        (Some(true), DeploymentState::Deployed) => (tokens.ok, "serving: routed by the API"),
        (Some(true), DeploymentState::Unknown) => (tokens.ok, "routed by the API"),
        (Some(false), DeploymentState::Unknown) => (tokens.warning, "not routed by the API"),
        (Some(true), _) => (
            tokens.warning,
            "routed by the API, perhaps to another deployment",
        ),
        (Some(false), DeploymentState::Deployed) => {
            (tokens.warning, "deployed, but not routed yet")
        }
        (Some(false), _) => (tokens.faint, "not routed yet: the deployment is not ready"),
        (None, _) if cluster.api_models.failure().is_some() => (
            tokens.faint,
            "routing unknown: the API's model list could not be read",
        ),
        (None, _) => (tokens.faint, "routing not checked yet"),
    };
    ui.horizontal(|ui| {
        dot(ui, color);
        let target = cluster.target(model);
        let width = ui.available_width() - 80.0;
        shortened(ui, name, TextStyle::Body, tokens.text, width);
        from_right(ui, |ui| match target {
            _ if cluster.probes.is_asking(name) => {
                ui.spinner();
                if small_button(ui, "Cancel").clicked() {
                    probe_request.cancel = true;
                }
            }
            Some(target) => {
                let button = small_button_if(ui, idle, "Probe");
                button.widget_info(|| {
                    WidgetInfo::labeled(Role::Button, idle, format!("Probe {name}"))
                });
                if button
                    .on_hover_text("Request one token from this model")
                    .clicked()
                {
                    probe_request.probe = vec![target];
                }
            }
            None => {}
        });
    });
    let mut parts = vec![routing.to_owned()];
    if !model.aliases.is_empty() {
        parts.push(format!("also called {}", model.aliases.join(", ")));
    }
    if !model.capabilities.is_empty() {
        parts.push(model.capabilities.join(", "));
    }
    parts.extend(
        model
            .resource
            .as_ref()
            .filter(|it| *it != name)
            .map(|it| format!("Model {it}")),
    );
    wrapped(ui, &parts.join(" · "), tokens.dim);
    if let Some(found) = found {
        probed_ui(ui, found, is_silent);
    }
    sizes_ui(ui, cluster, model);
    ui.add_space(GRID);
}

/// When it answered last, and why it does not now: `is_silent`, as far as that still holds.
fn probed_ui(ui: &mut Ui, found: &Found, is_silent: bool) {
    let tokens = tokens(ui);
    let answered = found.answered.map(|(at, answer)| {
        let figure = match (answer.ttft, answer.latency) {
            (Some(ttft), _) => format!(", TTFT {}", units::duration(ttft)),
            (None, Some(latency)) => format!(" in {}", units::duration(latency)),
            (None, None) => String::new(),
        };
        format!("answered at {}{figure}", units::moment(at))
    });
    match (&found.trouble, answered) {
        (None, Some(answered)) => wrapped(ui, &answered, tokens.ok),
        (Some((at, why)), before) => {
            let before = before.map(|it| format!("; {it}")).unwrap_or_default();
            let (what, color) = match found.untold() {
                Some(_) => ("could not be probed", tokens.warning),
                None => (
                    "no answer",
                    if is_silent { tokens.error } else { tokens.dim },
                ),
            };
            wrapped(
                ui,
                &format!("{what} at {}: {}{before}", units::moment(*at), why.summary),
                color,
            );
            if !why.advice.is_empty() {
                wrapped(ui, &why.advice, tokens.dim);
            }
        }
        (None, None) => {}
    }
}

fn sizes_ui(ui: &mut Ui, cluster: &ClusterState, model: &ServedModel) {
    let tokens = tokens(ui);
    if model.sizes.is_empty() {
        return;
    }
    let told = match (cluster.sizes.value(), cluster.sizes.failure()) {
        (Some(sizes), _) => match sizes.tiers(&model.sizes) {
            Ok(tiers) if tiers.is_empty() => return,
            Ok(tiers) => in_words(&tiers),
            Err(why) => format!("Context length and batch sizes unknown: {why}"),
        },
        (None, Some(why)) => format!("Context length and batch sizes unknown: {}", why.summary),
        (None, None) => "Context length and batch sizes: loading".to_owned(),
    };
    wrapped(ui, &told, tokens.dim);
}

/// `Context up to 128k · batch sizes 4k: 1, 2, 4 · 128k: 1`
fn in_words(tiers: &[Tier]) -> String {
    let longest = tiers.iter().rev().find(|tier| tier.tokens().is_some());
    let list = |sizes: &[u32]| {
        sizes
            .iter()
            .map(u32::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut parts: Vec<String> = longest
        .map(|tier| format!("Context up to {}", tier.context))
        .into_iter()
        .collect();
    let known: Vec<&Tier> = tiers
        .iter()
        .filter(|tier| !tier.batch_sizes.is_empty())
        .collect();
    let lengths = tiers
        .iter()
        .map(|tier| tier.context.as_str())
        .collect::<Vec<_>>()
        .join(", ");
    match known.as_slice() {
        [] => parts.push(format!("lengths {lengths}")),
        [first, rest @ ..]
            if known.len() == tiers.len()
                && rest.iter().all(|it| it.batch_sizes == first.batch_sizes) =>
        {
            parts.push(format!(
                "lengths {lengths}, each in batches of {}",
                list(&first.batch_sizes)
            ));
        }
        _ => {
            let each = |tier: &Tier| match tier.batch_sizes.as_slice() {
                [] => tier.context.clone(),
                sizes => format!("{}: {}", tier.context, list(sizes)),
            };
            parts.push(format!(
                "batch sizes {}",
                tiers.iter().map(each).collect::<Vec<_>>().join(" · ")
            ));
        }
    }
    parts.join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_said_as_short_as_they_allow() {
        let tier = |context: &str, sizes: &[u32]| Tier {
            context: context.to_owned(),
            batch_sizes: sizes.to_vec(),
        };
        for (tiers, told) in [
            (
                vec![tier("8k", &[1, 4]), tier("128k", &[1])],
                "Context up to 128k · batch sizes 8k: 1, 4 · 128k: 1",
            ),
            (
                vec![tier("4k", &[1, 2]), tier("16k", &[1, 2])],
                "Context up to 16k · lengths 4k, 16k, each in batches of 1, 2",
            ),
            (
                vec![tier("8k", &[]), tier("32k", &[])],
                "Context up to 32k · lengths 8k, 32k",
            ),
            (
                vec![tier("8k", &[1]), tier("default", &[])],
                "Context up to 8k · batch sizes 8k: 1 · default",
            ),
        ] {
            assert_eq!(in_words(&tiers), told);
        }
    }
}
