//! Result files of other programs, and our own: read into reports that can be kept and compared. Beside them, in
//! [`environments`], files that say where models run.
//!
//! A file is known by what is in it, not by its name. Where it holds what each request measured, the figures are
//! worked out anew by [`crate::metrics`], so that they mean the same as ours; where it only holds aggregates,
//! these are taken as they are. [`Imported::remarks`] says what means something else there, and what is missing.

mod aiperf;
pub mod environments;
mod guidellm;
mod json;
mod level;
mod own;
mod sglang;
mod sound;
mod tags;
mod vllm;

use serde_json::Value;

use crate::domain::encoding;
use crate::domain::failure::Failure;
use crate::domain::history::Imported;
use sound::File;

/// A larger file is not read: it would take up several times as much memory.
pub const MOST_BYTES: usize = 256 << 20;

/// Where a file does not say something.
const NOT_SAID: &str = "not said in the file";

/// A file says no more about whether its answers streamed.
const NO_TTFT: &str = "The file has no time to first token";

/// What is looked for, for whoever brought something else.
const KNOWN: &str = "Batida reads its own JSON, guidellm's benchmarks.json, aiperf's profile_export_aiperf.json and \
profile_export.jsonl, genai-perf's profile_export_genai_perf.json, what `vllm bench serve --save-result` writes, and \
the JSONL of SGLang's bench_serving";

/// Reads a result file. `name` is the file's, for what is said about it.
///
/// # Errors
/// When it is none that is known, is damaged or too large, or holds no benchmark.
pub fn read(name: &str, bytes: &[u8]) -> Result<Imported, Failure> {
    if bytes.len() > MOST_BYTES {
        let why = format!(
            "{name} has more than {} MiB, which are not read",
            MOST_BYTES >> 20
        );
        return Err(Failure::new(
            why,
            "Save it again without each request's texts",
        ));
    }
    let text = encoding::text(bytes).map_err(|why| {
        Failure::new(
            format!("{name} is no result file: it is {}", why.what),
            KNOWN,
        )
    })?;
    if text.trim().is_empty() {
        return Err(Failure::new(format!("{name} is empty"), KNOWN));
    }
    let read = json::values(&text).map_err(|why| {
        if let Some((what, advice)) = json::other_form(&text) {
            return Failure::new(format!("{name} is {what}"), advice);
        }
        Failure::new(format!("{name} is no JSON, or is cut off: {why}"), KNOWN)
    })?;
    let file = File::new(name, hash(bytes));
    let found = read_value(&file, read.values);
    let told = read.remark.into_iter().chain(file.remarks());
    match found {
        Ok(mut imported) => {
            imported.remarks.extend(told);
            Ok(imported)
        }
        // What was left out may be why there is nothing.
        Err(failure) => {
            let told = told.collect::<Vec<_>>().join("\n");
            Err(if told.is_empty() {
                failure
            } else {
                failure.with_details(told)
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

fn read_value(file: &File<'_>, mut values: Vec<Value>) -> Result<Imported, Failure> {
    if let [Value::Array(_)] = &values[..]
        && let Some(Value::Array(list)) = values.pop()
    {
        values = list;
    }
    let Some(first) = values.first() else {
        return Err(Failure::new(
            format!("{} is an empty list", file.name),
            KNOWN,
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
            "{} is perf_analyzer's raw record of a genai-perf run",
            file.name
        );
        Err(Failure::new(
            why,
            "Import profile_export_genai_perf.json, which is beside it",
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
            .map(|keys| format!(": it holds {}", short(&keys)))
            .unwrap_or_default();
        Err(Failure::new(
            format!("{} is no result file that Batida knows{found}", file.name),
            KNOWN,
        ))
    }
}

fn short(text: &str) -> String {
    crate::domain::units::shorten_middle(&tags::without_keys(text), 200)
}

/// An address without what may be a secret in it: a name and a password, a query. It is kept, and shown.
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

fn nothing(file: &File<'_>, program: &str) -> Failure {
    let why = format!(
        "{} is a result file of {program}, but there is no benchmark in it",
        file.name
    );
    Failure::new(why, "Was it stopped before its first request ended?")
}

// ---- looking things up --------------------------------------------------------------------------------

/// What is at the end of a path of names; null is nothing.
fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    let found = path.iter().try_fold(value, |value, name| value.get(name))?;
    (!found.is_null()).then_some(found)
}

/// A number that is one.
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

/// The first value of that name anywhere within that `take` has a use for: programs move their settings about
/// from version to version.
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
