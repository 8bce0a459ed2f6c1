//! Recorded streams with the times their pieces arrive at, and the figures that must come out.
//!
//! `fixtures/sse` has the streams byte for byte, `fixtures/bench` the cases. A case tells every figure: what
//! it does not name must be absent.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use batida::metrics::timeline::TokenSource;
use batida::wire::answer::{AnswerError, AnswerReader, Step};
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// A file of `fixtures/sse`.
    stream: String,
    head_ms: u64,
    /// How the stream is cut, and when each piece is there.
    arrivals: Vec<Arrival>,
    /// The body ended in good order.
    end_ms: Option<u64>,
    /// The connection broke.
    broken_ms: Option<u64>,
    figures: Expected,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arrival {
    at_ms: u64,
    /// The piece ends with the next occurrence of this text; with the stream, if there is none.
    until: Option<String>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Expected {
    ending: String,
    finish: Option<String>,
    reasoning: String,
    answer: String,
    chunks: u64,
    ttft_ms: Option<f64>,
    first_answer_ms: Option<f64>,
    latency_ms: Option<f64>,
    tokens: Option<u64>,
    counted_by: Option<TokenSource>,
    tpot_ms: Option<f64>,
    gaps_us: Vec<u32>,
    itl_ms: Option<f64>,
    longest_gap_ms: Option<f64>,
    reasoning_tokens: Option<u64>,
    reasoning_ms: Option<f64>,
    prompt_tokens: Option<u64>,
    cached_tokens: Option<u64>,
    server_ttft_ms: Option<f64>,
    server_latency_ms: Option<f64>,
}

#[test]
fn every_recorded_case_gives_its_figures() {
    let cases = cases();
    let streams: BTreeSet<&str> = cases.iter().map(|(_, case)| case.stream.as_str()).collect();
    let unused: Vec<_> = files("sse")
        .into_iter()
        .filter(|path| !streams.contains(&*name(path)))
        .collect();
    assert_eq!(unused, Vec::<PathBuf>::new(), "streams that no case reads");
    for (file, case) in &cases {
        let stream = stream(case);
        let pieces = pieces(case, &stream);
        let got = read(case, &pieces, true);
        assert_eq!(got, case.figures, "{file}");
        let silent = read(case, &pieces, false);
        let without_text = Expected {
            reasoning: String::new(),
            answer: String::new(),
            ..got
        };
        assert_eq!(
            silent, without_text,
            "{file}: keeping no text changes no figure"
        );
    }
}

proptest! {
    /// Each event's bytes arrive at one instant, in however many reads.
    #[test]
    fn where_the_network_cuts_changes_no_figure(
        which in any::<prop::sample::Index>(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        keep_text in any::<bool>(),
    ) {
        let cases = cases();
        let (file, case) = which.get(&cases);
        let stream = stream(case);
        let pieces = pieces(case, &stream);
        let cut: Vec<(u64, &[u8])> = pieces.iter().flat_map(|(at, piece)| {
            let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(piece.len() + 1)).collect();
            ends.extend([0, piece.len()]);
            ends.sort_unstable();
            ends.windows(2).map(|ends| (*at, &piece[ends[0]..ends[1]])).collect::<Vec<_>>()
        }).collect();
        prop_assert_eq!(read(case, &cut, keep_text), read(case, &pieces, keep_text), "{}", file);
    }
}

proptest! {
    /// An event is there when its last byte is, whatever else its reads bring.
    #[test]
    fn an_event_in_many_reads_counts_from_the_last_of_them(
        which in any::<prop::sample::Index>(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let cases: Vec<_> = cases().into_iter().filter(|(_, case)| case.stream != "crlf.txt").collect();
        let (file, case) = which.get(&cases);
        let stream = stream(case);
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len())).collect();
        ends.extend([0, stream.len()]);
        ends.sort_unstable();
        ends.dedup();
        // One that waits for nothing but its blank line is there already.
        ends.retain(|end| *end == 0 || stream.get(end - 1..=*end) != Some(&b"\n\n"[..]));
        let at = |read: usize| 10 + 3 * read as u64;
        let reads: Vec<(u64, &[u8])> =
            ends.windows(2).enumerate().map(|(n, ends)| (at(n), &stream[ends[0]..ends[1]])).collect();
        let mut behind = 0;
        let events: Vec<(u64, &[u8])> = split_events(&stream)
            .into_iter()
            .map(|event| {
                behind += event.len();
                (at(ends.partition_point(|end| *end < behind) - 1), event)
            })
            .collect();
        prop_assert_eq!(read(case, &reads, true), read(case, &events, true), "{}", file);
    }
}

