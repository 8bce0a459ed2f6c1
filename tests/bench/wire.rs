//! What reading one event of a stream costs, beside a reader that only looks for line ends.
//!
//! `cargo bench --bench wire [-- ROUNDS]`

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use batida::wire::answer::{AnswerReader, Step};
use batida::wire::openai::Chunk;
use batida::wire::sse::SseDecoder;

/// Tokens of the answer.
const TOKENS: usize = 64;

type Reader = fn(&[Vec<u8>]);

fn main() {
    let rounds = std::env::args()
        .find_map(|arg| arg.parse().ok())
        .unwrap_or(2_000);
    for (server, created) in [("created once", false), ("created in each chunk", true)] {
        let events = answer(created);
        let whole = [events.concat()];
        println!(
            "{server}, {} events of {} bytes on average:",
            events.len(),
            whole[0].len() / events.len()
        );
        measure("in one read", &whole, events.len(), rounds);
        measure("one event in each read", &events, events.len(), rounds);
    }
}

fn measure(name: &str, reads: &[Vec<u8>], events: usize, rounds: u32) {
    let readers: [(&str, Reader); 4] = [
        ("line ends", line_ends),
        ("events", |reads| decode(reads, |_| {})),
        ("events, chunks", |reads| {
            decode(reads, |data| {
                // `[DONE]` is no JSON.
                let _ = black_box(Chunk::parse(data));
            });
        }),
        ("figures", figures),
    ];
    let mut best = [Duration::MAX; 4];
    // In turn, so that a busy machine is busy for all; the best of many parts.
    for _ in 0..20 {
        for ((_, read), best) in readers.iter().zip(&mut best) {
            let began = Instant::now();
            for _ in 0..rounds / 20 + 1 {
                read(black_box(reads));
            }
            *best = (*best).min(began.elapsed() / (rounds / 20 + 1));
        }
    }
    for ((what, _), took) in readers.iter().zip(best) {
        println!(
            "  {name}, {what}: {:.0} ns/event",
            took.as_nanos() as f64 / events as f64
        );
    }
}

fn line_ends(reads: &[Vec<u8>]) {
    black_box(
        reads
            .iter()
            .map(|bytes| memchr::memchr_iter(b'\n', bytes).count())
            .sum::<usize>(),
    );
}

fn decode(reads: &[Vec<u8>], mut each: impl FnMut(&str)) {
    let mut decoder = SseDecoder::default();
    for bytes in reads {
        let pushed = decoder.push(bytes, |event| each(black_box(&event.data)));
        pushed.expect("events are short");
    }
}

fn figures(reads: &[Vec<u8>]) {
    let mut reader = AnswerReader::new(false);
    let mut last = Step::More;
    for (at, bytes) in reads.iter().enumerate() {
        last = reader.take(Duration::from_millis(at as u64), bytes);
    }
    assert!(matches!(last, Step::Done(_)) && reader.chunks() == TOKENS as u64);
    black_box(reader.figures());
}

/// As SambaStack writes it: the role, the tokens, the finish reason, the usage, the end.
fn answer(created_in_each: bool) -> Vec<Vec<u8>> {
    const WORDS: [&str; 8] = [
        " the", " load", "ed", " model", ",", " answers", r"\n", " café",
    ];
    let event = |n: usize, choices: String, usage: &str| {
        let created = if created_in_each {
            1_737_642_515.607 + n as f64 * 0.01
        } else {
            1_737_642_515.607
        };
        let json = format!(
            r#"{{"choices":[{choices}],"created":{created},"id":"15fce6a1-0c9b-4d9c-9e0a-2b0c8f4f7f3e","model":"Meta-Llama-3.3-70B-Instruct","object":"chat.completion.chunk","system_fingerprint":"fastcoe"{usage}}}"#
        );
        format!("data: {json}\n\n").into_bytes()
    };
    let choice = |delta: &str, finish: &str| {
        format!(r#"{{"delta":{delta},"finish_reason":{finish},"index":0,"logprobs":null}}"#)
    };
    let mut events = vec![event(
        0,
        choice(r#"{"content":"","role":"assistant"}"#, "null"),
        "",
    )];
    for n in 0..TOKENS {
        let delta = format!(r#"{{"content":"{}"}}"#, WORDS[n % WORDS.len()]);
        events.push(event(n + 1, choice(&delta, "null"), ""));
    }
    events.push(event(TOKENS + 1, choice("{}", r#""stop""#), ""));
    let usage = r#","usage":{"completion_tokens":64,"prompt_tokens":43,"total_tokens":107,"time_to_first_token":0.08,"total_latency":0.45}"#;
    events.push(event(TOKENS + 2, String::new(), usage));
    events.push(b"data: [DONE]\n\n".to_vec());
    events
}
