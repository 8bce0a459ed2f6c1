//! What `batida bench` says against what the server knows, and what it costs, beside a bare reader: the
//! floor; for the cost also beside that reader when it parses each event with serde. The server stays on the last core, the clients on the first. Linux only.
//!
//! Nothing is kept in the history meanwhile: what that costs, `cargo bench --bench history` says.
//!
//! `cargo bench --bench truth [-- truth|cost|memory|start] [ROUNDS] [--requests N] [--check] [--realtime]`: all four, or those
//! that are named; `picture` draws how far off each client is, with the feature `gui`; medians of 3 rounds, and 1,000,000 requests for the memory. With `--check` it fails when a goal
//! (issue 3, section 5, and issue 15, section 2) is missed, or its figure is not there.
//!
//! On a machine that others use too, `--realtime` (as root, with util-linux's `chrt`) gives the server its core whatever
//! they do, and the client its own except where that is to be full.
//!
//! The truth of a part: `--concurrency 16,128` for these levels, `--full-core` only beside the busy loop.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

#[path = "floor.rs"]
mod floor;
#[path = "goals.rs"]
mod goals;
#[cfg(feature = "gui")]
#[path = "picture.rs"]
mod picture;

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use batida::demo::exact::MODEL;
use batida::io::arrival::VARIABLE;
use batida::io::limits::raise_open_files;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use serde::Deserialize;
use serde_json::Value;

use floor::Floor;
use goals::Goals;

const PROGRAM: &str = env!("CARGO_BIN_EXE_batida");
/// The argument with which this program is the floor.
const FLOOR: &str = "floor";
/// And the one with which it keeps a core busy.
const BUSY: &str = "busy";
/// No single run may take longer.
const LIMIT: Duration = Duration::from_secs(1_800);

const TTFT_MS: f64 = 100.0;
const PER_TOKEN_MS: f64 = 10.0;
const TOKENS: usize = 64;
/// The goals: TTFT above the floor's.
const MOST_TTFT_MS: f64 = 1.0;
/// The error of TTFT and of ITL, whoever else is late: of their means, and at p99.
const MOST_MEAN_ERROR_MS: f64 = 0.3;
const MOST_P99_ERROR_MS: f64 = 1.0;
/// The share by which what is in flight may differ from what was asked for.
const MOST_OFF: f64 = 0.01;
/// CPU time against the floor's.
const MOST_COST: f64 = 1.5;
/// The same against a reader that parses all JSON: the fastest rival is at 1.3 to 1.5.
const MOST_COST_OF_SERDE: f64 = 1.3;
/// The same against Batida without the kernel's clock.
const MOST_COST_OF_CLOCK: f64 = 1.05;
const MOST_MIB: f64 = 150.0;
const MOST_START_MS: f64 = 30.0;
/// To the first request of the benchmark itself, at a server that takes [`TTFT_MS`] to tell the length of a prompt.
const MOST_FITTED_START_MS: f64 = 130.0;
/// The streams of each level, the requests of each stream after the first, which is warm-up, and ms a token. The more
/// streams, the slower is each, as with a real server: 25,000 tokens a second at most. At 10 ms a token 2,000 streams would
/// be 200,000 writes a second, more than one core writes or reads, and then the server's own clock is late too.
const LEVELS: [(usize, usize, f64); 5] = [
    (1, 20, 10.0),
    (16, 10, 10.0),
    (128, 8, 10.0),
    (512, 6, 20.0),
    (2_000, 4, 80.0),
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|arg| arg == FLOOR) {
        raise_open_files();
        let run = Floor::parse(&args[1..])
            .expect("the arguments are its own")
            .run();
        run.expect("the floor gets to its end");
        return ExitCode::SUCCESS;
    }
    if args.first().is_some_and(|arg| arg == BUSY) {
        let began = Instant::now();
        while began.elapsed() < LIMIT {
            std::hint::spin_loop();
        }
        return ExitCode::SUCCESS;
    }
    let number = |arg: Option<&String>| arg.and_then(|arg| arg.parse::<usize>().ok());
    let at = args.iter().position(|arg| arg == "--requests");
    let requests = at
        .and_then(|at| number(args.get(at + 1)))
        .unwrap_or(1_000_000);
    // What follows a flag is not the number of rounds.
    let is_count = |(place, _): &(usize, &String)| {
        let before = place.checked_sub(1).map(|before| args[before].as_str());
        !matches!(before, Some("--requests" | "--concurrency"))
    };
    let rounds = args
        .iter()
        .enumerate()
        .filter(is_count)
        .find_map(|(_, arg)| number(Some(arg)))
        .unwrap_or(3);
    let all = ["truth", "cost", "memory", "start"];
    let named: Vec<&str> = all
        .into_iter()
        .chain(["picture"])
        .filter(|name| args.iter().any(|arg| arg == name))
        .collect();
    let realtime = args.iter().any(|arg| arg == "--realtime");
    let Some(cores) = Cores::of_this_process(realtime) else {
        println!("Two cores are needed: one for the server, one for the client");
        return ExitCode::FAILURE;
    };
    println!(
        "server on core {}, client on core {}, {rounds} rounds",
        cores.last, cores.first
    );
    let at = args.iter().position(|arg| arg == "--concurrency");
    let chosen = at.and_then(|at| args.get(at + 1)).map(|list| {
        let each = list.split(',').map(|it| it.parse().expect("a number"));
        each.collect::<Vec<usize>>()
    });
    let mut bench = Bench {
        chosen,
        full_only: args.iter().any(|arg| arg == "--full-core"),
        cores,
        rounds,
        dir: tempfile::tempdir().expect("a folder"),
        missing: None,
        goals: Goals::asked(&args),
    };
    for name in if named.is_empty() { &all[..] } else { &named } {
        match *name {
            "truth" => bench.truth(),
            "cost" => bench.cost(),
            "memory" => bench.memory(requests),
            "picture" => bench.picture(),
            _ => bench.start(),
        }
    }
    bench.goals.end()
}

