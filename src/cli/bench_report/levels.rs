//! The figures of each level, and their intervals.

use std::iter::once;

use super::super::table::{Table, line};
use crate::domain::figures::{self, Print};
use crate::domain::run::{BenchReport, INTERVALS, LevelReport, Throughput};
use crate::domain::stats::{P1, P5, Percentile};
use crate::domain::units::{self, short as number};

/// Terminal columns of a level's label.
const LABEL: usize = 8;
/// Of a figure, so that the tables of several models line up.
const FIGURE: usize = 6;
/// Of the name of what the intervals are of.
const NAME: usize = 10;
/// Of a figure with its interval.
const INTERVAL: usize = 25;

/// A table for each model.
pub(super) fn tables(report: &BenchReport) -> String {
    let model = |level: &LevelReport| (level.credited(), level.deployment.clone());
    let levels = report.levels_shown();
    let models = levels.chunk_by(|a, b| model(a) == model(b));
    models
        .map(|levels| {
            let (model, deployment) = model(levels[0]);
            let of = deployment.map_or(String::new(), |name| format!(" of {name}"));
            line(&format!("{model}{of}")) + &table(levels)
        })
        .collect()
}

fn table(levels: &[&LevelReport]) -> String {
    let columns = figures::columns_of(levels.iter().copied());
    let mut least = vec![FIGURE; columns.len() + 1];
    least[0] = LABEL;
    let mut table = Table::least(&least).figures(1..columns.len() + 1);
    let groups = columns.chunk_by(|(_, a), (_, b)| !a.group.is_empty() && a.group == b.group);
    let groups = groups.map(|group| (group[0].1.group, group.len()));
    table.wide_row(once(("", 1)).chain(groups));
    table.row(once("level").chain(columns.iter().map(|(_, column)| column.name.as_str())));
    for level in levels {
        let cells = columns
            .iter()
            .map(|(metric, _)| metric.text_beside_plan(level));
        table.row(once(level.name()).chain(cells));
    }
    table.text(1)
}

/// The means over the runs of each load, with their intervals; empty where each was run once.
pub(super) fn over_runs(report: &BenchReport) -> String {
    let tables = report.over_runs.iter().map(|of| {
        let mut table = Table::least(&[NAME, INTERVAL]);
        for figure in &of.figures {
            let Some(metric) = figures::find(&figure.figure) else {
                continue;
            };
            table.row([
                metric.title.clone(),
                metric.print.estimate(figure.estimate()),
            ]);
        }
        let title = format!(
            "{}, mean of {} with its 95 % interval over the runs",
            of.place(),
            units::counted(of.runs as usize, "run")
        );
        line(&title) + &table.text(2)
    });
    tables.collect()
}

pub(super) fn intervals(report: &BenchReport) -> String {
    if report.levels.is_empty() {
        return String::new();
    }
    let percentiles: Vec<Percentile> = Percentile::all_with_interval().collect();
    let all = percentiles.len();
    let mut least = vec![INTERVAL; all + 2];
    (least[0], least[1]) = (LABEL, NAME);
    let mut table = Table::least(&least);
    let names = percentiles.iter().map(ToString::to_string);
    table.row(["level".to_owned(), String::new()].into_iter().chain(names));
    let mut model = None;
    for level in report.levels_shown() {
        if report.plan.targets.len() > 1 && model != Some(&level.model) {
            model = Some(&level.model);
            table.wide_row([(&level.model, all + 2)]);
        }
        for (i, of) in figures::tabled_distributions().enumerate() {
            let label = if i == 0 { level.name() } else { String::new() };
            let cell = |percentile: &Percentile| of.print.estimate(of.at(*percentile, level));
            table.row(
                [label, of.heading()]
                    .into_iter()
                    .chain(percentiles.iter().map(cell)),
            );
        }
        for (name, text) in speeds(level) {
            table.wide_row([("", 1), (name, 1), (&text, all)]);
        }
    }
    line(INTERVALS) + &table.text(1)
}

/// The slowest users, and throughput.
fn speeds(level: &LevelReport) -> Vec<(&'static str, String)> {
    let Throughput {
        output_tokens_per_s,
        prompt_tokens_per_s,
        total_tokens_per_s,
        requests_per_s,
    } = &level.throughput;
    let [tokens, input, total, requests] = [
        output_tokens_per_s,
        prompt_tokens_per_s,
        total_tokens_per_s,
        requests_per_s,
    ]
    .map(|rate| Print::Digits.estimate((*rate).into()));
    let mut lines = Vec::new();
    // Of speeds the high percentiles are the fast end, of which nobody complains.
    let speeds = &level.user_tokens_per_s;
    if speeds.count > 0 {
        let (p5, p1) = (number(speeds.at(P5)), number(speeds.at(P1)));
        lines.push((
            "",
            format!("slowest users: p5 {p5} · p1 {p1} (the high percentiles are the fastest)"),
        ));
    }
    lines.push(("throughput", format!("{tokens} tok/s · {requests} req/s")));
    if output_tokens_per_s.is_none() && prompt_tokens_per_s.is_some() {
        lines.push(("", format!("{input} tok/s of prompts")));
    } else {
        lines.push(("", format!("{total} tok/s, prompts included")));
    }
    lines.extend(level.watch.clock_told().map(|told| ("received", told)));
    lines
}
