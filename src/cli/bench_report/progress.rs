//! What is printed while a benchmark runs.

use std::fmt::Write as _;

use crate::domain::plan::{LevelLoad, Raise};
use crate::domain::run::{BenchProgress, LevelEnd, LevelReport, Rate, Stage};
use crate::domain::stats::P50;
use crate::domain::units::{self, count, short as number};

/// A level's end in one line.
pub(in crate::cli) fn level_line(level: &LevelReport) -> String {
    let (ended, failed) = (
        count(level.requests.ended),
        units::counted(level.requests.failed as usize, "error"),
    );
    let mean = |rate: Option<Rate>| number(rate.map(|rate| rate.mean));
    let throughput = &level.throughput;
    let figures = if level.ttft_ms.count == 0 && throughput.prompt_tokens_per_s.is_some() {
        let latency = number(level.latency_ms.at(P50));
        let input = mean(throughput.prompt_tokens_per_s);
        format!("latency p50 {latency} ms, {input} input tok/s")
    } else {
        let ttft = number(level.ttft_ms.at(P50));
        format!(
            "TTFT p50 {ttft} ms, {} tok/s",
            mean(throughput.output_tokens_per_s)
        )
    };
    let stopped = match level.ended {
        LevelEnd::Stopped => ", stopped",
        LevelEnd::Saturated => ", saturated",
        _ => "",
    };
    let verdict = level.probe.as_ref().and_then(|probe| probe.verdict);
    let verdict = verdict.map(|verdict| format!(": {}", verdict.word()));
    let took = level.took_s.map(|took| format!(" in {took:.1} s"));
    format!(
        "{} of {}: {ended} requests{}, {failed}, {figures}{stopped}{}",
        level.label,
        level.model,
        took.unwrap_or_default(),
        verdict.unwrap_or_default(),
    )
}

fn by_of(load: &LevelLoad) -> Raise {
    match load {
        LevelLoad::Rate { .. } => Raise::Rate,
        _ => Raise::Concurrency,
    }
}

/// The line that is drawn over and over on a terminal.
pub(in crate::cli) fn progress_line(
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
        Stage::CoolingDown => "cooling down",
        Stage::WarmingUp => "warming up",
        Stage::Measuring => "measuring",
        Stage::Draining => "draining",
        Stage::Paused => "paused",
    };
    let (done, of) = progress.requests;
    let of = of.map(|of| format!("/{}", count(of))).unwrap_or_default();
    let place = match progress.search {
        Some(search) => {
            let by = by_of(&search.load);
            format!(
                "probe {} {} ({})",
                progress.level + 1,
                search.load.label(),
                search.bracket.told(by)
            )
        }
        None => format!("{}/{}", progress.level + 1, progress.levels),
    };
    let mut line = format!("{bar} {place} {stage} {}{of}", count(done));
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
