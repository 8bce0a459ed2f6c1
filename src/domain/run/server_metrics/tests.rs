use super::*;
use crate::domain::plan::LevelLoad;
use crate::domain::stats::Percentiles;

fn stats(p50: f64) -> Stats {
    Stats {
        count: 100,
        percentiles: Percentiles::of([(P50, p50), (P99, p50 * 2.0)]),
        ..Stats::default()
    }
}

fn level(ttft: f64, connect: Option<f64>, server: Option<ServerMetrics>) -> LevelReport {
    LevelReport {
        ttft_ms: stats(ttft),
        server_metrics: server.map(|server| ServerMetrics {
            readings: 9,
            ..server
        }),
        network: connect.map(|connect| Network {
            connect_ms: stats(connect),
            to_proxy: false,
        }),
        ..LevelReport::blank("m", LevelLoad::Concurrency(16))
    }
}

fn gauge(mean: f64, max: f64) -> Gauge {
    Gauge {
        mean: Some(mean),
        p50: Some(mean),
        max: Some(max),
    }
}

fn router(queue: f64, wait_ms: f64, busy: f64) -> ServerMetrics {
    ServerMetrics {
        queue: gauge(queue, queue * 2.0),
        longest_wait_ms: gauge(wait_ms / 2.0, wait_ms),
        workers_busy: gauge(busy, 1.0),
        ..ServerMetrics::default()
    }
}

#[test]
fn a_full_server_is_named_and_the_network_is_let_off() {
    let told = level(412.0, Some(18.0), Some(router(7.0, 1_800.0, 1.0))).both_sides();
    assert_eq!(
        told.as_deref(),
        Some(
            "TTFT p50 412 ms; the server's queue held requests for up to 1.80 s; workers 100 % busy: the server is \
             full, not the network"
        )
    );
    // Nobody measured the network, or it took a good part of the time.
    for connect in [None, Some(100.0)] {
        let told = level(412.0, connect, Some(router(7.0, 1_800.0, 1.0)))
            .both_sides()
            .expect("told");
        assert!(told.ends_with(": the server is full"), "{told}");
    }
}

#[test]
fn nothing_is_concluded_that_the_numbers_do_not_say() {
    // Workers are free, so a queue is not for want of them.
    let told = level(412.0, Some(1.0), Some(router(7.0, 1_800.0, 0.5)))
        .both_sides()
        .expect("told");
    assert!(
        !told.contains("full") && told.ends_with("workers 50 % busy"),
        "{told}"
    );
    // Hardly anybody waits.
    let told = level(412.0, Some(1.0), Some(router(0.2, 30.0, 1.0)))
        .both_sides()
        .expect("told");
    assert!(!told.contains("full"), "{told}");
    let idle = ServerMetrics {
        queue: gauge(0.0, 0.0),
        running: gauge(2.0, 4.0),
        ..ServerMetrics::default()
    };
    assert_eq!(
        level(88.0, Some(0.1), Some(idle.clone()))
            .both_sides()
            .as_deref(),
        Some("TTFT p50 88.0 ms; no request was seen waiting in the server's queue")
    );
    assert_eq!(level(88.0, Some(1.0), None).both_sides(), None);
    let mut no_answer = level(88.0, Some(1.0), Some(idle));
    no_answer.ttft_ms = Stats::default();
    assert_eq!(no_answer.both_sides(), None);
}

#[test]
fn a_slow_network_is_named_unless_only_the_way_to_a_proxy_is_known() {
    let mut far = level(100.0, Some(80.0), None);
    assert_eq!(
        far.both_sides().as_deref(),
        Some(
            "TTFT p50 100 ms; a round trip on the network takes 80.0 ms: most of TTFT is the network"
        )
    );
    far.network.as_mut().expect("known").to_proxy = true;
    assert_eq!(far.both_sides(), None);
    let told = far.network.as_ref().and_then(Network::told);
    assert_eq!(
        told.as_deref(),
        Some("TCP connect to the proxy p50 80.0 ms, p99 160 ms")
    );
}

#[test]
fn vllms_histogram_cache_and_preemptions_are_told() {
    let vllm = ServerMetrics {
        queue: gauge(9.0, 11.0),
        running: gauge(30.0, 30.0),
        cache_use: gauge(0.9, 0.97),
        queue_time_ms: QueueTime {
            count: Some(100.0),
            mean: Some(500.0),
            p50: Some(400.0),
            p99: Some(1_900.0),
        },
        preemptions: Some(2.0),
        cache_hits: Some(0.25),
        ..ServerMetrics::default()
    };
    assert_eq!(
        vllm.told().as_deref(),
        Some(
            "queue mean 9.0, at most 11.0 · running 30.0 · KV cache used mean 90 %, at most 97 % · time in queue \
             mean 500 ms, p99 about 1.90 s · prefix cache hits 25 % · 2 preemptions"
        )
    );
    assert_eq!(
        level(900.0, Some(1.0), Some(vllm)).both_sides().as_deref(),
        Some(
            "TTFT p50 900 ms; the server's queue held requests for up to about 1.90 s (p99); its KV cache was up to \
             97 % full; 2 preemptions of requests under way: the server is full, not the network"
        )
    );
    assert_eq!(ServerMetrics::default().told(), None);
}

#[test]
fn a_gauge_is_over_its_readings() {
    assert_eq!(
        Gauge::of(vec![3.0, f64::NAN, 1.0]),
        Gauge {
            mean: Some(2.0),
            p50: Some(1.0),
            max: Some(3.0)
        }
    );
    assert_eq!(Gauge::of(Vec::new()), Gauge::default());
}