/// What all runs share.
struct Bench {
    /// The levels of the truth; `None` for all of [`LEVELS`].
    chosen: Option<Vec<usize>>,
    /// The truth only where the client's core is full.
    full_only: bool,
    cores: Cores,
    rounds: usize,
    dir: tempfile::TempDir,
    /// Why Batida has no figures.
    missing: Option<String>,
    goals: Goals,
}

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Client {
    Floor,
    /// The floor, which parses all JSON too.
    Serde,
    Batida,
    /// Batida, which takes the time of each read for the time of arrival.
    Process,
}

const BOTH: [Client; 2] = [Client::Floor, Client::Batida];
const CLOCKS: [Client; 3] = [Client::Floor, Client::Process, Client::Batida];
const ALL: [Client; 4] = [
    Client::Floor,
    Client::Serde,
    Client::Process,
    Client::Batida,
];

impl Client {
    fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Serde => "serde",
            Self::Batida => "batida",
            Self::Process => "process",
        }
    }
}

/// One run of a client.
#[derive(Debug, Clone, Copy)]
struct Load {
    concurrency: usize,
    requests: usize,
    /// Before those.
    warmup: usize,
    tokens: usize,
    /// Whether there is a row for each request.
    rows: bool,
    /// On the first core only.
    pinned: bool,
    /// With a loop there that never waits.
    busy: bool,
}

impl Load {
    /// Beside a busy loop the client is one of several. What it costs is measured as it usually runs: where its core is
    /// full, its threads would wait for each other.
    fn priority(self) -> Option<&'static str> {
        (self.pinned && !self.busy && self.rows).then_some("10")
    }
}

/// What came of a run.
struct Run {
    /// User and system time of the whole process, in seconds.
    cpu: f64,
    /// MiB, at its most.
    memory: f64,
    /// When the process was started, on the server's clock, in ns.
    started: u64,
    rows: Vec<Row>,
    served: Vec<Times>,
    /// How many were served but are not in the list.
    lost: u64,
    /// Batida's report.
    report: Value,
}

/// What a client says of a request, in ms.
#[derive(Debug)]
struct Row {
    id: String,
    ttft: f64,
    latency: f64,
    measured: bool,
    /// Between its tokens, where the client tells.
    gaps: Vec<f64>,
}

/// What the server says of it, in ns.
#[derive(Debug, Deserialize)]
struct Times {
    id: Option<String>,
    received_ns: u64,
    tokens: u32,
    written_ns: Vec<u64>,
    done_ns: Option<u64>,
}

impl Bench {
    /// Reported TTFT less the server's, request by request, and the reported ITL less the server's.
    fn truth(&mut self) {
        println!("\nTRUTH  TTFT 100 ms, 10 ms a token (512 streams: 20, 2,000: 80), 64 tokens; ms");
        println!(
            "TTFT err: what the client says less the server's own, |p99|: of their distances; ITL err: the same of the pooled gaps' mean and p99"
        );
        println!(
            "held: requests in flight, on average, by the client's latencies; at srv: by the server's times, of all that it served then"
        );
        println!(
            "srv late: the server's own TTFT less 100 ms; read: how late the client says that it read, p99; process: batida with {VARIABLE}=process"
        );
        for busy in [false, true] {
            if self.full_only && !busy {
                continue;
            }
            println!(
                "{}\n{:>5} {:<7} {:>9} {:>8} {:>9} {:>8} {:>9} {:>8} {:>8} {:>8} {:>6} {:>9} {:>8} {:>8}  its own word",
                if busy {
                    "with a loop on the client's core that never waits"
                } else {
                    "the core is the client's"
                },
                "c",
                "client",
                "TTFT err",
                "|p99|",
                "ITL err",
                "p99",
                "lat. err",
                "held",
                "at srv",
                "claimed",
                "n",
                "srv late",
                "ms/token",
                "read"
            );
            for (concurrency, turns, per_token) in LEVELS {
                if let Some(chosen) = &self.chosen
                    && !chosen.contains(&concurrency)
                {
                    continue;
                }
                let load = Load {
                    concurrency,
                    requests: concurrency * turns,
                    warmup: concurrency,
                    tokens: TOKENS,
                    rows: true,
                    pinned: true,
                    busy,
                };
                let server = Server::start(&self.cores, TTFT_MS, per_token, TOKENS, false, true);
                self.truth_of(&server, load);
            }
        }
    }

