//! What a level's notes say, and when.

use super::*;
use crate::domain::random::Random;
use crate::domain::run::{AnsweredBy, RemarkKind};

#[test]
fn too_few_requests_are_said_in_one_sentence() {
    let mut random = Random::new(1);
    let mut gaps = || -> Vec<u64> { (0..99).map(|_| 8 + random.below(5) as u64).collect() };
    let records: Vec<_> = (0..40).map(|i| answer(i * 1_000, 100, &gaps())).collect();
    let level = report(CLOSED, &records);
    assert_eq!(
        (
            level.ttft_ms.estimate(P50).ci.is_some(),
            level.ttft_ms.estimate(P95).ci
        ),
        (true, None)
    );
    assert!(level.itl_ms.estimate(P50).ci.is_some());
    let few: Vec<_> = level
        .notes
        .iter()
        .filter(|note| note.contains("95 % interval"))
        .collect();
    let remarks = level.remarks();
    let kinds: Vec<RemarkKind> = remarks
        .iter()
        .filter(|remark| level.notes.contains(&remark.text))
        .map(|remark| remark.kind)
        .collect();
    assert_eq!(kinds, [RemarkKind::Interval], "{:?}", level.notes);
    assert_eq!(
        few,
        [
            "p95, p99 and p99.9 of TTFT, TPOT and latency rest on 40 requests: they need 72, 368 and 3,688 for a \
             95 % interval; p95 and p99 of ITL: the gaps are of too few answers for a 95 % interval"
        ]
    );
    let more: Vec<_> = (0..100).map(|i| answer(i * 1_000, 100, &[])).collect();
    let notes = report(CLOSED, &more).notes;
    let last = notes.last().map(String::as_str);
    assert_eq!(
        last,
        Some(
            "p99 and p99.9 of TTFT and latency rest on 100 requests: they need 368 and 3,688 for a 95 % interval"
        )
    );
}

#[test]
fn many_gaps_of_few_answers_are_no_ground_for_an_interval() {
    let level = report(CLOSED, &[answer(0, 100, &[10; 500])]);
    assert_eq!(
        (level.itl_ms.count, level.itl_ms.estimate(P50).ci),
        (500, None)
    );
    let note = level.notes.last().map(String::as_str).unwrap_or_default();
    assert!(
        note.starts_with("p50, p95, p99 and p99.9 of TTFT, TPOT and latency rest on 1 request: "),
        "{note}"
    );
    assert!(
        note.ends_with(
            "; p50, p95 and p99 of ITL: the gaps are of too few answers for a 95 % interval"
        ),
        "{note}"
    );
}

#[test]
fn prompts_off_their_length_are_told() {
    let mut records: Vec<_> = (0..10).map(|i| answer(i * 1_000, 100, &[])).collect();
    records
        .iter_mut()
        .for_each(|record| record.wanted_prompt_tokens = Some(98));
    records[3].wanted_prompt_tokens = Some(90);
    let notes = report(CLOSED, &records).notes;
    // 98 → 100 is 2.04 %.
    let expected = "10 of 10 prompts missed the length asked for by more than 2 %; all together they were 2.88 % longer";
    assert!(notes.contains(&expected.to_owned()), "{notes:?}");
    records
        .iter_mut()
        .for_each(|record| record.wanted_prompt_tokens = Some(102));
    assert!(
        !report(CLOSED, &records)
            .notes
            .iter()
            .any(|note| note.contains("prompts"))
    );
}

#[test]
fn throughput_of_few_answer_times_says_that_it_has_no_interval() {
    // Eight clients, each amid its third answer of ten seconds.
    let records: Vec<_> = (0..24)
        .map(|i| answer((i % 3) * 10_000 + i * 100, 1_000, &[100; 90]))
        .collect();
    let level = tally(LevelLoad::Concurrency(8), &records).report(frame(0, 30_000));
    assert_eq!(
        level.throughput.requests_per_s.map(|rate| rate.ci),
        Some(None)
    );
    let said = level
        .notes
        .iter()
        .find(|note| note.starts_with("throughput"));
    let expected =
        "has no 95 % interval: the steady part of 30.0 s is shorter than 5 answers of 10.0 s";
    assert!(
        said.is_some_and(|note| note.ends_with(expected)),
        "{:?}",
        level.notes
    );
    let long = tally(LevelLoad::Concurrency(8), &records).report(frame(0, 60_000));
    assert!(
        !long.notes.iter().any(|note| note.starts_with("throughput")),
        "{:?}",
        long.notes
    );
}

