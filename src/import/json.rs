//! JSON as benchmark programs write it: one value or several, a line each or glued together, with Python's `NaN` and
//! `Infinity` in the place of numbers.

use std::borrow::Cow;

use serde_json::Value;

/// The values of a file.
pub(super) struct Read {
    pub(super) values: Vec<Value>,
    /// What was left out, in words.
    pub(super) remark: Option<String>,
}

/// The values of a text, in their order. A last value that is cut off is left out where others stand before it: the
/// run was stopped while it wrote.
///
/// # Errors
/// When there is none, or one that cannot be read.
pub(super) fn values(text: &str) -> Result<Read, serde_json::Error> {
    match stream(text) {
        Err(why) => match plain_numbers(text) {
            Cow::Owned(text) => stream(&text),
            Cow::Borrowed(_) => Err(why),
        },
        read => read,
    }
}

fn stream(text: &str) -> Result<Read, serde_json::Error> {
    let mut values = Vec::new();
    for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        match value {
            Ok(value) => values.push(value),
            Err(why) if why.is_eof() && values.len() > 1 => {
                let remark = format!(
                    "The file is cut off: what stands behind its {} values is left out",
                    values.len()
                );
                return Ok(Read {
                    values,
                    remark: Some(remark),
                });
            }
            Err(why) => return Err(why),
        }
    }
    Ok(Read {
        values,
        remark: None,
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

    #[test]
    fn a_last_value_that_is_cut_off_is_left_out_and_told() {
        let read = values("{\"a\":1}\n{\"a\":2}\n{\"a\":").expect("the first two");
        assert_eq!(read.values.len(), 2);
        assert!(read.remark.is_some_and(|remark| remark.contains("cut off")));
        assert!(values("{\"a\":").is_err() && values("{\"a\":1}\n{\"a\"").is_err());
    }
}
