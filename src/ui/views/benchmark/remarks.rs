//! Which level is shown, and what is to be known of its figures, in one line that unfolds.

use egui::{CollapsingHeader, Label, RichText, Ui};

use super::figures;
use crate::domain::plan_fields::sentence;
use crate::domain::run::{LevelReport, Remark, RemarkKind};
use crate::domain::units;
use crate::metrics::arrivals::Groups;
use crate::state::bench::Session;
use crate::ui::theme::GRID;
use crate::ui::widgets::{caption, message, tokens};

const SERVER: &str = "Over the answers that have both figures, ours from when a request was sent: gateway, network, and what waits before the server's clock starts";

const METRICS: &str = "From the server's own metrics and a TCP connection a second, over the steady part of the level";

/// A level's label, with its model where there are several.
pub(super) fn name_of(session: &Session, level: &LevelReport) -> String {
    let several = session.plan.targets.len() > 1;
    if several {
        format!("{} {}", level.credited(), level.label)
    } else {
        level.label.clone()
    }
}

/// `1 error, 3 measurement warnings`; what is told with the intervals is not counted.
fn counted(remarks: &[Remark]) -> String {
    let kinds = [
        (RemarkKind::Error, "kind of error", "kinds of errors"),
        (
            RemarkKind::Warning,
            "measurement warning",
            "measurement warnings",
        ),
        (RemarkKind::Note, "note", "notes"),
    ];
    let words = kinds.iter().filter_map(|(kind, one, several)| {
        let n = remarks.iter().filter(|remark| remark.kind == *kind).count();
        let noun = if n == 1 { one } else { several };
        (n > 0).then(|| format!("{} {noun}", units::count(n as u64)))
    });
    words.collect::<Vec<_>>().join(", ")
}

/// The errors, measurement warnings and notes of the level that the tiles show, gravest first.
pub(super) fn show(ui: &mut Ui, session: &Session, level: &LevelReport) {
    let mut remarks = level.remarks();
    remarks.retain(|remark| remark.kind != RemarkKind::Interval);
    let Some(gravest) = remarks.first().map(|remark| remark.kind) else {
        return;
    };
    let tokens = tokens(ui);
    let color = |kind| match kind {
        RemarkKind::Error => tokens.error,
        RemarkKind::Warning => tokens.warning,
        RemarkKind::Note | RemarkKind::Interval => tokens.dim,
    };
    let title = format!("{} at {}", counted(&remarks), name_of(session, level));
    ui.spacing_mut().item_spacing.y = GRID;
    CollapsingHeader::new(RichText::new(title).small().color(color(gravest)))
        .id_salt("remarks")
        .show(ui, |ui| {
            for remark in &remarks {
                let about = if remark.about.is_empty() {
                    "level".to_owned()
                } else {
                    remark.about.join(", ")
                };
                let text = format!("{about}: {}", message(&remark.text));
                let text = RichText::new(text).small().color(color(remark.kind));
                ui.add(Label::new(text).wrap());
            }
            // The tiles below do not touch the last line.
            ui.add_space(GRID);
        });
}

/// How tokens arrived where it was in groups, how our figures differ from the server's own, and which clock says when
/// bytes arrived.
pub(super) fn below_ui(ui: &mut Ui, level: &LevelReport, compact: bool) {
    if let Some(probe) = &level.probe {
        caption(ui, format!("Probe {}: {}", level.label, probe.told()));
    }
    let groups = Groups::of(level).map(|groups| {
        format!(
            "{}: the gap between groups is shown",
            sentence(&groups.told())
        )
    });
    if let Some(told) = groups {
        caption(ui, told);
    }
    if let Some(told) = figures::server(level).filter(|_| !compact) {
        caption(ui, told).on_hover_text(SERVER);
    }
    if let Some(told) = figures::server_metrics(level).filter(|_| !compact) {
        caption(ui, told).on_hover_text(METRICS);
    }
    // What both sides say is worth its line in a low window too.
    if let Some(told) = level.both_sides() {
        caption(ui, told).on_hover_text(METRICS);
    }
    for part in level.workers.iter().filter(|_| !compact) {
        caption(ui, format!("Worker {}: {}", part.worker + 1, part.told()));
    }
    let clock = level.watch.clock.filter(|_| !compact);
    if let Some((clock, told)) = clock.zip(level.watch.clock_told()) {
        caption(ui, sentence(&told)).on_hover_text(clock.meaning());
    }
}
