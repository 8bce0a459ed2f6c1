//! A comparison for people: text for a terminal of 100 columns, and Markdown for a pull request.

use super::table::{Table, line};
use crate::export::escape_markdown as escaped;
use crate::metrics::compare::{
    Comparison, Row, change_text, interval_text, value_text, verdict_text,
};

/// No line of the text is wider, unless a label is.
const WIDTH: usize = 100;

/// What differs, then a table for each session, then what is to be known.
pub(super) fn text(found: &Comparison) -> String {
    let mut headline = Table::default();
    headline.row([found.headline()]);
    let mut remarks = Table::default();
    for remark in &found.remarks {
        remarks.row(["-", remark]);
    }
    let others = found.labels.iter().enumerate().skip(1);
    let tables = others.flat_map(|(at, label)| {
        let models = found.rows.chunk_by(|a, b| a.model == b.model);
        models.map(move |rows| table(found, rows, at, label))
    });
    let mut parts = vec![headline.within(WIDTH).text(1), differences(found)];
    parts.extend(tables);
    parts.push(remarks.within(WIDTH).text(1));
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

fn differences(found: &Comparison) -> String {
    if found.differences.is_empty() {
        return line("Plan and environment were the same");
    }
    let mut table = Table::default();
    let mut row = |what: String, values: &[String]| {
        table.row(std::iter::once(&what).chain(values));
    };
    row(String::new(), &found.labels);
    for difference in &found.differences {
        let mark = if difference.grave { "!" } else { " " };
        row(format!("{mark} {}", difference.what), &difference.values);
    }
    line("Differences (! marks different conditions: figures are not comparable)")
        + &table.within(WIDTH).text(2)
}

/// A model's figures in the session at this place, against those of the baseline.
fn table(found: &Comparison, rows: &[Row], at: usize, label: &str) -> String {
    let mut table = Table::default().figures(2..6);
    table.row([
        "level",
        "metric",
        "baseline",
        "this",
        "change",
        "95 % interval",
        "verdict",
    ]);
    let mut level = None;
    for row in rows {
        let Some(cell) = row.others.get(at - 1) else {
            continue;
        };
        // Figures of the same level stand together, and it is named once.
        let shown = if level == Some(&row.level) {
            ""
        } else {
            level_name(row)
        };
        level = Some(&row.level);
        table.row([
            shown,
            &row.title,
            &value_text(row, row.baseline),
            &value_text(row, cell.value),
            &change_text(row, cell),
            &interval_text(cell),
            verdict_text(cell),
        ]);
    }
    let against = found.labels.first().map_or("", String::as_str);
    line(&format!("{}: {label} against {against}", rows[0].model)) + &table.within(WIDTH).text(2)
}

fn level_name(row: &Row) -> &str {
    if row.level.is_empty() {
        "all"
    } else {
        &row.level
    }
}

/// The same as [`text`], in tables of Markdown.
pub(super) fn markdown(found: &Comparison) -> String {
    let mut parts = vec![format!("**{}**\n", escaped(&found.headline()))];
    if !found.differences.is_empty() {
        let rows = found.differences.iter().map(|difference| {
            let mark = if difference.grave { "⚠ " } else { "" };
            let values = difference.values.iter().map(|value| escaped(value));
            let what = format!("{mark}{}", escaped(&difference.what));
            markdown_row(std::iter::once(what).chain(values))
        });
        let labels = found.labels.iter().map(|label| escaped(label));
        let head = markdown_row(std::iter::once("what differs".to_owned()).chain(labels));
        let rule = format!("|---|{}\n", "---|".repeat(found.labels.len()));
        parts.push(head + &rule + &rows.collect::<String>());
    }
    let others = found.labels.iter().enumerate().skip(1);
    let others = others.filter(|_| !found.rows.is_empty());
    parts.extend(others.map(|(at, label)| markdown_table(found, at, label)));
    let remarks = found.remarks.iter();
    parts.push(
        remarks
            .map(|remark| format!("- {}\n", escaped(remark)))
            .collect(),
    );
    parts.join("\n")
}

/// The figures of the session at this place, against those of the baseline.
fn markdown_table(found: &Comparison, at: usize, label: &str) -> String {
    let against = found.labels.first().map_or("", String::as_str);
    let (against, label) = (escaped(against), escaped(label));
    let rows = found.rows.iter().filter_map(|row| {
        let cell = row.others.get(at - 1)?;
        Some(markdown_row([
            escaped(&row.model),
            escaped(level_name(row)),
            escaped(&row.title),
            value_text(row, row.baseline),
            value_text(row, cell.value),
            change_text(row, cell),
            interval_text(cell),
            verdict_text(cell).to_owned(),
        ]))
    });
    format!(
        "| model | level | metric | {against} | {label} | change | 95 % interval | verdict |\n\
         |---|---|---|--:|--:|--:|--:|---|\n{}",
        rows.collect::<String>()
    )
}

fn markdown_row(cells: impl IntoIterator<Item = String>) -> String {
    let cells: Vec<String> = cells.into_iter().collect();
    format!("| {} |\n", cells.join(" | "))
}
