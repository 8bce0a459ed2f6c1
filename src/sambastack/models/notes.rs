//! The operator's report on a bundle, as lines of text.

use crate::sambastack::resources::{BundleStatus, StatusCondition};

/// The operator's report on a bundle, one item per line: its conditions, then the legalizer's report.
pub(super) fn notes(status: &BundleStatus) -> Vec<String> {
    let mut notes: Vec<String> = status
        .conditions
        .iter()
        .map(
            |StatusCondition {
                 kind,
                 status,
                 reason,
                 message,
                 ..
             }| {
                let words = [reason.as_str(), message.as_str()]
                    .into_iter()
                    .filter(|text| !text.is_empty());
                format!("{kind} {status}: {}", words.collect::<Vec<_>>().join(", "))
            },
        )
        .collect();
    if let Some(report) = &status.legalizer_info {
        legalizer(report, &mut notes);
    }
    notes
}

/// Words the known parts of the report, and flattens the rest.
fn legalizer(report: &serde_json::Value, out: &mut Vec<String>) {
    use serde_json::Value;
    let mut rest = report.clone();
    // Parts of an unexpected type stay in `rest`.
    let mut take = |name: &str, is_known: fn(&Value) -> bool| {
        let fields = rest
            .as_object_mut()
            .filter(|fields| fields.get(name).is_some_and(is_known));
        fields.and_then(|fields| fields.shift_remove(name))
    };
    let status = take("status", Value::is_string);
    let (errors, warnings) = (
        take("errors", Value::is_array),
        take("warnings", Value::is_array),
    );
    let utilization = take("utilization", Value::is_object);
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    out.extend(status.map(|status| format!("Legalizer: {}", text(&status))));
    for (title, said) in [("error", errors), ("warning", warnings)] {
        let said = said
            .as_ref()
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        out.extend(said.map(|it| format!("Legalizer {title}: {}", text(it))));
    }
    if let Some(Value::Object(used)) = utilization
        && !used.is_empty()
    {
        let each = used
            .iter()
            .map(|(name, value)| format!("{} {value}", name.replace('_', " ")));
        out.push(format!(
            "Memory use: {}",
            each.collect::<Vec<_>>().join(" · ")
        ));
    }
    flatten("legalizer", &rest, out);
}

/// `legalizer.memory.used: 12`. The report's format is internal to SambaStack and may change.
fn flatten(path: &str, value: &serde_json::Value, out: &mut Vec<String>) {
    const MAX_NOTES: usize = 60;
    if out.len() >= MAX_NOTES {
        return;
    }
    match value {
        serde_json::Value::Object(fields) => {
            fields
                .iter()
                .for_each(|(name, value)| flatten(&format!("{path}.{name}"), value, out));
        }
        serde_json::Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(i, value)| flatten(&format!("{path}[{i}]"), value, out));
        }
        serde_json::Value::Null => {}
        serde_json::Value::String(text) => out.push(format!("{path}: {text}")),
        other => out.push(format!("{path}: {other}")),
    }
}
