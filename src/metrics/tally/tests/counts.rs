//! What is counted, what is counted apart, and what meets its objectives.

use super::*;
use crate::domain::run::Limits;

#[test]
fn failures_are_counted_by_kind_and_in_no_figure() {
    let full = Some(FaultClass::QueueFull);
    let records = [
        answer(0, 100, &[10; 9]),
        failing(full, answer(1_000, 5_000, &[900; 9])),
        failing(None, answer(900, 5_000, &[900; 9])),
        failing(full, answer(950, 5_000, &[900; 9])),
        failing(Some(FaultClass::Cancelled), answer(960, 5_000, &[900; 9])),
    ];
    let level = report(CLOSED, &records);
    let alone = report(CLOSED, &records[..1]);
    for (with, without) in [
        (&level.ttft_ms, &alone.ttft_ms),
        (&level.itl_ms, &alone.itl_ms),
        (&level.tpot_ms, &alone.tpot_ms),
        (&level.latency_ms, &alone.latency_ms),
        (&level.first_answer_ms, &alone.first_answer_ms),
        (&level.user_tokens_per_s, &alone.user_tokens_per_s),
        (&level.output_tokens, &alone.output_tokens),
    ] {
        assert_eq!(with, without);
    }
    let Requests {
        ended,
        ok,
        failed,
        aborted,
        ..
    } = level.requests;
    assert_eq!((ended, ok, failed, aborted), (4, 1, 3, 1));
    let kinds: Vec<_> = level
        .requests
        .errors
        .iter()
        .map(|e| (e.kind.as_str(), e.count, e.example.as_str()))
        .collect();
    assert_eq!(kinds, [("queue_full", 2, "no 950"), ("other", 1, "no 900")]);
    assert_eq!(level.limits.queue_full, 2);
    assert_eq!(
        level.concurrency.most,
        Some(4),
        "they were in flight all the same"
    );
}

#[test]
fn warmups_and_switches_are_counted_apart() {
    let warmup = RequestRecord {
        phase: Phase::Warmup,
        ..answer(0, 900, &[50])
    };
    let switch = RequestRecord {
        phase: Phase::Switch,
        ..answer(0, 90_000, &[50])
    };
    let records = [
        warmup.clone(),
        switch,
        failing(None, warmup),
        answer(100_000, 100, &[10]),
    ];
    let level = report(CLOSED, &records);
    assert_eq!(
        (
            level.requests.ended,
            level.requests.warmup,
            level.requests.warmup_failed
        ),
        (1, 2, 1)
    );
    assert_eq!((level.ttft_ms.count, level.ttft_ms.max), (1, Some(100.0)));
    assert_eq!(
        level.concurrency.most,
        Some(1),
        "three were in flight at once before it"
    );
    let limited = RequestRecord {
        phase: Phase::Warmup,
        ..answer(0, 1, &[])
    };
    let refused = [
        FaultClass::RateLimited,
        FaultClass::IngressLimited,
        FaultClass::QueueFull,
    ]
    .map(|class| failing(Some(class), limited.clone()));
    assert_eq!(report(CLOSED, &refused).limits, Limits::default());
    assert_eq!(
        level.requests.errors,
        [],
        "errors are those of measured requests"
    );
    assert!(
        level
            .notes
            .contains(&"1 of 2 warm-ups failed: no 0".to_owned()),
        "{:?}",
        level.notes
    );
}

#[test]
fn an_answer_of_one_token_has_no_itl_and_misses_no_objective_of_it() {
    let objectives = Objectives {
        itl: Some(ms(15)),
        tpot: Some(ms(15)),
        ..Objectives::default()
    };
    let mut tally = Tally::new(objectives, CLOSED);
    tally.record(&answer(0, 100, &[]));
    tally.record(&answer(200, 100, &[10, 30]));
    tally.record(&failing(None, answer(400, 1, &[])));
    let level = tally.report(frame(0, 1_000));
    assert_eq!((level.itl_ms.count, level.tpot_ms.count), (2, 1));
    let goodput = level.goodput.expect("objectives are set");
    assert_eq!(
        (goodput.met, goodput.missed, goodput.share),
        (1, 2, Some(1.0 / 3.0))
    );
    assert_eq!(
        goodput.missed_by,
        [("itl".to_owned(), 1), ("tpot".to_owned(), 1)]
    );
    assert!((goodput.requests_per_s.expect("a rate") - 1.0).abs() < 0.01);
}

#[test]
fn an_objective_is_met_up_to_its_limit_and_counts_from_when_it_was_due() {
    let objectives = Objectives {
        ttft: Some(ms(100)),
        latency: Some(ms(150)),
        ..Objectives::default()
    };
    let mut late = answer(100, 100, &[10]);
    late.due = ms(50);
    let mut tally = Tally::new(objectives, OPEN);
    tally.record(&answer(0, 100, &[50]));
    tally.record(&late);
    let goodput = tally
        .report(frame(0, 1_000))
        .goodput
        .expect("objectives are set");
    assert_eq!((goodput.met, goodput.missed), (1, 1));
    assert_eq!(
        goodput.missed_by,
        [("ttft".to_owned(), 1), ("latency".to_owned(), 1)]
    );
}

#[test]
fn tokens_that_nobody_counted_are_called_chunks() {
    let mut uncounted = answer(0, 100, &[10; 9]);
    let tokens = uncounted.figures.tokens.as_mut().expect("tokens");
    tokens.source = TokenSource::Chunks;
    let all = report(CLOSED, &[uncounted.clone()]);
    assert_eq!(all.tokens_from, "chunks");
    assert!(
        all.notes[0].contains("tokens are chunks"),
        "{:?}",
        all.notes
    );
    let some = report(CLOSED, &[uncounted, answer(500, 100, &[])]);
    assert_eq!(some.tokens_from, "mixed");
    assert!(
        some.notes[0].starts_with("1 of 2 answers came without"),
        "{:?}",
        some.notes
    );
}
