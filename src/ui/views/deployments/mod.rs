//! The Deployments page: a live list, and the details of the chosen one beside it.

mod actions;
mod choices;
mod detail;
mod logs;
mod models;

use egui::{
    CornerRadius, Label, RichText, Role, ScrollArea, Sense, TextEdit, TextStyle, Ui, WidgetInfo,
    vec2,
};

pub(in crate::ui::views) use self::choices::{NO_DEPLOYMENT, deployment_sections};
use self::detail::deployment_ui;
use self::logs::log_ui;
use self::models::{ProbeRequest, probes_ui};
use crate::domain::deployment::{ClusterView, Deployment};
use crate::domain::printable;
use crate::domain::workspace::Page;
use crate::protocol::{ClusterLink, Command, Failure};
use crate::state::State;
use crate::state::action::Actions;
use crate::state::cluster::{ClusterAction, ClusterState, EVENTS_EVERY};
use crate::ui::theme::{GRID, HALF, PAD};
use crate::ui::views::paragraphs::wrapped;
use crate::ui::views::waiting::waiting_ui;
use crate::ui::widgets::{
    Choice, MARGIN, Section, caption, column, dot, empty_state, failure_box, filling_card,
    health_mark, matching, page_head, shortened, tokens,
};

const ROW: f32 = 40.0;

/// Draws the page, and does what it asks of the state.
pub fn show(ui: &mut Ui, state: &mut State, out: &mut Vec<Command>) {
    let clock = crate::ui::clock(ui.ctx());
    let mut actions = Actions::default();
    page_ui(ui, state, &mut actions);
    crate::ui::perform(ui.ctx(), actions, state, clock, out);
}

fn page_ui(ui: &mut Ui, state: &State, out: &mut Actions) {
    let name = &state.env().name;
    page_head(
        ui,
        "Deployments",
        &format!("Deployments on {name}: state, pods, models and events"),
    );
    if state.env().cluster.is_none() {
        return no_cluster_ui(ui, state, out);
    }
    ui.horizontal(|ui| {
        link_ui(ui, state);
        probes_ui(ui, state, out);
    });
    out.push(ClusterAction::KeepReading);
    waiting_ui(ui, state, &state.env().id, out);
    ui.ctx().request_repaint_after(EVENTS_EVERY);
    let cluster = &state.connection().cluster;
    if let Some(why) = cluster.view.failure() {
        failure_box(ui, "cluster", why, None);
    }
    if let Some(view) = cluster.view.value() {
        faults_ui(ui, view);
    }
    let Some(view) = cluster.view.value() else {
        if cluster.view.is_loading() {
            ui.spinner();
        } else {
            let advice = "Press F5 to load it";
            empty_state(ui, "The cluster is not loaded yet", advice, 60.0);
        }
        return;
    };
    if view.deployments.is_empty() {
        return nothing_ui(ui, view, cluster.view.failure().is_some());
    }
    columns_ui(ui, state, out);
}

fn no_cluster_ui(ui: &mut Ui, state: &State, out: &mut Actions) {
    empty_state(
        ui,
        &format!("{} has no cluster", state.env().name),
        "Connect it to a cluster in Environments, or switch to another environment",
        60.0,
    );
    ui.vertical_centered(|ui| {
        if ui.button("Open Environments").clicked() {
            out.push(Page::Environments);
        }
    });
}

/// Where no deployment can be shown: because there is none, or because they could not all be read.
fn nothing_ui(ui: &mut Ui, view: &ClusterView, has_failed: bool) {
    let advice = "New deployments appear here automatically";
    if !has_failed && view.warnings.is_empty() {
        return empty_state(ui, view.nothing(), advice, 60.0);
    }
    for warning in &view.warnings {
        wrapped(ui, &warning.to_string(), tokens(ui).warning);
    }
    empty_state(ui, "No deployments visible", advice, 60.0);
}

