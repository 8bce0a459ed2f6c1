//! Markdown for a pull request: tables, notes, conversations.

mod text;

use std::fmt::Write as _;

pub use self::text::escape;
use self::text::{answer, fenced, quoted};
use super::Exported;
use super::words::{self, Note, NoteKind};
use crate::domain::history::{Exchange, ExchangeEnding, SessionBody, SessionRow};
use crate::domain::plan_fields;
use crate::domain::printable::cut;
use crate::domain::run::{BenchReport, INTERVALS, LevelReport};
use crate::metrics::findings;

/// The sessions one below the other.
pub(super) fn page(sessions: &[Exported<'_>]) -> String {
    let mut out = String::new();
    for (i, session) in sessions.iter().enumerate() {
        if i > 0 {
            out.push_str("\n---\n\n");
        }
        head(&mut out, session.row);
        match session.body {
            SessionBody::Bench { report, .. } => bench(&mut out, report),
            SessionBody::Chat { exchanges, .. } => chat(&mut out, exchanges),
        }
    }
    out
}

fn head(out: &mut String, row: &SessionRow) {
    let mut parts = vec![words::moment(row.began)];
    parts.extend((!row.environment.is_empty()).then(|| row.environment.clone()));
    parts.extend(row.source.clone());
    parts.extend(row.baseline.then(|| "baseline".to_owned()));
    parts.extend((!row.tags.is_empty()).then(|| format!("tags: {}", row.tags.join(", "))));
    // Writing to a text cannot fail, here and below.
    let _ = writeln!(
        out,
        "## {}\n\n{}\n",
        escape(&row.title),
        escape(&parts.join(" · "))
    );
}

/// A benchmark that is in no history yet, e.g. for the summary of a pipeline's job.
pub fn bench_alone(report: &BenchReport) -> String {
    let models: Vec<&str> = report
        .plan
        .targets
        .iter()
        .map(|target| target.model.as_str())
        .collect();
    let mut out = format!("## Benchmark of {}\n\n", escape(&models.join(", ")));
    bench(&mut out, report);
    out
}

fn bench(out: &mut String, report: &BenchReport) {
    if let Some(ended) = words::ended(report) {
        let _ = writeln!(out, "**{}**\n", escape(&cut(&ended, super::MAX_MESSAGE)));
    }
    for finding in findings::of(report) {
        let _ = writeln!(out, "**{}**\n", escape(&finding.text));
        for detail in &finding.details {
            let _ = writeln!(out, "- {}", escape(detail));
        }
        out.push('\n');
    }
    for (name, levels) in words::by_model(report) {
        let _ = writeln!(out, "### {}\n", escape(&name));
        levels_table(out, &levels);
        out.push('\n');
    }
    over_runs(out, report);
    if !report.levels.is_empty() {
        let _ = writeln!(out, "{INTERVALS}\n");
    }
    notes(out, report);
    out.push_str("<details><summary>Plan and environment</summary>\n\n");
    let around = words::surroundings(report)
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value));
    for (name, value) in plan_fields::facts(report).into_iter().chain(around) {
        let _ = writeln!(out, "- {name}: {}", escape(&value));
    }
    out.push_str("\n</details>\n");
}

fn levels_table(out: &mut String, levels: &[&LevelReport]) {
    let columns = words::columns(levels);
    out.push_str("| level |");
    let mut group = "";
    for (_, column) in &columns {
        // A heading is said with the first of its columns.
        let title = if column.group == group {
            column.name.clone()
        } else {
            column.title()
        };
        group = column.group;
        let _ = write!(out, " {} |", escape(&title));
    }
    let _ = writeln!(out, "\n|:--{}|", "|--:".repeat(columns.len()));
    for level in levels {
        let _ = write!(out, "| {} |", escape(&level.name()));
        for (metric, _) in &columns {
            let _ = write!(out, " {} |", escape(&metric.text_with_interval(level)));
        }
        out.push('\n');
    }
}

/// The means over the runs of each load.
fn over_runs(out: &mut String, report: &BenchReport) {
    for of in &report.over_runs {
        let _ = writeln!(out, "### {}\n", escape(&words::over_runs_title(of)));
        let _ = writeln!(out, "| figure | mean and 95 % interval |\n|:--|--:|");
        for (title, value) in words::over_runs(of) {
            let _ = writeln!(out, "| {} | {} |", escape(title), escape(&value));
        }
        out.push('\n');
    }
}

fn notes(out: &mut String, report: &BenchReport) {
    let notes = words::notes(report);
    for Note { kind, about, text } in &notes {
        let mark = if *kind == NoteKind::Other { "" } else { "**" };
        let (about, text) = (escape(about), escape(text));
        let _ = writeln!(out, "- {mark}{about}{mark}: {text}");
    }
    if !notes.is_empty() {
        out.push('\n');
    }
}

fn chat(out: &mut String, exchanges: &[Exchange]) {
    let mut system = "";
    for exchange in exchanges {
        if exchange.system != system && !exchange.system.is_empty() {
            let _ = writeln!(out, "**System prompt**\n\n{}\n", quoted(&exchange.system));
        }
        system = &exchange.system;
        for result in &exchange.results {
            let name = escape(words::function(&result.name));
            let _ = writeln!(
                out,
                "**Result of {name}**\n\n{}\n",
                fenced(&result.content, "")
            );
        }
        let said_otherwise = !exchange.attachments.is_empty() || !exchange.results.is_empty();
        if !exchange.prompt.is_empty() || !exchange.attachments.is_empty() || !said_otherwise {
            let _ = writeln!(out, "**You**, {}\n", words::moment(exchange.at));
        }
        for attachment in &exchange.attachments {
            let _ = writeln!(
                out,
                "*Attached: {} ({})*\n",
                escape(&attachment.name),
                escape(&attachment.told())
            );
        }
        if !exchange.prompt.is_empty() || !said_otherwise {
            let _ = writeln!(out, "{}\n", quoted(kept(&exchange.prompt)));
        }
        let environment = exchange.environment.as_deref();
        let on = environment.map_or_else(String::new, |name| format!(" on {}", escape(name)));
        let _ = writeln!(out, "**{}**{on}\n", escape(&exchange.model));
        if !exchange.reasoning.is_empty() {
            let _ = writeln!(
                out,
                "<details><summary>Reasoning</summary>\n\n{}\n\n</details>\n",
                quoted(&exchange.reasoning)
            );
        }
        if exchange.calls.is_empty() || !exchange.answer.is_empty() {
            let _ = writeln!(out, "{}\n", answer(kept(&exchange.answer)));
        }
        for call in &exchange.calls {
            let name = escape(words::function(&call.name));
            let _ = writeln!(
                out,
                "Calls **{name}**\n\n{}\n",
                fenced(&words::arguments(call), "json")
            );
        }
        let figures = words::figures(exchange);
        let ending = match &exchange.ending {
            ExchangeEnding::Finished(_) => String::new(),
            ExchangeEnding::Stopped => "stopped by the user".to_owned(),
            ExchangeEnding::Failed(why) => cut(why, super::MAX_MESSAGE).into_owned(),
        };
        let said: Vec<&str> = [figures.as_str(), ending.as_str()]
            .into_iter()
            .filter(|t| !t.is_empty())
            .collect();
        if !said.is_empty() {
            let _ = writeln!(out, "<sub>{}</sub>\n", escape(&said.join(" · ")));
        }
    }
}

fn kept(text: &str) -> &str {
    if text.is_empty() {
        "*(text not kept)*"
    } else {
        text
    }
}