    fn truth_of(&mut self, server: &Server, load: Load) {
        let Load {
            concurrency, busy, ..
        } = load;
        let found = self.rounds(&CLOCKS, |bench, client| {
            Some(Truth::of(&bench.run(client, server, load)?))
        });
        for (client, rounds) in CLOCKS.into_iter().zip(&found) {
            let Some(last) = rounds.last() else {
                println!("{concurrency:>5} {:<7} {}", client.name(), self.why());
                continue;
            };
            let mid = |figure: fn(&Truth) -> f64| median(rounds.iter().map(figure).collect());
            println!(
                "{concurrency:>5} {:<7} {:>9.3} {:>8.3} {:>9.3} {:>8.3} {:>9.3} {:>8.1} {:>8.1} {:>8} {:>6} {:>9.3} {:>8.3} {:>8.3}  {}",
                client.name(),
                mid(|truth| truth.ttft_mean),
                mid(|truth| truth.ttft_away),
                mid(|truth| truth.itl_mean),
                mid(|truth| truth.itl_p99),
                mid(|truth| truth.latency_mean),
                mid(|truth| truth.held),
                mid(|truth| truth.at_server),
                last.claimed.map_or("-".to_owned(), |n| format!("{n:.1}")),
                last.matched,
                mid(|truth| truth.server_late),
                mid(|truth| truth.per_token),
                mid(|truth| truth.read_late),
                last.word
            );
        }
        let [floor, _, batida] = &found[..] else {
            return;
        };
        // Of no rounds there is no median: then every goal is missed.
        let mid = |rounds: &[Truth], figure: fn(&Truth) -> f64| {
            median(rounds.iter().map(figure).collect())
        };
        let at = format!(
            "at concurrency {concurrency}{}",
            if busy { " on a full core" } else { "" }
        );
        for (what, figure, most) in [
            (
                "mean TTFT error",
                mid(batida, |truth| truth.ttft_mean).abs(),
                MOST_MEAN_ERROR_MS,
            ),
            (
                "p99 of the TTFT error",
                mid(batida, |truth| truth.ttft_away),
                MOST_P99_ERROR_MS,
            ),
            (
                "error of ITL's mean",
                mid(batida, |truth| truth.itl_mean).abs(),
                MOST_MEAN_ERROR_MS,
            ),
            (
                "error of ITL's p99",
                mid(batida, |truth| truth.itl_p99).abs(),
                MOST_P99_ERROR_MS,
            ),
        ] {
            self.goals
                .at_most(format!("{what} {at}"), figure, most, "ms");
        }
        if busy {
            return;
        }
        let mean = mid(batida, |truth| truth.ttft_mean) - mid(floor, |truth| truth.ttft_mean);
        let p99 = mid(batida, |truth| truth.ttft_p99) - mid(floor, |truth| truth.ttft_p99);
        self.goals.at_most(
            format!("mean TTFT above the floor's {at}"),
            mean,
            MOST_TTFT_MS,
            "ms",
        );
        self.goals.at_most(
            format!("p99 of TTFT above the floor's {at}"),
            p99,
            MOST_TTFT_MS,
            "ms",
        );
        let asked = concurrency as f64;
        let held = mid(batida, |truth| truth.at_server);
        self.goals.within(
            format!("in flight at the server {at}"),
            held,
            asked,
            MOST_OFF,
        );
        let claimed = mid(batida, |truth| truth.claimed.unwrap_or(f64::NAN));
        self.goals.within(
            format!("in flight by its own word {at}"),
            claimed,
            asked,
            MOST_OFF,
        );
    }

