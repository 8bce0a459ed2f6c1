//! Reads Batida's own JSON: one report, or a list of sessions.

use serde_json::Value;

use super::plausible::MAX_REQUESTS;
use super::{SourceFile, text};
use crate::domain::failure::Failure;
use crate::domain::history::Imported;
use crate::domain::run::{BenchReport, LevelReport, SCHEMA};

pub(super) fn is(value: &Value) -> bool {
    text(value, &["schema"]).is_some_and(|schema| schema.starts_with("batida."))
}

pub(super) fn read(file: &SourceFile<'_>, values: Vec<Value>) -> Result<Imported, Failure> {
    let mut sessions = Vec::new();
    let mut chats = 0;
    for value in values {
        match text(&value, &["schema"]) {
            Some(SCHEMA) => sessions.push((report(file, value)?, Vec::new())),
            Some(crate::export::CHAT_SCHEMA) => chats += 1,
            other => {
                let schema = super::short(other.unwrap_or("none"));
                let why = format!(
                    "{} has the schema {schema}, which Batida cannot import",
                    file.name
                );
                let advice = format!(
                    "This version of Batida reads {SCHEMA}. Update Batida if a \
                     newer version wrote the file"
                );
                return Err(Failure::new(why, advice));
            }
        }
    }
    if sessions.is_empty() {
        let why = format!(
            "{} contains a conversation: Batida imports only benchmarks",
            file.name
        );
        return Err(Failure::new(
            why,
            "Export conversations as HTML or Markdown to read them",
        ));
    }
    let mut remarks = Vec::new();
    if chats > 0 {
        remarks.push(format!(
            "{chats} of the file's sessions are conversations, which Batida does not import"
        ));
    }
    remarks.push(
        "The file has figures per level and no single requests: charts over time are empty"
            .to_owned(),
    );
    let source = format!("batida {}", sessions[0].0.batida);
    Ok(Imported {
        source,
        sessions,
        remarks,
    })
}

fn report(file: &SourceFile<'_>, value: Value) -> Result<BenchReport, Failure> {
    let damaged = |why: String| {
        Failure::new(
            format!("{} is a Batida report, but it is damaged: {why}", file.name),
            "Check whether the file was edited or truncated",
        )
    };
    let mut report =
        BenchReport::deserialize(value).map_err(|why| damaged(super::short(&why.to_string())))?;
    report.api = super::address(&report.api);
    let id = &report.id;
    if id.is_empty() || id.len() > 100 || id.chars().any(char::is_control) {
        return Err(damaged("its id is not valid".to_owned()));
    }
    if !(report.took_s.is_finite() && (0.0..3.2e8).contains(&report.took_s)) {
        return Err(damaged("its duration is not valid".to_owned()));
    }
    let orderly = report
        .levels
        .iter()
        .enumerate()
        .all(|(i, level)| level.index == i && is_consistent(level));
    if orderly {
        Ok(report)
    } else {
        Err(damaged("its levels are inconsistent".to_owned()))
    }
}

/// Whether counts are in range and histogram buckets ascend, which charts and intervals rely on.
fn is_consistent(level: &LevelReport) -> bool {
    let requests = &level.requests;
    let good = level
        .goodput
        .as_ref()
        .map_or([0; 2], |good| [good.met, good.missed]);
    let counts = [
        requests.ended,
        requests.ok,
        requests.failed,
        requests.aborted,
        requests.unsent,
        requests.hung_up,
        good[0],
        good[1],
    ];
    if counts.iter().any(|count| *count > MAX_REQUESTS) || requests.failed > requests.ended {
        return false;
    }
    let all = [
        &level.ttft_ms,
        &level.first_answer_ms,
        &level.itl_ms,
        &level.tpot_ms,
        &level.latency_ms,
        &level.user_tokens_per_s,
    ];
    all.iter().all(|stats| {
        stats.buckets.iter().all(|[from, to, count]| {
            [from, to, count].iter().all(|n| n.is_finite())
                && 0.0 <= *from
                && from <= to
                && *count >= 0.0
        }) && stats.buckets.is_sorted_by(|a, b| a[0] <= b[0])
    })
}
