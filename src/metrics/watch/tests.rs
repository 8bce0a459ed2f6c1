//! What is said of the client's own delays.

use super::*;
use crate::domain::stats::Percentiles;

fn at(p50: f64, p99: f64) -> Stats {
    Stats {
        count: 1_000,
        percentiles: Percentiles::of([(P50, p50), (P99, p99)]),
        ..Stats::default()
    }
}

/// A level with a TTFT of 100 ms and 10 ms between tokens.
fn check(watch: &Watch, open: bool, doubts: &[&str]) {
    check_against(watch, open, [100.0, 10.0], doubts);
}

fn check_against(watch: &Watch, open: bool, [ttft, itl]: [f64; 2], doubts: &[&str]) {
    let mut watch = Watch {
        doubts: vec!["an old one".to_owned()],
        ..watch.clone()
    };
    let (ttft, itl) = (at(ttft, ttft), at(itl, itl));
    let level = Measured {
        ttft_ms: &ttft,
        itl_ms: &itl,
        latency_ms: &Stats::default(),
        requests: 400,
        open,
        running: false,
    };
    judge(&mut watch, &level);
    assert_eq!(watch.doubts, doubts);
}

#[test]
fn a_quiet_machine_raises_no_doubt() {
    let quiet = Watch {
        timer_late_ms: at(0.1, 0.9),
        read_late_ms: at(0.05, 0.9),
        busiest_lane: Some(0.85),
        process_cores: Some(1.2),
        machine_busy: Some(0.95),
        left_late_ms: at(0.1, 34.0),
        late_requests: 4,
        ..Watch::default()
    };
    check(&quiet, true, &[]);
    check(&quiet, false, &[]);
}

#[test]
fn late_reads_are_compared_with_the_figures_they_could_move() {
    let reads = |p99| Watch {
        read_late_ms: at(0.1, p99),
        ..Watch::default()
    };
    check(&reads(2.0), false, &[]);
    check(
        &reads(3.2),
        false,
        &["client read delay up to 3.20 ms (p99): ITL may read that much too long"],
    );
    check(
        &reads(5.5),
        false,
        &["client read delay up to 5.50 ms (p99): TTFT and ITL may read that much too long"],
    );
    check_against(
        &reads(1.5),
        false,
        [20.0, 10.0],
        &["client read delay up to 1.50 ms (p99): TTFT may read that much too long"],
    );
    check_against(&reads(0.4), false, [5.0, 0.01], &[]);
}

#[test]
fn late_timers_matter_where_requests_have_a_moment() {
    let timers = Watch {
        timer_late_ms: at(0.1, 8.0),
        read_late_ms: at(0.1, 0.2),
        ..Watch::default()
    };
    check(&timers, false, &[]);
    check(
        &timers,
        true,
        &[
            "timers fired up to 8.00 ms (p99) late: requests left that much after their moment, and TTFT and \
           latency hold that wait",
        ],
    );
    let unread = Watch {
        read_late_ms: Stats::default(),
        ..timers
    };
    check(
        &unread,
        false,
        &[
            "the measuring threads woke up to 8.00 ms (p99) late: TTFT and ITL may read that much too long",
        ],
    );
}

#[test]
fn one_long_sleep_is_compared_with_the_largest_values() {
    // p99 is fine: it was one in a thousand.
    let slept = |max| Stats {
        max: Some(max),
        ..at(0.1, 0.2)
    };
    let judged = |watch: Watch, running| {
        let mut watch = watch;
        let (ttft, itl) = (
            Stats {
                max: Some(160.0),
                ..at(100.0, 105.0)
            },
            Stats {
                max: Some(70.0),
                ..at(10.0, 11.0)
            },
        );
        judge(
            &mut watch,
            &Measured {
                ttft_ms: &ttft,
                itl_ms: &itl,
                latency_ms: &Stats::default(),
                requests: 400,
                open: false,
                running,
            },
        );
        watch.doubts
    };
    let reads = |max| {
        judged(
            Watch {
                read_late_ms: slept(max),
                ..Watch::default()
            },
            false,
        )
    };
    assert_eq!(reads(7.0), [""; 0]);
    assert_eq!(
        reads(60.0),
        [
            "measuring threads stalled for up to 60 ms: p99.9 and the maximum of TTFT and ITL may include that"
        ]
    );
    assert!(
        reads(20.0)[0].ends_with("maximum of ITL may include that"),
        "a fifth of 160 ms is more"
    );
    // Where nobody looks at reads, timers tell.
    let timers = judged(
        Watch {
            timer_late_ms: slept(60.0),
            ..Watch::default()
        },
        false,
    );
    assert!(timers[0].contains("stalled for up to 60 ms"), "{timers:?}");
    let unseen = judged(Watch::default(), false);
    assert!(
        unseen.len() == 1 && unseen[0].contains("too short to measure the client's own delays"),
        "{unseen:?}"
    );
    assert_eq!(judged(Watch::default(), true), [""; 0], "it will");
}