    /// CPU time of the client alone.
    fn cost(&mut self) {
        println!("\nCOST  client on one core, 512 streams, 64 tokens");
        println!(
            "{:<28} {:<7} {:>17} {:>7} {:>10} {:>9} {:>7}",
            "", "client", "CPU s/1,000 tok", "ratio", "tok/s", "req/s", "core"
        );
        for (what, ttft, per_token, one_write, turns) in [
            (
                "10 ms a token, each a write",
                TTFT_MS,
                PER_TOKEN_MS,
                false,
                10,
            ),
            ("the answer in one write", 0.0, 0.0, true, 300),
        ] {
            let server = Server::start(&self.cores, ttft, per_token, TOKENS, one_write, false);
            let load = Load {
                concurrency: 512,
                requests: 512 * turns,
                warmup: 512,
                tokens: TOKENS,
                rows: false,
                pinned: true,
                busy: false,
            };
            let found = self.rounds(&ALL, |bench, client| {
                Some(Cost::of(&bench.run(client, &server, load)?))
            });
            let mut costs = Vec::new();
            for (client, rounds) in ALL.into_iter().zip(&found) {
                if rounds.is_empty() {
                    println!("{what:<28} {:<7} {}", client.name(), self.why());
                    costs.push(f64::NAN);
                    continue;
                }
                let mid = |figure: fn(&Cost) -> f64| median(rounds.iter().map(figure).collect());
                let cost = mid(|cost| cost.cpu_per_1000);
                costs.push(cost);
                println!(
                    "{what:<28} {:<7} {cost:>17.5} {:>7.2} {:>10.0} {:>9.0} {:>6.0}%",
                    client.name(),
                    cost / costs[0],
                    mid(|cost| cost.tokens_per_sec),
                    mid(|cost| cost.requests_per_sec),
                    mid(|cost| cost.core) * 100.0
                );
            }
            let [floor, serde, process, batida] = costs[..] else {
                continue;
            };
            self.goals.at_most(
                format!("CPU time, {what}, to the floor's"),
                batida / floor,
                MOST_COST,
                "times",
            );
            self.goals.at_most(
                format!("CPU time, {what}, to that without the kernel's clock"),
                batida / process,
                MOST_COST_OF_CLOCK,
                "times",
            );
            let to_serde = batida / serde;
            self.goals.at_most(
                format!("CPU time, {what}, to the parsing reader's"),
                to_serde,
                MOST_COST_OF_SERDE,
                "times",
            );
        }
    }

    /// The most memory over many requests.
    fn memory(&mut self, requests: usize) {
        println!("\nMEMORY  512 streams, 8 tokens in one write");
        let server = Server::start(&self.cores, 0.0, 0.0, 8, true, false);
        let load = Load {
            concurrency: 512,
            requests,
            warmup: 0,
            tokens: 8,
            rows: false,
            pinned: true,
            busy: false,
        };
        let run = self.run(Client::Batida, &server, load);
        let most = run.as_ref().map_or(f64::NAN, |run| run.memory);
        self.goals.at_most(
            format!("memory after {requests} requests"),
            most,
            MOST_MIB,
            "MiB",
        );
        match run {
            Some(run) => println!(
                "batida: {:.0} MiB at most, after {} requests ({:.0} CPU s); to be below 150 MiB after 1,000,000",
                run.memory,
                run.served.len() as u64 + run.lost,
                run.cpu
            ),
            None => println!("{}", self.why()),
        }
    }

    /// From starting the program to its first request at the server.
    fn start(&mut self) {
        println!("\nSTART  from starting the process to its first request at the server");
        let server = Server::start(&self.cores, 0.0, 0.0, 8, true, false);
        let load = Load {
            concurrency: 1,
            requests: 1,
            warmup: 0,
            tokens: 8,
            rows: false,
            pinned: false,
            busy: false,
        };
        let rounds = std::mem::replace(&mut self.rounds, 11);
        let found = self.rounds(&BOTH, |bench, client| {
            let run = bench.run(client, &server, load)?;
            let first = run.served.iter().map(|times| times.received_ns).min()?;
            Some(first.saturating_sub(run.started) as f64 / 1e6)
        });
        let batida = found.last().map_or(f64::NAN, |times| median(times.clone()));
        self.goals
            .at_most("start to the first request", batida, MOST_START_MS, "ms");
        for (client, times) in BOTH.into_iter().zip(found) {
            match times.is_empty() {
                true => println!("{:<7} {}", client.name(), self.why()),
                false => println!(
                    "{:<7} {:.1} ms (median of {})",
                    client.name(),
                    median(times.clone()),
                    times.len()
                ),
            }
        }
        self.fitted_start(load);
        self.rounds = rounds;
    }

