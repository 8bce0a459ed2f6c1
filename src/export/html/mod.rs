//! A report that opens offline: one page, its charts within, no script, nothing from elsewhere.
//!
//! Whatever comes from outside (names, errors, what was said) goes through [`escape`]; the page's own policy
//! forbids scripts and loads besides.

mod charts;
mod chat;
mod compare;

use std::fmt::Write as _;

use super::{Exported, words};
use crate::chart::Look;
use crate::chart::levels::Group;
use crate::chart::svg::{self, escape};
use crate::domain::figures::{self, Better, Column, Metric};
use crate::domain::history::{SessionBody, SessionRow, Traces};
use crate::domain::plan_fields;
use crate::domain::printable::cut;
use crate::domain::run::{BenchReport, INTERVALS, LevelReport, ServerSide};
use crate::domain::units::{self, ABSENT, count, short};

pub use self::compare::comparison_html;

const STYLE: &str = include_str!("style.css");

/// The page of these sessions.
pub(super) fn page(sessions: &[Exported<'_>]) -> String {
    let title = match sessions {
        [one] => one.row.title.clone(),
        several => units::counted(several.len(), "session"),
    };
    let mut body = String::new();
    for (i, session) in sessions.iter().enumerate() {
        match session.body {
            SessionBody::Bench { report, traces } => {
                bench(&mut body, &format!("b{i}"), session.row, report, traces);
            }
            SessionBody::Chat {
                surroundings,
                exchanges,
            } => {
                chat::write(&mut body, session.row, surroundings.as_ref(), exchanges);
            }
        }
    }
    document(&title, &body)
}

/// The page around what is shown on it, which is HTML already.
fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{} · Batida</title>\n<style>\n{}{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <p class=\"brand\">Batida</p>\n{body}\
         <footer>Written by Batida {}. Times are in UTC. TTFT counts from when a request was due (open loop) or \
         sent (closed loop) to its first text, reasoning included; ITL is the gap between chunks, pooled; TPOT \
         is (last token − first token) / (tokens − 1); throughput is over a level’s steady part. Below a figure \
         stands its interval; {INTERVALS}. {ABSENT} stands where \
         nothing is known.</footer>\n</main>\n</body>\n</html>\n",
        escape(title),
        svg::STYLE,
        env!("CARGO_PKG_VERSION"),
    )
}

/// What stands above every session.
fn head(out: &mut String, row: &SessionRow) {
    // Writing to a text cannot fail, here and below.
    let _ = write!(out, "<h1>{}</h1>\n<p class=\"under\">", escape(&row.title));
    let mut parts = vec![words::moment(row.began)];
    parts.extend((!row.environment.is_empty()).then(|| row.environment.clone()));
    parts.extend((!row.models.is_empty()).then(|| row.models.join(", ")));
    parts.extend(row.source.clone());
    let _ = writeln!(out, "{}</p>", escape(&parts.join(" · ")));
    if !row.tags.is_empty() || row.baseline {
        out.push_str("<p class=\"tags\">");
        let baseline = row.baseline.then(|| "baseline".to_owned());
        for tag in baseline.iter().chain(&row.tags) {
            let _ = write!(out, "<span class=\"tag\">{}</span>", escape(tag));
        }
        out.push_str("</p>\n");
    }
}

