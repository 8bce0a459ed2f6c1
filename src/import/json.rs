//! Reads JSON as benchmark programs write it: one value or several, one per line or concatenated, with Python's `NaN`
//! and `Infinity` in place of numbers.

use std::borrow::Cow;

use serde_json::Value;

use crate::domain::loose_json::plain_numbers;
use crate::domain::units;

pub(super) struct Read {
    pub(super) values: Vec<Value>,
    /// Says which parts of the file were skipped.
    pub(super) remark: Option<String>,
}

/// Parses all values of a text. In a file with one object per line, invalid lines are skipped. In concatenated values,
/// everything from the first invalid one is skipped, as after a run that was stopped while it wrote the file.
///
/// # Errors
/// The first parse error, when no value can be read.
pub(super) fn values(text: &str) -> Result<Read, serde_json::Error> {
    let mut read = stream(text);
    if read.1.is_some()
        && let Cow::Owned(text) = plain_numbers(text)
    {
        read = stream(&text);
    }
    let (values, Some(why)) = read else {
        return Ok(Read {
            values: read.0,
            remark: None,
        });
    };
    if let Some(read) = lines(text) {
        return Ok(read);
    }
    // A leading string or number means that the file is something other than JSON results.
    if values.is_empty() || !values.iter().all(Value::is_object) {
        return Err(why);
    }
    let count = units::counted(values.len(), "value");
    let remark = if why.is_eof() {
        format!("The file is truncated: only its first {count} could be read")
    } else {
        format!("Only the file's first {count} could be read. Then: {why}")
    };
    Ok(Read {
        values,
        remark: Some(remark),
    })
}

/// The values before the first parse error, and that error.
fn stream(text: &str) -> (Vec<Value>, Option<serde_json::Error>) {
    let mut values = Vec::new();
    for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        match value {
            Ok(value) => values.push(value),
            Err(why) => return (values, Some(why)),
        }
    }
    (values, None)
}

/// Invalid lines that the remark lists.
const MAX_NAMED: usize = 3;

/// Reads a text with one object per line, and skips invalid lines. `None` if the text has another layout.
fn lines(text: &str) -> Option<Read> {
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    let (mut values, mut bad) = (Vec::new(), Vec::new());
    let mut all_begin = true;
    for (at, line) in lines {
        all_begin &= line.starts_with('{');
        match serde_json::from_str::<Value>(&plain_numbers(line)) {
            Ok(value) if value.is_object() => values.push(value),
            Ok(_) => bad.push(format!(
                "line {}: not an object",
                units::count(at as u64 + 1)
            )),
            Err(why) => {
                let why = why.to_string().replace(" at line 1 column ", " at column ");
                bad.push(format!("line {}: {why}", units::count(at as u64 + 1)));
            }
        }
    }
    // A pretty-printed value may have some lines that are objects by themselves; they are not results.
    if values.is_empty() || !(all_begin || values.len() >= bad.len()) {
        return None;
    }
    let [count, all] = [bad.len(), bad.len() + values.len()].map(|n| units::count(n as u64));
    let more = if bad.len() > MAX_NAMED {
        "; and more"
    } else {
        ""
    };
    bad.truncate(MAX_NAMED);
    let named = bad.join("; ");
    let remark = format!(
        "{count} of the file's {all} lines could not be read and were skipped: \
             {named}{more}"
    );
    Some(Read {
        values,
        remark: Some(remark),
    })
}