    /// From starting the program to its first request whose prompt has the length that was asked for.
    fn fitted_start(&mut self, load: Load) {
        let server = Server::start(&self.cores, TTFT_MS, PER_TOKEN_MS, 8, true, false);
        let found = self.rounds(&[Client::Batida], |bench, client| {
            let run = bench.run(client, &server, load)?;
            // Those that fit prompts have no id.
            let own = run.served.iter().filter(|times| times.id.is_some());
            let first = own.map(|times| times.received_ns).min()?;
            Some(first.saturating_sub(run.started) as f64 / 1e6)
        });
        let fitted = found
            .first()
            .map_or(f64::NAN, |times| median(times.clone()));
        let what = "start to the first fitted request";
        self.goals.at_most(what, fitted, MOST_FITTED_START_MS, "ms");
        println!("{what} at a TTFT of {TTFT_MS} ms: {fitted:.1} ms");
    }

    /// The picture: by how much each client is off at the same load on a full core.
    #[cfg(not(feature = "gui"))]
    fn picture(&mut self) {
        println!("The picture needs the feature gui");
    }

    /// The picture: by how much each client is off at the same load on a full core.
    #[cfg(feature = "gui")]
    fn picture(&mut self) {
        let (concurrency, turns, per_token) = LEVELS[LEVELS.len() - 1];
        let load = Load {
            concurrency,
            requests: concurrency * turns,
            warmup: concurrency,
            tokens: TOKENS,
            rows: true,
            pinned: true,
            busy: true,
        };
        let server = Server::start(&self.cores, TTFT_MS, per_token, TOKENS, false, true);
        let lines = [
            ("Batida", Client::Batida),
            ("Batida, by the time of each read", Client::Process),
            ("a bare reader", Client::Floor),
        ];
        let lines = lines.map(|(name, client)| {
            let run = self.run(client, &server, load).expect("Batida has figures");
            let off = ttfts(&run).into_iter().map(|(own, said)| said - own);
            picture::Line {
                name,
                values: off.collect(),
            }
        });
        picture::save(
            lines.into(),
            "TTFT by each client, less the true one by the server's clock",
            "2,000 streams on one core that is shared with a busy loop",
            "ttft-on-a-full-core",
        );
    }

    fn why(&self) -> &str {
        self.missing
            .as_deref()
            .unwrap_or("batida bench: no figures")
    }

    /// The clients in turn, some rounds; what each gave.
    fn rounds<T>(
        &mut self,
        clients: &[Client],
        mut run: impl FnMut(&mut Self, Client) -> Option<T>,
    ) -> Vec<Vec<T>> {
        let mut found: Vec<Vec<T>> = clients.iter().map(|_| Vec::new()).collect();
        for round in 0..self.rounds {
            // Each goes first as often as any other.
            for turn in 0..clients.len() {
                let at = (round + turn) % clients.len();
                found[at].extend(run(self, clients[at]));
            }
        }
        found
    }

    /// One run, or `None` and the reason in `missing`.
    fn run(&mut self, client: Client, server: &Server, load: Load) -> Option<Run> {
        let is_batida = matches!(client, Client::Batida | Client::Process);
        if is_batida && self.missing.is_some() {
            return None;
        }
        let file = |name: &str| self.dir.path().join(name);
        let (csv, out, log) = (file("rows.csv"), file("report.json"), file("log"));
        for path in [&csv, &out] {
            // From the run before; none before the first.
            let _ = fs::remove_file(path);
        }
        server.ask("DELETE");
        let mut command = match client {
            Client::Floor | Client::Serde => {
                let Load {
                    concurrency,
                    requests,
                    warmup,
                    tokens,
                    ..
                } = load;
                let (server, requests) = (server.address, requests + warmup);
                let csv = if load.rows {
                    csv.clone()
                } else {
                    PathBuf::new()
                };
                let parses = client == Client::Serde;
                let floor = Floor {
                    server,
                    concurrency,
                    requests,
                    warmup,
                    tokens,
                    parses,
                    csv,
                };
                let path = std::env::current_exe().expect("a program has a path");
                let mut command = self.cores.program(path, load.priority());
                command.arg(FLOOR).args(floor.args());
                command
            }
            Client::Batida | Client::Process => {
                let program = self.cores.program(PROGRAM, load.priority());
                let mut command = batida(program, server, load, &csv, &out, self.dir.path());
                if client == Client::Process {
                    command.env(VARIABLE, "process");
                }
                command
            }
        };
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(&log).expect("a file can be made"));
        let cores = load.pinned.then_some(self.cores.first);
        let _busy = load.busy.then(|| Busy::on(&self.cores));
        let started = now();
        let ended = Ended::of(self.cores.spawn(cores, &mut command));
        let (times, lost) = server.ask("GET");
        if ended.code != Some(0) && is_batida {
            let said = fs::read_to_string(&log).unwrap_or_default();
            let line = said.lines().next().unwrap_or("it said nothing");
            let what = if line.contains("unrecognized subcommand") {
                "not built yet"
            } else {
                "failed"
            };
            self.missing = Some(format!("batida bench: {what}: {line}"));
            return None;
        }
        assert_eq!(
            ended.code,
            Some(0),
            "{}: {}",
            client.name(),
            fs::read_to_string(&log).unwrap_or_default()
        );
        Some(Run {
            cpu: ended.cpu,
            memory: ended.memory,
            started,
            rows: if load.rows {
                read_rows(&csv)
            } else {
                Vec::new()
            },
            served: times,
            lost,
            report: fs::read(&out)
                .ok()
                .and_then(|text| serde_json::from_slice(&text).ok())
                .unwrap_or_default(),
        })
    }
}

