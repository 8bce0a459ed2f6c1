//! aiperf's `profile_export_aiperf.json` (aggregates) and `profile_export.jsonl` (a line a request), and the
//! `profile_export_genai_perf.json` of genai-perf, which came before it.

mod records;
mod summaries;

use serde_json::Value;

use super::{SourceFile, at, number, text};
pub(super) use records::read_records;
pub(super) use summaries::read_summaries;

const MISSING: &str =
    "The file does not have the deployment, the SambaStack version or the client's own load";

fn tokenizer_remark(program: &str) -> String {
    format!(
        "{program} counts tokens with its own tokenizer unless it was set to use the server's \
         counts: TPOT, tokens/s and token counts may differ from the server's `usage`"
    )
}

/// A line of `profile_export.jsonl`.
pub(super) fn is_record(value: &Value) -> bool {
    at(value, &["metadata", "request_start_ns"]).is_some() && at(value, &["metrics"]).is_some()
}

pub(super) fn is_summary(value: &Value) -> bool {
    let metric = |name| at(value, &[name, "unit"]).is_some();
    metric("request_latency") || metric("time_to_first_token") || metric("request_throughput")
}

/// The value under the key `name`, and its unit in seconds.
fn value_and_unit(file: &SourceFile<'_>, metric: &Value, name: &str) -> Option<(f64, f64)> {
    Some((number(metric, &[name])?, unit_of(file, metric)?))
}

/// A time's unit in seconds; `None` if the unit is unknown.
fn unit_of(file: &SourceFile<'_>, metric: &Value) -> Option<f64> {
    let name = text(metric, &["unit"])?;
    let unit = match name {
        "ns" | "nanoseconds" => 1e-9,
        "us" | "µs" | "microseconds" => 1e-6,
        "ms" | "milliseconds" => 1e-3,
        "s" | "sec" | "seconds" => 1.0,
        _ => {
            file.note_implausible("time unit", name);
            return None;
        }
    };
    Some(unit)
}
