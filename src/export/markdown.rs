//! Markdown for a pull request: tables, notes, conversations.

mod text;

use std::fmt::Write as _;

pub use self::text::escape;
use self::text::{answer, fenced, quoted};
use super::{Exported, words};
use crate::domain::history::{Exchange, ExchangeEnding, SessionBody, SessionRow};
use crate::domain::printable::cut;
use crate::domain::run::{BenchReport, INTERVALS, LevelReport, Rate, ServerSide};
use crate::domain::units::{ABSENT, count, short, time_with_interval, with_interval};
use crate::metrics::compare::Comparison;

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
    out.push_str("<details><summary>What was asked, and where</summary>\n\n");
    for (name, value) in words::plan(report)
        .into_iter()
        .chain(words::surroundings(report))
    {
        let _ = writeln!(out, "- {name}: {}", escape(&value));
    }
    out.push_str("\n</details>\n");
}

fn levels_table(out: &mut String, levels: &[&LevelReport]) {
    let good = levels.iter().any(|level| level.goodput.is_some());
    out.push_str(
        "| level | requests | errors | TTFT p50, ms | p95 | p99 | ITL p50, ms | p99 | TPOT p50, ms ",
    );
    out.push_str("| latency p50 | p99 | tok/s of one | tok/s of all | req/s | in flight |");
    out.push_str(if good { " good |\n" } else { "\n" });
    out.push_str("|:--");
    out.push_str(&"|--:".repeat(if good { 15 } else { 14 }));
    out.push_str("|\n");
    for level in levels {
        let rate = |rate: Option<Rate>| {
            interval(
                rate.map(|rate| rate.mean),
                rate.and_then(|rate| rate.ci),
                1.0,
            )
        };
        let (ttft, itl, tpot) = (&level.ttft_ms, &level.itl_ms, &level.tpot_ms);
        let (latency, speed) = (&level.latency_ms, &level.user_tokens_per_s);
        let mut cells = vec![
            escape(&level.label),
            count(level.requests.ended),
            count(level.requests.failed),
            interval(ttft.p50, ttft.p50_ci, 1.0),
            interval(ttft.p95, ttft.p95_ci, 1.0),
            interval(ttft.p99, ttft.p99_ci, 1.0),
            interval(itl.p50, itl.p50_ci, 1.0),
            interval(itl.p99, itl.p99_ci, 1.0),
            interval(tpot.p50, tpot.p50_ci, 1.0),
            escape(&time_with_interval(latency.p50, latency.p50_ci)),
            escape(&time_with_interval(latency.p99, latency.p99_ci)),
            interval(speed.p50, speed.p50_ci, 1.0),
            rate(level.throughput.output_tokens_per_s),
            rate(level.throughput.requests_per_s),
            words::in_flight(level),
        ];
        if good {
            cells.push(words::good(level).unwrap_or_else(|| ABSENT.to_owned()));
        }
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
}

/// A figure, divided, with its interval.
fn interval(value: Option<f64>, ci: Option<[f64; 2]>, by: f64) -> String {
    escape(&with_interval(
        value.map(|value| value / by),
        ci.map(|ci| ci.map(|end| end / by)),
    ))
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
        "*(no text is kept)*"
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
    let least = words::percent(found.least_change);
    let _ = writeln!(
        out,
        "Changes are against {baseline}; one counts from {least} up.\n"
    );
    for difference in &found.differences {
        let name = if difference.grave {
            "**Not like with like**"
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
        let _ = write!(out, "| {} | {} |", escape(&row.title), short(row.baseline));
        for cell in &row.others {
            let (_, verdict) = words::verdict(cell.verdict);
            let verdict = if verdict == "worse" {
                "**worse**"
            } else {
                verdict
            };
            let _ = write!(
                out,
                " {} | {} | {} | {verdict} |",
                short(cell.value),
                words::change(cell.change),
                words::interval(cell.interval),
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