/// A client whose core is full, by the kernel's clock.
fn full() -> Watch {
    Watch {
        clock: Some(Clock::Kernel),
        timer_late_ms: at(4.0, 40.0),
        read_late_ms: Stats {
            max: Some(200.0),
            ..at(9.0, 60.0)
        },
        end_late_ms: Stats {
            mean: Some(9.1),
            ..at(9.0, 60.0)
        },
        busiest_lane: Some(0.99),
        machine_busy: Some(1.0),
        ..Watch::default()
    }
}

/// What is said of a level with a TTFT of 100 ms, whose answers take `latency` on average.
fn judged(watch: &Watch, itl_ms: &Stats, latency: f64, open: bool) -> Vec<String> {
    let mut watch = watch.clone();
    let latency_ms = Stats {
        mean: Some(latency),
        ..at(latency, latency)
    };
    let level = Measured {
        ttft_ms: &at(100.0, 105.0),
        itl_ms,
        latency_ms: &latency_ms,
        requests: 400,
        open,
        running: false,
    };
    judge(&mut watch, &level);
    watch.doubts
}

#[test]
fn with_the_kernels_clock_a_late_read_spoils_no_time_but_the_pace() {
    let itl = at(10.0, 11.0);
    assert_eq!(
        judged(&full(), &itl, 750.0, false),
        [
            "the client read the ends of answers 9.10 ms late on average, 1.2 % of the time from one request to the \
             next: each client sent its next request that much later, so that throughput may be up to 1.2 % too low"
        ]
    );
    assert_eq!(
        judged(&full(), &itl, 2_000.0, false),
        [""; 0],
        "it is 0.5 %"
    );
    assert_eq!(
        judged(&full(), &itl, 750.0, true),
        [""; 0],
        "a schedule does not wait"
    );
    let mixed = Watch {
        clock: Some(Clock::Mixed),
        ..full()
    };
    let doubts = judged(&mixed, &itl, 750.0, false);
    assert!(
        doubts[0].starts_with("client read delay up to 60 ms"),
        "{doubts:?}"
    );
}

#[test]
fn requests_that_left_late_are_told_when_that_matters_to_ttft() {
    let itl = at(10.0, 11.0);
    let left = |p99| Watch {
        left_late_ms: at(0.1, p99),
        late_requests: 12,
        ..full()
    };
    assert_eq!(judged(&left(4.9), &itl, 750.0, true), [""; 0]);
    let late = judged(&left(5.2), &itl, 750.0, true);
    assert!(
        late.len() == 1 && late[0].contains("(p99 5.20 ms, 5 % of the median TTFT)"),
        "{late:?}"
    );
}

#[test]
fn tokens_that_waited_together_have_one_time() {
    let gaps = |zero: f64, mean| Stats {
        mean: Some(mean),
        buckets: vec![[0.0, 0.001, zero], [9.0, 11.0, 1_000.0 - zero]],
        ..at(10.0, 30.0)
    };
    assert_eq!(
        judged(&full(), &gaps(20.0, 10.0), 2_000.0, false),
        [
            "client read delay up to 60 ms (p99), longer than the 10 ms between chunks: those that waited together may \
             have one time of arrival, so that TTFT and ITL may be off by that much"
        ]
    );
    let told_apart = judged(&full(), &gaps(9.0, 10.0), 2_000.0, false);
    assert_eq!(told_apart, [""; 0], "by the kernel");
    let slow = judged(&full(), &gaps(20.0, 70.0), 2_000.0, false);
    assert_eq!(slow, [""; 0], "none waits for the next");
}

#[test]
fn a_client_at_its_limit_says_so() {
    let watch = Watch {
        busiest_lane: Some(0.93),
        machine_busy: Some(0.99),
        read_late_ms: at(0.1, 0.2),
        left_late_ms: at(0.1, 34.0),
        late_requests: 12,
        ..Watch::default()
    };
    check(
        &watch,
        true,
        &[
            "a measuring thread used 93 % of a core: the client is at its limit and throughput may be too low",
            "99 % of this machine's processors were in use: times may be too long, throughput too low",
            "12 of 400 requests left late against their schedule (p99 34 ms, 34 % of the median TTFT): TTFT and latency hold that wait",
        ],
    );
}
