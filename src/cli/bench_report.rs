//! A benchmark's report for people.

use std::fmt::Write as _;

use crate::domain::known::{UNKNOWN, Unknown};
use crate::domain::plan::Load;
use crate::domain::printable::{cut, one_line};
use crate::domain::run::{
    BenchProgress, BenchReport, INTERVALS, LevelEnd, LevelReport, Rate, ServerSide, SessionEnd,
    Stage, Stats, Throughput,
};
use crate::domain::units::{self, ABSENT, count, short as number, with_interval as interval};

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

const WIDTHS: [usize; 15] = [8, 7, 5, 7, 7, 7, 7, 7, 7, 9, 9, 7, 8, 6, 6];
const GROUPS: [&str; 15] = [
    "", "", "", "TTFT ms", "", "", "ITL ms", "", "TPOT", "latency", "", "tok/s", "", "", "",
];
const TITLES: [&str; 15] = [
    "level", "requests", "errors", "p50", "p95", "p99", "p50", "p99", "p50", "p50", "p99",
    "a user", "all", "req/s", "good",
];

fn levels(out: &mut String, report: &BenchReport) {
    let mut model = None;
    for level in &report.levels {
        let credited = level.credited();
        if model.as_ref() != Some(&(credited.clone(), &level.deployment)) {
            model = Some((credited.clone(), &level.deployment));
            let of = level
                .deployment
                .as_ref()
                .map(|name| format!(" of {name}"))
                .unwrap_or_default();
            line(out, &format!("{credited}{of}"));
            row(out, GROUPS.map(str::to_owned), "");
            row(out, TITLES.map(str::to_owned), " in flight");
        }
        let in_flight = &level.concurrency;
        let reached = in_flight
            .reached
            .map_or(ABSENT.to_owned(), |n| format!("{n:.1}"));
        let asked = in_flight.asked.map(|n| format!("/{n}")).unwrap_or_default();
        let (ttft, itl, latency) = (&level.ttft_ms, &level.itl_ms, &level.latency_ms);
        let per_s = |rate: Option<Rate>| number(rate.map(|rate| rate.mean));
        let cells = [
            level.label.clone(),
            count(level.requests.ended),
            count(level.requests.failed),
            number(ttft.p50),
            number(ttft.p95),
            number(ttft.p99),
            number(itl.p50),
            number(itl.p99),
            number(level.tpot_ms.p50),
            units::time(latency.p50),
            units::time(latency.p99),
            number(level.user_tokens_per_s.p50),
            per_s(level.throughput.output_tokens_per_s),
            per_s(level.throughput.requests_per_s),
            level
                .goodput
                .as_ref()
                .and_then(|good| good.share)
                .map_or(ABSENT.to_owned(), percent),
        ];
        row(out, cells, &format!(" {reached}{asked}"));
    }
    out.push('\n');
}

/// Writes a figure with its interval.
type WithInterval = fn(Option<f64>, Option<[f64; 2]>) -> String;

fn row(out: &mut String, cells: [String; 15], last: &str) {
    let mut text = format!("{:<w$}", cells[0], w = WIDTHS[0]);
    for (cell, width) in cells.iter().zip(WIDTHS).skip(1) {
        // A cell that is too wide pushes the others; it is never cut, and never touches its neighbour.
        let width = width - 1;
        let _ = write!(text, " {cell:>width$}");
    }
    line(out, &format!("{text}{last}"));
}

fn intervals(out: &mut String, report: &BenchReport) {
    if report.levels.is_empty() {
        return;
    }
    line(out, INTERVALS);
    let head = format!(
        "{:<8} {:<10} {:<25} {:<25} {:<25}",
        "level", "", "p50", "p95", "p99"
    );
    line(out, &head);
    let mut model = None;
    for level in &report.levels {
        if report.plan.targets.len() > 1 && model != Some(&level.model) {
            model = Some(&level.model);
            line(out, &level.model);
        }
        for (i, (name, stats, cell)) in [
            ("TTFT ms", &level.ttft_ms, interval as WithInterval),
            ("ITL ms", &level.itl_ms, interval),
            ("TPOT ms", &level.tpot_ms, interval),
            ("latency", &level.latency_ms, units::time_with_interval),
            ("tok/s user", &level.user_tokens_per_s, interval),
        ]
        .into_iter()
        .enumerate()
        {
            let label = if i == 0 { level.label.as_str() } else { "" };
            let Stats {
                p50,
                p95,
                p99,
                p50_ci,
                p95_ci,
                p99_ci,
                ..
            } = stats;
            let (a, b, c) = (
                cell(*p50, *p50_ci),
                cell(*p95, *p95_ci),
                cell(*p99, *p99_ci),
            );
            line(
                out,
                &format!("{label:<8} {name:<10} {a:<25} {b:<25} {c:<25}"),
            );
        }
        // Of speeds the high percentiles are the fast end, of which nobody complains.
        let Stats { count, p1, p5, .. } = &level.user_tokens_per_s;
        if *count > 0 {
            let (p5, p1) = (number(*p5), number(*p1));
            line(
                out,
                &format!(
                    "{:<8} {:<10} slowest users: p5 {p5} · p1 {p1} (p95, p99 are the fastest)",
                    "", ""
                ),
            );
        }
        let rate = |rate: Option<Rate>| {
            interval(rate.map(|rate| rate.mean), rate.and_then(|rate| rate.ci))
        };
        let Throughput {
            output_tokens_per_s,
            total_tokens_per_s,
            requests_per_s,
        } = &level.throughput;
        let [tokens, total, requests] =
            [output_tokens_per_s, total_tokens_per_s, requests_per_s].map(|of| rate(*of));
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
                &format!("server     {place}: p50 here less the server's own: {told}"),
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
            line(out, &format!("! {place}: in doubt: {doubt}"));
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
    let ttft = number(level.ttft_ms.p50);
    let speed = number(level.throughput.output_tokens_per_s.map(|rate| rate.mean));
    let stopped = if level.ended == LevelEnd::Stopped {
        ", stopped"
    } else {
        ""
    };
    format!(
        "{} of {}: {ended} requests in {:.1} s, {failed}, TTFT p50 {ttft} ms, {speed} tok/s{stopped}",
        level.label, level.model, level.took_s,
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
        let _ = write!(line, " · TTFT p50 {} ms", number(partial.ttft_ms.p50));
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

fn percent(share: f64) -> String {
    format!("{:.0}%", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::plan::{Lengths, LevelLoad, Load, Plan, Target};
    use crate::domain::run::{
        Concurrency, ErrorCount, Goodput, Limits, Machine, Requests, Switch, Watch,
    };

    fn stats(p50: f64, with_intervals: bool) -> Stats {
        let around = |value: f64| with_intervals.then_some([value * 0.9, value * 1.1]);
        Stats {
            count: 100,
            p50: Some(p50),
            p95: Some(p50 * 2.0),
            p99: Some(p50 * 3.0),
            p50_ci: around(p50),
            p95_ci: around(p50 * 2.0),
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
            began_s: 0.5,
            took_s: 12.34,
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
                most: clients,
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