fn batida(
    mut command: Command,
    server: &Server,
    load: Load,
    csv: &Path,
    out: &Path,
    dir: &Path,
) -> Command {
    command.args([
        "bench",
        "--api",
        &format!("http://{}", server.address),
        "--model",
        MODEL,
        "--quiet",
        "--no-history",
    ]);
    for (flag, n) in [
        ("--concurrency", load.concurrency),
        ("--requests", load.requests),
        ("--warmup", load.warmup),
        ("--output-tokens", load.tokens),
        ("--input-tokens", 32),
    ] {
        command.args([flag, &n.to_string()]);
    }
    if load.rows {
        command.arg("--csv").arg(csv);
    }
    command
        .arg("--out")
        .arg(out)
        .arg("--config")
        .arg(dir.join("config"));
    command
}

/// The figures of one run.
struct Truth {
    ttft_mean: f64,
    ttft_p99: f64,
    /// At p99, by how much it is off, to either side.
    ttft_away: f64,
    /// The reported ITL less the server's: means, and p99s.
    itl_mean: f64,
    itl_p99: f64,
    /// How late it says that it read, at p99.
    read_late: f64,
    latency_mean: f64,
    /// Requests in flight from sending to the end, by the client.
    held: f64,
    /// From arrival to the end, by the server.
    at_server: f64,
    claimed: Option<f64>,
    matched: usize,
    /// How much later than it was told to the server wrote its first tokens: its own load.
    server_late: f64,
    /// The server's pace.
    per_token: f64,
    word: String,
}

impl Truth {
    fn of(run: &Run) -> Self {
        let served: HashMap<&str, &Times> = run
            .served
            .iter()
            .filter_map(|times| Some((times.id.as_deref()?, times)))
            .collect();
        let ms = |from: u64, to: u64| (to as f64 - from as f64) / 1e6;
        let (mut ttft, mut latency, mut late, mut pace) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        // By Little's law requests in flight are as latencies.
        let (mut at_client, mut at_server) = (0.0, 0.0);
        for row in run.rows.iter().filter(|row| row.measured) {
            let Some(times) = served.get(row.id.as_str()) else {
                continue;
            };
            let (&[first, .., last], Some(done)) = (&times.written_ns[..], times.done_ns) else {
                continue;
            };
            let own = ms(times.received_ns, first);
            ttft.push(row.ttft - own);
            latency.push(row.latency - ms(times.received_ns, done));
            at_client += row.latency;
            at_server += ms(times.received_ns, done);
            late.push(own - TTFT_MS);
            pace.push(ms(first, last) / f64::from(times.tokens - 1));
        }
        // Warm-ups end before the others begin: the pause between them is no part of the load.
        let measured: Vec<&Times> = run
            .rows
            .iter()
            .filter(|row| row.measured)
            .filter_map(|row| served.get(row.id.as_str()).copied())
            .collect();
        let own: Vec<f64> = measured
            .iter()
            .flat_map(|times| times.written_ns.windows(2))
            .map(|pair| ms(pair[0], pair[1]))
            .collect();
        let level = &run.report["levels"][0];
        let said: Vec<f64> = run
            .rows
            .iter()
            .filter(|row| row.measured)
            .flat_map(|row| row.gaps.iter().copied())
            .collect();
        let itl = |name: &str, of: fn(&[f64]) -> f64| {
            let reported = level["itl_ms"][name].as_f64();
            reported.unwrap_or_else(|| of(&said)) - of(&own)
        };
        let away: Vec<f64> = ttft.iter().map(|error: &f64| error.abs()).collect();
        let reached = &level["concurrency"]["reached"];
        let doubts = &level["watch"]["doubts"];
        let word = if doubts.is_null() {
            String::new()
        } else {
            doubts.to_string()
        };
        Self {
            ttft_mean: mean(&ttft),
            ttft_p99: p99(&ttft),
            ttft_away: p99(&away),
            itl_mean: itl("mean", mean),
            itl_p99: itl("p99", p99),
            read_late: level["watch"]["read_late_ms"]["p99"]
                .as_f64()
                .unwrap_or(f64::NAN),
            latency_mean: mean(&latency),
            held: in_flight(&run.served, &measured) * at_client / at_server,
            at_server: in_flight(&run.served, &measured),
            claimed: reached.as_f64().or_else(|| reached["mean"].as_f64()),
            matched: ttft.len(),
            server_late: mean(&late),
            per_token: mean(&pace),
            word,
        }
    }
}

