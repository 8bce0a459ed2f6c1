//! How often the sentence of a search for the highest load is right, against servers in simulated time whose true limit
//! is known.
//!
//! `cargo bench --bench search` prints a row a server, over 100 searches each with a seed of its own (`--runs N` for
//! others); with `-- --check` it fails where fewer than 95 % are right.

#![allow(clippy::print_stdout, reason = "a bench prints what it measured")]

#[path = "goals.rs"]
mod goals;
#[path = "simulated.rs"]
mod simulated;

use std::process::ExitCode;

use batida::domain::plan::{Arrivals, Find, Limit, Raise};
use batida::domain::run::FoundEnd;

use self::goals::Goals;
use self::simulated::{Server, Truth, search};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let after = |name: &str| {
        let at = args.iter().position(|arg| arg == name)?;
        args.get(at + 1)?.parse::<u64>().ok()
    };
    let runs = after("--runs").unwrap_or(100);
    let mut goals = Goals::asked(&args);
    println!(
        "{runs} searches a server; wrong: a load that it names is on the other side of the true limit\n"
    );
    println!(
        "{:<44} {:>6} {:>6} {:>7} {:>7} {:>8} {:>9} {:>9}",
        "server and limit", "right", "wrong", "closed", "probes", "requests", "gap", "took"
    );
    for (name, server, find) in cases() {
        row(name, &server, &find, runs, &mut goals);
    }
    goals.end()
}

fn row(name: &str, server: &Server, find: &Find, runs: u64, goals: &mut Goals) {
    let mut truth = Truth::new(server, find, 400_000);
    let (mut right, mut closed, mut probes, mut requests, mut took) = (0u64, 0u64, 0, 0, 0.0);
    let (mut gap, mut both) = (0.0, 0u64);
    for seed in 0..runs {
        let outcome = search(server, find, seed);
        let found = &outcome.found;
        right += u64::from(truth.is_right(found));
        closed += u64::from(found.ended == FoundEnd::Closed && found.proven);
        if let (Some(meets), Some(fails)) = (found.meets, found.fails) {
            (gap, both) = (gap + fails / meets - 1.0, both + 1);
        }
        probes += outcome.probes;
        requests += outcome.requests;
        took += outcome.took_s;
    }
    let each = |sum: f64| sum / runs as f64;
    println!(
        "{name:<44} {right:>6} {:>6} {closed:>7} {:>7.1} {:>8.0} {:>7.1} % {:>7.0} s",
        runs - right,
        each(probes as f64),
        each(requests as f64),
        100.0 * gap / both.max(1) as f64,
        each(took)
    );
    goals.at_most(
        format!("{name}: wrong"),
        100.0 * (runs - right) as f64 / runs as f64,
        5.0,
        "%",
    );
}

fn find(limits: &[&str]) -> Find {
    let limits = limits.iter().map(|text| Limit::parse(text));
    Find::of(limits.collect::<Result<_, _>>().unwrap_or_default())
}

fn by_rate(limits: &[&str]) -> Find {
    Find {
        by: Raise::Rate,
        arrivals: Arrivals::Poisson,
        ..find(limits)
    }
}

fn cases() -> Vec<(&'static str, Server, Find)> {
    let slots = |slots| Server {
        slots,
        ..Server::default()
    };
    let crowding = |crowding| Server {
        crowding,
        ..Server::default()
    };
    vec![
        (
            "8 slots, FIFO, TTFT p95 < 500 ms",
            slots(8),
            find(&["ttft_p95<500ms"]),
        ),
        (
            "40 slots, FIFO, TTFT p95 < 600 ms",
            slots(40),
            find(&["ttft_p95<600ms"]),
        ),
        (
            "crowding 2 %, TTFT p95 < 800 ms",
            crowding(0.02),
            find(&["ttft_p95<800ms"]),
        ),
        (
            "crowding 5 %, TTFT p50 < 400 ms",
            crowding(0.05),
            find(&["ttft_p50<400ms"]),
        ),
        (
            "crowding 1 %, TTFT p99 < 900 ms",
            crowding(0.01),
            find(&["ttft_p99<900ms"]),
        ),
        (
            "crowding 2 %, 3 % fail, TTFT p90 < 700 ms",
            Server {
                errors: 0.03,
                ..crowding(0.02)
            },
            find(&["ttft_p90<700ms"]),
        ),
        (
            "crowding 2 %, slow spells, TTFT p90 < 800 ms",
            Server {
                slow: Some([0.3, 2.0]),
                ..crowding(0.02)
            },
            find(&["ttft_p90<800ms"]),
        ),
        (
            "crowding, TTFT p95 < 800 ms and ITL p95 < 16 ms",
            Server {
                gaps: 64,
                ..crowding(0.02)
            },
            find(&["ttft_p95<800ms", "itl_p95<16ms"]),
        ),
        (
            "8 slots, Poisson, TTFT p95 < 800 ms",
            slots(8),
            by_rate(&["ttft_p95<800ms"]),
        ),
        (
            "8 slots, Poisson, latency p90 < 2 s",
            slots(8),
            by_rate(&["latency_p90<2s"]),
        ),
        (
            "crowding 3 %, Poisson, TTFT p95 < 600 ms",
            crowding(0.03),
            by_rate(&["ttft_p95<600ms"]),
        ),
    ]
}
