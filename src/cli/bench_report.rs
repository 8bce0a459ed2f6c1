//! A benchmark's report for people.

mod findings;
mod levels;
mod progress;
mod remarks;

pub(in crate::cli) use self::progress::{level_line, progress_line};
use super::table::{Table, line};
use crate::domain::plan::Load;
use crate::domain::run::known::{UNKNOWN, Unknown};
use crate::domain::run::{BenchReport, SessionEnd};

/// Terminal columns of what a line is about.
const LABEL: usize = 9;

/// The whole report; `files` are those that were written.
pub(super) fn text(report: &BenchReport, files: &[String]) -> String {
    let mut parts = vec![
        head(report),
        findings::text(report),
        levels::tables(report),
        levels::over_runs(report),
        levels::intervals(report),
        remarks::text(report),
        end(report, files),
    ];
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

/// Lines with what each is about before it.
fn labelled(lines: impl IntoIterator<Item = (&'static str, String)>) -> String {
    let mut table = Table::least(&[LABEL]);
    for (label, text) in lines {
        table.row([label, &text]);
    }
    table.text(2)
}

fn head(report: &BenchReport) -> String {
    let plan = &report.plan;
    // An import has no environment, and its file may not say an address.
    let place = [&report.environment, &report.api].map(String::as_str);
    let place: Vec<&str> = place.into_iter().filter(|text| !text.is_empty()).collect();
    let place = if place.is_empty() {
        "imported".to_owned()
    } else {
        place.join(" at ")
    };
    let mut lines = Vec::new();
    if let (Load::Trace { file, .. }, Some(trace)) = (&plan.load, &report.trace) {
        lines.push(("trace", format!("{}: {}", file.display(), trace.told())));
    }
    let unknown = || UNKNOWN.to_owned();
    let prompts = report.prompts_told().unwrap_or_else(unknown);
    let answers = if plan.endpoint.streams() {
        let most = report.answers_told().unwrap_or_else(unknown);
        format!(" · answers {most}")
    } else {
        String::new()
    };
    let endpoint = report.endpoint_told();
    let endpoint = endpoint.map_or_else(String::new, |name| format!(" · {name}"));
    let known = plan.turns > 1 && report.knows(Unknown::Turns);
    let turns = if known {
        format!(" · {} turns", plan.turns)
    } else {
        String::new()
    };
    let seed = report
        .seed()
        .map(|seed| format!(" · seed {seed}"))
        .unwrap_or_default();
    lines.push((
        "prompts",
        format!("{prompts}{endpoint}{answers}{turns}{seed}"),
    ));
    let machine = report.machine.told().unwrap_or_else(unknown);
    let measured_by = report.measured_by();
    lines.push(("machine", format!("{machine} · measured by {measured_by}")));
    lines.extend((!plan.tags.is_empty()).then(|| ("tags", plan.tags.join(", "))));
    line(&format!("{place} · session {}", report.id)) + &labelled(lines)
}

fn end(report: &BenchReport, files: &[String]) -> String {
    let ended = match &report.ended {
        SessionEnd::Complete => "complete".to_owned(),
        SessionEnd::Stopped if report.source.is_some() => "before all its requests".to_owned(),
        SessionEnd::Stopped => "stopped by the user; these are the figures until then".to_owned(),
        SessionEnd::Limit(why) | SessionEnd::Errors(why) | SessionEnd::Failed(why) => why.clone(),
    };
    let took = report
        .took()
        .map(|seconds| format!(", after {seconds:.1} s"))
        .unwrap_or_default();
    let files = files.iter().map(|file| ("written", file.clone()));
    labelled(std::iter::once(("ended", format!("{ended}{took}"))).chain(files))
}

#[cfg(test)]
mod tests;
