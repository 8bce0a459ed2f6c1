//! A benchmark's report for people.

use std::fmt::Write as _;

use crate::domain::figures::{self, Print};
use crate::domain::plan::Load;
use crate::domain::printable::{cut, one_line};
use crate::domain::run::known::{UNKNOWN, Unknown};
use crate::domain::run::{
    BenchProgress, BenchReport, INTERVALS, LevelEnd, LevelReport, ServerSide, SessionEnd, Stage,
    Throughput,
};
use crate::domain::stats::{P1, P5, P50, Percentile};
use crate::domain::units::{self, count, short as number};

/// Characters of a line.
const MAX_LINE: usize = 1_000;

/// The whole report; `files` are those that were written.
pub(super) fn text(report: &BenchReport, files: &[String]) -> String {
    let mut out = String::new();
    head(&mut out, report);
    levels(&mut out, report);
    intervals(&mut out, report);
    remarks(&mut out, report);
    let ended = match &report.ended {
        SessionEnd::Complete => "complete".to_owned(),
        SessionEnd::Stopped if report.source.is_some() => "before all its requests".to_owned(),
        SessionEnd::Stopped => "stopped by the user; these are the figures until then".to_owned(),
        SessionEnd::Limit(why) | SessionEnd::Errors(why) | SessionEnd::Failed(why) => why.clone(),
    };
    let took = report
        .took()
        .map(|seconds| format!(", after {seconds:.1} s"))
        .unwrap_or_default();
    line(&mut out, &format!("ended      {ended}{took}"));
    for file in files {
        line(&mut out, &format!("written    {file}"));
    }
    out
}

/// However long an error or a name in it is, and whatever it holds.
fn line(out: &mut String, text: &str) {
    out.push_str(cut(&one_line(text), MAX_LINE).trim_end());
    out.push('\n');
}

fn head(out: &mut String, report: &BenchReport) {
    let plan = &report.plan;
    // An import has no environment, and its file may not say an address.
    let place = [&report.environment, &report.api].map(String::as_str);
    let place: Vec<&str> = place.into_iter().filter(|text| !text.is_empty()).collect();
    let place = if place.is_empty() {
        "imported".to_owned()
    } else {
        place.join(" at ")
    };
    line(out, &format!("{place} · session {}", report.id));
    if let (Load::Trace { file, .. }, Some(trace)) = (&plan.load, &report.trace) {
        line(
            out,
            &format!("trace      {}: {}", file.display(), trace.told()),
        );
    }
    let unknown = || UNKNOWN.to_owned();
    let prompts = report.prompts_told().unwrap_or_else(unknown);
    let answers = report.answers_told().unwrap_or_else(unknown);
    let known = plan.turns > 1 && report.knows(Unknown::Turns);
    let turns = if known {
        format!(" · {} turns", plan.turns)
    } else {
        String::new()
    };
    let seed = report
        .seed()
        .map(|seed| format!(" · seed {seed}"))
        .unwrap_or_default();
    line(
        out,
        &format!("prompts    {prompts} · answers {answers}{turns}{seed}"),
    );
    let machine = report.machine.told().unwrap_or_else(unknown);
    line(
        out,
        &format!(
            "machine    {machine} · measured by {}",
            report.measured_by()
        ),
    );
    if !plan.tags.is_empty() {
        line(out, &format!("tags       {}", plan.tags.join(", ")));
    }
    out.push('\n');
}

/// The least width of a column of figures, so that the tables of several models line up.
const MIN_COLUMN: usize = 6;

fn levels(out: &mut String, report: &BenchReport) {
    let model = |level: &LevelReport| (level.credited(), level.deployment.clone());
    for levels in report.levels.chunk_by(|a, b| model(a) == model(b)) {
        let Some(first) = levels.first() else {
            continue;
        };
        let of = first
            .deployment
            .as_ref()
            .map(|name| format!(" of {name}"))
            .unwrap_or_default();
        line(out, &format!("{}{of}", first.credited()));
        table(out, levels);
    }
    out.push('\n');
}

