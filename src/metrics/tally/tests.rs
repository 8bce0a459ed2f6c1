mod counts;
mod notes;
mod waited;

use proptest::prelude::*;

use super::*;
use crate::domain::plan::Arrivals;
use crate::domain::run::{LevelReport, Stats, Throughput};
use crate::domain::stats::{P1, P5, P50, P95, P99, Percentiles};
use crate::metrics::request::RequestError;
use crate::metrics::timeline::Tokens;
use crate::metrics::timeline::{Figures, TextKind, Timeline, Usage};

const CLOSED: LevelLoad = LevelLoad::Concurrency(1);
const OPEN: LevelLoad = LevelLoad::Rate {
    per_sec: 2.0,
    arrivals: Arrivals::Constant,
    most_in_flight: None,
};

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Sent at `sent`, first chunk `ttft` later, then chunks after these gaps (all in ms), and the end.
fn answer(sent: u64, ttft: u64, gaps: &[u64]) -> RequestRecord {
    let mut timeline = Timeline::default();
    let mut at = ttft;
    timeline.text(TextKind::Answer, ms(at));
    for gap in gaps {
        at += gap;
        timeline.text(TextKind::Answer, ms(at));
    }
    timeline.end(ms(at));
    let usage = Usage {
        prompt_tokens: Some(100),
        completion_tokens: Some(gaps.len() as u64 + 1),
        ..Usage::default()
    };
    RequestRecord {
        index: sent,
        level: 0,
        phase: Phase::Measured,
        due: ms(sent),
        sent: ms(sent),
        ended: ms(sent + at),
        figures: timeline.figures(Some(&usage)),
        first_byte: Some(ms(ttft)),
        gaps_us: gaps.iter().map(|gap| *gap as u32 * 1_000).collect(),
        chunks: gaps.len() as u64 + 1,
        bytes: 1_000,
        wanted_prompt_tokens: None,
        answered_by: None,
        reconnected: false,
        error: None,
    }
}

fn failing(class: Option<FaultClass>, record: RequestRecord) -> RequestRecord {
    let error = RequestError {
        class,
        status: Some(500),
        text: format!("no {}", record.index),
    };
    RequestRecord {
        error: Some(error),
        ..record
    }
}

fn frame(from: u64, to: u64) -> LevelFrame {
    LevelFrame {
        index: 0,
        model: "m".to_owned(),
        deployment: None,
        ended: LevelEnd::Requests,
        began: ms(from),
        now: ms(to),
        steady: Some([ms(from), ms(to)]),
        pauses: Vec::new(),
        in_flight_since: Vec::new(),
        most_in_flight: 0,
        aborted: 0,
        unsent: 0,
        sending: None,
        rate_limit: Vec::new(),
        watch: Watch::default(),
    }
}

fn tally(load: LevelLoad, records: &[RequestRecord]) -> Tally {
    let mut tally = Tally::new(Objectives::default(), load);
    records.iter().for_each(|record| tally.record(record));
    tally
}

fn report(load: LevelLoad, records: &[RequestRecord]) -> LevelReport {
    let to = records
        .iter()
        .map(|record| record.ended.as_millis() as u64)
        .max()
        .unwrap_or(1);
    tally(load, records).report(frame(0, to))
}

#[test]
fn figures_of_one_answer_are_its_own() {
    let level = report(CLOSED, &[answer(0, 100, &[10; 63])]);
    assert_eq!(level.ttft_ms.at(P50), Some(100.0));
    assert_eq!((level.itl_ms.count, level.itl_ms.mean), (63, Some(10.0)));
    assert_eq!(level.tpot_ms.mean, Some(10.0));
    assert_eq!(level.user_tokens_per_s.mean, Some(100.0));
    assert_eq!(
        (level.prompt_tokens.mean, level.output_tokens.mean),
        (Some(100.0), Some(64.0))
    );
    assert_eq!(
        (
            level.cached_tokens.count,
            level.connect_ms.count,
            level.late_ms.count
        ),
        (0, 0, 0)
    );
    assert_eq!((level.tokens_from.as_str(), level.server), ("usage", None));
    assert_eq!(level.goodput, None, "nobody set an objective");
    let tokens = level
        .throughput
        .output_tokens_per_s
        .expect("64 tokens in 730 ms")
        .mean;
    assert!((tokens / (64.0 / 0.73) - 1.0).abs() < 0.02, "{tokens}");
}

#[test]
fn pooled_gaps_are_no_mean_of_means() {
    // One answer with a gap of 10 ms, and one with 99 gaps of 20 ms.
    let level = report(
        CLOSED,
        &[answer(0, 100, &[10]), answer(200, 100, &[20; 99])],
    );
    assert_eq!(level.itl_ms.count, 100);
    assert_eq!(
        level.itl_ms.mean,
        Some(19.9),
        "the mean of the means would be 15"
    );
    assert_eq!(
        [level.itl_ms.at(P1), level.itl_ms.at(P5)].map(|p| p.map(f64::round)),
        [Some(10.0), Some(20.0)]
    );
}

