//! `batida compare`: sessions held against each other, without a window.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use super::args::{Common, CompareArgs};
use super::{Ended, compare_report, report};
use crate::domain::failure::Failure;
use crate::domain::history::HistorySettings;
use crate::domain::run::{BenchReport, SCHEMA};
use crate::metrics::compare::{Comparison, Side, Verdict, change_text, compare, interval_text};

pub(super) fn run(common: &Common, settings: &HistorySettings, args: &CompareArgs) -> Result<(), Ended> {
    let mut sides = args.sides.iter().map(|name| load_side(name)).collect::<Result<Vec<Side>, Failure>>()?;
    tell_apart(&mut sides, &args.sides);
    let found = compare(&sides, args.least_change.unwrap_or(settings.least_change));
    if common.json {
        report::json(&serde_json::to_value(&found).map_err(std::io::Error::from)?)?;
    } else {
        let text =
            if args.markdown { compare_report::markdown(&found) } else { compare_report::text(&found) };
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()?;
    }
    if args.fail_if_worse { held(&found) } else { Ok(()) }
}

/// One session: the report in a file.
fn load_side(name: &str) -> Result<Side, Failure> {
    let advice = "Name files that `batida bench --out` wrote";
    let text = fs::read_to_string(name)
        .map_err(|error| Failure::new(format!("{name} cannot be read: {error}"), advice))?;
    let no_report = |why: String| Failure::new(format!("{name} is no report of a benchmark: {why}"), advice);
    let json: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| no_report(format!("it is no JSON: {error}")))?;
    match json.get("schema").and_then(|schema| schema.as_str()) {
        Some(SCHEMA) => {}
        Some(other) => {
            return Err(no_report(format!("it says {other:?} where this Batida reads {SCHEMA:?}")));
        }
        None => return Err(no_report("it has no \"schema\"".to_owned())),
    }
    let report: BenchReport = serde_json::from_value(json).map_err(|error| no_report(error.to_string()))?;
    let stem =
        Path::new(name).file_stem().map_or(name.to_owned(), |stem| stem.to_string_lossy().into_owned());
    let label = if report.plan.tags.is_empty() { stem } else { report.plan.tags.join(", ") };
    Ok(Side { label, report, values: Vec::new() })
}

/// Sessions with the same label are called as they were typed, and the same one twice is numbered.
fn tell_apart(sides: &mut [Side], names: &[String]) {
    let before: Vec<String> = sides.iter().map(|side| side.label.clone()).collect();
    for (at, side) in sides.iter_mut().enumerate() {
        if before.iter().filter(|label| **label == before[at]).count() > 1 {
            let again = names[..at].iter().filter(|name| **name == names[at]).count();
            let number = if again > 0 { format!(" ({})", again + 1) } else { String::new() };
            side.label = format!("{}{number}", names[at]);
        }
    }
}

/// Says what is worse, which is exit code 3.
fn held(found: &Comparison) -> Result<(), Ended> {
    if found.rows.is_empty() {
        // Nobody could vouch for it.
        report::error_line("batida: --fail-if-worse: nothing could be compared");
        return Err(Ended::Crossed);
    }
    let mut worse = false;
    for row in &found.rows {
        for (cell, label) in row.others.iter().zip(found.labels.iter().skip(1)) {
            if cell.verdict == Verdict::Worse {
                worse = true;
                let level = if row.level.is_empty() { String::new() } else { format!(" at {}", row.level) };
                let interval =
                    cell.interval.map(|_| format!(" ({})", interval_text(cell))).unwrap_or_default();
                let change = change_text(row, cell);
                report::error_line(&format!(
                    "batida: --fail-if-worse: {}{level} of {} is worse in {label}: {change}{interval}",
                    row.figure, row.model,
                ));
            }
        }
    }
    if worse { Err(Ended::Crossed) } else { Ok(()) }
}
