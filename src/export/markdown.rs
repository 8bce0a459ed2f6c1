//! Markdown for a pull request: tables, notes, conversations.

mod text;

use std::fmt::Write as _;

pub use self::text::escape;
use self::text::{answer, fenced, quoted};
use super::{Exported, words};
use crate::domain::history::{Exchange, ExchangeEnding, SessionBody, SessionRow};
use crate::domain::plan_fields;
use crate::domain::printable::cut;
use crate::domain::run::{BenchReport, INTERVALS, LevelReport, ServerSide};
use crate::domain::units::{count, percent};
use crate::metrics::compare::{
    Comparison, Verdict, change_text, interval_text, value_text, verdict_text,
};

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

fn bench(out: &mut String, report: &BenchReport) {
    if let Some(ended) = words::ended(report) {
        let _ = writeln!(out, "**{}**\n", escape(&cut(&ended, super::MAX_MESSAGE)));
    }
    for (name, levels) in words::by_model(report) {
        let _ = writeln!(out, "### {}\n", escape(&name));
        levels_table(out, &levels);
        out.push('\n');
    }
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
        let _ = write!(out, "| {} |", escape(&level.label));
        for (metric, _) in &columns {
            let _ = write!(out, " {} |", escape(&metric.text_with_interval(level)));
        }
        out.push('\n');
    }
}

fn notes(out: &mut String, report: &BenchReport) {
    let before = out.len();
    for level in &report.levels {
        let place = format!("{} of {}", level.label, level.model);
        for error in &level.requests.errors {
            let (place, kind, example) = (
                escape(&place),
                escape(&error.kind),
                escape(&cut(&error.example, super::MAX_MESSAGE)),
            );
            let _ = writeln!(
                out,
                "- **Errors**, {place}: {} × {kind}: {example}",
                count(error.count)
            );
        }
    }
    for level in &report.levels {
        if let Some(told) = level.server.as_ref().and_then(ServerSide::differences) {
            let place = escape(&format!("{} of {}", level.label, level.model));
            let _ = writeln!(
                out,
                "- Server, {place}: p50 measured here less the server's own: {told}"
            );
        }
    }
    for said in words::said(report) {
        let name = if said.doubt { "**In doubt**" } else { "Note" };
        let _ = writeln!(
            out,
            "- {name}, {}: {}",
            escape(&said.place),
            escape(&cut(said.text, super::MAX_MESSAGE))
        );
    }
    if out.len() > before {
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
        let _ = writeln!(out, "**{}**\n", escape(&exchange.model));
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

/// A comparison as tables: change, its 95 % interval, and the verdict.
pub fn comparison_markdown(found: &Comparison) -> String {
    let title = found
        .labels
        .iter()
        .map(|label| escape(label))
        .collect::<Vec<_>>()
        .join(" vs ");
    let mut out = format!("## {title}\n\n");
    let baseline = found
        .labels
        .first()
        .map(|label| escape(label))
        .unwrap_or_default();
    let least = percent(found.least_change);
    let _ = writeln!(
        out,
        "Changes are against {baseline}; one counts from {least} up.\n"
    );
    for difference in &found.differences {
        let name = if difference.grave {
            "**Different conditions**"
        } else {
            "Differs"
        };
        let values: Vec<String> = difference
            .values
            .iter()
            .map(|value| escape(value))
            .collect();
        let _ = writeln!(
            out,
            "- {name}: {}: {}",
            escape(&difference.what),
            values.join(" / ")
        );
    }
    let mut place = None;
    for row in &found.rows {
        if place != Some((&row.model, &row.level)) {
            place = Some((&row.model, &row.level));
            let level = if row.level.is_empty() {
                String::new()
            } else {
                format!(", {}", escape(&row.level))
            };
            let _ = writeln!(out, "\n### {}{level}\n", escape(&row.model));
            let _ = write!(out, "| figure | {baseline} |");
            for label in found.labels.iter().skip(1) {
                let _ = write!(
                    out,
                    " {} | change | 95 % interval | verdict |",
                    escape(label)
                );
            }
            let _ = writeln!(
                out,
                "\n|:--|--:|{}",
                "--:|--:|--:|:--|".repeat(found.labels.len().max(1) - 1)
            );
        }
        let _ = write!(
            out,
            "| {} | {} |",
            escape(&row.title),
            value_text(row, row.baseline)
        );
        for cell in &row.others {
            let verdict = verdict_text(cell);
            let verdict = if cell.verdict == Verdict::Worse {
                format!("**{verdict}**")
            } else {
                verdict.to_owned()
            };
            let _ = write!(
                out,
                " {} | {} | {} | {verdict} |",
                value_text(row, cell.value),
                change_text(row, cell),
                interval_text(cell),
            );
        }
        out.push('\n');
    }
    if !found.remarks.is_empty() {
        out.push('\n');
        for remark in &found.remarks {
            let _ = writeln!(out, "- {}", escape(remark));
        }
    }
    out
}