#[test]
fn a_stalled_server_cannot_flatter_itself() {
    // Due every 500 ms; the second left 900 ms late since the connection was not to be had.
    let mut late = answer(1_400, 100, &[10; 9]);
    late.due = ms(500);
    let level = report(OPEN, &[answer(0, 100, &[10; 9]), late]);
    assert_eq!(
        (level.ttft_ms.min, level.ttft_ms.max),
        (Some(100.0), Some(1_000.0))
    );
    assert_eq!(level.latency_ms.max, Some(1_090.0));
    assert_eq!(level.late_ms.max, Some(900.0));
    assert_eq!(
        (level.tpot_ms.max, level.itl_ms.max),
        (Some(10.0), Some(10.0)),
        "waiting is no writing"
    );
}

#[test]
fn what_was_due_and_never_sent_missed_its_objectives_and_is_told() {
    let objectives = Objectives {
        ttft: Some(ms(200)),
        ..Objectives::default()
    };
    let capped = LevelLoad::Rate {
        per_sec: 20.0,
        arrivals: Arrivals::Constant,
        most_in_flight: Some(1),
    };
    let mut tally = Tally::new(objectives, capped);
    (0..30).for_each(|i| tally.record(&answer(i * 330, 100, &[10; 9])));
    // Ten seconds; what was sent had been due in the first one and a half.
    let sending = Sending {
        requests: 30,
        due_for: ms(1_450),
        took: ms(10_000),
    };
    let cut = LevelFrame {
        unsent: 170,
        sending: Some(sending),
        aborted: 1,
        ..frame(0, 10_000)
    };
    let level = tally.report(cut);
    assert_eq!(
        (
            level.requests.ended,
            level.requests.aborted,
            level.requests.unsent
        ),
        (30, 1, 170)
    );
    let goodput = level.goodput.expect("an objective is set");
    assert_eq!(
        (goodput.met, goodput.missed, goodput.share),
        (30, 170, Some(0.15))
    );
    let said = level.notes.join("\n");
    for words in [
        "170 requests were due and not sent, since all places in flight were taken",
        "20/s asked, 3.00/s sent: the figures are of that load",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let kept = Sending {
        requests: 30,
        due_for: ms(9_570),
        took: ms(9_571),
    };
    let level = tally.report(LevelFrame {
        sending: Some(kept),
        ..frame(0, 10_000)
    });
    assert!(
        !level.notes.iter().any(|note| note.contains("sent")),
        "{:?}",
        level.notes
    );
}

#[test]
fn only_lateness_of_our_own_is_a_doubt() {
    // It waited for a place in flight, as the load asks.
    let mut queued = answer(1_400, 100, &[10; 9]);
    queued.due = ms(500);
    let tally = tally(OPEN, &[answer(0, 100, &[10; 9]), queued]);
    let doubts = |watch: Watch| {
        tally
            .report(LevelFrame {
                watch,
                ..frame(0, 2_000)
            })
            .watch
            .doubts
    };
    let seen = Stats {
        count: 100,
        percentiles: Percentiles::of([(P99, 0.1)]),
        ..Stats::default()
    };
    let own = Watch {
        read_late_ms: seen,
        ..Watch::default()
    };
    assert_eq!(doubts(own.clone()), [""; 0]);
    let late = Stats {
        count: 2,
        percentiles: Percentiles::of([(P99, 900.0)]),
        ..Stats::default()
    };
    let late = doubts(Watch {
        left_late_ms: late,
        late_requests: 1,
        ..own
    });
    assert!(late.len() == 1 && late[0].contains("left late"), "{late:?}");
}

#[test]
fn what_a_stall_piled_up_is_in_no_rate() {
    let load = LevelLoad::Rate {
        per_sec: 4.0,
        arrivals: Arrivals::Constant,
        most_in_flight: None,
    };
    // Due every 250 ms for 20 s; the server answers nothing for 6 s, then each at once in 100 ms.
    let records: Vec<RequestRecord> = (0..80)
        .map(|n| {
            let due = n * 250;
            let mut record = answer(due.max(6_000), 90, &[10]);
            (record.index, record.due) = (n, ms(due));
            record
        })
        .collect();
    let rate = |records: &[RequestRecord]| {
        let level = tally(load, records).report(frame(6_000, 20_000));
        level.throughput.requests_per_s.expect("a rate").mean
    };
    assert!((rate(&records) - 4.0).abs() < 0.1, "{}", rate(&records));
    let even: Vec<RequestRecord> = (0..80).map(|n| answer(n * 250, 90, &[10])).collect();
    assert!((rate(&even) - 4.0).abs() < 0.1, "{}", rate(&even));
}

#[test]
fn the_servers_figures_stand_beside_ours() {
    let mut record = answer(0, 100, &[10; 9]);
    record.figures.server = Some(crate::metrics::timeline::ServerFigures {
        ttft: Some(ms(70)),
        latency: Some(ms(150)),
        after_first_per_sec: Some(110.0),
        ..Default::default()
    });
    let server = report(CLOSED, &[record]).server.expect("it sends some");
    assert_eq!(
        (
            server.ttft_p50_difference_ms,
            server.latency_p50_difference_ms
        ),
        (Some(30.0), Some(40.0))
    );
    assert_eq!(server.tokens_per_s.mean, Some(110.0));
    assert_eq!(server.tokens_per_s_p50_difference, Some(-10.0));
}

#[test]
fn differences_are_over_the_same_answers_and_from_when_they_were_sent() {
    let served = |record: RequestRecord, ttft: u64| {
        let figures = crate::metrics::timeline::ServerFigures {
            ttft: Some(ms(ttft)),
            ..Default::default()
        };
        let figures = Figures {
            server: Some(figures),
            ..record.figures
        };
        RequestRecord { figures, ..record }
    };
    // Due a second before they left, and twice as many answers of which the server says nothing.
    let due = |record: RequestRecord| RequestRecord {
        due: record.sent - ms(1_000),
        ..record
    };
    let records: Vec<RequestRecord> = (1..=30u64)
        .map(|i| {
            due(answer(
                i * 2_000,
                if i % 3 == 0 { 100 } else { 700 },
                &[10; 9],
            ))
        })
        .map(|record| {
            if record.sent.as_secs() % 6 == 0 {
                served(record, 80)
            } else {
                record
            }
        })
        .collect();
    let level = report(OPEN, &records);
    assert_eq!(level.ttft_ms.at(P50), Some(1_700.0));
    let server = level.server.expect("it sends some");
    assert_eq!(
        (server.ttft_ms.count, server.ttft_p50_difference_ms),
        (10, Some(20.0))
    );
    assert_eq!(server.latency_p50_difference_ms, None, "it says no latency");
}

#[test]
fn without_a_steady_part_there_is_no_throughput() {
    let tally = tally(CLOSED, &[answer(0, 100, &[10; 9])]);
    let level = tally.report(LevelFrame {
        steady: None,
        ..frame(0, 1_000)
    });
    assert_eq!(level.throughput, Throughput::default());
    assert_eq!((level.concurrency.reached, level.steady_s), (None, None));
    assert!(
        level.notes.iter().any(|note| note.contains("never steady")),
        "{:?}",
        level.notes
    );
}

#[test]
fn what_is_in_flight_still_counts_as_such() {
    let tally = tally(LevelLoad::Concurrency(2), &[answer(0, 500, &[500])]);
    let still = LevelFrame {
        in_flight_since: vec![ms(0)],
        ..frame(0, 1_000)
    };
    let reached = tally.report(still).concurrency.reached.expect("a mean");
    assert!((reached - 2.0).abs() < 0.002, "{reached}");
    let level = tally.report(frame(0, 1_000));
    assert!(
        level.notes.contains(
            &"2 asked for in flight, 1.0 reached: the figures are of that load".to_owned()
        )
    );
    let running = tally.report(LevelFrame {
        ended: LevelEnd::Running,
        ..frame(0, 1_000)
    });
    assert_eq!(running.notes, [""; 0], "more will come");
}

fn any_record() -> impl Strategy<Value = RequestRecord> {
    let gaps = prop::collection::vec(0u64..200, 0..20);
    (0u64..60_000, 1u64..2_000, gaps, 0u64..300, 0u8..10).prop_map(
        |(sent, ttft, gaps, late, kind)| {
            let mut record = answer(sent + 300, ttft, &gaps);
            record.due = record.sent - ms(late);
            record.index = sent * 31 + ttft;
            record.wanted_prompt_tokens = Some(95 + late as u32 / 30);
            match kind {
                0 => failing(Some(FaultClass::RateLimited), record),
                1 => failing(None, record),
                2 => RequestRecord {
                    phase: Phase::Warmup,
                    ..record
                },
                3 => failing(
                    None,
                    RequestRecord {
                        phase: Phase::Warmup,
                        ..record
                    },
                ),
                _ => record,
            }
        },
    )
}

proptest! {
    #[test]
    fn merging_equals_recording_everything_in_one(
        a in prop::collection::vec(any_record(), 0..40),
        b in prop::collection::vec(any_record(), 0..40),
    ) {
        let objectives = Objectives { ttft: Some(ms(900)), itl: Some(ms(100)), ..Objectives::default() };
        let of = |records: &mut dyn Iterator<Item = &RequestRecord>| {
            let mut tally = Tally::new(objectives, OPEN);
            records.for_each(|record| tally.record(record));
            tally
        };
        let mut merged = of(&mut a.iter());
        merged.merge(&of(&mut b.iter()));
        let all = of(&mut b.iter().chain(&a));
        let frame = || LevelFrame { steady: Some([ms(5_000), ms(40_000)]), ..frame(0, 62_000) };
        prop_assert_eq!(merged.report(frame()), all.report(frame()));
        prop_assert_eq!(merged.ended(), all.ok() + all.failed());
    }
}