/// The first note on `n` requests over so many seconds, the last of which was refused.
fn first_note(
    n: u64,
    seconds: u64,
    class: Option<FaultClass>,
    headers: &[(String, String)],
) -> String {
    let gap = seconds * 1_000 / n;
    let mut records: Vec<_> = (0..n - 1).map(|i| answer(i * gap, 1, &[])).collect();
    let refused = failing(class, answer(seconds * 1_000 - 1, 1, &[]));
    let error = refused.error.clone().map(|error| RequestError {
        status: Some(429),
        ..error
    });
    records.push(RequestRecord { error, ..refused });
    let rate_limit = headers.to_vec();
    let level = tally(CLOSED, &records).report(LevelFrame {
        rate_limit,
        ..frame(0, seconds * 1_000)
    });
    assert_eq!(level.limits.rate_limited, 1);
    level.notes[0].clone()
}

#[test]
fn a_limit_is_told_from_slowness_and_the_ingress_from_the_api() {
    let refused = "1 request was refused for a rate limit or a quota: the figures measure that limit as much as the model";
    let stock = "lets 240 a minute through as SambaStack installs it (burst 360)";
    // A minute of the stock ingress lets 240 through besides a burst of 360.
    for (n, class) in [(610, Some(FaultClass::RateLimited)), (610, None)] {
        let said = first_note(n, 60, class, &[]);
        assert_eq!(
            said,
            format!("{refused}; that many in 60.0 s may be more than the ingress, which {stock}")
        );
    }
    assert_eq!(
        first_note(12, 1, Some(FaultClass::RateLimited), &[]),
        refused,
        "its burst is not used up"
    );
    assert_eq!(
        first_note(600, 60, Some(FaultClass::RateLimited), &[]),
        refused
    );
    let told = [("x-ratelimit-limit-requests".to_owned(), "1000".to_owned())];
    assert_eq!(
        first_note(610, 60, Some(FaultClass::RateLimited), &told),
        refused,
        "the API has its own"
    );
    let said = first_note(12, 1, Some(FaultClass::IngressLimited), &told);
    assert_eq!(
        said,
        format!("{refused}; by the ingress, with a web page as no API sends: it {stock}")
    );
}

#[test]
fn the_ingress_has_a_count_and_an_example_of_its_own() {
    let [api, ingress] = [FaultClass::RateLimited, FaultClass::IngressLimited]
        .map(|class| failing(Some(class), answer(10, 1, &[])));
    let level = report(CLOSED, &[answer(0, 1, &[]), api, ingress.clone(), ingress]);
    assert_eq!((level.limits.rate_limited, level.limits.ingress), (3, 2));
    let kinds: Vec<_> = level
        .requests
        .errors
        .iter()
        .map(|e| (e.kind.as_str(), e.count))
        .collect();
    assert_eq!(kinds, [("ingress_limited", 2), ("rate_limited", 1)]);
    assert!(
        level.notes[0].contains("; 2 of them by the ingress"),
        "{:?}",
        level.notes
    );
}

#[test]
fn answers_that_arrived_all_at_once_are_counted_and_have_no_speed() {
    let at_once = |sent| {
        let mut record = answer(sent, 50, &[0, 0, 0]);
        assert!(record.figures.at_once, "they have no gaps");
        record.gaps_us.clear();
        record
    };
    let level = report(
        CLOSED,
        &[at_once(0), at_once(100), answer(200, 50, &[10, 10])],
    );
    assert_eq!((level.at_once, level.requests.ok), (2, 3));
    assert_eq!(
        (
            level.itl_ms.count,
            level.tpot_ms.count,
            level.user_tokens_per_s.count
        ),
        (2, 1, 1)
    );
    assert_eq!(level.ttft_ms.count, 3, "when the first text came is known");
    let note = "2 of 3 answers arrived all at once; a proxy may be buffering: they are in no TPOT, ITL or tokens/s";
    assert!(
        level.notes.iter().any(|told| told == note),
        "{:?}",
        level.notes
    );
    let rare: Vec<_> = (0..20)
        .map(|n| answer(n * 100, 50, &[10]))
        .chain([at_once(3_000)])
        .collect();
    let level = report(CLOSED, &rare);
    assert_eq!(level.at_once, 1);
    assert!(
        !level.notes.iter().any(|told| told.contains("all at once")),
        "{:?}",
        level.notes
    );
}