fn table(out: &mut String, levels: &[LevelReport]) {
    let labels = levels.iter().map(|level| level.label.as_str());
    let first = labels
        .map(|label| label.chars().count())
        .max()
        .unwrap_or(0)
        .max(8);
    let mut heading = " ".repeat(first);
    let mut names = format!("{:<first$}", "level");
    let mut rows: Vec<String> = levels
        .iter()
        .map(|level| format!("{:<first$}", level.label))
        .collect();
    for group in
        figures::COLUMNS.chunk_by(|(_, a), (_, b)| !a.group.is_empty() && a.group == b.group)
    {
        let title = group.first().map_or("", |(_, column)| column.group);
        let before = names.chars().count();
        for (metric, column) in group {
            let cells: Vec<String> = levels
                .iter()
                .map(|level| metric.text_beside_plan(level))
                .collect();
            let widest = cells
                .iter()
                .chain([&column.name])
                .map(|cell| cell.chars().count())
                .max();
            let alone = if group.len() == 1 {
                title.chars().count()
            } else {
                0
            };
            let width = widest.unwrap_or(0).max(alone).max(MIN_COLUMN);
            let _ = write!(names, " {:>width$}", column.name);
            for (row, cell) in rows.iter_mut().zip(cells) {
                let _ = write!(row, " {cell:>width$}");
            }
        }
        let width = names.chars().count() - before - 1;
        let _ = write!(heading, " {title:^width$}");
    }
    for text in [heading, names].iter().chain(&rows) {
        line(out, text);
    }
}

fn intervals(out: &mut String, report: &BenchReport) {
    if report.levels.is_empty() {
        return;
    }
    line(out, INTERVALS);
    let row = |label: &str, name: &str, cells: &mut dyn Iterator<Item = String>| {
        cells.fold(format!("{label:<8} {name:<10}"), |row, cell| {
            format!("{row} {cell:<25}")
        })
    };
    line(
        out,
        &row(
            "level",
            "",
            &mut Percentile::all_with_interval().map(|percentile| percentile.to_string()),
        ),
    );
    let mut model = None;
    for level in &report.levels {
        if report.plan.targets.len() > 1 && model != Some(&level.model) {
            model = Some(&level.model);
            line(out, &level.model);
        }
        for (i, of) in figures::tabled_distributions().enumerate() {
            let label = if i == 0 { level.label.as_str() } else { "" };
            let cell = |percentile| of.print.estimate(of.at(percentile, level));
            line(
                out,
                &row(
                    label,
                    &of.heading(),
                    &mut Percentile::all_with_interval().map(cell),
                ),
            );
        }
        // Of speeds the high percentiles are the fast end, of which nobody complains.
        let speeds = &level.user_tokens_per_s;
        if speeds.count > 0 {
            let (p5, p1) = (number(speeds.at(P5)), number(speeds.at(P1)));
            let text =
                format!("slowest users: p5 {p5} · p1 {p1} (the high percentiles are the fastest)");
            line(out, &row("", "", &mut std::iter::once(text)));
        }
        let Throughput {
            output_tokens_per_s,
            total_tokens_per_s,
            requests_per_s,
        } = &level.throughput;
        let [tokens, total, requests] = [output_tokens_per_s, total_tokens_per_s, requests_per_s]
            .map(|rate| Print::Digits.estimate((*rate).into()));
        line(
            out,
            &format!(
                "{:<8} {:<10} {tokens} tok/s · {requests} req/s",
                "", "throughput"
            ),
        );
        line(
            out,
            &format!("{:<8} {:<10} {total} tok/s, prompts included", "", ""),
        );
    }
    out.push('\n');
}

