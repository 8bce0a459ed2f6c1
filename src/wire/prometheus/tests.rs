use proptest::prelude::*;

use super::*;

/// A name, its labels and a value.
type Line<'a> = (&'a str, Vec<(&'a str, String)>, f64);

fn all(page: &str) -> Vec<Line<'_>> {
    samples(page)
        .map(|sample| {
            let labels = sample.labels();
            let labels = labels.map(|(name, value)| (name, value.into_owned()));
            (sample.name, labels.collect(), sample.value)
        })
        .collect()
}

#[test]
fn a_line_is_a_name_labels_and_a_value() {
    let page = "# HELP vllm:num_requests_running Number of requests in model execution batches.\n\
                # TYPE vllm:num_requests_running gauge\n\
                vllm:num_requests_running{engine=\"0\",model_name=\"m\"} 3.0\n\
                \n  up 1 1700000000000\n\
                a{ x = \"1\" , y=\"2\", } 1e3\n\
                b{}7\n\
                c_bucket{le=\"+Inf\"} 5 # {trace_id=\"oHg5\"} 0.67 1520879607.789\n\
                # EOF";
    let pair = |name, value: &str| (name, value.to_owned());
    assert_eq!(
        all(page),
        [
            (
                "vllm:num_requests_running",
                vec![pair("engine", "0"), pair("model_name", "m")],
                3.0
            ),
            ("up", vec![], 1.0),
            ("a", vec![pair("x", "1"), pair("y", "2")], 1_000.0),
            ("b", vec![], 7.0),
            ("c_bucket", vec![pair("le", "+Inf")], 5.0),
        ]
    );
}

#[test]
fn escapes_commas_and_braces_are_part_of_a_value() {
    let page = r#"x{path="C:\\dir\\",said="a \"b\", {c}=d\n\q",last="z"} 2"#;
    let pair = |name, value: &str| (name, value.to_owned());
    let labels = vec![
        pair("path", "C:\\dir\\"),
        pair("said", "a \"b\", {c}=d\n\\q"),
        pair("last", "z"),
    ];
    assert_eq!(all(page), [("x", labels, 2.0)]);
}

#[test]
fn numbers_are_written_as_go_writes_them() {
    let page = "a NaN\nb +Inf\nc -Inf\nd 1.5e-07\ne -0\nf Nan";
    let values: Vec<f64> = samples(page).map(|sample| sample.value).collect();
    assert!(values[0].is_nan() && values[5].is_nan());
    let rest = [f64::INFINITY, f64::NEG_INFINITY, 1.5e-7, -0.0];
    assert_eq!(values[1..5], rest);
}

#[test]
fn what_is_no_sample_is_left_out() {
    for line in [
        "",
        "#",
        "# a 1",
        "a",
        "a b",
        "a=1",
        "1a 2",
        "{a=\"b\"} 1",
        "a{x=\"1} 2",
        "a{x=\"1\" 2",
        "a{x=\"1\\\"} 2",
        "<html>",
        "a.b 1",
        "größe 1",
    ] {
        assert_eq!(all(line), [], "{line:?}");
    }
    assert_eq!(samples(&"a 1\n".repeat(MAX_SERIES + 9)).count(), MAX_SERIES);
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(page in "\\PC{0,200}|([a-z:]{0,3}[{}\"=,\\\\ \n#0-9.]{0,9}){0,30}") {
        for sample in samples(&page) {
            let _ = sample.labels().count();
        }
    }

    #[test]
    fn what_is_written_is_read_again(
        name in "[a-zA-Z_:][a-zA-Z0-9_:]{0,12}",
        labels in prop::collection::vec(("[a-z_]{1,6}", any::<String>()), 0..5),
        value in any::<f64>(),
    ) {
        let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        // A carriage return ends a line for us and not for Prometheus; no server has one in a label.
        let labels: Vec<(String, String)> =
            labels.into_iter().map(|(name, value)| (name, value.replace('\r', ""))).collect();
        let inner: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let line = format!("{name}{{{}}} {value}", inner.join(","));
        let found = all(&line);
        prop_assert_eq!(found.len(), 1, "{}", line);
        let (found_name, found_labels, found_value) = &found[0];
        prop_assert_eq!(*found_name, name);
        let read: Vec<(String, String)> =
            found_labels.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        prop_assert_eq!(read, labels);
        prop_assert!(*found_value == value || found_value.is_nan() && value.is_nan());
    }
}
