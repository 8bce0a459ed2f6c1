//! A benchmark: its best and worst figures, charts, levels, and what they rest on.

use maud::{Markup, html};

use super::{charts, facts};
use crate::chart::Look;
use crate::chart::levels::Group;
use crate::domain::figures::{self, Better, Column, Metric};
use crate::domain::history::Traces;
use crate::domain::plan_fields;
use crate::domain::printable::cut;
use crate::domain::run::{BenchReport, LevelReport, OverRuns};
use crate::domain::units::{self, count, short};
use crate::export::MAX_MESSAGE;
use crate::export::words::{self, Note, NoteKind};
use crate::metrics::findings;

pub(super) fn section(id: &str, report: &BenchReport, traces: &Traces) -> Markup {
    let models = words::by_model(report);
    let groups = models.iter().enumerate();
    let groups: Vec<Group<'_>> = groups
        .map(|(n, (name, levels))| Group {
            name: name.clone(),
            look: Look::of(n),
            levels: levels.clone(),
        })
        .collect();
    let said = words::notes(report);
    html! {
        @if let Some(ended) = words::ended(report) { p.under.look { (cut(&ended, MAX_MESSAGE)) } }
        @for finding in findings::of(report) {
            div.card.found {
                h3 { (finding.text) }
                @for detail in finding.details { p.under { (detail) } }
            }
        }
        div.tiles { @for tile in tiles(report) { (tile.markup()) } }
        h2 { "Charts" }
        (charts::all(id, &groups, Some((report, traces))))
        h2 { "Levels" }
        @for (name, levels) in &models { (table(name, levels)) }
        @for of in &report.over_runs { (over_runs(of)) }
        @if !said.is_empty() { (notes(&said)) }
        h2 { "Plan and environment" }
        div.columns {
            (facts("Plan", &plan_fields::facts(report)))
            (facts("ClusterContext", &words::surroundings(report)))
        }
    }
}

/// A figure that one looks for first.
struct Tile {
    name: &'static str,
    value: String,
    unit: &'static str,
    /// Where it was reached, or what it is a part of.
    place: String,
    bad: bool,
}

impl Tile {
    fn markup(&self) -> Markup {
        html! {
            div.tile {
                p.name { (self.name) }
                p.value.bad[self.bad] { (self.value) " " span.unit { (self.unit) } }
                p.where title=(self.place) { (self.place) }
            }
        }
    }

    /// The best, or the worst, value of a figure.
    fn extreme(name: &'static str, key: &str, best: bool, report: &BenchReport) -> Option<Self> {
        let metric = figures::find(key)?;
        let levels = report.levels.iter();
        let known = levels.filter_map(|level| Some((metric.value(level)?, level)));
        let highest = best == (metric.better == Some(Better::Higher));
        let (value, level) = known.max_by(|(a, _), (b, _)| {
            if highest {
                a.total_cmp(b)
            } else {
                b.total_cmp(a)
            }
        })?;
        let place = if report.plan.targets.len() > 1 {
            format!("at {} of {}", level.label, level.credited())
        } else {
            format!("at {}", level.label)
        };
        Some(Self {
            name,
            value: metric.print.value(Some(value)),
            unit: metric.unit.sign(),
            place,
            bad: false,
        })
    }
}

fn tiles(report: &BenchReport) -> Vec<Tile> {
    let sum = |of: fn(&LevelReport) -> u64| report.levels.iter().map(of).sum::<u64>();
    let (ended, failed) = (
        sum(|level| level.requests.ended),
        sum(|level| level.requests.failed),
    );
    let mut tiles: Vec<Tile> = [
        ("Most output", figures::OUTPUT_RATE, true),
        ("Fastest for one user, p50", "user_tokens_per_s_p50", true),
        ("Shortest TTFT, p50", "ttft_p50", true),
        ("Longest TTFT, p99", "ttft_p99", false),
    ]
    .into_iter()
    .filter_map(|(name, key, best)| Tile::extreme(name, key, best, report))
    .collect();
    let share = failed as f64 / ended.max(1) as f64;
    let of_requests = || format!("{} of requests", units::percent(share));
    tiles.push(Tile {
        name: "Requests",
        value: count(ended),
        unit: "",
        place: format!("in {} s", short(Some(report.took_s))),
        bad: false,
    });
    tiles.push(Tile {
        name: "Errors",
        value: count(failed),
        unit: "",
        place: (failed > 0)
            .then(of_requests)
            .unwrap_or("none failed".to_owned()),
        bad: failed > 0,
    });
    tiles
}

/// A model's levels.
fn table(name: &str, levels: &[&LevelReport]) -> Markup {
    let columns = words::columns(levels);
    let groups: Vec<&[(&Metric, &Column)]> = columns
        .chunk_by(|(_, a), (_, b)| !a.group.is_empty() && a.group == b.group)
        .collect();
    let titled = |group: &&&[(&Metric, &Column)]| !group[0].1.group.is_empty();
    html! {
        div.card.scroll {
            table {
                caption { (name) }
                thead {
                    tr {
                        th scope="col" rowspan="2" { "level" }
                        @for group in &groups {
                            @if titled(&group) {
                                th.group scope="colgroup" colspan=(group.len()) { (group[0].1.group) }
                            } @else {
                                th scope="col" rowspan="2" { (group[0].1.name) }
                            }
                        }
                    }
                    tr {
                        @for group in groups.iter().filter(titled) {
                            @for (i, (_, column)) in group.iter().enumerate() {
                                th.first[i == 0] scope="col" { (column.name) }
                            }
                        }
                    }
                }
                tbody {
                    @for level in levels {
                        tr {
                            th scope="row" { (level.name()) }
                            @for group in &groups {
                                @for (i, (metric, _)) in group.iter().enumerate() {
                                    (cell(metric, level, i == 0 && titled(&group)))
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The means over the runs of a load.
fn over_runs(of: &OverRuns) -> Markup {
    html! {
        div.card.scroll {
            table {
                caption { (words::over_runs_title(of)) }
                thead { tr { th scope="col" { "figure" } th scope="col" { "mean and 95 % interval" } } }
                tbody {
                    @for (title, value) in words::over_runs(of) {
                        tr { th scope="row" { (title) } td { (value) } }
                    }
                }
            }
        }
    }
}

/// A figure, and below it its interval. `first`: a group of columns begins with it.
fn cell(metric: &Metric, level: &LevelReport, first: bool) -> Markup {
    let bad = metric.key == figures::ERRORS && level.requests.failed > 0;
    html! {
        td.bad[bad].first[first && !bad] {
            (metric.text_beside_plan(level))
            @if let Some([low, high]) = metric.print.interval(metric.estimate(level)) {
                br;
                span.ci { (low) " – " (high) }
            }
        }
    }
}

fn notes(notes: &[Note]) -> Markup {
    html! {
        h2 { "Errors, measurement warnings and notes" }
        ul.said {
            @for Note { kind, about, text } in notes {
                li.error[*kind == NoteKind::Error].doubt[*kind == NoteKind::Warning] { p.where { (about) } (text) }
            }
        }
    }
}
