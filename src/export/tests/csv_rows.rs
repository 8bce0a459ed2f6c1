//! Rows of CSV.

use std::time::Duration;

use super::*;
use crate::domain::history::Said;
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
    let line = |text: &str, separator| csv::lines([["x", text].map(Into::into)], separator);
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