/// Recognizes output of the supported programs that is not JSON: what it is, and what to do.
pub(super) fn other_form(text: &str) -> Option<(&'static str, &'static str)> {
    let first = text.lines().find(|line| !line.trim().is_empty())?;
    let has = |word: &str| text.contains(word);
    if has("guidellm_version:") || (has("benchmarks:") && has("type_:")) {
        return Some((
            "guidellm's YAML, which Batida does not import",
            "Save the same results as JSON: `--outputs json`",
        ));
    }
    if first.contains("Serving Benchmark Result") || has("============ Serving Benchmark Result") {
        let advice = "Save the results as JSON: `--save-result` of vLLM, `--output-file` of SGLang";
        return Some(("a benchmark's console output, not its result file", advice));
    }
    let heads = first.split(',').count() > 3;
    (heads && !first.trim_start().starts_with(['{', '['])).then_some((
        "CSV, which Batida does not import",
        "Import the JSON file that the same program writes",
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_single_one_per_line_or_concatenated() {
        for text in [
            "{\"a\":1}\n{\"a\":2}",
            "{\"a\":1}{\"a\":2}",
            "{\"a\":1} {\"a\":2}\r\n\n",
            "{\"a\":\n1}{\n\"a\":2}",
        ] {
            let read = values(text).expect(text);
            assert_eq!(
                (read.values, read.remark),
                (vec![json!({"a": 1}), json!({"a": 2})], None),
                "{text}"
            );
        }
    }

    #[test]
    fn pythons_nan_and_infinity_are_read_and_strings_stay() {
        let text =
            r#"{"a": NaN, "b": [Infinity, -Infinity], "c": "NaN \" Infinity", "d": -1, "e": null}"#;
        let read = values(text).expect("reads").values;
        let should =
            json!({"a": null, "b": ["inf", null], "c": "NaN \" Infinity", "d": -1, "e": null});
        assert_eq!(read, [should]);
        assert!(values("{\"a\": Nothing}").is_err() && values("NaNo").is_err());
    }

    #[track_caller]
    fn check_read(text: &str, good: &[i64], part: &str) {
        let read = values(text).expect(text);
        let numbers: Vec<i64> = read
            .values
            .iter()
            .filter_map(|value| value["a"].as_i64())
            .collect();
        assert_eq!(numbers, good, "{text}");
        let remark = read.remark.expect("a remark");
        assert!(remark.contains(part), "{remark}");
    }

    #[test]
    fn an_invalid_line_is_skipped_with_a_remark() {
        check_read(
            "{\"a\":1}\n{\"a\":2}\n{\"a\":",
            &[1, 2],
            "1 of the file's 3 lines could not be read",
        );
        check_read("{\"a\":1}\n{\"a\"", &[1], "line 2: EOF");
        check_read(
            "{\"a\":1}\n\n{\"a\": \"x\n{\"a\":3, \"b\": NaN}",
            &[1, 3],
            "line 3: ",
        );
        check_read("{\"a\n{\"a\":2}", &[2], "line 1: ");
        check_read("{\"a\":1}\nkilled\n{\"a\":3}\n", &[1, 3], "line 2: ");
        check_read(
            "{a\n{b\n{c\n{d\n{\"a\":5}",
            &[5],
            "line 1: key must be a string at column 2; line 2",
        );
        check_read(
            "{\"a\":1}{\"a\":2}{\"a\":",
            &[1, 2],
            "truncated: only its first 2 values",
        );
        check_read("{\n\"a\":1}\n{\n\"a\":2 3}", &[1], "line 4 column");
    }

    #[test]
    fn a_file_without_a_valid_line_is_an_error_with_a_line_number() {
        for (text, place) in [
            ("{\"a\":", "line 1 column 5"),
            ("\n{\"a\" 1}\n", "line 2 column 6"),
            ("{\"a\": Nothing}\n{", "line 1 column 7"),
            // The lines of one pretty-printed value are not values.
            ("[\n{\"a\":1},\n{\"a\":2},\n{\"a\":3}\n", "line 5 column 0"),
            (
                "{\"benchmarks\": [\n{\"a\":1},\n{\"a\":2}\n], \"b\":",
                "line 4 column",
            ),
            ("42 {", "line 1 column 4"),
        ] {
            let why = values(text).err().expect(text).to_string();
            assert!(why.contains(place), "{text}: {why}");
        }
    }
}