/// The list, the chosen deployment beside it, and a log below them if one is open.
fn columns_ui(ui: &mut Ui, state: &State, out: &mut Actions) {
    let env = state.env();
    let has_log = state.connection().log.is_some();
    let may_probe = state.env().has_api() && !state.bench.measures(&state.env().id);
    let cluster = &state.connection().cluster;
    let Some(view) = cluster.view.value() else {
        return;
    };
    let chosen = match (&cluster.chosen, view.deployments.first()) {
        (None, Some(first)) => view.name_of(first),
        (chosen, _) => chosen.clone().unwrap_or_default(),
    };
    let mut size = ui.available_size();
    let log_height = if has_log {
        (size.y * 0.45).max(150.0)
    } else {
        0.0
    };
    size.y -= if has_log { log_height + 14.0 } else { 0.0 };
    let list = (size.x * 0.32).clamp(220.0, 360.0);
    let (mut picked, mut wanted, mut probe_request) = (None, None, ProbeRequest::default());
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = PAD;
        column(ui, vec2(list, size.y), |ui| {
            filling_card(ui, |ui| picked = list_ui(ui, cluster, view, &chosen));
        });
        column(ui, vec2(ui.available_width(), size.y), |ui| {
            filling_card(ui, |ui| {
                match view
                    .deployments
                    .iter()
                    .find(|it| view.name_of(it) == chosen)
                {
                    Some(deployment) => {
                        (wanted, probe_request) =
                            deployment_ui(ui, env, cluster, deployment, may_probe, out);
                    }
                    None => empty_state(
                        ui,
                        &format!("{chosen} no longer exists"),
                        "It was deleted from the cluster",
                        60.0,
                    ),
                }
            });
        });
    });
    out.extend(picked.map(ClusterAction::Show));
    if has_log {
        ui.add_space(PAD);
        column(ui, vec2(ui.available_width(), log_height), |ui| {
            filling_card(ui, |ui| log_ui(ui, state, out));
        });
    }
    out.extend(wanted.map(ClusterAction::OpenLog));
    if probe_request.cancel {
        out.push(ClusterAction::CancelProbes);
    }
    if !probe_request.probe.is_empty() {
        out.push(ClusterAction::Probe(probe_request.probe));
    }
}

fn link_ui(ui: &mut Ui, state: &State) {
    let tokens = tokens(ui);
    let cluster = &state.connection().cluster;
    let (color, told, why) = match &cluster.link {
        Some(ClusterLink::Live) => (tokens.ok, "live".to_owned(), None),
        Some(ClusterLink::Reconnecting(why)) => {
            (tokens.warning, "reconnecting".to_owned(), Some(why))
        }
        Some(ClusterLink::Forbidden(why)) => (tokens.error, "forbidden".to_owned(), Some(why)),
        Some(ClusterLink::Polling { every, why }) => (
            tokens.warning,
            format!("polling every {} s", every.as_secs()),
            Some(why),
        ),
        Some(ClusterLink::Stopped(why)) => (tokens.error, "updates stopped".to_owned(), Some(why)),
        None => (tokens.faint, "loading from the cluster".to_owned(), None),
    };
    dot(ui, color);
    let told = caption(ui, told);
    if let Some(why) = why {
        told.on_hover_text(why.to_string());
    }
}

/// Resources that could not be listed or read in full: one line each, with the details on hover.
fn faults_ui(ui: &mut Ui, view: &ClusterView) {
    // More would leave no room for the deployments.
    const MAX: usize = 2;
    let tokens = tokens(ui);
    let faults: Vec<&Failure> = view.warnings.iter().chain(&view.unreadable).collect();
    let words = |fault: &Failure| {
        let parts = [fault.summary.as_str(), &fault.advice, &fault.details];
        let parts: Vec<&str> = parts.into_iter().filter(|text| !text.is_empty()).collect();
        printable::cut(&parts.join("\n"), 2_000).into_owned()
    };
    for fault in faults.iter().take(MAX) {
        let width = ui.available_width();
        let line = shortened(ui, &fault.summary, TextStyle::Small, tokens.warning, width);
        line.on_hover_text(words(fault));
    }
    if faults.len() > MAX {
        let rest: Vec<String> = faults.iter().skip(MAX).map(|fault| words(fault)).collect();
        let line = format!(
            "{} more problems while reading the cluster",
            faults.len() - MAX
        );
        let label = Label::new(RichText::new(line).small().color(tokens.warning));
        ui.add(label).on_hover_text(rest.join("\n\n"));
    }
}

