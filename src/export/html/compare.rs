//! Sessions laid over each other, and what changed.

use std::fmt::Write as _;

use super::{charts, document};
use crate::chart::Look;
use crate::chart::levels::Group;
use crate::chart::svg::escape;
use crate::domain::run::BenchReport;
use crate::domain::units::percent;
use crate::export::words;
use crate::metrics::compare::{
    Comparison, Row, change_text, interval_text, value_text, verdict_text,
};

/// The page of a comparison. `reports` are those of its sessions, in their order; without them it has no
/// charts.
pub fn comparison_html(found: &Comparison, reports: &[&BenchReport]) -> String {
    let title = found.labels.join(" vs ");
    let mut out = format!("<section class=\"session\">\n<h1>{}</h1>\n", escape(&title));
    let against = found.labels.first().map_or("", String::as_str);
    // Writing to a text cannot fail, here and below.
    let _ = writeln!(
        out,
        "<p class=\"under\">Changes are against {}. A change counts from {} up.</p>",
        escape(against),
        percent(found.least_change),
    );
    differences(&mut out, found);
    overlays(&mut out, found, reports);
    tables(&mut out, found);
    if !found.remarks.is_empty() {
        out.push_str("<h2>How the runs were compared</h2>\n<ul class=\"said\">\n");
        for remark in &found.remarks {
            let _ = writeln!(out, "<li>{}</li>", escape(remark));
        }
        out.push_str("</ul>\n");
    }
    out.push_str("</section>\n");
    document(&title, &out)
}

fn differences(out: &mut String, found: &Comparison) {
    if found.differences.is_empty() {
        return;
    }
    out.push_str("<h2>Different conditions</h2>\n<div class=\"card scroll\"><table><thead><tr><th scope=\"col\">what</th>");
    for label in &found.labels {
        let _ = write!(
            out,
            "<th scope=\"col\" class=\"text\">{}</th>",
            escape(label)
        );
    }
    out.push_str("</tr></thead><tbody>\n");
    for difference in &found.differences {
        let class = if difference.grave {
            " class=\"look\""
        } else {
            ""
        };
        let _ = write!(
            out,
            "<tr><th scope=\"row\"{class}>{}",
            escape(&difference.what)
        );
        out.push_str(if difference.grave {
            " (different conditions)</th>"
        } else {
            "</th>"
        });
        for value in &difference.values {
            let _ = write!(out, "<td class=\"text\">{}</td>", escape(value));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
}

fn overlays(out: &mut String, found: &Comparison, reports: &[&BenchReport]) {
    if reports.is_empty() {
        return;
    }
    // A model of the baseline at a time; sessions of other models stand beside the first one.
    let mut models: Vec<&str> = Vec::new();
    for level in &reports[0].levels {
        if !models.contains(&level.model.as_str()) {
            models.push(&level.model);
        }
    }
    for (i, model) in models.iter().enumerate() {
        let groups = reports
            .iter()
            .zip(&found.labels)
            .enumerate()
            .map(|(n, (report, label))| {
                let own = report.levels.iter().any(|level| level.model == *model);
                let levels = report
                    .levels
                    .iter()
                    .filter(|level| level.model == *model || (!own && i == 0));
                Group {
                    name: label.clone(),
                    look: Look::of(n),
                    levels: levels.collect(),
                }
            });
        let groups: Vec<Group<'_>> = groups.collect();
        let _ = writeln!(out, "<h2>{}</h2>", escape(model));
        out.push_str(&charts::all(&format!("m{i}"), &groups, None));
    }
}

fn tables(out: &mut String, found: &Comparison) {
    out.push_str("<h2>Changes</h2>\n");
    let mut rows = &found.rows[..];
    while let Some(first) = rows.first() {
        let same = rows
            .iter()
            .take_while(|row| row.model == first.model && row.level == first.level)
            .count();
        let (these, rest) = rows.split_at(same);
        table(out, found, first, these);
        rows = rest;
    }
}

fn table(out: &mut String, found: &Comparison, first: &Row, rows: &[Row]) {
    let level = if first.level.is_empty() {
        "the whole session"
    } else {
        &first.level
    };
    let _ = write!(
        out,
        "<div class=\"card scroll\"><table><caption>{}, {}</caption><thead><tr><th scope=\"col\">figure</th>",
        escape(&first.model),
        escape(level)
    );
    for (i, label) in found.labels.iter().enumerate() {
        let _ = write!(out, "<th scope=\"col\">{}</th>", escape(label));
        if i > 0 {
            out.push_str("<th scope=\"col\">change</th><th scope=\"col\">verdict</th>");
        }
    }
    out.push_str("</tr></thead><tbody>\n");
    for row in rows {
        let _ = write!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{}</td>",
            escape(&row.title),
            value_text(row, row.baseline)
        );
        for cell in &row.others {
            let interval = match cell.interval {
                Some(_) => format!("<br><span class=\"ci\">{}</span>", interval_text(cell)),
                None => String::new(),
            };
            let _ = write!(
                out,
                "<td>{}</td><td>{}{interval}</td><td class=\"{}\">{}</td>",
                value_text(row, cell.value),
                change_text(row, cell),
                words::class(cell.verdict),
                verdict_text(cell),
            );
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
}
