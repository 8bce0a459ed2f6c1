//! Reads a run's settings.

use serde_json::Value;

use crate::domain::plan::Ends;
use crate::import::plausible::MAX_REQUESTS;
use crate::import::session::{RunSettings, lengths};
use crate::import::{SourceFile, anywhere, at};

/// The run's settings, which each version keeps in a different place.
pub(super) fn read(file: &SourceFile<'_>, value: &Value, benchmarks: &[&Value]) -> RunSettings {
    let places = ["config", "args"]
        .iter()
        .filter_map(|place| at(value, &[place]));
    let inner = benchmarks.iter().flat_map(|benchmark| {
        [
            &["config", "requests"][..],
            &["config", "constraints"],
            &["request_loader"],
            &["args"],
        ]
        .into_iter()
        .filter_map(|path| at(benchmark, path))
    });
    let places: Vec<&Value> = places.chain(inner).collect();
    let number = |names: &[&str]| {
        let mut pairs = places
            .iter()
            .flat_map(|place| names.iter().map(move |name| (*place, *name)));
        pairs.find_map(|(place, name)| setting(place, name))
    };
    let lengths = |name: &str| {
        lengths(
            file,
            name,
            number(&[name]),
            number(&[format!("{name}_stdev").as_str()]),
        )
    };
    let requests = number(&["max_requests", "max_number"]);
    let requests =
        requests.and_then(|n| file.in_range("max_requests", n, 1.0, MAX_REQUESTS as f64));
    let after = number(&["max_seconds", "max_duration"]).filter(|n| *n != 0.0);
    RunSettings {
        prompt_tokens: lengths("prompt_tokens"),
        output_tokens: lengths("output_tokens"),
        seed: anywhere(value, "random_seed", &Value::as_u64),
        ends: Ends {
            requests: requests.map(|n| n.round() as u64),
            after: after.and_then(|n| file.duration("max_seconds", n)),
            error_share: None,
        },
        ..RunSettings::default()
    }
}

/// Searches for the number `name`, as a value or within a text such as `prompt_tokens=400,output_tokens=128`.
fn setting(place: &Value, name: &str) -> Option<f64> {
    let within = |text: &str| {
        let mut rest = text;
        while let Some(found) = rest.find(name) {
            let before = rest[..found].chars().next_back();
            rest = &rest[found + name.len()..];
            let value = rest.trim_start_matches(['"', '\'', ' ']);
            if let Some(value) = value.strip_prefix(['=', ':'])
                && !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
            {
                let value = value.trim_start();
                let end = value
                    .find(|c: char| !(c.is_ascii_digit() || c == '.'))
                    .unwrap_or(value.len());
                return value[..end].parse().ok();
            }
        }
        None
    };
    match place {
        Value::Object(fields) => fields
            .get(name)
            .and_then(|value| value.as_f64().filter(|n| n.is_finite()))
            .or_else(|| fields.values().find_map(|inner| setting(inner, name))),
        Value::Array(items) => items.iter().take(64).find_map(|inner| setting(inner, name)),
        Value::String(text) if text.len() < 10_000 => within(text),
        _ => None,
    }
}
