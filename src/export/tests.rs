//! Every export format, of benchmarks and conversations.

use super::sample::{HOSTILE, Sample, bench, chat, check_order};
use super::*;
use crate::domain::history::SessionBody;
use crate::domain::run::BenchReport;

mod csv_rows;
mod html_page;
mod json;
mod markdown_text;
mod parquet_file;

fn text(sample: &Sample, format: ExportFormat) -> String {
    String::from_utf8(sample.write(format)).expect("text")
}

#[test]
fn every_column_of_the_table_of_figures_is_in_both_reports() {
    use crate::domain::figures::columns_of;

    let sample = bench(1.0);
    let columns = columns_of(sample.report().levels.iter());
    let (page, markdown) = (
        text(&sample, ExportFormat::Html),
        text(&sample, ExportFormat::Markdown),
    );
    let names = || columns.iter().map(|(_, column)| column.name.clone());
    check_order(
        markdown
            .lines()
            .find(|line| line.starts_with("| level |"))
            .expect("a head"),
        names(),
    );
    let (_, table) = page.split_once("<h2>Levels</h2>").expect("the table");
    for name in names() {
        assert!(table.contains(&format!(">{name}</th>")), "{name}: {table}");
    }
    for level in &sample.report().levels {
        let row = |begins: String| move |line: &&str| line.starts_with(&begins);
        let line = markdown
            .lines()
            .find(row(format!("| {} |", level.label)))
            .expect("a row");
        let cell = |text: &str| markdown::escape(text);
        check_order(
            line,
            columns
                .iter()
                .map(|(metric, _)| cell(&metric.text_with_interval(level))),
        );
        let (_, line) = table
            .split_once(&format!("<th scope=\"row\">{}</th>", level.label))
            .expect("a row");
        let (line, _) = line.split_once("</tr>").expect("its end");
        assert_eq!(line.matches("<td").count(), columns.len());
        let cells = columns.iter().flat_map(|(metric, _)| {
            let interval = metric
                .print
                .interval(metric.estimate(level))
                .into_iter()
                .flatten();
            std::iter::once(metric.text_beside_plan(level)).chain(interval)
        });
        check_order(
            line,
            cells.map(|text| text.replace('<', "&lt;").replace('>', "&gt;")),
        );
    }
}

#[test]
fn a_comparison_says_what_was_held_in_another_pane_and_where() {
    let mut sample = chat();
    if let SessionBody::Chat { exchanges, .. } = &mut sample.body {
        exchanges.truncate(2);
        (exchanges[1].parent, exchanges[1].pane) = (None, Some(2));
        exchanges[1].environment = Some("east & west".to_owned());
    }
    let page = text(&sample, ExportFormat::Html);
    assert!(page.contains(" · in another pane"), "{page}");
    assert!(page.contains(" on east &amp; west"), "{page}");
    assert!(!page.contains("regenerated"), "it is a first message");
    let markdown = text(&sample, ExportFormat::Markdown);
    assert!(markdown.contains("** on east "), "{markdown}");
}

#[test]
fn attachments_are_named_in_markdown_and_shown_in_html() {
    use crate::domain::conversation::{Attached, Attachment, Image};

    let mut sample = chat();
    if let SessionBody::Chat { exchanges, .. } = &mut sample.body {
        let image = Image::of("image/png", (3, 2), b"pixels");
        let attached = |content| Attachment {
            name: format!("a{HOSTILE}.png"),
            content,
        };
        exchanges[0].attachments = vec![
            attached(Attached::Image(image)),
            attached(Attached::Text(format!("in {HOSTILE}").into())),
        ];
        exchanges[0].prompt.clear();
    }
    let page = text(&sample, ExportFormat::Html);
    assert!(
        page.contains("<img src=\"data:image/png;base64,cGl4ZWxz\" alt=\"a&lt;"),
        "{page}"
    );
    assert!(
        page.contains("img-src data:")
            && page.contains("in &lt;script&gt;")
            && !page.contains("<script")
    );
    assert!(
        !page.contains("(text not kept)"),
        "a picture is text enough"
    );
    let page = text(&sample, ExportFormat::Markdown);
    assert!(
        page.contains("*Attached: a&lt;script") && page.contains("3 × 2 · 6 B)*"),
        "{page}"
    );
    assert!(!page.contains("cGl4ZWxz"), "{page}");
    let json = text(&sample, ExportFormat::Json);
    assert!(json.contains("\"base64\": \"cGl4ZWxz\""), "{json}");
}

#[test]
fn a_file_is_named_after_the_model_what_was_run_and_the_day() {
    let began: jiff::Timestamp = "2026-11-30T12:00:00Z".parse().expect("a moment");
    let row = |title: &str, models: &[&str]| SessionRow {
        title: title.to_owned(),
        models: models.iter().map(|&it| it.to_owned()).collect(),
        began,
        ..bench(1.0).row
    };
    let of = |rows: &[SessionRow]| file_stem(rows);
    let sweep = row("Sweep 1–64", &["gpt-oss-120b"]);
    assert_eq!(
        of(std::slice::from_ref(&sweep)),
        "gpt-oss-120b-sweep-2026-11-30"
    );
    let odd = row("Rate 4/s Poisson", &["../meta/Llama 3.3", "b"]);
    assert_eq!(of(&[odd]), "meta-Llama-3.3-and-1-more-rate-2026-11-30");
    assert_eq!(
        of(&[sweep.clone(), sweep]),
        "gpt-oss-120b-2-sessions-2026-11-30"
    );
    let said = SessionRow {
        kind: SessionKind::Chat,
        ..row("How heavy are whales?", &[])
    };
    assert_eq!(of(&[said]), "batida-chat-2026-11-30");
    assert_eq!(of(&[]), "batida");
    assert_eq!(
        file_named(&["a/b".to_owned()], "TTFT per request, ms", began),
        "a-b-ttft-per-request-ms-2026-11-30"
    );
}