fn remarks(out: &mut String, report: &BenchReport) {
    let before = out.len();
    for switch in &report.switches {
        let took = match (&switch.ttft_ms, &switch.error) {
            (_, Some(error)) => format!("failed: {error}"),
            (Some(ms), None) => format!("TTFT of its first request {} ms", number(Some(*ms))),
            (None, None) => "no first token".to_owned(),
        };
        line(out, &format!("switch     to {}: {took}", switch.model));
    }
    for level in &report.levels {
        let place = format!("{} of {}", level.label, level.model);
        for other in level
            .answered_by
            .iter()
            .filter(|other| !other.model.is_empty())
        {
            line(
                out,
                &format!(
                    "answered   {place}: {} by {}",
                    units::counted(other.answers as usize, "answer"),
                    other.model
                ),
            );
        }
        for error in &level.requests.errors {
            line(
                out,
                &format!(
                    "errors     {place}: {} × {}: {}",
                    count(error.count),
                    error.kind,
                    error.example
                ),
            );
        }
        let requests = &level.requests;
        if requests.aborted + requests.unsent > 0 {
            let (aborted, unsent) = (count(requests.aborted), count(requests.unsent));
            line(
                out,
                &format!(
                    "left out   {place}: {aborted} aborted in flight, {unsent} due and never sent"
                ),
            );
        }
        let limits = &level.limits;
        if limits.rate_limited + limits.queue_full > 0 {
            let [rate, ingress, queue] =
                [limits.rate_limited, limits.ingress, limits.queue_full].map(count);
            line(
                out,
                &format!(
                    "limits     {place}: {rate} refused for their rate ({ingress} by a gateway before the API), {queue} for a \
                     full queue"
                ),
            );
        }
        for (name, value) in &limits.headers {
            line(out, &format!("limits     {place}: {name}: {value}"));
        }
        if let Some(told) = level.server.as_ref().and_then(ServerSide::differences) {
            line(
                out,
                &format!("server     {place}: client − server, p50: {told}"),
            );
        }
        for (name, missed) in level
            .goodput
            .iter()
            .flat_map(|good| &good.missed_by)
            .filter(|(_, n)| *n > 0)
        {
            line(
                out,
                &format!("goodput    {place}: {} missed {name}", count(*missed)),
            );
        }
        for doubt in &level.watch.doubts {
            line(out, &format!("! {place}: measurement warning: {doubt}"));
        }
        for note in &level.notes {
            line(out, &format!("! {place}: {note}"));
        }
        if level.tokens_from == "chunks" || level.tokens_from == "mixed" {
            let some = if level.tokens_from == "mixed" {
                "some answers"
            } else {
                "the answers"
            };
            line(
                out,
                &format!(
                    "! {place}: the server does not count the tokens of {some}: these are chunks"
                ),
            );
        }
    }
    if out.len() > before {
        out.push('\n');
    }
}

/// A level's end in one line.
pub(super) fn level_line(level: &LevelReport) -> String {
    let (ended, failed) = (
        count(level.requests.ended),
        units::counted(level.requests.failed as usize, "error"),
    );
    let ttft = number(level.ttft_ms.at(P50));
    let speed = number(level.throughput.output_tokens_per_s.map(|rate| rate.mean));
    let stopped = if level.ended == LevelEnd::Stopped {
        ", stopped"
    } else {
        ""
    };
    let took = level.took_s.map(|took| format!(" in {took:.1} s"));
    format!(
        "{} of {}: {ended} requests{}, {failed}, TTFT p50 {ttft} ms, {speed} tok/s{stopped}",
        level.label,
        level.model,
        took.unwrap_or_default(),
    )
}

