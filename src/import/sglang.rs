//! What SGLang's `bench_serving` appends to its `--output-file`: a line a run, with `--output-details` or without.
//!
//! Its figures have vLLM's names, from which it came; the model, the date and the failed requests are mostly not there.

use serde_json::Value;

use super::level::{Asked, Found, Origin, sessions, with_requests};
use super::sound::{MOST_REQUESTS, timestamp};
use super::vllm::{level_of, load, took};
use super::{File, list, nothing, text};
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

pub(super) fn read(file: &File<'_>, values: &[Value]) -> Result<Imported, Failure> {
    let runs = file.only(values, PROGRAM, is);
    let found = with_requests(file, runs.iter().map(|run| level(file, run)).collect());
    let (Some(first), false) = (runs.first(), found.is_empty()) else {
        return Err(nothing(file, PROGRAM));
    };
    let origin = Origin {
        source: PROGRAM.to_owned(),
        api: String::new(),
        machine: None,
        began: file
            .moment(first, &["benchmark_start_time"])
            .and_then(timestamp),
        took_s: took(file, &runs),
        asked: asked(file, first),
        tags: tags(first),
        stopped: false,
    };
    let mut remarks = vec![
        "SGLang ends TTFT at the first content and ignores reasoning: TTFT of a reasoning model is that of its answer"
            .to_owned(),
        "SGLang opens a connection for each request: TTFT has that in it".to_owned(),
    ];
    if runs.iter().any(|run| !list(run, &["ttfts"]).is_empty()) {
        remarks.push(
            "TTFT, ITL, TPOT and latency were worked out anew from each request's times by Batida's definitions"
                .to_owned(),
        );
    } else {
        remarks.push(
            "The file holds aggregates alone, without 95 % intervals and distributions; `--output-details` keeps \
             each request"
                .to_owned(),
        );
    }
    remarks.push("Throughput is over the whole run, its beginning and its end included".to_owned());
    if found
        .iter()
        .any(|level| matches!(level.load, LevelLoad::Rate { .. }))
    {
        remarks.push(
            "With a rate SGLang counts from when a request left, not from when it was due: waiting in the client is \
             missing"
                .to_owned(),
        );
    }
    if found.iter().any(|level| level.model == super::NOT_SAID) {
        remarks.push("The model is not in the file".to_owned());
    }
    if origin.began.is_none() {
        remarks.push("The file does not say when it was measured".to_owned());
    }
    remarks.push("The API's address is not in the file".to_owned());
    Ok(Imported {
        source: PROGRAM.to_owned(),
        sessions: sessions(file, &origin, found),
        remarks,
    })
}

fn level(file: &File<'_>, run: &Value) -> Found {
    let names = [
        &["model_id"][..],
        &["model"],
        &["server_info", "served_model_name"],
        &["server_info", "model_path"],
    ];
    let model = names
        .iter()
        .find_map(|path| text(run, path))
        .unwrap_or(super::NOT_SAID);
    level_of(
        file,
        run,
        model.to_owned(),
        load(file, run),
        file.whole(run, &["failed"], MOST_REQUESTS),
    )
}

fn asked(file: &File<'_>, run: &Value) -> Asked {
    // The lengths are always there, but only random prompts have them.
    let random = text(run, &["dataset_name"]).is_some_and(|name| name.starts_with("random"));
    let share = file.amount(run, &["random_range_ratio"], 1.0);
    let lengths = |name: &str| {
        let most = file
            .whole(run, &[name], MOST_TOKENS.into())
            .filter(|_| random)?;
        let most = u32::try_from(most).ok().filter(|most| *most > 0)?;
        let least = ((f64::from(most) * share?) as u32).max(1);
        Some(if least == most {
            Lengths::Fixed(most)
        } else {
            Lengths::Uniform { least, most }
        })
    };
    Asked {
        prompt_tokens: lengths("random_input_len"),
        output_tokens: lengths("random_output_len"),
        ends: Ends {
            requests: file
                .whole(run, &["num_prompts"], MOST_REQUESTS)
                .filter(|n| *n > 0),
            ..Ends::default()
        },
        ..Asked::default()
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
