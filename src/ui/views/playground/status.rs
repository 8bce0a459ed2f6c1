//! How fresh the shown deployments and models are, and what does not work.

use std::time::Duration;

use egui::{Label, RichText, Role, ScrollArea, TextStyle, Ui, WidgetInfo};

use crate::domain::deployment::DeploymentState;
use crate::domain::environment::EnvId;
use crate::domain::failure::Failure;
use crate::domain::workspace::Page;
use crate::domain::{printable, units};
use crate::protocol::{ClusterLink, Command, KeyStatus};
use crate::state::action::Actions;
use crate::state::cluster::{ClusterAction, ClusterState};
use crate::state::{ConnectionState, State};
use crate::ui::theme::GRID;
use crate::ui::widgets::{caption, failure_box, shortened, small_button, tokens, warning_box};

/// How fresh the data is, with the ways to reload it and to see more of it. `others`: the width of the buttons that share
/// the line.
pub(super) fn freshness_ui(
    ui: &mut Ui,
    state: &State,
    (env, others, narrow): (&EnvId, f32, bool),
    now: Duration,
    out: &mut Actions,
) {
    let Some(connection) = state.environments.connection_of(env) else {
        return;
    };
    let cluster = &connection.cluster;
    let seen = seen(cluster);
    let link = cluster.link.as_ref();
    if cluster.view.is_loading() || cluster.api_models.is_loading() {
        loading_ui(ui, cluster, seen.is_some(), out);
        return;
    }
    if small_button(ui, "Refresh")
        .on_hover_text("Reload from the cluster and the API (F5)")
        .clicked()
    {
        out.push(ClusterAction::Refresh);
    }
    details_ui(ui, state, narrow, out);
    if let Some((what, at)) = seen {
        link_ui(ui, (&what, now.saturating_sub(at)), link, others);
    } else if matches!(link, Some(ClusterLink::Reconnecting(_))) {
        caption(ui, "reconnecting");
    }
}

/// How much there is, and when it was read.
fn seen(cluster: &ClusterState) -> Option<(String, Duration)> {
    let deployments = cluster.view.with_time().map(|(view, at)| {
        let deployed = view
            .deployments
            .iter()
            .filter(|d| d.state == DeploymentState::Deployed)
            .count();
        (
            format!("{deployed} of {} deployed", view.deployments.len()),
            at,
        )
    });
    deployments.or_else(|| {
        let (models, at) = cluster.api_models.with_time()?;
        Some((units::counted(models.len(), "model"), at))
    })
}

fn loading_ui(ui: &mut Ui, cluster: &ClusterState, is_reload: bool, out: &mut Actions) {
    ui.spinner();
    let told = if is_reload {
        "refreshing"
    } else {
        "loading from the cluster and the API"
    };
    caption(ui, told);
    let jobs = [cluster.view.job(), cluster.api_models.job()];
    if small_button(ui, "Cancel")
        .on_hover_text("Stop and keep the data shown")
        .clicked()
    {
        out.extend(
            jobs.into_iter()
                .flatten()
                .map(|job| Command::Cancel { job }),
        );
    }
}

fn details_ui(ui: &mut Ui, state: &State, narrow: bool, out: &mut Actions) {
    let cluster = &state.connection().cluster;
    if cluster.view.value().is_none() {
        return;
    }
    const NAME: &str = "Deployment details";
    let button = small_button(ui, if narrow { "Details" } else { NAME });
    button.widget_info(|| WidgetInfo::labeled(Role::Button, true, NAME));
    if button
        .on_hover_text("Show each deployment's pods and problems")
        .clicked()
    {
        out.push(ClusterAction::ShowPicked);
    }
}

