//! Reads result files of Batida and of other benchmark programs into reports that can be kept and compared.
//! [`environments`] reads files that describe environments.
//!
//! The format is recognized by the file's contents, not by its name. If the file has per-request data,
//! [`crate::metrics`] recomputes the figures, so that they have Batida's definitions. Otherwise the file's aggregates
//! are taken unchanged. [`Imported::remarks`] lists different definitions and missing values.

mod aiperf;
pub mod environments;
mod guidellm;
mod json;
mod level;
mod own;
mod plausible;
mod session;
mod sglang;
mod tags;
mod vllm;

use serde_json::Value;

use crate::domain::encoding;
use crate::domain::failure::Failure;
use crate::domain::history::Imported;
use plausible::SourceFile;

/// Parsing needs several times the file's size in memory.
pub const MAX_FILE_BYTES: usize = 256 << 20;

/// Stands for a name, such as the model's, that the file does not contain.
const NOT_IN_FILE: &str = "not in the file";

const NO_TTFT: &str = "The file has no time to first token";

/// The advice for a file that is not recognized.
const SUPPORTED_FILES: &str = "Batida imports its own JSON, guidellm's benchmarks.json, aiperf's \
     profile_export_aiperf.json and \
profile_export.jsonl, genai-perf's profile_export_genai_perf.json, the JSON of `vllm bench serve \
--save-result`, and \
the JSONL of SGLang's bench_serving";

/// Reads a result file. `name` is the file's name, for messages.
///
/// # Errors
/// When the format is unknown, the file is damaged or too large, or it has no benchmark.
pub fn read(name: &str, bytes: &[u8]) -> Result<Imported, Failure> {
    if bytes.len() > MAX_FILE_BYTES {
        let why = format!(
            "{name} is larger than {} MiB, the limit for imports",
            MAX_FILE_BYTES >> 20
        );
        return Err(Failure::new(
            why,
            "Save it again without the texts of prompts and responses",
        ));
    }
    let text = encoding::text(bytes).map_err(|why| {
        Failure::new(
            format!("{name} is not a result file: it is {}", why.what),
            SUPPORTED_FILES,
        )
    })?;
    if text.trim().is_empty() {
        return Err(Failure::new(format!("{name} is empty"), SUPPORTED_FILES));
    }
    let read = json::values(&text).map_err(|why| {
        if let Some((what, advice)) = json::other_form(&text) {
            return Failure::new(format!("{name} is {what}"), advice);
        }
        Failure::new(
            format!("{name} is not valid JSON, or is truncated: {why}"),
            SUPPORTED_FILES,
        )
    })?;
    let file = SourceFile::new(name, hash(bytes));
    let found = read_value(&file, read.values);
    let remarks = read.remark.into_iter().chain(file.remarks());
    match found {
        Ok(mut imported) => {
            imported.remarks.extend(remarks);
            Ok(imported)
        }
        // The values that were skipped may be the reason.
        Err(failure) => {
            let remarks = remarks.collect::<Vec<_>>().join("\n");
            Err(if remarks.is_empty() {
                failure
            } else {
                failure.with_details(remarks)
            })
        }
    }
}

fn hash(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(bytes);
    digest
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn read_value(file: &SourceFile<'_>, mut values: Vec<Value>) -> Result<Imported, Failure> {
    if let [Value::Array(_)] = &values[..]
        && let Some(Value::Array(list)) = values.pop()
    {
        values = list;
    }
    let Some(first) = values.first() else {
        return Err(Failure::new(
            format!("{} is an empty list", file.name),
            SUPPORTED_FILES,
        ));
    };
    if own::is(first) {
        own::read(file, values)
    } else if guidellm::is(first) {
        guidellm::read(file, &values)
    } else if aiperf::is_record(first) {
        aiperf::read_records(file, &values)
    } else if aiperf::is_summary(first) {
        aiperf::read_summaries(file, &values)
    } else if vllm::is(first) {
        vllm::read(file, &values)
    } else if sglang::is(first) {
        sglang::read(file, &values)
    } else if at(first, &["experiments"]).is_some() && at(first, &["service_kind"]).is_some() {
        let why = format!(
            "{} is the raw perf_analyzer output of a genai-perf run",
            file.name
        );
        Err(Failure::new(
            why,
            "Import profile_export_genai_perf.json from the same folder",
        ))
    } else {
        let keys = first.as_object().map(|object| {
            object
                .keys()
                .take(8)
                .cloned()
                .collect::<Vec<_>>()
                .join(", ")
        });
        let found = keys
            .map(|keys| format!(": its keys are {}", short(&keys)))
            .unwrap_or_default();
        Err(Failure::new(
            format!(
                "{} is not a result file that Batida recognizes{found}",
                file.name
            ),
            SUPPORTED_FILES,
        ))
    }
}

fn short(text: &str) -> String {
    crate::domain::units::shorten_middle(&tags::without_keys(text), 200)
}

/// Removes the user info, the query and the fragment of an address: they may hold secrets, and the address is shown.
fn address(url: &str) -> String {
    let bare = url.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = bare
        .split_once("://")
        .map_or(("", bare), |(scheme, rest)| (scheme, rest));
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host.rsplit('@').next().unwrap_or_default();
    let mark = if scheme.is_empty() { "" } else { "://" };
    format!("{scheme}{mark}{host}{path}")
}

fn no_benchmark(file: &SourceFile<'_>, program: &str) -> Failure {
    let why = format!(
        "{} is a result file of {program}, but it contains no completed benchmark",
        file.name
    );
    Failure::new(
        why,
        "Check whether the run was stopped before its first request ended",
    )
}

// ---- lookups in JSON ----------------------------------------------------------------------------------

/// The value at a path of keys; `None` if it is missing or null.
fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    let found = path.iter().try_fold(value, |value, name| value.get(name))?;
    (!found.is_null()).then_some(found)
}

/// The finite number at a path of keys.
fn number(value: &Value, path: &[&str]) -> Option<f64> {
    at(value, path)?.as_f64().filter(|n| n.is_finite())
}

fn text<'a>(value: &'a Value, path: &[&str]) -> Option<&'a str> {
    at(value, path)?.as_str().filter(|text| !text.is_empty())
}

fn list<'a>(value: &'a Value, path: &[&str]) -> &'a [Value] {
    at(value, path)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// Searches `value` recursively for the key `name` and returns the first value that `take` accepts. Programs move
/// their settings from one version to the next.
fn anywhere<'a, T>(
    value: &'a Value,
    name: &str,
    take: &impl Fn(&'a Value) -> Option<T>,
) -> Option<T> {
    match value {
        Value::Object(object) => {
            let here = object.get(name).and_then(take);
            here.or_else(|| {
                object
                    .values()
                    .find_map(|inner| anywhere(inner, name, take))
            })
        }
        Value::Array(list) => list
            .iter()
            .take(64)
            .find_map(|inner| anywhere(inner, name, take)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
