//! What reports for people say in the same words, as HTML or as Markdown.

use crate::domain::conversation::ToolCall;
use crate::domain::figures::{self, Column, Metric};
use crate::domain::history::Exchange;
use crate::domain::json;
use crate::domain::printable::cut;
use crate::domain::run::known::{self, UNKNOWN};
use crate::domain::run::{
    BenchReport, LevelReport, Network, OverRuns, OverRunsFigure, ServerMetrics, ServerSide,
    SessionEnd,
};
use crate::domain::units;
use crate::metrics::timeline::AT_ONCE;

/// A name and what stands behind it.
pub(super) type Fact = (&'static str, String);

/// The models with their deployments, in the order in which they were loaded, each with its levels.
pub(super) fn by_model(report: &BenchReport) -> Vec<(String, Vec<&LevelReport>)> {
    let mut groups: Vec<(String, Vec<&LevelReport>)> = Vec::new();
    for level in report.levels_shown() {
        let name = match &level.deployment {
            Some(deployment) => format!("{} of {deployment}", level.credited()),
            None => level.credited(),
        };
        match groups.iter_mut().find(|(group, _)| *group == name) {
            Some((_, levels)) => levels.push(level),
            None => groups.push((name, vec![level])),
        }
    }
    groups
}

/// Where it was measured, and by what.
pub(super) fn surroundings(report: &BenchReport) -> Vec<Fact> {
    let mut facts = vec![
        ("Environment", report.environment.clone()),
        ("API", report.api.clone()),
    ];
    if let Some(around) = &report.surroundings {
        facts.extend(
            around
                .sambastack
                .clone()
                .map(|version| ("SambaStack", version)),
        );
        facts.extend(
            around
                .kubernetes
                .clone()
                .map(|version| ("Kubernetes", version)),
        );
        facts.extend(around.kubectl.clone().map(|version| ("kubectl", version)));
        for deployment in &around.deployments {
            let bundle = deployment
                .bundle
                .as_ref()
                .map(|name| format!(", bundle {name}"))
                .unwrap_or_default();
            facts.push((
                "Deployment",
                format!("{} ({}{bundle})", deployment.name, deployment.kind),
            ));
        }
    }
    let metrics = report.server_metrics.as_ref();
    facts.extend(metrics.map(|origin| ("Server metrics", origin.told())));
    facts.push((
        "Machine",
        report.machine.told().unwrap_or_else(|| UNKNOWN.to_owned()),
    ));
    facts.push(("Measured by", report.measured_by()));
    facts.extend(report.clocks_told().map(|told| ("Times of arrival", told)));
    facts.push(("Session", report.id.clone()));
    facts.retain(|(_, text)| !text.is_empty());
    facts
}

/// How the session ended, when it is worth saying.
pub(super) fn ended(report: &BenchReport) -> Option<String> {
    match &report.ended {
        SessionEnd::Complete => None,
        SessionEnd::Stopped => Some("Stopped by the user: these are the figures so far".to_owned()),
        SessionEnd::Limit(why) | SessionEnd::Errors(why) => Some(format!("Stopped: {why}")),
        SessionEnd::Failed(why) => Some(format!("Failed: {why}")),
    }
}

/// What a report says beside its figures.
pub(super) struct Note {
    pub(super) kind: NoteKind,
    /// `Errors, c=16 of gpt-oss-120b`
    pub(super) about: String,
    pub(super) text: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum NoteKind {
    Error,
    /// It may have moved a figure.
    Warning,
    Other,
}

/// Errors, measurement warnings, notes, switches of models, and what the server says of itself.
pub(super) fn notes(report: &BenchReport) -> Vec<Note> {
    let note = |kind, about: String, text: &str| Note {
        kind,
        about,
        text: cut(text, super::MAX_MESSAGE).into_owned(),
    };
    let mut notes = Vec::new();
    for level in report.levels_shown() {
        let probe = level.probe.iter();
        notes.extend(probe.map(|probe| {
            note(
                NoteKind::Other,
                format!("Probe, {}", level.place()),
                &probe.told(),
            )
        }));
    }
    for level in &report.levels {
        for error in &level.requests.errors {
            let about = format!("Errors, {}", level.place());
            notes.push(note(NoteKind::Error, about, &error.told()));
        }
    }
    notes.extend(said(
        report,
        NoteKind::Warning,
        "Measurement warning",
        |level| &level.watch.doubts,
    ));
    notes.extend(said(report, NoteKind::Other, "Note", |level| &level.notes));
    for switch in &report.switches {
        let about = format!("Switch to {}", switch.model);
        notes.push(note(NoteKind::Other, about, &switch.told()));
    }
    for level in &report.levels {
        let both = level.both_sides().map(|told| ("Diagnosis", told));
        let metrics = level.server_metrics.as_ref().and_then(ServerMetrics::told);
        let metrics = metrics.map(|told| ("Server metrics", told));
        let network = level.network.as_ref().and_then(Network::told);
        let network = network.map(|told| ("Network", told));
        for (name, told) in [both, metrics, network].into_iter().flatten() {
            notes.push(note(
                NoteKind::Other,
                format!("{name}, {}", level.place()),
                &told,
            ));
        }
        for told in report.workers_told(level) {
            let about = format!("Worker, {}", level.place());
            notes.push(note(NoteKind::Other, about, &told));
        }
        if let Some(told) = level.server.as_ref().and_then(ServerSide::differences) {
            let text = format!("Client − server, p50: {told}");
            notes.push(note(
                NoteKind::Other,
                format!("Server, {}", level.place()),
                &text,
            ));
        }
    }
    notes
}

/// The texts of all levels. One that several levels have is said once.
fn said(
    report: &BenchReport,
    kind: NoteKind,
    name: &str,
    of: fn(&LevelReport) -> &[String],
) -> Vec<Note> {
    let mut all: Vec<Note> = Vec::new();
    for level in &report.levels {
        for text in of(level) {
            let text = cut(text, super::MAX_MESSAGE);
            match all.iter_mut().find(|other| other.text == text) {
                Some(other) => other.about = format!("{}, {}", other.about, level.place()),
                None => all.push(Note {
                    kind,
                    about: format!("{name}, {}", level.place()),
                    text: text.into_owned(),
                }),
            }
        }
    }
    all
}

/// The columns of a table of these levels. Without objectives there is none for goodput.
pub(super) fn columns(levels: &[&LevelReport]) -> Vec<(&'static Metric, &'static Column)> {
    let mut columns = figures::columns_of(levels.iter().copied());
    let any = levels.iter().any(|level| level.goodput.is_some());
    columns.retain(|(metric, _)| any || metric.key != figures::GOODPUT);
    columns
}

/// `c=16 of gpt-oss-120b, mean of 5 runs`
pub(super) fn over_runs_title(of: &OverRuns) -> String {
    let runs = units::counted(of.runs as usize, "run");
    format!("{}, mean of {runs}", of.place())
}

/// The figures over the runs: each title, and the mean with its interval.
pub(super) fn over_runs(of: &OverRuns) -> Vec<(&'static str, String)> {
    let figure = |figure: &OverRunsFigure| {
        let metric = figures::find(&figure.figure)?;
        let text = metric.print.estimate(figure.estimate());
        Some((metric.title.as_str(), text))
    };
    of.figures.iter().filter_map(figure).collect()
}

/// `2026-11-23 14:05 UTC`
pub(super) fn moment(at: jiff::Timestamp) -> String {
    let known = known::moment(at).map(|at| at.strftime("%Y-%m-%d %H:%M UTC").to_string());
    known.unwrap_or_else(|| "date unknown".to_owned())
}

/// An exchange's figures in one line.
pub(super) fn figures(exchange: &Exchange) -> String {
    let figures = &exchange.figures;
    let mut parts = Vec::new();
    parts.extend(
        exchange
            .answered_by
            .as_ref()
            .map(|other| format!("answered by {other}")),
    );
    parts.extend(
        figures
            .tokens_per_sec
            .map(|rate| units::rate(rate).to_string()),
    );
    parts.extend(figures.at_once.then(|| AT_ONCE.to_owned()));
    parts.extend(
        figures
            .ttft
            .map(|ttft| format!("TTFT {}", units::duration(ttft))),
    );
    parts.extend(
        figures
            .latency
            .map(|latency| format!("latency {}", units::seconds(latency))),
    );
    parts.extend(
        figures
            .tokens
            .map(|tokens| format!("{} {}", units::count(tokens.n), tokens.noun())),
    );
    parts.join(" · ")
}

/// A function's name, also where it has none.
pub(super) fn function(name: &str) -> &str {
    if name.is_empty() {
        "a function without a name"
    } else {
        name
    }
}

/// A call's arguments, a member a line where they are JSON.
pub(super) fn arguments(call: &ToolCall) -> String {
    json::pretty(&call.arguments).unwrap_or_else(|| call.arguments.clone())
}