/// The server's own TTFT and the client's of each measured request, in ms.
#[cfg(feature = "gui")]
fn ttfts(run: &Run) -> Vec<(f64, f64)> {
    let served = run
        .served
        .iter()
        .filter_map(|times| Some((times.id.as_deref()?, times)));
    let served: HashMap<&str, &Times> = served.collect();
    let rows = run.rows.iter().filter(|row| row.measured);
    let both = rows.filter_map(|row| {
        let times = served.get(row.id.as_str())?;
        let first = *times.written_ns.first()?;
        Some(((first - times.received_ns) as f64 / 1e6, row.ttft))
    });
    both.collect()
}

/// The mean number of requests at the server, whatever they were for and however they ended, between the first
/// measured answer's end, when all streams have begun, and the last measured request's arrival, from when on they
/// end.
fn in_flight(served: &[Times], measured: &[&Times]) -> f64 {
    let from = measured
        .iter()
        .filter_map(|times| times.done_ns)
        .min()
        .unwrap_or(0);
    let to = measured
        .iter()
        .map(|times| times.received_ns)
        .max()
        .unwrap_or(0);
    // One that the client left is there until the window's end at most.
    let spans = served.iter().map(|times| {
        (
            times.received_ns,
            times.done_ns.unwrap_or(times.received_ns),
        )
    });
    let inside: u64 = spans
        .map(|(received, done)| done.min(to).saturating_sub(received.max(from)))
        .sum();
    inside as f64 / to.saturating_sub(from).max(1) as f64
}

/// The figures of one run.
struct Cost {
    cpu_per_1000: f64,
    tokens_per_sec: f64,
    requests_per_sec: f64,
    /// The client's share of it.
    core: f64,
}

impl Cost {
    fn of(run: &Run) -> Self {
        let tokens: f64 = run.served.iter().map(|times| f64::from(times.tokens)).sum();
        let from = run
            .served
            .iter()
            .map(|times| times.received_ns)
            .min()
            .unwrap_or(0);
        let to = run
            .served
            .iter()
            .filter_map(|times| times.done_ns)
            .max()
            .unwrap_or(0);
        let secs = to.saturating_sub(from) as f64 / 1e9;
        Self {
            cpu_per_1000: run.cpu / tokens * 1e3,
            tokens_per_sec: tokens / secs,
            requests_per_sec: run.served.len() as f64 / secs,
            core: run.cpu / secs,
        }
    }
}

/// `batida demo --exact`, ended when dropped.
struct Server {
    child: Child,
    address: SocketAddr,
    /// Held, so that it may say more.
    _said: BufReader<ChildStdout>,
}

impl Server {
    fn start(
        cores: &Cores,
        ttft_ms: f64,
        per_token_ms: f64,
        tokens: usize,
        one_write: bool,
        all_times: bool,
    ) -> Self {
        let mut command = cores.program(PROGRAM, Some("50"));
        command.args([
            "demo",
            "--exact",
            "--core",
            &cores.last.to_string(),
            "--tokens",
            &tokens.to_string(),
        ]);
        command.args([
            "--ttft",
            &format!("{ttft_ms}ms"),
            "--per-token",
            &format!("{per_token_ms}ms"),
        ]);
        if one_write {
            command.arg("--one-write");
        }
        if all_times {
            command.arg("--all-times");
        }
        let mut child = cores.spawn(None, command.stdin(Stdio::null()).stdout(Stdio::piped()));
        let mut line = String::new();
        let mut said = BufReader::new(child.stdout.take().expect("piped"));
        said.read_line(&mut line).expect("its address");
        let address = line
            .trim()
            .strip_prefix("http://")
            .and_then(|address| address.parse().ok());
        Self {
            child,
            address: address.expect("its address"),
            _said: said,
        }
    }

