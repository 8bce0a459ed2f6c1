//! Every export format, of benchmarks and conversations.

use ::parquet::file::reader::{FileReader as _, SerializedFileReader};
use ::parquet::record::{Field, RowAccessor as _};

use super::columns::COLUMNS;
use super::sample::{HOSTILE, Sample, bench, chat, check_order};
use super::*;
use crate::domain::history::{Said, SessionBody};
use crate::domain::run::{AnsweredBy, BenchReport};
use crate::metrics::compare::{COMPARE_SCHEMA, Cell, Comparison, Difference, Row, Verdict};

fn text(sample: &Sample, format: ExportFormat) -> String {
    String::from_utf8(sample.write(format)).expect("text")
}

fn comparison(labels: &[&str]) -> Comparison {
    let cell = Cell {
        value: Some(96.0),
        change: Some(0.123),
        interval: Some([0.08, 0.16]),
        p: Some(0.001),
        verdict: Verdict::Worse,
    };
    let row = |level: &str| Row {
        model: "gpt-oss-120b".to_owned(),
        level: level.to_owned(),
        figure: "ttft_p50".to_owned(),
        title: "TTFT p50, ms".to_owned(),
        unit: "ms".to_owned(),
        baseline: Some(85.5),
        others: vec![cell.clone(); labels.len() - 1],
    };
    Comparison {
        schema: COMPARE_SCHEMA.to_owned(),
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        sessions: labels.iter().map(|label| (*label).to_owned()).collect(),
        least_change: 0.03,
        differences: vec![Difference {
            what: "output tokens".to_owned(),
            values: labels.iter().map(|_| "128".to_owned()).collect(),
            grave: true,
        }],
        rows: vec![row("c=1"), row("c=4")],
        remarks: vec!["Intervals are by bootstrap".to_owned()],
    }
}

mod json {
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
}

mod csv_rows {
    use std::time::Duration;

    use super::*;
    use crate::metrics::request::{Phase, RequestError, RequestRecord};
    use crate::metrics::timeline::Figures;

    fn record() -> RequestRecord {
        RequestRecord {
            index: 7,
            level: 0,
            phase: Phase::Measured,
            due: Duration::from_millis(1_000),
            sent: Duration::from_micros(1_000_250),
            ended: Duration::from_millis(1_500),
            figures: Figures {
                ttft: Some(Duration::from_micros(88_123)),
                ..Figures::default()
            },
            first_byte: None,
            gaps_us: Vec::new(),
            chunks: 3,
            bytes: 99,
            wanted_prompt_tokens: Some(32),
            answered_by: None,
            reconnected: false,
            error: None,
        }
    }

    #[test]
    fn a_row_has_a_cell_for_each_column_and_counts_from_when_it_was_due() {
        let row = csv::row("s", "c=1", "m", &record(), None);
        let cells: Vec<&str> = row.trim_end().split(',').collect();
        let head = csv::head();
        let columns: Vec<&str> = head.trim_end().split(',').collect();
        assert_eq!(cells.len(), columns.len());
        let cell = |name: &str| {
            cells[columns
                .iter()
                .position(|column| *column == name)
                .expect("a column")]
        };
        assert_eq!(
            (cell("request_id"), cell("phase"), cell("error")),
            ("s-7", "measured", "")
        );
        assert_eq!(
            (cell("late_ms"), cell("ttft_ms"), cell("latency_ms")),
            ("0.250", "88.373", "")
        );
    }

    #[test]
    fn words_with_commas_and_quotes_stay_one_cell() {
        let error = RequestError {
            class: None,
            status: Some(500),
            text: "a, \"b\"\nc".to_owned(),
        };
        let row = csv::row(
            "s",
            "c=1",
            "m",
            &RequestRecord {
                error: Some(error),
                ..record()
            },
            None,
        );
        assert!(
            row.ends_with(",other,500,\"a, \"\"b\"\"\nc\",,,,0,,1.500000\r\n"),
            "{row}"
        );
    }

    #[test]
    fn a_spreadsheet_runs_no_cell_and_numbers_stay_numbers() {
        let line = |text: &str, separator| csv::line(["x", text].map(Into::into), separator);
        for text in [
            "=1+1",
            "+cmd|' /C calc'!A0",
            "-2+3",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "\n=1",
            " =1",
            "\u{feff}=1",
            "\"=1\"",
            "＝1",
            "-inf",
            "+",
            "-1,5",
        ] {
            let written = line(text, b',');
            let mut reader = ::csv::ReaderBuilder::new()
                .has_headers(false)
                .from_reader(written.as_bytes());
            let cells = reader.records().next().expect("a row").expect("is read");
            assert_eq!(cells.get(1), Some(format!("'{text}").as_str()), "{written}");
        }
        for text in [
            "-5", "+3.25", "-1e-5", "2", "", "c=1", "a-b", "'quoted'", "x=y",
        ] {
            assert_eq!(line(text, b','), format!("x,{text}\r\n"));
        }
        assert_eq!(line("a\tb", b'\t'), "x\t\"a\tb\"\r\n");
        assert_eq!(line("a,b", b'\t'), "x\ta,b\r\n");
        assert_eq!(line("=a\"b", b','), "x,\"'=a\"\"b\"\r\n");
    }

