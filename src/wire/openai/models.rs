//! Lists of models, in the shapes in which servers send them.

use std::collections::HashSet;

use serde_json::Value;

/// Members that hold the list, or an object with it.
const LISTS: [&str; 6] = ["data", "models", "result", "items", "value", "list"];
/// Members of a model that name it: the first that has a name.
const NAMES: [&str; 7] = [
    "id",
    "name",
    "model",
    "model_name",
    "modelId",
    "slug",
    "key",
];

/// Reads the names in `GET /v1/models`, sorted, each once. Takes time in proportion to the text.
///
/// `{"data": [{"id"}]}` as OpenAI has it; `null` for an empty list (Ollama), `{"models": [{"name"}]}` (Cohere, Google),
/// a bare list (Together), lists of texts or numbers, and objects whose members are the models.
///
/// # Errors
/// When it is no JSON with a list of models.
pub fn read_models(json: &str) -> Result<Vec<String>, String> {
    let value: Value = serde_json::from_str(json.trim_start_matches('\u{feff}'))
        .map_err(|error| error.to_string())?;
    let mut names = Vec::new();
    if !collect(&value, 0, &mut names) {
        return Err("the response contains no list of models".to_owned());
    }
    let mut seen = HashSet::with_capacity(names.len());
    names.retain(|name| seen.insert(name.clone()));
    names.sort_by_cached_key(|name| (name.to_lowercase(), name.clone()));
    Ok(names)
}

/// Returns whether there was a list.
fn collect(value: &Value, depth: usize, out: &mut Vec<String>) -> bool {
    match value {
        Value::Array(models) => {
            out.extend(models.iter().filter_map(name));
            true
        }
        Value::Object(object) if depth < 3 => {
            let (mut found, mut empty) = (false, false);
            for list in LISTS.iter().filter_map(|name| object.get(*name)) {
                match list {
                    Value::Null => empty = true,
                    list => found |= collect(list, depth + 1, out),
                }
                // One list is enough: others repeat it in another dialect.
                if found && !out.is_empty() {
                    return true;
                }
            }
            if found || empty {
                return true;
            }
            // An object that maps names to models, all of which are objects.
            let by_name = depth > 0 && !object.is_empty() && object.values().all(Value::is_object);
            if by_name {
                out.extend(
                    object
                        .iter()
                        .map(|(key, model)| name(model).unwrap_or_else(|| key.clone())),
                );
            }
            by_name
        }
        _ => false,
    }
}

fn name(model: &Value) -> Option<String> {
    let text = |value: &Value| match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    match model {
        Value::Object(object) => NAMES.iter().find_map(|name| text(object.get(*name)?)),
        other => text(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, names: &[&str]) {
        assert_eq!(
            read_models(json),
            Ok(names.iter().map(|name| (*name).to_owned()).collect()),
            "{json}"
        );
    }

    #[test]
    fn lists_are_read_in_their_shapes() {
        check(
            r#"{"data":[{"id":"b"},{"id":"A"},{"id":"b"}]}"#,
            &["A", "b"],
        );
        check(r#"{"object":"list","data":null}"#, &[]);
        check(r#"{"models":null}"#, &[]);
        check(r#"{"data":[]}"#, &[]);
        check(
            r#"{"models":[{"name":"command-x","endpoints":["chat"]},{"name":"embed-x"}],"next_page_token":""}"#,
            &["command-x", "embed-x"],
        );
        check(
            r#"[{"id":"llama-x","type":"chat"},{"id":"embed-y"}]"#,
            &["embed-y", "llama-x"],
        );
        check(
            r#"{"data":[{"id":7,"name":"seven"},{"id":"ok"},{"id":null},true]}"#,
            &["7", "ok"],
        );
        check(r#"["a","b"]"#, &["a", "b"]);
        check(r#"{"data":{"models":[{"id":"m"}]}}"#, &["m"]);
        check(r#"{"models":{"m":{"size":1},"n":{"id":"o"}}}"#, &["m", "o"]);
        check(
            r#"{"result":[{"id":"u","name":"@cf/m"}],"success":true}"#,
            &["u"],
        );
        // llama.cpp sends both.
        check(
            r#"{"models":[{"name":"x.gguf","model":"x.gguf"}],"data":[{"id":"x.gguf"}]}"#,
            &["x.gguf"],
        );
        check("\u{feff}[]", &[]);
    }

    #[test]
    fn what_is_no_list_is_none() {
        for json in [
            "{}",
            "7",
            "null",
            "<html>",
            r#"{"error":{"message":"no"}}"#,
            r#"{"data":7}"#,
        ] {
            assert!(read_models(json).is_err(), "{json}");
        }
    }

    #[test]
    fn a_huge_list_takes_time_in_proportion() {
        let many: Vec<String> = (0..200_000)
            .map(|n| format!(r#"{{"id":"model-{n}"}}"#))
            .collect();
        let long = format!(r#"{{"id":"{}"}}"#, "x".repeat(70_000));
        let json = format!(
            r#"{{"data":[{},{}]}}"#,
            many.join(","),
            vec![long; 50].join(",")
        );
        // Searching the whole list for each name would take minutes.
        assert_eq!(read_models(&json).map(|names| names.len()), Ok(200_001));
    }
}
