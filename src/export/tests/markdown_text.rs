//! Markdown.

use super::*;

#[track_caller]
fn check_tables(text: &str) {
    let mut columns = None;
    for line in text.lines() {
        if !line.starts_with('|') {
            columns = None;
            continue;
        }
        let bars = line.replace("\\|", "").matches('|').count();
        assert_eq!(*columns.get_or_insert(bars), bars, "{line}");
    }
}

#[test]
fn tables_have_as_many_cells_in_each_line() {
    let report = text(&bench(1.0), ExportFormat::Markdown);
    check_tables(&report);
    assert!(
        report.contains("### gpt\\-oss") || report.contains("### gpt-oss-120b of md-gpt"),
        "{report}"
    );
    assert_eq!(
        report
            .lines()
            .filter(|line| line.starts_with("| c="))
            .count(),
        4
    );
    // As the report has them.
    let sample = bench(1.0);
    let level = &sample.report().levels[0];
    let cell = crate::domain::figures::Print::Digits
        .estimate(level.ttft_ms.estimate(crate::domain::stats::P50));
    assert!(
        cell.contains(", ") && report.contains(&cell.replace('[', "\\[").replace(']', "\\]")),
        "{cell}: {report}"
    );
    assert!(report.contains(crate::domain::run::INTERVALS), "{report}");
}

#[test]
fn a_conversation_can_be_read() {
    let chat = text(&chat(), ExportFormat::Markdown);
    assert!(
        chat.contains("> And | pipes?") && chat.contains("It runs **once**"),
        "{chat}"
    );
    assert!(
        chat.contains("Calls **look") && chat.contains("\n````json\n{\n  \"of\":"),
        "{chat}"
    );
    assert!(
        chat.contains("**Result of look") && chat.contains("\n````\nIt was "),
        "{chat}"
    );
    assert!(!chat.contains("(text not kept)"), "{chat}");
    assert!(
        !chat
            .lines()
            .any(|line| line.starts_with("## ") && line.contains("<script")),
        "{chat}"
    );
}

#[test]
fn an_answer_that_was_cut_off_in_code_does_not_take_the_rest_of_the_page() {
    let mut sample = chat();
    if let SessionBody::Chat { exchanges, .. } = &mut sample.body {
        exchanges[0].answer =
            "See `a<b>` of @someone, Vec<u8>:\n\n```rust\nlet a: Vec<u8> = x;".to_owned();
    }
    let mut none = std::iter::empty();
    let session = Exported {
        row: &sample.row,
        body: &sample.body,
        requests: &mut none,
    };
    let mut out = Vec::new();
    write(ExportFormat::Markdown, &mut [session], &mut out).expect("it is written");
    let page = String::from_utf8(out).expect("text");
    assert!(
        page.contains("`a<b>` of @\u{2060}someone, Vec&lt;u8>:"),
        "{page}"
    );
    assert!(
        page.contains("```rust\nlet a: Vec<u8> = x;\n```\n"),
        "{page}"
    );
    let fences = page.lines().filter(|line| line.starts_with("```")).count();
    assert_eq!(fences % 2, 0, "{page}");
}