    /// Its times, which it then forgets, and how many are not in the list.
    fn ask(&self, method: &str) -> (Vec<Times>, u64) {
        let mut socket = TcpStream::connect(self.address).expect("it listens");
        write!(
            socket,
            "{method} /times HTTP/1.1\r\nConnection: close\r\n\r\n"
        )
        .expect("it takes it");
        let mut text = String::new();
        socket.read_to_string(&mut text).expect("it answers");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let lost = head
            .lines()
            .find_map(|line| line.strip_prefix("x-times-lost: ")?.parse().ok());
        let times = body
            .lines()
            .map(|line| serde_json::from_str(line).expect("a line is JSON"))
            .collect();
        (times, lost.unwrap_or(0))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a process ended, and what it took.
struct Ended {
    code: Option<i32>,
    cpu: f64,
    memory: f64,
}

impl Ended {
    /// Waits for it, and looks before the system forgets it.
    fn of(mut child: Child) -> Self {
        let pid = Pid::from_child(&child);
        let folder = PathBuf::from(format!("/proc/{}", child.id()));
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        let (deadline, mut memory) = (Instant::now() + LIMIT, 0.0);
        while waitid(WaitId::Pid(pid), options)
            .expect("it is a child")
            .is_none()
        {
            if Instant::now() > deadline {
                // Its code tells: it may also end in this very moment.
                let _ = child.kill();
                break;
            }
            // What has ended has no memory any more.
            let status = fs::read_to_string(folder.join("status")).unwrap_or_default();
            let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kib = most.and_then(|most| most.trim().trim_end_matches(" kB").parse::<f64>().ok());
            memory = kib.map_or(memory, |kib| kib / 1_024.0);
            std::thread::sleep(Duration::from_millis(if memory == 0.0 { 1 } else { 20 }));
        }
        let stat = fs::read_to_string(folder.join("stat")).unwrap_or_default();
        // The name before it may hold anything; times are in hundredths of a second.
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let ticks = |at: usize| {
            fields
                .get(at)
                .and_then(|field| field.parse::<f64>().ok())
                .unwrap_or(f64::NAN)
        };
        let cpu = (ticks(11) + ticks(12)) / rustix::param::clock_ticks_per_second() as f64;
        let code = child.wait().ok().and_then(|status| status.code());
        Self { code, cpu, memory }
    }
}

/// A loop that never waits, on the client's core. Dropped, it ends.
struct Busy(Child);

impl Busy {
    fn on(cores: &Cores) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("a program has a path"));
        Self(cores.spawn(Some(cores.first), command.arg(BUSY).stdin(Stdio::null())))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where who runs.
struct Cores {
    all: CpuSet,
    first: usize,
    last: usize,
    /// Nobody else gets a core that is needed.
    realtime: bool,
}

impl Cores {
    fn of_this_process(realtime: bool) -> Option<Self> {
        let all = sched_getaffinity(None).ok()?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core));
        let (first, last) = (cores.next()?, cores.next_back()?);
        Some(Self {
            all,
            first,
            last,
            realtime,
        })
    }

    /// A program that goes before all others on its core, with `priority`, where that was asked for.
    fn program(&self, path: impl AsRef<OsStr>, priority: Option<&str>) -> Command {
        let Some(priority) = priority.filter(|_| self.realtime) else {
            return Command::new(path);
        };
        let mut command = Command::new("chrt");
        command.args(["--fifo", priority]).arg(path);
        command
    }

    /// Starts it on this core, or on any: a child runs where the one who started it did.
    fn spawn(&self, core: Option<usize>, command: &mut Command) -> Child {
        if let Some(core) = core {
            let mut one = CpuSet::new();
            one.set(core);
            sched_setaffinity(None, &one).expect("the core is there");
        }
        let child = command.spawn().expect("it starts");
        sched_setaffinity(None, &self.all).expect("the cores are there");
        child
    }
}

/// Rows by the names in the head; those with an error are left out.
fn read_rows(path: &Path) -> Vec<Row> {
    let text = fs::read_to_string(path).expect("a file of rows");
    let mut lines = text.lines();
    let names = fields(lines.next().unwrap_or_default());
    let place = |name: &str| names.iter().position(|found| found == name);
    let at = |fields: &[String], name: &str| place(name).and_then(|at| fields.get(at).cloned());
    lines
        .filter_map(|line| {
            let fields = fields(line);
            if at(&fields, "error").is_some_and(|error| !error.is_empty()) {
                return None;
            }
            Some(Row {
                id: at(&fields, "request_id")?,
                ttft: at(&fields, "ttft_ms")?.parse().ok()?,
                latency: at(&fields, "latency_ms")?.parse().ok()?,
                measured: at(&fields, "phase").is_none_or(|phase| phase == "measured"),
                gaps: at(&fields, "gaps_ms")
                    .unwrap_or_default()
                    .split(' ')
                    .filter_map(|gap| gap.parse().ok())
                    .collect(),
            })
        })
        .collect()
}

/// A line of CSV; what is in quotes may hold commas.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => fields.last_mut().expect("there is one").push(c),
        }
    }
    fields
}

fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    (time.tv_sec * 1_000_000_000 + time.tv_nsec).cast_unsigned()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn p99(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len() as f64 * 0.99).ceil() as usize;
    sorted
        .get(at.saturating_sub(1))
        .copied()
        .unwrap_or(f64::NAN)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