fn bench(out: &mut String, id: &str, row: &SessionRow, report: &BenchReport, traces: &Traces) {
    out.push_str("<section class=\"session\">\n");
    head(out, row);
    if let Some(ended) = words::ended(report) {
        let _ = writeln!(
            out,
            "<p class=\"under look\">{}</p>",
            escape(&cut(&ended, super::MAX_MESSAGE))
        );
    }
    tiles(out, report);
    let models = words::by_model(report);
    let groups = models.iter().enumerate();
    let groups: Vec<Group<'_>> = groups
        .map(|(n, (name, levels))| Group {
            name: name.clone(),
            look: Look::of(n),
            levels: levels.clone(),
        })
        .collect();
    out.push_str("<h2>Charts</h2>\n");
    out.push_str(&charts::all(id, &groups, Some((report, traces))));
    out.push_str("<h2>Levels</h2>\n");
    for (name, levels) in &models {
        table(out, name, levels);
    }
    said(out, report);
    out.push_str("<h2>Plan and environment</h2>\n<div class=\"columns\">\n");
    facts(out, "Plan", &plan_fields::facts(report));
    facts(out, "Surroundings", &words::surroundings(report));
    out.push_str("</div>\n</section>\n");
}

/// The figures one looks for first.
fn tiles(out: &mut String, report: &BenchReport) {
    let levels = &report.levels;
    let several = report.plan.targets.len() > 1;
    let at = |level: &LevelReport| {
        if several {
            format!("at {} of {}", level.label, level.credited())
        } else {
            format!("at {}", level.label)
        }
    };
    let extreme = |metric: &Metric, best: bool| {
        let known = levels
            .iter()
            .filter_map(|level| Some((metric.value(level)?, level)));
        let highest = best == (metric.better == Some(Better::Higher));
        let found = known.max_by(|(a, _), (b, _)| {
            if highest {
                a.total_cmp(b)
            } else {
                b.total_cmp(a)
            }
        });
        found.map(|(value, level)| (metric.print.value(Some(value)), at(level)))
    };
    let sum = |of: fn(&LevelReport) -> u64| levels.iter().map(of).sum::<u64>();
    let (ended, failed) = (
        sum(|level| level.requests.ended),
        sum(|level| level.requests.failed),
    );
    let mut tiles = Vec::new();
    for (name, key, best) in [
        ("Most output", figures::OUTPUT_RATE, true),
        ("Fastest for one user, p50", "user_tokens_per_s_p50", true),
        ("Shortest TTFT, p50", "ttft_p50", true),
        ("Longest TTFT, p99", "ttft_p99", false),
    ] {
        let Some(metric) = figures::find(key) else {
            continue;
        };
        let found = extreme(metric, best);
        tiles.extend(found.map(|(value, place)| (name, value, metric.unit.sign(), place, false)));
    }
    tiles.push((
        "Requests",
        count(ended),
        "",
        format!("in {} s", short(Some(report.took_s))),
        false,
    ));
    let share = failed as f64 / ended.max(1) as f64;
    let place = if failed > 0 {
        format!("{} of requests", units::percent(share))
    } else {
        "none failed".to_owned()
    };
    tiles.push(("Errors", count(failed), "", place, failed > 0));
    out.push_str("<div class=\"tiles\">\n");
    for (name, value, unit, place, bad) in tiles {
        let (place, bad) = (escape(&place), if bad { " bad" } else { "" });
        let _ = writeln!(
            out,
            "<div class=\"tile\"><p class=\"name\">{name}</p>\
             <p class=\"value{bad}\">{value} <span class=\"unit\">{unit}</span></p>\
             <p class=\"where\" title=\"{place}\">{place}</p></div>"
        );
    }
    out.push_str("</div>\n");
}

