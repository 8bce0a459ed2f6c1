//! Requests that wait for each other.

use super::*;
use crate::domain::random::Random;

/// One slot, first come, first served, so busy; each request is served 10 ms on average.
fn queued(n: u64, busy: f64, seed: u64) -> Vec<RequestRecord> {
    let mut random = Random::new(seed);
    let (mut due, mut free) = (0.0, 0.0);
    let mut next = |index| {
        due += 10.0 / busy * random.exponential();
        let start = f64::max(due, free);
        free = start + 10.0 * random.exponential();
        let ttft = (start - due).round() as u64 + 1;
        let mut record = answer(due as u64, ttft, &[5, 5]);
        record.index = index;
        record
    };
    (0..n).map(&mut next).collect()
}

fn waited(level: &LevelReport) -> Option<&String> {
    let mut notes = level.notes.iter();
    notes.find(|note| note.starts_with("requests waited for each other: "))
}

#[test]
fn requests_that_waited_count_as_fewer_and_a_note_says_how_much_longer_it_takes() {
    let level = report(OPEN, &queued(2_000, 0.85, 4));
    let ttft = level.ttft_ms.estimate(P50);
    assert!(ttft.effective.is_some_and(|n| n < 500), "{ttft:?}");
    assert_eq!(level.ttft_ms.estimate(P99).ci, None, "{:?}", level.ttft_ms);
    let note = waited(&level).expect("a note");
    let begin = "requests waited for each other: 2,000 requests count as about ";
    assert!(note.starts_with(begin), "{note}");
    for part in [
        " in TTFT, so its ",
        "no 95 % interval: run about ",
        "--repeat",
    ] {
        assert!(note.contains(part), "{note}");
    }
    let requests = level.requests.effective;
    assert!(
        requests < Some(500),
        "none failed, all waited: {requests:?}"
    );
}

#[test]
fn requests_that_did_not_wait_are_left_as_they_are() {
    let mut random = Random::new(4);
    let free: Vec<RequestRecord> = (0..500)
        .map(|n| answer(n * 1_000, 50 + random.below(40) as u64, &[5, 5]))
        .collect();
    let level = report(OPEN, &free);
    assert_eq!(level.ttft_ms.estimate(P50).effective, Some(500));
    assert_eq!(waited(&level), None, "{:?}", level.notes);
}

#[test]
fn the_order_is_that_in_which_requests_were_due_whoever_recorded_them() {
    let records = queued(600, 0.8, 9);
    let one = report(OPEN, &records);
    let [mut all, mut other] = [tally(OPEN, &[]), tally(OPEN, &[])];
    for (at, record) in records.iter().rev().enumerate() {
        if at % 3 == 0 { &mut all } else { &mut other }.record(record);
    }
    all.merge(&other);
    let to = records.iter().map(|it| it.ended.as_millis() as u64);
    let merged = all.report(frame(0, to.max().unwrap_or(1)));
    assert_eq!(merged.ttft_ms, one.ttft_ms);
    assert_eq!(merged.itl_ms, one.itl_ms);
}

#[test]
fn while_a_level_runs_no_order_is_looked_at() {
    let records = queued(600, 0.8, 9);
    let running = LevelFrame {
        ended: LevelEnd::Running,
        ..frame(0, 20_000)
    };
    let level = tally(OPEN, &records).report(running);
    let ttft = level.ttft_ms.estimate(P50);
    assert!(ttft.value.is_some() && ttft.ci.is_none(), "{ttft:?}");
    assert_eq!((ttft.effective, waited(&level)), (None, None));
}

#[test]
fn failures_in_rows_are_told_from_failures_here_and_there() {
    let level = |failed: fn(u64) -> bool| {
        let one = |n| {
            let record = answer(n * 100, 50, &[5]);
            if failed(n) {
                failing(Some(FaultClass::Server), record)
            } else {
                record
            }
        };
        report(OPEN, &(0..1_000).map(one).collect::<Vec<_>>())
    };
    let rows = level(|n| n / 40 % 5 == 0).requests;
    let spread = level(|n| n % 5 == 0).requests;
    assert_eq!((rows.failed, spread.failed), (200, 200));
    assert_eq!(spread.effective, Some(1_000));
    assert!(rows.effective < Some(100), "{:?}", rows.effective);
}
