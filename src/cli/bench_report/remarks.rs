//! What is to be known of the figures: errors, limits, what the server says, measurement warnings.

use super::super::table::line;
use super::labelled;
use crate::domain::run::{BenchReport, LevelReport, Limits, Network, ServerMetrics, ServerSide};
use crate::domain::units::{self, count};

pub(super) fn text(report: &BenchReport) -> String {
    let switches = report.switches.iter();
    let switches = switches.map(|to| ("switch", format!("to {}: {}", to.model, to.told())));
    let levels = report.levels_shown().into_iter().flat_map(|level| {
        let place = level.place();
        let workers = report.workers_told(level).into_iter();
        let workers = workers.map(|told| ("worker", told));
        let lines = about(level).into_iter().chain(workers);
        lines.map(move |(label, text)| (label, format!("{place}: {text}")))
    });
    let warnings = report.levels.iter().flat_map(|level| {
        let place = level.place();
        let texts = warnings(level).into_iter();
        texts.map(move |text| line(&format!("! {place}: {text}")))
    });
    let origin = report.server_metrics.iter();
    let origin = origin.map(|origin| ("metrics", origin.told()));
    labelled(switches.chain(levels).chain(origin)) + &warnings.collect::<String>()
}

/// A line's label and its text.
type Labelled = (&'static str, String);

fn about(level: &LevelReport) -> Vec<Labelled> {
    let requests = &level.requests;
    let mut lines = Vec::new();
    lines.extend(level.probe.iter().map(|probe| ("probe", probe.told())));
    let others = level.answered_by.iter();
    let others = others.filter(|other| !other.model.is_empty());
    lines.extend(others.map(|other| {
        let answers = units::counted(other.answers as usize, "answer");
        ("answered", format!("{answers} by {}", other.model))
    }));
    lines.extend(requests.errors.iter().map(|error| {
        let (times, kind, example) = (count(error.count), &error.kind, &error.example);
        ("errors", format!("{times} × {kind}: {example}"))
    }));
    if requests.aborted + requests.unsent > 0 {
        let (aborted, unsent) = (count(requests.aborted), count(requests.unsent));
        let text = format!("{aborted} aborted in flight, {unsent} due and never sent");
        lines.push(("left out", text));
    }
    lines.extend(limits(&level.limits));
    let server = level.server.as_ref().and_then(ServerSide::differences);
    lines.extend(server.map(|told| ("server", format!("client − server, p50: {told}"))));
    let metrics = level.server_metrics.as_ref();
    lines.extend(
        metrics
            .and_then(ServerMetrics::told)
            .map(|told| ("server", told)),
    );
    let network = level.network.as_ref().and_then(Network::told);
    lines.extend(network.map(|told| ("network", told)));
    lines.extend(level.both_sides().map(|told| ("diagnosis", told)));
    let missed = level.goodput.iter().flat_map(|good| &good.missed_by);
    let missed = missed.filter(|(_, times)| *times > 0);
    lines.extend(
        missed.map(|(name, times)| ("goodput", format!("{} missed {name}", count(*times)))),
    );
    lines
}

fn limits(limits: &Limits) -> Vec<Labelled> {
    let mut lines = Vec::new();
    if limits.rate_limited + limits.queue_full > 0 {
        let [rate, ingress, queue] =
            [limits.rate_limited, limits.ingress, limits.queue_full].map(count);
        let text = format!(
            "{rate} refused for their rate ({ingress} by a gateway before the API), {queue} for a full queue"
        );
        lines.push(("limits", text));
    }
    let headers = limits.headers.iter();
    lines.extend(headers.map(|(name, value)| ("limits", format!("{name}: {value}"))));
    lines
}

fn warnings(level: &LevelReport) -> Vec<String> {
    let doubts = level.watch.doubts.iter();
    let mut warnings: Vec<String> = doubts
        .map(|doubt| format!("measurement warning: {doubt}"))
        .collect();
    warnings.extend(level.notes.iter().cloned());
    let chunks = match level.tokens_from.as_str() {
        "chunks" => Some("the answers"),
        "mixed" => Some("some answers"),
        _ => None,
    };
    warnings.extend(chunks.map(|answers| {
        format!("the server reports no plausible token count for {answers}: these are chunks")
    }));
    warnings
}
