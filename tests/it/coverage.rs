//! A short run of `cargo bench --bench coverage`: what queues worst is neither given false intervals nor told from itself.

#[path = "../bench/queue.rs"]
mod queue;

use batida::domain::stats::{P50, P95, P99};
use batida::metrics::compare::{Verdict, compare};
use queue::{Load, Scenario};

/// The p50, p95 and p99 of TTFT of a server of 8 slots that is 0.8 busy, over 2,000,000 requests, in ms.
/// `cargo bench --bench coverage -- intervals` measures them.
const TRUTH: [f64; 3] = [12.34, 70.18, 114.02];

fn queueing() -> Scenario {
    let found = Scenario::ALL
        .into_iter()
        .find(|it| it.slots == 8 && matches!(it.load, Load::Poisson(n) if n > 6.0 && n < 7.0));
    found.expect("the bench has it")
}

#[test]
fn intervals_of_requests_that_queue_hold_the_truth_or_are_not_printed() {
    let runs = 40;
    let (mut printed, mut missed) = ([0; 3], [0; 3]);
    for run in 0..runs {
        let level = queueing().level(4_800, 1.0, &[11, run]).level;
        for (at, percentile) in [P50, P95, P99].into_iter().enumerate() {
            if let Some([low, high]) = level.ttft_ms.estimate(percentile).ci {
                printed[at] += 1;
                missed[at] += usize::from(low > TRUTH[at] || TRUTH[at] > high);
            }
        }
    }
    // One in twenty is promised. Of independent requests' intervals two of three would miss.
    assert!(
        missed.iter().all(|missed| *missed <= 5),
        "{}: {missed:?} of {runs} runs: printed {printed:?}",
        queueing().name
    );
    assert!(printed[0] >= 10, "{printed:?}: none are printed");
}

#[test]
fn a_queueing_load_is_hardly_ever_told_from_itself() {
    let pairs = 30;
    let told = (0..pairs).filter(|pair| {
        let side = |at| queueing().level(400, 1.0, &[12, *pair, at]).side("a", true);
        let found = compare(&[side(0), side(1)], 0.03);
        let verdict = |verdict| found.verdicts(0, verdict) > 0;
        verdict(Verdict::Better) || verdict(Verdict::Worse)
    });
    let told = told.count();
    assert!(told <= 3, "{told} of {pairs}: before, more than half were");
}

#[test]
fn a_tenth_is_found_in_independent_requests() {
    let pairs = 20;
    let found = (0..pairs).filter(|pair| {
        let side = |at, slower| {
            let level = Scenario::ALL[0].level(400, slower, &[13, *pair, at]);
            level.side("a", true)
        };
        let found = compare(&[side(0, 1.0), side(1, 1.1)], 0.03);
        let ttft = found.rows.iter().find(|row| row.figure == "ttft_p50");
        ttft.is_some_and(|row| row.others[0].verdict == Verdict::Worse)
    });
    let found = found.count();
    assert!(found >= 18, "{found} of {pairs}");
}
