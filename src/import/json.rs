//! JSON as benchmark programs write it: one value or several, a line each or glued together, with Python's `NaN` and
//! `Infinity` in the place of numbers.

use std::borrow::Cow;

use serde_json::Value;

use crate::domain::units;

/// The values of a file.
pub(super) struct Read {
    pub(super) values: Vec<Value>,
    /// What was left out, in words.
    pub(super) remark: Option<String>,
}

/// The values of a text, in their order. Of lines of which some cannot be read the others are; of values that are no
/// lines, those before the first that cannot be read: the run was stopped while it wrote.
///
/// # Errors
/// When there is none that can be read: why the first cannot.
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
    // A text or a number before what cannot be read is no result, but the beginning of some other text.
    if values.is_empty() || !values.iter().all(Value::is_object) {
        return Err(why);
    }
    let count = units::counted(values.len(), "value");
    let remark = if why.is_eof() {
        format!("The file is cut off: what stands behind its first {count} is left out")
    } else {
        format!("What stands behind the file's first {count} cannot be read and is left out: {why}")
    };
    Ok(Read {
        values,
        remark: Some(remark),
    })
}

/// The values before the first that cannot be read, and why that cannot.
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

/// So many lines are named.
const MAX_NAMED: usize = 3;

/// The objects of a text that has one a line, without the lines that cannot be read; `None` where it is no such text.
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
                "line {}: it is no object",
                units::count(at as u64 + 1)
            )),
            Err(why) => {
                let why = why.to_string().replace(" at line 1 column ", " at column ");
                bad.push(format!("line {}: {why}", units::count(at as u64 + 1)));
            }
        }
    }
    // Objects within a value that is broken over several lines are a few among many lines that are none.
    if values.is_empty() || !(all_begin || values.len() >= bad.len()) {
        return None;
    }
    let [count, all] = [bad.len(), bad.len() + values.len()].map(|n| units::count(n as u64));
    let more = if bad.len() > MAX_NAMED {
        "; and others"
    } else {
        ""
    };
    bad.truncate(MAX_NAMED);
    let named = bad.join("; ");
    let remark =
        format!("{count} of the file's {all} lines cannot be read and are left out: {named}{more}");
    Some(Read {
        values,
        remark: Some(remark),
    })
}

/// Python writes numbers that are none as bare words, which JSON does not know: `NaN` becomes `null`, and `Infinity`
/// the text "inf", as vLLM writes it. Borrowed where there are none.
fn plain_numbers(text: &str) -> Cow<'_, str> {
    const WORDS: [(&str, &str); 6] = [
        ("-Infinity", "null"),
        ("Infinity", "\"inf\""),
        ("NaN", "null"),
        ("-NaN", "null"),
        ("nan", "null"),
        ("inf", "\"inf\""),
    ];
    let mut out = String::new();
    let (mut kept, mut in_string, mut escaped) = (0, false, false);
    let mut at = 0;
    while let Some(byte) = text.as_bytes().get(at) {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
        } else if *byte == b'"' {
            in_string = true;
        } else if matches!(byte, b'-' | b'I' | b'N' | b'n' | b'i')
            && let Some((word, instead)) =
                WORDS.iter().find(|(word, _)| text[at..].starts_with(word))
        {
            out.push_str(&text[kept..at]);
            out.push_str(instead);
            at += word.len();
            kept = at;
            continue;
        }
        at += 1;
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[kept..]);
    Cow::Owned(out)
}

/// Another form in which the known programs write results: what it is, and what to do.
pub(super) fn other_form(text: &str) -> Option<(&'static str, &'static str)> {
    let first = text.lines().find(|line| !line.trim().is_empty())?;
    let has = |word: &str| text.contains(word);
    if has("guidellm_version:") || (has("benchmarks:") && has("type_:")) {
        return Some((
            "guidellm's YAML, which is not read",
            "Save the same results as JSON: `--outputs json`",
        ));
    }
    if first.contains("Serving Benchmark Result") || has("============ Serving Benchmark Result") {
        let advice = "Save the results as JSON: `--save-result` of vLLM, `--output-file` of SGLang";
        return Some(("what a benchmark printed, and not its result file", advice));
    }
    let heads = first.split(',').count() > 3;
    (heads && !first.trim_start().starts_with(['{', '['])).then_some((
        "CSV, which is not imported",
        "Import the JSON that the same program writes beside it",
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_stand_alone_in_lines_or_glued() {
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
    fn python_s_words_for_no_number_are_read_and_texts_stay() {
        let text =
            r#"{"a": NaN, "b": [Infinity, -Infinity], "c": "NaN \" Infinity", "d": -1, "e": null}"#;
        let read = values(text).expect("reads").values;
        let should =
            json!({"a": null, "b": ["inf", null], "c": "NaN \" Infinity", "d": -1, "e": null});
        assert_eq!(read, [should]);
        assert!(values("{\"a\": Nothing}").is_err() && values("NaNo").is_err());
    }

    #[track_caller]
    fn check_read(text: &str, good: &[i64], told: &str) {
        let read = values(text).expect(text);
        let numbers: Vec<i64> = read
            .values
            .iter()
            .filter_map(|value| value["a"].as_i64())
            .collect();
        assert_eq!(numbers, good, "{text}");
        let remark = read.remark.expect("is told");
        assert!(remark.contains(told), "{remark}");
    }

    #[test]
    fn a_line_that_cannot_be_read_is_left_out_and_told_and_the_others_are_read() {
        check_read(
            "{\"a\":1}\n{\"a\":2}\n{\"a\":",
            &[1, 2],
            "1 of the file's 3 lines cannot be read",
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
            "cut off: what stands behind its first 2 values",
        );
        check_read("{\n\"a\":1}\n{\n\"a\":2 3}", &[1], "line 4 column");
    }

    #[test]
    fn a_file_without_a_good_line_is_an_error_with_its_line() {
        for (text, place) in [
            ("{\"a\":", "line 1 column 5"),
            ("\n{\"a\" 1}\n", "line 2 column 6"),
            ("{\"a\": Nothing}\n{", "line 1 column 7"),
            // Lines of one value are no values.
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