    #[test]
    fn every_request_has_its_row_with_its_levels_label() {
        let sample = bench(1.0);
        let all = text(&sample, ExportFormat::Csv);
        let lines: Vec<&str> = all.split_terminator("\r\n").collect();
        assert_eq!(lines.len(), sample.requests.len() + 1);
        assert!(
            lines[1].starts_with("20261123-abc-0,0,0,c=1,gpt-oss-120b,warmup,"),
            "{}",
            lines[1]
        );
        assert!(lines.last().is_some_and(|line| line.contains(",c=64,")));
    }

    #[test]
    fn what_was_said_is_there_where_it_is_kept() {
        let said = Said {
            prompt: "a, b".to_owned(),
            reasoning: String::new(),
            answer: "c".to_owned(),
        };
        let row = csv::row("s", "c=1", "m", &record(), Some(&said));
        assert!(row.ends_with(",,,,\"a, b\",,c,0,,1.500000\r\n"), "{row}");
        // That of a conversation is with its exchanges.
        let mut sample = chat();
        sample.requests = bench(1.0)
            .requests
            .into_iter()
            .filter(|request| request.record.index == 1)
            .collect();
        let all = text(&sample, ExportFormat::Csv);
        assert!(
            all.contains("And | pipes?") && all.contains("It runs **once**"),
            "{all}"
        );
    }

    #[test]
    fn what_the_store_cannot_read_ends_the_export() {
        let sample = bench(1.0);
        for format in [ExportFormat::Csv, ExportFormat::Parquet] {
            let mut broken = std::iter::once(Err(Failure::new("The file is damaged", "")));
            let session = Exported {
                row: &sample.row,
                body: &sample.body,
                requests: &mut broken,
            };
            let ended = write(format, &mut [session], &mut Vec::new());
            assert_eq!(
                ended.map_err(|why| why.summary),
                Err("The file is damaged".to_owned())
            );
        }
    }
}

mod parquet_file {
    use super::*;

    fn reader(sample: &Sample) -> SerializedFileReader<bytes::Bytes> {
        let bytes = bytes::Bytes::from(sample.write(ExportFormat::Parquet));
        SerializedFileReader::new(bytes).expect("a Parquet file")
    }

    #[test]
    fn it_is_read_back_as_it_was() {
        let sample = bench(1.0);
        let file = reader(&sample);
        let rows: Vec<_> = file
            .get_row_iter(None)
            .expect("rows")
            .map(|row| row.expect("a row"))
            .collect();
        assert_eq!(rows.len(), sample.requests.len());
        let place = |name: &str| {
            COLUMNS
                .iter()
                .position(|(column, _)| *column == name)
                .expect("a column")
        };
        for (row, request) in rows.iter().zip(&sample.requests) {
            let record = &request.record;
            assert_eq!(
                row.get_long(place("index")).expect("a number"),
                record.index as i64
            );
            let ttft = record.ttft().map(crate::domain::units::ms);
            assert_eq!(row.get_double(place("ttft_ms")).ok(), ttft);
            assert_eq!(
                row.get_double(place("connect_ms")).ok(),
                None,
                "there is none"
            );
            let error = record.error.as_ref().map(|error| error.text.clone());
            assert_eq!(row.get_string(place("error_text")).ok().cloned(), error);
            let gaps = row.get_list(COLUMNS.len()).expect("a list").elements();
            let gaps: Vec<u32> = gaps
                .iter()
                .map(|gap| match gap {
                    Field::Int(gap) => *gap as u32,
                    other => panic!("{other}"),
                })
                .collect();
            assert_eq!(gaps, record.gaps_us);
        }
        assert!(
            sample
                .requests
                .iter()
                .any(|request| request.record.gaps_us.is_empty())
        );
    }

    #[test]
    fn a_session_without_requests_is_a_file_without_rows() {
        assert_eq!(reader(&chat()).metadata().file_metadata().num_rows(), 0);
    }
}

mod html_page {
    use super::*;