#[test]
fn answers_without_text_are_counted_apart() {
    let empty = failing(Some(FaultClass::NoText), answer(10, 1, &[]));
    let level = report(CLOSED, &[answer(0, 1, &[10]), empty.clone(), empty]);
    let Requests {
        ended,
        ok,
        failed,
        without_text,
        ..
    } = level.requests;
    assert_eq!((ended, ok, failed, without_text), (3, 1, 2, 2));
    assert!(
        level
            .notes
            .iter()
            .any(|note| note.contains("2 answers without text")),
        "{:?}",
        level.notes
    );
}

#[test]
fn the_model_that_answered_is_credited() {
    let by = |record: RequestRecord, model: &str| {
        let answered_by = Some(model.to_owned());
        RequestRecord {
            answered_by,
            ..record
        }
    };
    let records: Vec<_> = (0..4)
        .map(|n| by(answer(n * 100, 50, &[10]), "other"))
        .collect();
    let level = report(CLOSED, &[&records[..], &[answer(900, 50, &[10])]].concat());
    assert_eq!(
        level.answered_by,
        [AnsweredBy {
            model: "other".to_owned(),
            answers: 4
        }]
    );
    assert_eq!(
        (level.other_model(), level.credited().as_str()),
        (Some("other"), "other (asked: m)")
    );
    let note = "4 of 5 answers came from other, not from m";
    assert!(
        level.notes.iter().any(|told| told.starts_with(note)),
        "{:?}",
        level.notes
    );
    let level = report(
        CLOSED,
        &[
            records[0].clone(),
            answer(500, 50, &[10]),
            answer(900, 50, &[10]),
        ],
    );
    assert_eq!(level.credited(), "m", "most came from it");
    let many: Vec<_> = (0..40)
        .map(|n| by(answer(n * 100, 50, &[10]), &format!("m{n}")))
        .collect();
    assert_eq!(
        report(CLOSED, &many).answered_by.len(),
        MAX_OTHER_MODELS + 1
    );
}

#[test]
fn coalesced_tokens_are_said() {
    let mut record = answer(0, 50, &[10; 9]);
    record.figures.tokens = Some(Tokens {
        n: 40,
        source: TokenSource::Usage,
    });
    let level = report(CLOSED, &[record]);
    assert_eq!(level.tokens_per_chunk, Some(4.0));
    assert!(
        level
            .notes
            .iter()
            .any(|note| note.starts_with("a chunk holds 4.0 tokens")),
        "{:?}",
        level.notes
    );
    let level = report(CLOSED, &[answer(0, 50, &[10, 0, 0, 10, 0, 0])]);
    let note = "67 % of the chunks came in one read with the one before";
    assert!(
        level.notes.iter().any(|told| told.starts_with(note)),
        "{:?}",
        level.notes
    );
}

#[test]
fn without_a_cluster_no_ingress_is_blamed() {
    let refused = failing(Some(FaultClass::IngressLimited), answer(10, 1, &[]));
    let mut tally = Tally::new(Objectives::default(), CLOSED).beside_cluster(false);
    (0..610).for_each(|n| tally.record(&answer(n * 50, 1, &[])));
    tally.record(&refused);
    let said = tally.report(frame(0, 31_000)).notes.join("\n");
    assert!(said.contains("; all by a gateway before the API"), "{said}");
    assert!(
        !said.contains("ingress") && !said.contains("SambaStack"),
        "{said}"
    );
}

#[test]
fn streams_that_are_held_open_after_their_answers_are_told() {
    let held = |by_ms: u64| {
        let mut record = answer(0, 100, &[10; 9]);
        record.ended += Duration::from_millis(by_ms);
        let notes = report(CLOSED, &[record]).notes;
        notes.into_iter().find(|note| note.contains("[DONE]"))
    };
    let latency = answer(0, 100, &[10; 9]).latency().expect("it ended well");
    assert_eq!((held(1), held(49)), (None, None), "{latency:?}");
    let note = held(9 * latency.as_millis() as u64).expect("a note");
    assert!(
        note.starts_with(
            "requests lasted 1.71 s longer than their answers on average (90 % of their time)"
        ),
        "{note}"
    );
}
