//! JSON.

use super::*;

#[test]
fn a_benchmark_alone_is_its_report_and_comes_back_as_it_was() {
    let sample = bench(1.0);
    let back: BenchReport =
        serde_json::from_str(&text(&sample, ExportFormat::Json)).expect("the report's schema");
    // Numbers are compared as they are written: the last bit of a fraction may change on the way.
    let [was, is] = [sample.report(), &back].map(|report| format!("{:.6?}", report.levels));
    assert_eq!((back.id, is), (sample.report().id.clone(), was));
}

#[test]
fn several_are_a_list_and_a_conversation_has_its_own_schema() {
    let (bench, chat) = (bench(1.0), chat());
    let mut out = Vec::new();
    let [mut none, mut either] = [std::iter::empty(), std::iter::empty()];
    let mut sessions = [
        Exported {
            row: &bench.row,
            body: &bench.body,
            requests: &mut none,
        },
        Exported {
            row: &chat.row,
            body: &chat.body,
            requests: &mut either,
        },
    ];
    write(ExportFormat::Json, &mut sessions, &mut out).expect("written");
    let list: Vec<serde_json::Value> = serde_json::from_slice(&out).expect("a list");
    assert_eq!(
        (list[0]["schema"].as_str(), list[1]["schema"].as_str()),
        (Some("batida.bench/1"), Some(CHAT_SCHEMA))
    );
    assert_eq!(list[1]["exchanges"].as_array().map(Vec::len), Some(4));
    assert_eq!(list[1]["exchanges"][2]["calls"][0]["name"], "look_up");
    assert_eq!(list[1]["exchanges"][3]["results"][0]["id"], "c1");
}