/// The line that is drawn over and over on a terminal.
pub(super) fn progress_line(
    progress: &BenchProgress,
    tokens_per_s: Option<f64>,
    partial: Option<&LevelReport>,
) -> String {
    let full = (progress.level_done.clamp(0.0, 1.0) * 12.0).round() as usize;
    let bar: String = (0..12).map(|i| if i < full { '█' } else { '░' }).collect();
    let stage = match progress.stage {
        Stage::Starting => "starting",
        Stage::Calibrating => "calibrating",
        Stage::Switching => "switching",
        Stage::WarmingUp => "warming up",
        Stage::Measuring => "measuring",
        Stage::Draining => "draining",
        Stage::Paused => "paused",
    };
    let (done, of) = progress.requests;
    let of = of.map(|of| format!("/{}", count(of))).unwrap_or_default();
    let mut line = format!(
        "{bar} {}/{} {stage} {}{of}",
        progress.level + 1,
        progress.levels,
        count(done)
    );
    if tokens_per_s.is_some() {
        let _ = write!(line, " · {} tok/s", number(tokens_per_s));
    }
    if let Some(partial) = partial {
        let _ = write!(line, " · TTFT p50 {} ms", number(partial.ttft_ms.at(P50)));
        let _ = write!(
            line,
            " · {}",
            units::counted(partial.requests.failed as usize, "error")
        );
    }
    if let Some(left) = progress
        .left_s
        .filter(|left| left.is_finite() && *left >= 0.0)
    {
        let left = left.round() as u64;
        let _ = write!(line, " · {}:{:02} left", left / 60, left % 60);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::plan::{Lengths, LevelLoad, Load, Plan, Target};
    use crate::domain::run::{
        Concurrency, ErrorCount, Goodput, Limits, Machine, Rate, Requests, Stats, Switch, Watch,
    };
    use crate::domain::stats::{Estimate, P95, P99, Percentiles};
    use crate::export::sample;

    fn stats(p50: f64, with_intervals: bool) -> Stats {
        let estimate = |percentile| {
            let (times, known) = match percentile {
                P50 => (1.0, with_intervals),
                P95 => (2.0, with_intervals),
                P99 => (3.0, false),
                _ => return Estimate::default(),
            };
            let value = p50 * times;
            Estimate {
                value: Some(value),
                ci: known.then_some([value * 0.9, value * 1.1]),
            }
        };
        Stats {
            count: 100,
            percentiles: Percentiles::from_fn(estimate),
            ..Stats::default()
        }
    }

    fn level(index: usize, clients: u32) -> LevelReport {
        let load = LevelLoad::Concurrency(clients);
        let rate = |mean: f64| {
            Some(Rate {
                mean,
                ci: Some([mean * 0.95, mean * 1.05]),
            })
        };
        LevelReport {
            index,
            label: load.label(),
            model: "gpt-oss-120b".to_owned(),
            deployment: Some("md-gpt".to_owned()),
            load,
            ended: LevelEnd::Requests,
            began_s: Some(0.5),
            took_s: Some(12.34),
            steady_s: Some([0.6, 12.0]),
            requests: Requests {
                ended: 1_000,
                ok: 1_000,
                ..Requests::default()
            },
            at_once: 0,
            tokens_per_chunk: None,
            answered_by: Vec::new(),
            tokens_from: "usage".to_owned(),
            ttft_ms: stats(88.0, true),
            first_answer_ms: stats(99.0, true),
            itl_ms: stats(2.5, true),
            tpot_ms: stats(2.1, true),
            latency_ms: stats(1_320.0, true),
            connect_ms: Stats::default(),
            late_ms: Stats::default(),
            user_tokens_per_s: stats(480.0, true),
            prompt_tokens: stats(256.0, false),
            cached_tokens: Stats::default(),
            output_tokens: stats(128.0, false),
            reasoning_tokens: Stats::default(),
            throughput: Throughput {
                output_tokens_per_s: rate(12_345.0),
                total_tokens_per_s: rate(20_000.0),
                requests_per_s: rate(72.3),
            },
            concurrency: Concurrency {
                asked: Some(clients),
                reached: Some(f64::from(clients)),
                most: Some(clients),
            },
            goodput: None,
            server: None,
            limits: Limits::default(),
            watch: Watch::default(),
            notes: Vec::new(),
        }
    }

    fn report(levels: Vec<LevelReport>) -> BenchReport {
        let target = Target {
            deployment: Some("md-gpt".to_owned()),
            model: "gpt-oss-120b".to_owned(),
        };
        BenchReport {
            schema: crate::domain::run::SCHEMA.to_owned(),
            batida: "0.1.0".to_owned(),
            id: "abc".to_owned(),
            started_at: jiff::Timestamp::UNIX_EPOCH,
            took_s: 25.04,
            environment: "East".to_owned(),
            api: "https://api.example.com".to_owned(),
            machine: Machine::new("linux x86_64", 8, 1),
            plan: Plan {
                targets: vec![target],
                load: Load::Concurrency(vec![1, 16]),
                output_tokens: Some(Lengths::Fixed(32)),
                tags: vec!["after the upgrade".to_owned()],
                ..Plan::default()
            },
            ended: SessionEnd::Stopped,
            levels,
            switches: Vec::new(),
            seed: Some(1),
            calibrations: Vec::new(),
            surroundings: None,
            source: None,
            unknown: Vec::new(),
            trace: None,
            prompts_file: None,
        }
    }

    #[test]
    fn the_report_is_a_table_and_plain_sentences() {
        let mut doubtful = LevelReport {
            ttft_ms: stats(90.0, false),
            goodput: Some(Goodput {
                met: 9,
                missed: 1,
                share: Some(0.9),
                requests_per_s: Some(65.0),
                missed_by: vec![("ttft".to_owned(), 1), ("itl".to_owned(), 0)],
            }),
            tokens_from: "chunks".to_owned(),
            notes: vec!["p99 rests on 40 requests".to_owned()],
            ..level(1, 16)
        };
        doubtful
            .watch
            .doubts
            .push("timers fired 9 ms late".to_owned());
        doubtful.server = Some(ServerSide {
            ttft_p50_difference_ms: Some(12.34),
            latency_p50_difference_ms: Some(13.0),
            tokens_per_s_p50_difference: Some(-120.4),
            ..ServerSide::default()
        });
        doubtful.limits = Limits {
            rate_limited: 3,
            ingress: 2,
            queue_full: 1,
            headers: Vec::new(),
        };
        doubtful.requests.failed = 4;
        doubtful.requests.unsent = 17;
        doubtful.requests.errors = vec![ErrorCount {
            kind: "rate_limited".to_owned(),
            count: 3,
            example: "Too many".to_owned(),
        }];
        let switch = Switch {
            model: "gpt-oss-120b".to_owned(),
            deployment: None,
            ttft_ms: Some(2_675.0),
            error: None,
        };
        let report = BenchReport {
            switches: vec![switch],
            ..report(vec![level(0, 1), doubtful])
        };
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("../../tests/snapshots");
        settings.set_prepend_module_to_snapshot(false);
        settings.bind(|| {
            insta::assert_snapshot!("bench_report", text(&report, &["rows.csv".to_owned()]))
        });
    }

    #[test]
    fn every_column_and_interval_of_the_table_of_figures_is_printed() {
        let sample = sample::bench(1.0);
        let report = sample.report();
        let text = text(report, &[]);
        let heads = figures::COLUMNS
            .iter()
            .map(|(_, column)| column.name.clone());
        sample::check_order(
            text.lines()
                .find(|line| line.starts_with("level "))
                .expect("a head"),
            heads,
        );
        for level in &report.levels {
            let rows: Vec<&str> = text
                .lines()
                .filter(|line| line.starts_with(&level.label))
                .collect();
            let cells = figures::COLUMNS
                .iter()
                .map(|(metric, _)| metric.text_beside_plan(level));
            sample::check_order(rows[0], cells);
            let (_, intervals) = text.split_once(rows[1]).expect("the row of intervals");
            let of_level = format!("{}{intervals}", rows[1]);
            for of in figures::tabled_distributions() {
                let line = of_level
                    .lines()
                    .find(|line| line.contains(&of.heading()))
                    .expect("a line");
                let cell = |percentile| of.print.estimate(of.at(percentile, level));
                sample::check_order(line, Percentile::all_with_interval().map(cell));
            }
        }
    }

    #[test]
    fn a_session_without_a_level_still_has_a_report() {
        let text = text(&report(Vec::new()), &[]);
        assert!(text.contains("ended      stopped by the user"), "{text}");
    }

    #[test]
    fn progress_is_a_bar_with_what_is_known() {
        let mut progress = BenchProgress {
            elapsed_s: 1.0,
            stage: Stage::Starting,
            level: 0,
            levels: 3,
            level_done: 0.0,
            done: 0.0,
            left_s: None,
            requests: (0, None),
            in_flight: crate::domain::run::InFlight::default(),
            points: Vec::new(),
            rates: Vec::new(),
            flights: Vec::new(),
            partial: None,
            ended: Vec::new(),
        };
        assert_eq!(
            progress_line(&progress, None, None),
            "░░░░░░░░░░░░ 1/3 starting 0"
        );
        progress.stage = Stage::Measuring;
        (progress.level, progress.level_done, progress.requests) = (1, 0.5, (1_000, Some(2_000)));
        progress.left_s = Some(125.4);
        let mut partial = level(1, 16);
        partial.requests.failed = 1;
        assert_eq!(
            progress_line(&progress, Some(1_234.5), Some(&partial)),
            "██████░░░░░░ 2/3 measuring 1,000/2,000 · 1,235 tok/s · TTFT p50 88.0 ms · 1 error · 2:05 left"
        );
        // What cannot be is not drawn.
        (progress.level_done, progress.left_s) = (7.0, Some(f64::INFINITY));
        assert_eq!(
            progress_line(&progress, None, None),
            "████████████ 2/3 measuring 1,000/2,000"
        );
    }

    #[test]
    fn absent_figures_are_dashes() {
        let empty = LevelReport {
            ttft_ms: Stats::default(),
            throughput: Throughput::default(),
            concurrency: Concurrency::default(),
            ..level(0, 1)
        };
        let line = level_line(&empty);
        assert!(line.ends_with("TTFT p50 – ms, – tok/s"), "{line}");
    }
}