    /// The page is well-formed as XML but for its head, so a parser of ours walks the tags.
    #[track_caller]
    fn check_page(page: &str) {
        for never in [
            "<script",
            "javascript:",
            "http://",
            "src=",
            "href=",
            "@import",
            "url(",
        ] {
            assert!(!page.contains(never), "{never} is on the page");
        }
        let mut open: Vec<&str> = Vec::new();
        let mut ids: Vec<&str> = Vec::new();
        for tag in page
            .split('<')
            .skip(1)
            .filter_map(|rest| rest.split_once('>'))
            .map(|(tag, _)| tag)
        {
            let name = tag.split([' ', '\n']).next().unwrap_or_default();
            ids.extend(
                tag.split_once("id=\"")
                    .filter(|(before, _)| before.ends_with(' '))
                    .and_then(|(_, rest)| rest.split('"').next()),
            );
            match name.strip_prefix('/') {
                Some(closed) => assert_eq!(open.pop(), Some(closed), "closes in turn"),
                None if tag.ends_with('/') || matches!(name, "!doctype" | "meta" | "br") => {}
                None => open.push(name),
            }
        }
        assert_eq!(open, [""; 0], "all is closed");
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "ids are unique");
    }

    #[test]
    fn charts_name_the_model_that_answered() {
        let mut sample = bench(1.0);
        let SessionBody::Bench { report, .. } = &mut sample.body else {
            panic!("a benchmark")
        };
        let level = &mut report.levels[0];
        let answers = level.requests.ok;
        level.answered_by = vec![AnsweredBy {
            model: "fallback".to_owned(),
            answers,
        }];
        let name = level.credited();
        assert!(name.starts_with("fallback (asked: "), "{name}");
        let page = text(&sample, ExportFormat::Html);
        assert!(page.contains(&name), "{name} is on no chart");
    }

    #[test]
    fn a_report_has_its_charts_within_and_nothing_from_elsewhere() {
        let page = text(&bench(1.0), ExportFormat::Html);
        check_page(&page);
        assert_eq!(page.matches("<figure").count(), 5);
        for words in [
            "Sweep 1–64",
            "SambaStack",
            "1.4.0",
            "linux x86_64",
            "release 1.4",
            "c=64",
            "ttft ≤ 400ms",
        ] {
            assert!(page.contains(words), "{words}");
        }
        let charts = page.matches("role=\"img\"").count();
        assert_eq!(
            (
                page.matches("<title id=").count(),
                page.matches("<desc id=").count()
            ),
            (charts, charts)
        );
        assert!(!page.contains("NaN") && !page.contains("inf,"));
    }

    #[test]
    fn what_comes_from_outside_stays_text() {
        for sample in [bench(1.0), chat()] {
            let page = text(&sample, ExportFormat::Html);
            check_page(&page);
            assert!(
                page.contains("&lt;script&gt;alert(&quot;1&quot;)"),
                "{HOSTILE} is shown as text"
            );
        }
        let (one, two) = (bench(1.0), bench(1.2));
        let page = comparison_html(&comparison(&[HOSTILE, "b"]), &[one.report(), two.report()]);
        check_page(&page);
    }

    #[test]
    fn sessions_are_laid_over_each_other() {
        let samples: Vec<Sample> = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5].map(bench).into();
        let reports: Vec<&BenchReport> = samples.iter().map(Sample::report).collect();
        let page = comparison_html(&comparison(&["a", "b", "c", "d", "e", "f"]), &reports);
        check_page(&page);
        assert_eq!(page.matches("<figure").count(), 4);
        assert!(page.contains("class=\"worse\">worse"), "the verdict");
        assert!(page.contains("+8.0 … +16.0 %"), "the interval");
    }

    #[test]
    fn a_report_without_an_answer_is_a_page_too() {
        let mut sample = bench(1.0);
        if let SessionBody::Bench { report, traces } = &mut sample.body {
            report.levels.clear();
            traces.points.clear();
        }
        check_page(&text(&sample, ExportFormat::Html));
    }
}

mod markdown_text {
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
        let compared = comparison_markdown(&comparison(&["a|b", "c", "d"]));
        check_tables(&compared);
        assert!(
            compared.contains("**worse**") && compared.contains("+12.3 %"),
            "{compared}"
        );
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
}

#[test]
fn every_column_of_the_table_of_figures_is_in_both_reports() {
    use crate::domain::figures::COLUMNS;

    let sample = bench(1.0);
    let (page, markdown) = (
        text(&sample, ExportFormat::Html),
        text(&sample, ExportFormat::Markdown),
    );
    let names = || COLUMNS.iter().map(|(_, column)| column.name.clone());
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
            COLUMNS
                .iter()
                .map(|(metric, _)| cell(&metric.text_with_interval(level))),
        );
        let (_, line) = table
            .split_once(&format!("<th scope=\"row\">{}</th>", level.label))
            .expect("a row");
        let (line, _) = line.split_once("</tr>").expect("its end");
        assert_eq!(line.matches("<td").count(), COLUMNS.len());
        let cells = COLUMNS.iter().flat_map(|(metric, _)| {
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
