//! Charts that lay several sessions over each other, or show one in small.

use egui::Ui;

use crate::chart::answers::{self, Figure};
use crate::chart::levels::{self, Group, Timing};
use crate::chart::{Chart, Look};
use crate::domain::history::Exchange;
use crate::domain::run::BenchReport;
use crate::state::ModelColors;
use crate::ui::chart::{card_ui, no_tools};
use crate::ui::picture::Photographer;

/// A session as it is laid over others.
pub(super) struct Sheet<'a> {
    /// What it is called.
    pub(super) label: String,
    /// The place of its colour and its sign.
    pub(super) color: usize,
    /// One session alone has the colours of its models.
    pub(super) models: Option<&'a ModelColors>,
    /// Its report.
    pub(super) report: &'a BenchReport,
}

/// The levels' names of all sessions, in the order of their load.
pub(super) fn level_names(sheets: &[Sheet<'_>]) -> Vec<String> {
    levels::level_names(sheets.iter().flat_map(|sheet| &sheet.report.levels))
}

/// The models of all sessions, in the order in which they first appear.
pub(super) fn models<'a>(sheets: &'a [Sheet<'_>]) -> Vec<&'a str> {
    let mut models: Vec<&'a str> = Vec::new();
    for level in sheets.iter().flat_map(|sheet| &sheet.report.levels) {
        if !models.contains(&level.model.as_str()) {
            models.push(&level.model);
        }
    }
    models
}

/// A group per session and model; each model has its own line pattern.
fn by_model<'a>(sheets: &[Sheet<'a>]) -> Vec<Group<'a>> {
    let models = models(sheets);
    let mut all = Vec::new();
    for sheet in sheets {
        let pattern = |model: &str| models.iter().position(|known| *known == model).unwrap_or(0);
        let groups = levels::by_model(&sheet.report.levels, |_, model| match sheet.models {
            Some(colors) => Look::of(colors.index(model)),
            None => Look::mixed(sheet.color, pattern(model)),
        });
        all.extend(groups.into_iter().map(|group| match sheet.models {
            Some(_) => group,
            None if models.len() > 1 => Group {
                name: format!("{} {}", sheet.label, group.name),
                ..group
            },
            None => Group {
                name: sheet.label.clone(),
                ..group
            },
        }));
    }
    all
}

/// The chart by level or by speed that `build` makes of the sessions.
pub(super) fn chart_ui(
    ui: &mut Ui,
    photographer: &mut Photographer,
    sheets: &[Sheet<'_>],
    build: fn(&[Group<'_>], bool) -> Chart<'static>,
    height: f32,
) {
    // With several sessions, the page has the legend.
    let named = sheets.iter().all(|sheet| sheet.models.is_some());
    card_ui(
        ui,
        photographer,
        &build(&by_model(sheets), named),
        height,
        no_tools,
    );
}

/// The cumulative distribution of one figure at one level.
pub(super) fn share_ui(
    ui: &mut Ui,
    photographer: &mut Photographer,
    sheets: &[Sheet<'_>],
    (level, timing): (&str, Timing),
    height: f32,
) {
    let groups = by_model(sheets);
    let lines = groups.iter().flat_map(|group| {
        let at = group.levels.iter().filter(|report| report.label == level);
        at.map(|report| {
            (
                format!("{} {level}", group.name),
                group.look,
                timing.stats(report),
            )
        })
    });
    card_ui(
        ui,
        photographer,
        &levels::cumulative(lines.collect(), timing.name(), false),
        height,
        no_tools,
    );
}

/// A conversation's answers in small: TTFT or speed.
pub(super) fn chat_ui(
    ui: &mut Ui,
    photographer: &mut Photographer,
    exchanges: &[Exchange],
    (color, figure): (usize, Figure),
    height: f32,
) {
    let chart = answers::conversation(exchanges, figure, Look::mixed(color, 0));
    card_ui(ui, photographer, &chart, height, no_tools);
}