/// Each with its blank line.
fn split_events(stream: &[u8]) -> Vec<&[u8]> {
    let mut rest = stream;
    let mut events = Vec::new();
    while !rest.is_empty() {
        let end = rest
            .windows(2)
            .position(|two| two == b"\n\n")
            .map_or(rest.len(), |at| at + 2);
        let (event, behind) = rest.split_at(end);
        events.push(event);
        rest = behind;
    }
    events
}

/// Reads the pieces as the engine does.
fn read(case: &Case, pieces: &[(u64, &[u8])], keep_text: bool) -> Expected {
    let mut reader = AnswerReader::new(keep_text);
    reader.collect_gaps(Vec::new());
    reader.head(ms(case.head_ms), None);
    let mut last = Step::More;
    for (at, bytes) in pieces {
        if last == Step::More {
            last = reader.take(ms(*at), bytes);
        }
    }
    let as_step = |ended: Result<_, _>| ended.map_or_else(Step::Failed, Step::Done);
    let step = match (last, case.end_ms, case.broken_ms) {
        (Step::More, Some(end), _) => as_step(reader.at_the_end(ms(end))),
        (Step::More, None, Some(_)) => as_step(
            reader
                .complete()
                .ok_or(AnswerError::Cut("broken".to_owned())),
        ),
        (step, ..) => step,
    };
    reader.finish_text();
    let news = reader.take_news();
    let figures = reader.figures();
    let (ending, finish) = match step {
        Step::More => ("still coming", None),
        Step::Done(reason) => ("done", Some(format!("{reason:?}").to_lowercase())),
        Step::Failed(AnswerError::Sent(_)) => ("the server sent an error", None),
        Step::Failed(AnswerError::Refused) => ("refused", None),
        Step::Failed(AnswerError::NotAnAnswer) => ("not an answer", None),
        Step::Failed(AnswerError::Cut(_)) => ("cut", None),
        Step::Failed(AnswerError::Unreadable(_)) => ("unreadable", None),
        Step::Failed(AnswerError::GaveUp(_)) => ("gave up", None),
    };
    Expected {
        ending: ending.to_owned(),
        finish,
        reasoning: news.reasoning,
        answer: news.answer,
        chunks: reader.chunks(),
        ttft_ms: figures.ttft.map(in_ms),
        first_answer_ms: figures.first_answer.map(in_ms),
        latency_ms: figures.latency.map(in_ms),
        tokens: figures.tokens.map(|tokens| tokens.n),
        counted_by: figures.tokens.map(|tokens| tokens.source),
        tpot_ms: figures.tpot.map(in_ms),
        gaps_us: reader.gaps_us().to_vec(),
        itl_ms: figures.itl.map(in_ms),
        longest_gap_ms: figures.longest_gap.map(in_ms),
        reasoning_tokens: figures.reasoning.map(|reasoning| reasoning.tokens.n),
        reasoning_ms: figures.reasoning.map(|reasoning| in_ms(reasoning.time)),
        prompt_tokens: figures.prompt_tokens,
        cached_tokens: figures.cached_tokens,
        server_ttft_ms: figures.server.and_then(|server| server.ttft).map(in_ms),
        server_latency_ms: figures.server.and_then(|server| server.latency).map(in_ms),
    }
}

fn pieces<'a>(case: &Case, stream: &'a [u8]) -> Vec<(u64, &'a [u8])> {
    let mut rest = stream;
    let pieces = case.arrivals.iter().map(|Arrival { at_ms, until }| {
        let end = until.as_ref().map_or(rest.len(), |until| {
            let found = rest
                .windows(until.len())
                .position(|window| window == until.as_bytes());
            found.unwrap_or_else(|| panic!("no {until:?} follows in {}", case.stream)) + until.len()
        });
        let (piece, behind) = rest.split_at(end);
        rest = behind;
        (*at_ms, piece)
    });
    let pieces: Vec<_> = pieces.collect();
    assert_eq!(rest, b"", "all of {} arrives", case.stream);
    pieces
}

fn stream(case: &Case) -> Vec<u8> {
    fs::read(folder("sse").join(&case.stream)).expect("the case's stream is there")
}

fn cases() -> Vec<(String, Case)> {
    files("bench")
        .iter()
        .map(|path| {
            let text = fs::read_to_string(path).expect("a case is text");
            let case =
                toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (name(path), case)
        })
        .collect()
}

fn files(of: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder(of))
        .expect("fixtures")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no fixtures in {of}");
    files
}

fn folder(of: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(of)
}

fn name(path: &Path) -> String {
    path.file_name()
        .expect("a file")
        .to_string_lossy()
        .into_owned()
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// To the microsecond.
fn in_ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}