/// The amount and age of the data, and whether it is kept up to date.
fn link_ui(ui: &mut Ui, (what, age): (&str, Duration), link: Option<&ClusterLink>, others: f32) {
    let seen = format!("updated {}", units::ago(age));
    let told = match link {
        Some(ClusterLink::Live) => format!("{what} · live"),
        Some(ClusterLink::Polling { every, .. }) => {
            format!("{what} · polling every {} s", every.as_secs())
        }
        Some(ClusterLink::Reconnecting(_)) => format!("{what} · {seen} · reconnecting"),
        Some(ClusterLink::Forbidden(_)) => format!("{what} · {seen} · forbidden"),
        Some(ClusterLink::Stopped(_)) | None => format!("{what} · {seen}"),
    };
    let width = ui.available_width() - others;
    if width < 12.0 * GRID {
        // Three letters of it say nothing.
        return;
    }
    let dim = tokens(ui).dim;
    let told = shortened(ui, &told, TextStyle::Small, dim, width);
    if let Some(
        ClusterLink::Polling { why, .. }
        | ClusterLink::Reconnecting(why)
        | ClusterLink::Forbidden(why),
    ) = link
    {
        told.on_hover_text(why.to_string());
    }
    if link != Some(&ClusterLink::Live) {
        // The age is told in seconds during the first minute.
        let seconds = if age < Duration::from_secs(60) { 1 } else { 10 };
        ui.ctx().request_repaint_after(Duration::from_secs(seconds));
    }
}

/// The current problems, each with its advice. The pickers keep the data from before.
pub(super) fn troubles_ui(
    ui: &mut Ui,
    state: &State,
    env: &EnvId,
    now: Duration,
    out: &mut Actions,
) {
    let choice = &state.panes().active_pane().choice;
    let (Some(connection), Some(env)) = (
        state.environments.connection_of(env),
        state.environments.settings.get(env),
    ) else {
        return;
    };
    let insecure = env.accept_invalid_certs;
    let boxes = failures(connection, env.api.is_some() || env.demo, now);
    let models_trouble = connection
        .cluster
        .deployment_of(choice)
        .and_then(|deployment| deployment.models_trouble.as_ref());
    if boxes.is_empty() && models_trouble.is_none() && !insecure {
        return;
    }
    let most = (ui.available_height() * 0.4).clamp(60.0, 240.0);
    ScrollArea::vertical()
        .id_salt("troubles")
        .max_height(most)
        .auto_shrink([false, true])
        .show(ui, |ui| {
            ui.set_width(ui.available_width() - 4.0);
            for (n, (id, why, age)) in boxes.iter().enumerate() {
                failure_box(ui, &format!("{id} {n}"), why, *age);
            }
            if let Some(text) = models_trouble {
                warning_box(ui, &printable::cut(text, 600));
            }
            if insecure {
                let tokens = tokens(ui);
                ui.add(Label::new(
                    RichText::new("Certificates are not verified in this environment")
                        .small()
                        .color(tokens.warning),
                ));
            }
        });
    if !boxes.is_empty() && small_button(ui, "Open Environments").clicked() {
        out.push(Page::Environments);
    }
}

/// The failures of an environment, each with a name and the age of the data that is still shown.
fn failures(
    connection: &ConnectionState,
    api_expected: bool,
    now: Duration,
) -> Vec<(&'static str, &Failure, Option<Duration>)> {
    let age = |at: Option<Duration>| at.map(|at| now.saturating_sub(at));
    let view = &connection.cluster.view;
    let models = &connection.cluster.api_models;
    let mut boxes = Vec::new();
    boxes.extend(
        view.failure()
            .map(|why| ("cluster", why, age(view.with_time().map(|(_, at)| at)))),
    );
    if let Some(why) = models.failure() {
        let at = models.with_time().map(|(_, at)| at);
        boxes.push(("api", why, age(at)));
    } else if let Some(why) = connection.trouble.as_ref().filter(|_| api_expected) {
        boxes.push(("place", why, None));
    }
    // Before an API is named nobody misses its key.
    if let Some(KeyStatus::Missing(why)) = connection.key.as_ref().filter(|_| api_expected) {
        boxes.push(("key", why, None));
    }
    for warning in view
        .value()
        .map(|view| view.warnings.as_slice())
        .unwrap_or_default()
    {
        // The watch and the list may tell the same.
        if boxes
            .iter()
            .all(|(_, known, _)| known.summary != warning.summary)
        {
            boxes.push(("warning", warning, None));
        }
    }
    boxes
}
