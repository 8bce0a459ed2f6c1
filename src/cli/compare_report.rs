//! A comparison for people: text for a terminal of 100 columns, and Markdown for a pull request.

use crate::domain::printable::one_line;
use crate::domain::units::shorten_middle;
use crate::export::escape_markdown as escaped;
use crate::metrics::compare::{
    Comparison, Row, change_text, interval_text, value_text, verdict_text,
};

/// No line of the text is wider, unless a label is.
const WIDTH: usize = 100;

/// What differs, then a table for each session, then what is to be known.
pub(super) fn text(found: &Comparison) -> String {
    let mut out = String::new();
    wrapped(&mut out, "", &found.headline());
    differences(&mut out, found);
    for (at, label) in found.labels.iter().enumerate().skip(1) {
        if !found.rows.is_empty() {
            table(&mut out, found, at, label);
        }
    }
    if !found.remarks.is_empty() {
        line(&mut out, "");
    }
    for remark in &found.remarks {
        wrapped(&mut out, "- ", remark);
    }
    out
}

fn line(out: &mut String, text: &str) {
    out.push_str(one_line(text).trim_end());
    out.push('\n');
}

/// At words' ends; lines after the first stand as far in as the mark is wide.
fn wrapped(out: &mut String, mark: &str, text: &str) {
    let mut at = mark.to_owned();
    for word in text.split_whitespace() {
        let blank = if at.len() == mark.len() { "" } else { " " };
        if !blank.is_empty() && at.chars().count() + 1 + word.chars().count() > WIDTH {
            line(out, &at);
            at = format!("{}{word}", " ".repeat(mark.len()));
        } else {
            at = format!("{at}{blank}{word}");
        }
    }
    line(out, &at);
}

fn differences(out: &mut String, found: &Comparison) {
    line(out, "");
    if found.differences.is_empty() {
        line(out, "Plan and environment were the same");
        return;
    }
    line(
        out,
        "Differences (! marks different conditions: figures are not comparable)",
    );
    let whats = found
        .differences
        .iter()
        .map(|difference| difference.what.chars().count());
    let first = whats.max().unwrap_or(0);
    let each = (WIDTH - 4 - first) / found.labels.len().max(1) - 2;
    let row = |mark: &str, what: &str, values: &[String]| {
        let cells: String = values
            .iter()
            .map(|value| {
                let value = shorten_middle(value, each);
                format!("  {value:<each$}")
            })
            .collect();
        format!("{mark} {what:<first$}{cells}")
    };
    line(out, &row(" ", "", &found.labels));
    for difference in &found.differences {
        let mark = if difference.grave { "!" } else { " " };
        line(out, &row(mark, &difference.what, &difference.values));
    }
}

fn table(out: &mut String, found: &Comparison, at: usize, label: &str) {
    let mut model = None;
    let mut level = None;
    for row in &found.rows {
        let Some(cell) = row.others.get(at - 1) else {
            continue;
        };
        if model != Some(&row.model) {
            (model, level) = (Some(&row.model), None);
            line(out, "");
            let against = found.labels.first().map_or("", String::as_str);
            line(out, &format!("{}: {label} against {against}", row.model));
            let head = [
                "level",
                "metric",
                "baseline",
                "this",
                "change",
                "95 % interval",
                "verdict",
            ];
            line(out, &cells(head.map(str::to_owned)));
        }
        // Figures of the same level stand together, and it is named once.
        let shown = if level == Some(&row.level) {
            ""
        } else {
            level_name(row)
        };
        level = Some(&row.level);
        let interval = interval_text(cell);
        line(
            out,
            &cells([
                shown.to_owned(),
                row.title.clone(),
                value_text(row, row.baseline),
                value_text(row, cell.value),
                change_text(row, cell),
                interval,
                verdict_text(cell).to_owned(),
            ]),
        );
    }
}

fn level_name(row: &Row) -> &str {
    if row.level.is_empty() {
        "all"
    } else {
        &row.level
    }
}

fn cells([level, metric, baseline, this, change, interval, verdict]: [String; 7]) -> String {
    format!("{level:<8} {metric:<18} {baseline:>9} {this:>9} {change:>9} {interval:>19}  {verdict}")
}

/// The same as [`text`], in tables.
pub(super) fn markdown(found: &Comparison) -> String {
    let mut out = String::new();
    line(&mut out, &format!("**{}**", escaped(&found.headline())));
    if !found.differences.is_empty() {
        line(&mut out, "");
        let labels: Vec<String> = found.labels.iter().map(|label| escaped(label)).collect();
        line(
            &mut out,
            &format!("| what differs | {} |", labels.join(" | ")),
        );
        line(&mut out, &format!("|---|{}", "---|".repeat(labels.len())));
        for difference in &found.differences {
            let values: Vec<String> = difference
                .values
                .iter()
                .map(|value| escaped(value))
                .collect();
            let mark = if difference.grave { "⚠ " } else { "" };
            line(
                &mut out,
                &format!(
                    "| {mark}{} | {} |",
                    escaped(&difference.what),
                    values.join(" | ")
                ),
            );
        }
    }
    for (at, label) in found.labels.iter().enumerate().skip(1) {
        if found.rows.is_empty() {
            break;
        }
        let against = found.labels.first().map_or("", String::as_str);
        line(&mut out, "");
        line(
            &mut out,
            &format!(
                "| model | level | metric | {} | {} | change | 95 % interval | verdict |",
                escaped(against),
                escaped(label)
            ),
        );
        line(&mut out, "|---|---|---|--:|--:|--:|--:|---|");
        for row in &found.rows {
            let Some(cell) = row.others.get(at - 1) else {
                continue;
            };
            line(
                &mut out,
                &format!(
                    "| {} | {} | {} | {} | {} | {} | {} | {} |",
                    escaped(&row.model),
                    escaped(level_name(row)),
                    escaped(&row.title),
                    value_text(row, row.baseline),
                    value_text(row, cell.value),
                    change_text(row, cell),
                    interval_text(cell),
                    verdict_text(cell),
                ),
            );
        }
    }
    line(&mut out, "");
    for remark in &found.remarks {
        line(&mut out, &format!("- {}", escaped(remark)));
    }
    out
}