/// A model's levels.
fn table(out: &mut String, name: &str, levels: &[&LevelReport]) {
    let columns = words::columns(levels);
    // Writing to a text cannot fail, here and below.
    let _ = write!(
        out,
        "<div class=\"card scroll\"><table><caption>{}</caption><thead><tr><th scope=\"col\" rowspan=\"2\">level</th>",
        escape(name)
    );
    // Of each column: whether a group begins with it.
    let mut firsts = Vec::new();
    let mut below = String::new();
    for group in columns.chunk_by(|(_, a), (_, b)| !a.group.is_empty() && a.group == b.group) {
        let Some((
            _,
            Column {
                group: title, name, ..
            },
        )) = group.first()
        else {
            continue;
        };
        if title.is_empty() {
            let _ = write!(out, "<th scope=\"col\" rowspan=\"2\">{}</th>", escape(name));
            firsts.push(false);
            continue;
        }
        let _ = write!(
            out,
            "<th scope=\"colgroup\" colspan=\"{}\" class=\"group\">{}</th>",
            group.len(),
            escape(title)
        );
        for (i, (_, Column { name, .. })) in group.iter().enumerate() {
            let class = if i == 0 { " class=\"first\"" } else { "" };
            let _ = write!(below, "<th scope=\"col\"{class}>{}</th>", escape(name));
            firsts.push(i == 0);
        }
    }
    let _ = writeln!(out, "</tr><tr>{below}</tr></thead><tbody>");
    for level in levels {
        let _ = write!(out, "<tr><th scope=\"row\">{}</th>", escape(&level.label));
        for ((metric, _), first) in columns.iter().zip(&firsts) {
            let class = match (
                metric.key == figures::ERRORS && level.requests.failed > 0,
                first,
            ) {
                (true, _) => " class=\"bad\"",
                (_, true) => " class=\"first\"",
                _ => "",
            };
            let _ = write!(out, "<td{class}>{}</td>", cell(metric, level));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
}

/// A figure, and below it its interval.
fn cell(metric: &Metric, level: &LevelReport) -> String {
    let estimate = metric.estimate(level);
    let value = escape(&metric.text_beside_plan(level));
    match metric.print.interval(estimate) {
        Some([low, high]) => {
            format!(
                "{value}<br><span class=\"ci\">{} – {}</span>",
                escape(&low),
                escape(&high)
            )
        }
        None => value,
    }
}

/// Errors, doubts, notes, switches, and what the server says of itself.
fn said(out: &mut String, report: &BenchReport) {
    let mut items: Vec<(&str, String, String)> = Vec::new();
    for level in &report.levels {
        let place = format!("{} of {}", level.label, level.model);
        for error in &level.requests.errors {
            let text = format!("{} × {}: {}", count(error.count), error.kind, error.example);
            items.push(("error", format!("Errors, {place}"), text));
        }
    }
    for said in words::said(report) {
        let (class, name) = if said.doubt {
            ("doubt", "In doubt")
        } else {
            ("", "Note")
        };
        items.push((
            class,
            format!("{name}, {}", said.place),
            said.text.to_owned(),
        ));
    }
    for switch in &report.switches {
        let text = match (&switch.ttft_ms, &switch.error) {
            (_, Some(error)) => format!("failed: {error}"),
            (Some(ms), None) => format!("TTFT of its first request {} ms", short(Some(*ms))),
            (None, None) => "no first token".to_owned(),
        };
        items.push(("", format!("Switch to {}", switch.model), text));
    }
    for level in &report.levels {
        let Some(told) = level.server.as_ref().and_then(ServerSide::differences) else {
            continue;
        };
        let place = format!("Server, {} of {}", level.label, level.model);
        items.push(("", place, format!("Client − server, p50: {told}")));
    }
    if items.is_empty() {
        return;
    }
    out.push_str("<h2>Errors, measurement warnings and notes</h2>\n<ul class=\"said\">\n");
    for (class, place, text) in items {
        let _ = writeln!(
            out,
            "<li class=\"{class}\"><p class=\"where\">{}</p>{}</li>",
            escape(&place),
            escape(&cut(&text, super::MAX_MESSAGE))
        );
    }
    out.push_str("</ul>\n");
}

fn facts<T: AsRef<str>>(out: &mut String, title: &str, facts: &[(T, String)]) {
    let _ = write!(out, "<div class=\"card\"><h3>{}</h3><dl>", escape(title));
    for (name, value) in facts {
        let _ = write!(
            out,
            "<dt>{}</dt><dd>{}</dd>",
            escape(name.as_ref()),
            escape(value)
        );
    }
    out.push_str("</dl></div>\n");
}
