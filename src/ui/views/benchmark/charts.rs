//! The session's charts.

use egui::{Ui, vec2};

use super::SessionUi;
use crate::chart::bench::{self, Stretch};
use crate::chart::distribution::distribution;
use crate::chart::levels::{self, Timing};
use crate::chart::{Chart, Look};
use crate::domain::run::LevelReport;
use crate::state::ModelColors;
use crate::state::bench::Session;
use crate::ui::chart::{CHART, Part, card_ui, no_tools, pair, timing_ui};
use crate::ui::picture::Photographer;
use crate::ui::theme::GRID;
use crate::ui::widgets::{caption, shortened, tokens};

/// The height of charts in a low window, in points.
const LOW_CHART: f32 = 112.0;

pub(super) fn show(
    ui: &mut Ui,
    page: &mut SessionUi,
    session: &Session,
    colors: &ModelColors,
    compact: bool,
) {
    let height = if compact { LOW_CHART } else { CHART };
    let SessionUi {
        shown,
        level,
        photographer,
    } = page;
    let chosen = level.of(session);
    let stretches = stretches(session, colors);
    let elapsed = session.now.map_or(0.0, |now| now.elapsed_s);
    let groups = levels::by_model(&session.levels, |_, model| Look::of(colors.index(model)));
    let plain = |ui: &mut Ui, p: &mut Photographer, chart: &Chart<'_>| {
        card_ui(ui, p, chart, height, no_tools);
    };
    let ttft = bench::ttft_over_time(&session.dots, &stretches, elapsed);
    let tokens = bench::tokens_over_time(session.rates.kept(), &stretches, elapsed);
    // One level is a single dot by level: its figures are in the tiles.
    if stretches.len() < 2 {
        let parts: [Part<'_>; 2] = [&mut |ui, p| plain(ui, p, &ttft), &mut |ui, p| {
            plain(ui, p, &tokens);
        }];
        pair(ui, photographer, parts);
        server_ui(ui, photographer, session, &stretches);
        return distribution_ui(ui, photographer, shown, chosen, colors, height);
    }
    let bracketed = |chart| levels::with_bracket(chart, &groups, session.bracket());
    let parts: [Part<'_>; 2] = [&mut |ui, p| plain(ui, p, &ttft), &mut |ui, p| {
        plain(ui, p, &bracketed(levels::ttft(&groups, true)));
    }];
    pair(ui, photographer, parts);
    let parts: [Part<'_>; 2] = [&mut |ui, p| plain(ui, p, &tokens), &mut |ui, p| {
        plain(ui, p, &bracketed(levels::tokens(&groups, true)));
    }];
    pair(ui, photographer, parts);
    let parts: [Part<'_>; 2] = [
        &mut |ui, p| plain(ui, p, &levels::knee(&groups, true)),
        &mut |ui, p| distribution_ui(ui, p, shown, chosen, colors, height),
    ];
    pair(ui, photographer, parts);
    server_ui(ui, photographer, session, &stretches);
}

/// The strip of the server's own metrics, and where they come from or why there are none.
fn server_ui(
    ui: &mut Ui,
    photographer: &mut Photographer,
    session: &Session,
    stretches: &[Stretch],
) {
    let elapsed = session.now.map_or(0.0, |now| now.elapsed_s);
    let requests = session.server.requests(stretches, elapsed);
    let in_use = session.server.use_of(stretches, elapsed);
    let strip = |ui: &mut Ui, p: &mut Photographer, chart: &Chart<'_>| {
        card_ui(ui, p, chart, LOW_CHART, no_tools);
    };
    match (&requests, &in_use) {
        (Some(requests), Some(in_use)) => {
            let parts: [Part<'_>; 2] = [&mut |ui, p| strip(ui, p, requests), &mut |ui, p| {
                strip(ui, p, in_use);
            }];
            pair(ui, photographer, parts);
        }
        (Some(chart), None) | (None, Some(chart)) => strip(ui, photographer, chart),
        (None, None) => {}
    }
    if let Some(told) = session.server_told.as_ref().filter(|told| !told.is_empty()) {
        caption(ui, format!("Server metrics: {told}"));
    }
}

fn stretches(session: &Session, colors: &ModelColors) -> Vec<Stretch> {
    let levels = session.plan.levels().len().max(session.levels.len());
    let stretch = |index| {
        let asked = session.model_of(index).unwrap_or_default();
        let model = session.credited_of(index).unwrap_or_default();
        let began = session.began.iter().find(|(level, _)| *level == index);
        Stretch {
            index,
            label: session.label_of(index).unwrap_or_default(),
            look: Look::of(colors.index(asked)),
            model,
            began_s: began.map(|(_, began)| *began),
        }
    };
    (0..levels).map(stretch).collect()
}

fn distribution_ui(
    ui: &mut Ui,
    photographer: &mut Photographer,
    shown: &mut Timing,
    level: Option<&LevelReport>,
    colors: &ModelColors,
    height: f32,
) {
    let look = Look::of(level.map_or(0, |level| colors.index(&level.model)));
    let chart = distribution(level, *shown, look);
    let of = chart.note.clone();
    card_ui(ui, photographer, &chart, height - 28.0, |ui| {
        head_ui(ui, shown, &of)
    });
}

/// Which times the distribution is of, and of which level.
fn head_ui(ui: &mut Ui, shown: &mut Timing, of: &str) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = GRID;
        ui.spacing_mut().button_padding = vec2(8.0, 2.0);
        ui.spacing_mut().interact_size.y = 20.0;
        timing_ui(ui, shown);
        let dim = tokens(ui).dim;
        let width = ui.available_width();
        shortened(ui, of, egui::TextStyle::Small, dim, width);
    });
}

/// The last requests in flight, a bar each.
pub(super) fn timeline_ui(ui: &mut Ui, photographer: &mut Photographer, session: &Session) {
    let now = session.now.map_or(0.0, |now| now.elapsed_s);
    let height = session.flights.len() as f32 * 5.0 + 50.0;
    card_ui(
        ui,
        photographer,
        &bench::in_flight(&session.flights, now),
        height,
        no_tools,
    );
}
