//! `batida compare`: compares sessions and result files with a baseline.

use std::io::Write as _;
use std::path::Path;

use super::args::{Common, CompareArgs};
use super::{Ended, compare_report, out, report};
use crate::domain::failure::Failure;
use crate::domain::history::HistorySettings;
use crate::engine::{self, history};
use crate::export::junit;
use crate::io::files::{OutFile, cannot_write};
use crate::io::history::Store;
use crate::metrics::compare::{Comparison, Side, Verdict, change_text, compare, interval_text};

pub(super) async fn run(
    common: &Common,
    settings: &HistorySettings,
    args: &CompareArgs,
) -> Result<(), Ended> {
    let (mut sides, mut names) = (Vec::new(), Vec::new());
    for name in &args.sides {
        for side in load(common, name).await? {
            sides.push(side);
            names.push(name.clone());
        }
    }
    tell_apart(&mut sides, &names);
    let found = compare(&sides, args.least_change.unwrap_or(settings.least_change));
    if let Some(path) = &args.junit {
        let text = junit::compare(&found, args.fail_if_worse);
        OutFile::plan(path)?
            .keep(|file| file.write_all(text.as_bytes()))
            .map_err(|error| cannot_write(path, &error))?;
    }
    if common.json {
        report::json(&serde_json::to_value(&found).map_err(std::io::Error::from)?)?;
    } else {
        let text = if args.markdown {
            compare_report::markdown(&found)
        } else {
            compare_report::text(&found)
        };
        // For a pull request the Markdown goes into a pipe or a file as it is.
        let mut out = if args.markdown {
            out::content()
        } else {
            out::stdout()
        };
        out.write_all(text.as_bytes())?;
        out.flush()?;
    }
    if args.fail_if_worse {
        held(&found)
    } else {
        Ok(())
    }
}

/// The sessions of a file, or one that is kept.
async fn load(common: &Common, name: &str) -> Result<Vec<Side>, Failure> {
    let path = Path::new(name);
    // A tag may have a point in it: `2.1.0`.
    let is_named_so = |ending: &str| path.extension().is_some_and(|found| found == ending);
    if path.is_file()
        || path.components().count() > 1
        || ["json", "jsonl"].into_iter().any(is_named_so)
    {
        let stem = path
            .file_stem()
            .map_or(name.to_owned(), |stem| stem.to_string_lossy().into_owned());
        let imported = history::read_result_file(path).await?;
        // Of ours nothing means something else.
        for remark in imported
            .remarks
            .iter()
            .filter(|_| !imported.source.starts_with("batida"))
        {
            report::error_line(&format!("{name}: {remark}"));
        }
        return Ok(history::imported_sides(&stem, imported));
    }
    let store = Store::open_to_read(&engine::history_dir(&common.options())?)?;
    let id = store.find(name).map_err(|why| {
        // If the history cannot be read, the failure says what to do.
        if store.is_broken() {
            return why;
        }
        let advice =
            "Name a file of `batida bench --out`, or a session that `batida history list` shows";
        Failure {
            advice: advice.to_owned(),
            ..why
        }
    })?;
    history::sides(&store, &[id])
}

/// Sessions with the same label are called as they were typed, and the same one twice is numbered.
fn tell_apart(sides: &mut [Side], names: &[String]) {
    let before: Vec<String> = sides.iter().map(|side| side.label.clone()).collect();
    for (at, side) in sides.iter_mut().enumerate() {
        if before.iter().filter(|label| **label == before[at]).count() > 1 {
            let again = names[..at]
                .iter()
                .filter(|name| **name == names[at])
                .count();
            let number = if again > 0 {
                format!(" ({})", again + 1)
            } else {
                String::new()
            };
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
                let level = if row.level.is_empty() {
                    String::new()
                } else {
                    format!(" at {}", row.level)
                };
                let interval = cell
                    .interval
                    .map(|_| format!(" ({})", interval_text(cell)))
                    .unwrap_or_default();
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
