//! Reads guidellm's `benchmarks.json` of versions 0.2 to 0.8: from single requests if the file has them, else from its
//! aggregates.

mod level;
mod load;
mod record;
mod settings;

use std::time::Duration;

use serde_json::Value;

use super::level::{ImportedLevel, with_requests};
use super::plausible::{MAX_RUN_SECONDS, timestamp};
use super::session::{Origin, sessions};
use super::{NO_TTFT, NOT_IN_FILE, SourceFile, anywhere, at, list, no_benchmark, text};
use crate::domain::failure::Failure;
use crate::domain::history::Imported;
use crate::domain::plan::LevelLoad;
use crate::domain::units;
use crate::metrics::request::RequestRecord;

pub(super) fn is(value: &Value) -> bool {
    let first = list(value, &["benchmarks"]).first();
    at(value, &["metadata", "guidellm_version"]).is_some()
        || first.is_some_and(|first| {
            text(first, &["type_"]).is_some_and(|kind| kind.starts_with("generative"))
                || at(first, &["metrics", "time_to_first_token_ms"]).is_some()
        })
}

pub(super) fn read(file: &SourceFile<'_>, values: &[Value]) -> Result<Imported, Failure> {
    let runs = file.results_of(values, "guidellm", is);
    let Some(first) = runs.first().copied() else {
        return Err(no_benchmark(file, "guidellm"));
    };
    // Several reports in one file are read as one.
    let benchmarks: Vec<&Value> = runs
        .iter()
        .flat_map(|run| list(run, &["benchmarks"]))
        .collect();
    let version = text(first, &["metadata", "guidellm_version"]);
    let source = version.map_or("guidellm".to_owned(), |version| {
        format!("guidellm {version}")
    });
    let began = run_began(file, &benchmarks);
    let ended = benchmarks
        .iter()
        .filter_map(|benchmark| file.unix_seconds(benchmark, &["end_time"]))
        .reduce(f64::max);
    let read_level = |(index, benchmark): (usize, &Value)| {
        // If one of its numbers is implausible, the load is unknown.
        let load = load::of_benchmark(file, benchmark)
            .transpose()
            .or_else(|| load::of_file(file, first, index).transpose())
            .and_then(Result::ok)
            .unwrap_or(LevelLoad::Unknown);
        let model = model(first, benchmark);
        level::read(file, benchmark, model, load, began.unwrap_or_default())
    };
    let levels: Vec<ImportedLevel> = benchmarks
        .iter()
        .copied()
        .enumerate()
        .map(read_level)
        .collect();
    let all_single = levels.iter().all(|level| !level.records.is_empty());
    let any_single = levels.iter().any(|level| !level.records.is_empty());
    let levels = with_requests(file, levels);
    if levels.is_empty() {
        return Err(no_benchmark(file, "guidellm"));
    }
    let api = |value: &Value| non_empty(value).filter(|text| text.starts_with("http"));
    let origin = Origin {
        source: source.clone(),
        api: anywhere(first, "target", &api).unwrap_or_default(),
        machine: text(first, &["metadata", "platform"]).map(str::to_owned),
        began: began.and_then(timestamp),
        took_s: ended.zip(began).and_then(|(ended, began)| {
            file.in_range("end_time", ended - began, 0.0, MAX_RUN_SECONDS)
        }),
        settings: settings::read(file, first, &benchmarks),
        tags: Vec::new(),
        stopped: false,
    };
    let mut remarks = remarks(&levels, any_single, all_single);
    let sessions = sessions(file, &origin, levels);
    if sessions.len() > 1 {
        remarks.push(format!(
            "The sweep is imported as {} sessions, one for each kind of load",
            sessions.len()
        ));
    }
    remarks.push(
        "The file does not have the deployment, the SambaStack version or the client's own load"
            .to_owned(),
    );
    Ok(Imported {
        source,
        sessions,
        remarks,
    })
}

/// The Unix time at which the first benchmark started.
fn run_began(file: &SourceFile<'_>, benchmarks: &[&Value]) -> Option<f64> {
    let began = benchmarks
        .iter()
        .filter_map(|benchmark| began(file, benchmark))
        .reduce(f64::min);
    // Without a start time, the run starts with its first request.
    began.or_else(|| {
        benchmarks
            .iter()
            .flat_map(|benchmark| ["successful", "errored"].map(|kind| (*benchmark, kind)))
            .flat_map(|(benchmark, kind)| list(benchmark, &["requests", kind]))
            .filter_map(|request| record::sent(file, request))
            .reduce(f64::min)
    })
}

/// The model's name: a benchmark's own settings come before those of the file.
fn model(report: &Value, benchmark: &Value) -> String {
    let of_benchmark = ["config", "args", "benchmarker", "worker"]
        .iter()
        .filter_map(|name| at(benchmark, &[name]));
    let of_file = ["config", "args"]
        .iter()
        .filter_map(|name| at(report, &[name]));
    of_benchmark
        .chain(of_file)
        .find_map(|settings| {
            anywhere(settings, "model", &non_empty)
                .or_else(|| anywhere(settings, "backend_model", &non_empty))
        })
        .unwrap_or_else(|| NOT_IN_FILE.to_owned())
}

fn non_empty(value: &Value) -> Option<String> {
    value
        .as_str()
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

fn remarks(levels: &[ImportedLevel], any_single: bool, all_single: bool) -> Vec<String> {
    let mut remarks: Vec<String> = Vec::new();
    let mut say = |text: &str| remarks.push(text.to_owned());
    if levels.iter().all(|level| level.report.ttft_ms.count == 0) {
        say(NO_TTFT);
    } else {
        say(
            "guidellm's TTFT starts when the connection is open and its pool has released the \
             request: waiting before that is not included",
        );
        say(
            "The file has no gaps between chunks: ITL is the mean of each response, which hides \
             stalls",
        );
    }
    if any_single {
        say(
            "TTFT, latency, TPOT and tokens/s were recomputed from each request with Batida's \
             definitions",
        );
    }
    let late = levels
        .iter()
        .filter(|level| level.load.is_open())
        .flat_map(|level| &level.records)
        .map(RequestRecord::late)
        .max();
    let rates = levels
        .iter()
        .any(|level| matches!(level.load, LevelLoad::Rate { .. }));
    match late {
        Some(late) if late > Duration::from_millis(1) => say(&format!(
            "guidellm sent requests up to {} after they were due. At a fixed rate, Batida \
             measures TTFT and latency from when a request was due, so they include this delay. \
             guidellm's own figures do not",
            units::duration(late)
        )),
        None if rates => say(
            "At a fixed rate, the figures start when guidellm sent a request: delays before that \
             are not included",
        ),
        _ => {}
    }
    if !all_single {
        say(
            "Levels without single requests show guidellm's own percentiles: its TPOT includes \
             TTFT, and there are no 95 % intervals and no distributions",
        );
    }
    if levels.iter().any(|level| level.load == LevelLoad::Unknown) {
        say("The file does not have the load");
    }
    remarks
}

fn began(file: &SourceFile<'_>, benchmark: &Value) -> Option<f64> {
    file.unix_seconds(benchmark, &["start_time"])
        .or_else(|| file.unix_seconds(benchmark, &["scheduler_metrics", "start_time"]))
        .or_else(|| file.unix_seconds(benchmark, &["run_stats", "start_time"]))
}
