//! Reads the `--output-file` of SGLang's `bench_serving`: one line per run, with or without `--output-details`.
//!
//! The program descends from vLLM's, so the figures have vLLM's names. The model, the date and the number of failed
//! requests are mostly missing.

use serde_json::Value;

use super::level::{ImportedLevel, with_requests};
use super::plausible::{MAX_REQUESTS, timestamp};
use super::session::{Origin, RunSettings, sessions};
use super::vllm::{level_of, load, took};
use super::{SourceFile, list, no_benchmark, text};
use crate::domain::failure::Failure;
use crate::domain::history::Imported;
use crate::domain::plan::{Ends, Lengths, LevelLoad, MOST_TOKENS};

const PROGRAM: &str = "SGLang bench_serving";

pub(super) fn is(value: &Value) -> bool {
    let has = |name: &str| value.get(name).is_some();
    has("completed")
        && has("request_throughput")
        && (has("total_output_tokens_retokenized")
            || has("mean_e2e_latency_ms")
            || has("median_e2e_latency_ms"))
}

pub(super) fn read(file: &SourceFile<'_>, values: &[Value]) -> Result<Imported, Failure> {
    let runs = file.results_of(values, PROGRAM, is);
    let found = with_requests(file, runs.iter().map(|run| level(file, run)).collect());
    let (Some(first), false) = (runs.first(), found.is_empty()) else {
        return Err(no_benchmark(file, PROGRAM));
    };
    let origin = Origin {
        source: PROGRAM.to_owned(),
        api: String::new(),
        machine: None,
        began: file
            .unix_seconds(first, &["benchmark_start_time"])
            .and_then(timestamp),
        took_s: took(file, &runs),
        settings: run_settings(file, first),
        tags: tags(first),
        stopped: false,
    };
    let mut remarks = vec![
        "SGLang's TTFT ignores reasoning: for a reasoning model it is the time to the first \
         content of the answer"
            .to_owned(),
        "SGLang opens a new connection for each request, and TTFT includes the time for it"
            .to_owned(),
    ];
    if runs.iter().any(|run| !list(run, &["ttfts"]).is_empty()) {
        remarks.push(
            "TTFT, ITL, TPOT and latency were recomputed from each request's times with Batida's \
             definitions"
                .to_owned(),
        );
    } else {
        remarks.push(
            "The file has only aggregates: no 95 % intervals and no distributions. Use \
             `--output-details` to save each request"
                .to_owned(),
        );
    }
    remarks.push("Throughput covers the whole run, including ramp-up and ramp-down".to_owned());
    if found
        .iter()
        .any(|level| matches!(level.load, LevelLoad::Rate { .. }))
    {
        remarks.push(
            "At a fixed rate, SGLang measures from when a request was sent, not from when it was \
             due: queueing in the client is not included"
                .to_owned(),
        );
    }
    if found.iter().any(|level| level.model == super::NOT_IN_FILE) {
        remarks.push("The model is not in the file".to_owned());
    }
    if origin.began.is_none() {
        remarks.push("The file has no date".to_owned());
    }
    remarks.push("The API's address is not in the file".to_owned());
    Ok(Imported {
        source: PROGRAM.to_owned(),
        sessions: sessions(file, &origin, found),
        remarks,
    })
}

fn level(file: &SourceFile<'_>, run: &Value) -> ImportedLevel {
    let names = [
        &["model_id"][..],
        &["model"],
        &["server_info", "served_model_name"],
        &["server_info", "model_path"],
    ];
    let model = names
        .iter()
        .find_map(|path| text(run, path))
        .unwrap_or(super::NOT_IN_FILE);
    level_of(
        file,
        run,
        model.to_owned(),
        load(file, run),
        file.count(run, &["failed"], MAX_REQUESTS),
    )
}

fn run_settings(file: &SourceFile<'_>, run: &Value) -> RunSettings {
    // The file always has the lengths, but they apply only to random prompts.
    let random = text(run, &["dataset_name"]).is_some_and(|name| name.starts_with("random"));
    let share = file.amount(run, &["random_range_ratio"], 1.0);
    let lengths = |name: &str| {
        let most = file
            .count(run, &[name], MOST_TOKENS.into())
            .filter(|_| random)?;
        let most = u32::try_from(most).ok().filter(|most| *most > 0)?;
        let least = ((f64::from(most) * share?) as u32).max(1);
        Some(if least == most {
            Lengths::Fixed(most)
        } else {
            Lengths::Uniform { least, most }
        })
    };
    RunSettings {
        prompt_tokens: lengths("random_input_len"),
        output_tokens: lengths("random_output_len"),
        ends: Ends {
            requests: file
                .count(run, &["num_prompts"], MAX_REQUESTS)
                .filter(|n| *n > 0),
            ..Ends::default()
        },
        ..RunSettings::default()
    }
}

fn tags(run: &Value) -> Vec<String> {
    let names = ["tag", "backend", "dataset_name"];
    super::tags::of(
        names
            .iter()
            .filter_map(|name| Some((*name, run.get(name)?))),
    )
}