/// Gives the one that was clicked.
fn list_ui(
    ui: &mut Ui,
    cluster: &ClusterState,
    view: &ClusterView,
    chosen: &str,
) -> Option<String> {
    let id = ui.scope_id().with("filter");
    let mut filter = ui
        .data(|data| data.get_temp::<String>(id))
        .unwrap_or_default();
    let label = caption(ui, "Filter deployments");
    let edit = TextEdit::singleline(&mut filter)
        .margin(MARGIN)
        .desired_width(f32::INFINITY);
    ui.add(edit).labelled_by(label.id);
    let all = Section {
        heading: "",
        choices: view
            .deployments
            .iter()
            .map(|it| Choice::plain(&it.name))
            .collect(),
    };
    let found = matching(&[all], &filter);
    ui.data_mut(|data| data.insert_temp(id, filter));
    let lines = found.into_iter().flat_map(|(_, lines)| lines);
    let shown: Vec<&Deployment> = lines
        .filter_map(|line| view.deployments.get(line))
        .collect();
    let mut picked = None;
    ScrollArea::vertical()
        .id_salt("deployments")
        .auto_shrink([false, false])
        .show_rows(ui, ROW, shown.len(), |ui, rows| {
            for deployment in &shown[rows] {
                let name = view.name_of(deployment);
                if row_ui(ui, cluster, deployment, &name, name == chosen) {
                    picked = Some(name);
                }
            }
        });
    picked
}

fn row_ui(
    ui: &mut Ui,
    cluster: &ClusterState,
    deployment: &Deployment,
    name: &str,
    selected: bool,
) -> bool {
    let (health, diagnosis) = cluster.diagnosed(deployment);
    // Where its resources say nothing of what is wrong, the likely cause does.
    let why = match diagnosis {
        Some(found) if deployment.reasons().is_empty() => found.sentence,
        _ => deployment.why(),
    };
    let tokens = tokens(ui);
    let width = ui.available_width();
    let (rect, response) = ui.allocate_exact_size(vec2(width, ROW), Sense::click());
    let fill = if selected {
        Some(tokens.raised)
    } else {
        response.hovered().then_some(tokens.hover)
    };
    if let Some(fill) = fill {
        ui.painter().rect_filled(rect, CornerRadius::same(6), fill);
    }
    if response.has_focus() {
        let stroke = egui::Stroke::new(1.0, tokens.accent);
        ui.painter().rect_stroke(
            rect,
            CornerRadius::same(6),
            stroke,
            egui::StrokeKind::Inside,
        );
    }
    let mut inside = ui.new_child(egui::UiBuilder::new().max_rect(rect.shrink2(vec2(8.0, 3.0))));
    inside.spacing_mut().item_spacing.y = HALF;
    inside.spacing_mut().interact_size.y = 15.0;
    inside.horizontal(|ui| {
        health_mark(ui, health);
        shortened(ui, name, TextStyle::Body, tokens.text, width - 44.0);
    });
    inside.horizontal(|ui| {
        ui.add_space(4.0 * GRID);
        shortened(
            ui,
            &printable::cut(&why, 300),
            TextStyle::Small,
            tokens.dim,
            width - 44.0,
        );
    });
    let spoken = format!("{name}, {}", deployment.state.label());
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, selected, &spoken));
    response.clicked()
}
