//! What it costs to send a load from workers elsewhere.
//!
//! `cargo bench --bench workers` prints two tables, `-- --check` fails where a goal is missed:
//!
//! - **sending**: the CPU time of the measuring thread for 1,000 tokens, of `batida bench` and of a worker process that
//!   tells everything it measures; by turns, so that a noisy machine meets both. Goal: 1.03 times.
//! - **hearing**: the CPU time of a coordinator of 32 workers that measure 50,000 tokens/s together. The workers are simulated
//!   (this program, started once each): they tell requests of 128 tokens as real ones would. Goal: 10 % of a core.

#![allow(clippy::print_stdout, reason = "a bench prints what it measured")]

#[path = "goals.rs"]
mod goals;

use std::io::{BufRead as _, Write as _};
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use batida::demo::exact::{ExactOptions, ExactServer, MODEL};
use batida::domain::environment::EnvId;
use batida::domain::failure::Failure;
use batida::domain::plan::{Ends, Lengths, Load, Plan, Prompts, Target};
use batida::domain::run::{BenchProgress, BenchReport, Steer};
use batida::engine::bench::{self, ClusterContext, Controls, Fleet, Listener, OnLoss, RunsOn};
use batida::io::access::Access;
use batida::io::activity::Recorder;
use batida::io::api::{Api, Trust};
use batida::metrics::request::{Phase, RequestRecord};
use batida::metrics::timeline::{Figures, TokenSource, Tokens};
use batida::wire::worker::rows::{RowWriter, WorkerRow};
use batida::wire::worker::{
    LaneSeen, LevelOrder, LevelOver, LevelSeen, PROTOCOL, WorkerAnswer, WorkerApi, WorkerHello,
    WorkerOrder,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::goals::Goals;

/// The argument that makes this program a simulated worker, with its tokens per second behind it.
const SIMULATED: &str = "simulated-worker";
const TOKENS: u64 = 128;
const WORKERS: usize = 32;
const TOKENS_PER_SECOND: f64 = 50_000.0;
const HEARING_FOR: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|arg| arg == SIMULATED) {
        let speed = args.get(at + 1).and_then(|it| it.parse().ok());
        simulate(speed.unwrap_or(1_000.0));
        return ExitCode::SUCCESS;
    }
    let mut goals = Goals::asked(&args);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let Ok(runtime) = runtime else {
        println!("no runtime");
        return ExitCode::FAILURE;
    };
    let ended = runtime.block_on(async {
        sending(&mut goals).await?;
        hearing(&mut goals).await
    });
    if let Err(failure) = ended {
        println!("{failure}");
        return ExitCode::FAILURE;
    }
    goals.end()
}

struct Nobody;

impl Listener for Nobody {
    fn advanced(&mut self, _progress: BenchProgress) {}

    fn partial_interval(&self) -> Duration {
        Duration::MAX
    }
}

fn plan(clients: u32, ends: Ends) -> Plan {
    Plan {
        targets: vec![Target {
            deployment: None,
            model: MODEL.to_owned(),
        }],
        load: Load::Concurrency(vec![clients]),
        level_ends: ends,
        session_ends: Ends::default(),
        warmup: 0,
        prompts: Prompts::Synthetic {
            input_tokens: Lengths::Fixed(64),
            prefix_tokens: 0,
        },
        output_tokens: Some(Lengths::Fixed(TOKENS as u32)),
        ..Plan::default()
    }
}

fn fleet(api: &Api, commands: Vec<Vec<String>>) -> RunsOn {
    RunsOn::Workers(Box::new(Fleet {
        commands,
        hidden: Vec::new(),
        wait: Duration::from_secs(60),
        on_loss: OnLoss::Stop,
        api: WorkerApi {
            address: api.address().clone(),
            wants_key: false,
            key_header: None,
            extras: Vec::new(),
            ca_pem: None,
            accept_invalid_certs: false,
            is_demo: false,
        },
    }))
}

async fn run(runs_on: &RunsOn, plan: &Plan, api: &Api) -> Result<BenchReport, Failure> {
    let (_steer, steer) = watch::channel(Steer::Resume);
    let controls = Controls {
        cancel: CancellationToken::new(),
        steer,
    };
    bench::run_on(
        runs_on,
        ClusterContext::default(),
        plan,
        api,
        "bench",
        controls,
        &mut Nobody,
    )
    .await
}

fn open(server: &ExactServer) -> Result<Api, Failure> {
    let recorder = Recorder::new(EnvId::demo(), |_| {});
    Api::new(
        server.address(),
        Access::default(),
        Trust::default(),
        recorder,
    )
}

// ---- sending ------------------------------------------------------------------------------------------

/// CPU seconds of the busiest measuring thread for 1,000 tokens.
fn cpu_each(report: &BenchReport) -> Option<f64> {
    let level = report.levels.first()?;
    let tokens = (level.requests.ok * TOKENS) as f64 / 1e3;
    Some(level.watch.busiest_lane? * level.took_s? / tokens)
}

async fn sending(goals: &mut Goals) -> Result<(), Failure> {
    let options = ExactOptions {
        ttft: Duration::from_millis(20),
        per_token: Duration::from_millis(5),
        ..ExactOptions::default()
    };
    let server = ExactServer::start(options)
        .map_err(|error| Failure::new("The exact server does not start", error.to_string()))?;
    let api = open(&server)?;
    let plan = plan(
        32,
        Ends {
            after: Some(Duration::from_secs(4)),
            ..Ends::default()
        },
    );
    let worker = vec![env!("CARGO_BIN_EXE_batida").to_owned(), "worker".to_owned()];
    let away = fleet(&api, vec![worker]);
    let mut ratios = Vec::new();
    println!("CPU time of the measuring thread, ms for 1,000 tokens; 32 streams\n");
    println!("{:>8} {:>8} {:>7}", "bench", "worker", "ratio");
    for _ in 0..5 {
        let here = cpu_each(&run(&RunsOn::ThisComputer, &plan, &api).await?);
        let there = cpu_each(&run(&away, &plan, &api).await?);
        if let (Some(here), Some(there)) = (here, there) {
            println!(
                "{:>8.3} {:>8.3} {:>7.3}",
                here * 1e3,
                there * 1e3,
                there / here
            );
            ratios.push(there / here);
        }
    }
    ratios.sort_by(f64::total_cmp);
    let median = ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN);
    goals.at_most(
        "a worker's measuring thread, times that of batida bench",
        median,
        1.03,
        "",
    );
    Ok(())
}

// ---- hearing ------------------------------------------------------------------------------------------

async fn hearing(goals: &mut Goals) -> Result<(), Failure> {
    let server = ExactServer::start(ExactOptions::default())
        .map_err(|error| Failure::new("The exact server does not start", error.to_string()))?;
    let api = open(&server)?;
    // Of a file, so that nobody is asked for the length of prompts.
    let prompts = std::env::temp_dir().join("batida-bench-workers.txt");
    std::fs::write(&prompts, "hello\n")
        .map_err(|error| Failure::new("No prompts", error.to_string()))?;
    let ends = Ends {
        after: Some(HEARING_FOR),
        ..Ends::default()
    };
    let plan = Plan {
        prompts: Prompts::File(prompts),
        ..plan(WORKERS as u32 * 8, ends)
    };
    let program =
        std::env::current_exe().map_err(|error| Failure::new("No program", error.to_string()))?;
    let speed = (TOKENS_PER_SECOND / WORKERS as f64).to_string();
    let command = vec![program.display().to_string(), SIMULATED.to_owned(), speed];
    let workers = fleet(&api, vec![command; WORKERS]);
    let (before, began) = (process_time(), Instant::now());
    let report = run(&workers, &plan, &api).await?;
    let (cpu, took) = (process_time().saturating_sub(before), began.elapsed());
    let level = report.levels.first();
    let ok = level.map_or(0, |level| level.requests.ok);
    let seconds = level.and_then(|level| level.took_s).unwrap_or(f64::NAN);
    let heard = (ok * TOKENS) as f64 / seconds;
    // All of it: the start of the processes and the report as well.
    let cores = cpu.as_secs_f64() / took.as_secs_f64();
    println!(
        "\n{WORKERS} workers, {heard:.0} tokens/s in {ok} requests: the coordinator used {:.2} s of CPU time in {:.1} s, {:.1} % of a core",
        cpu.as_secs_f64(),
        took.as_secs_f64(),
        cores * 100.0
    );
    goals.between(
        "heard",
        heard,
        [TOKENS_PER_SECOND * 0.9, TOKENS_PER_SECOND * 1.1],
        "tokens/s",
    );
    goals.at_most(
        "the coordinator's share of a core",
        cores * 100.0,
        10.0,
        "%",
    );
    Ok(())
}

fn process_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

// ---- a simulated worker -------------------------------------------------------------------------------

/// Tells what a worker of so many tokens per second would.
fn simulate(tokens_per_second: f64) {
    let (tell, orders) = mpsc::channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if let Ok(order) = serde_json::from_str::<WorkerOrder>(&line)
                && tell.send(order).is_err()
            {
                return;
            }
        }
    });
    let began = Instant::now();
    let now = || began.elapsed().as_nanos() as u64;
    let say = |answer: &WorkerAnswer| {
        let mut out = std::io::stdout().lock();
        let line = serde_json::to_string(answer).unwrap_or_default();
        // Fails only when nobody reads any more: then it ends with its input.
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    };
    say(&WorkerAnswer::Hello(WorkerHello {
        protocol: PROTOCOL.to_owned(),
        cores: 1,
        ..WorkerHello::default()
    }));
    let mut level: Option<Simulated> = None;
    loop {
        match orders.recv_timeout(Duration::from_millis(100)) {
            Ok(WorkerOrder::Session(_)) => say(&WorkerAnswer::Begun { lanes: 1 }),
            Ok(WorkerOrder::Level(order)) => {
                say(&WorkerAnswer::Ready {
                    number: order.number,
                });
                level = Some(Simulated::of(*order, tokens_per_second));
            }
            Ok(WorkerOrder::Ping { n }) => say(&WorkerAnswer::Pong { n, at_ns: now() }),
            Ok(WorkerOrder::Go { at_ns }) => {
                if let Some(level) = &mut level {
                    level.next = at_ns;
                }
            }
            Ok(WorkerOrder::Deadline { at_ns }) => {
                if let Some(level) = &mut level {
                    level.deadline = at_ns;
                }
            }
            Ok(WorkerOrder::Bye) | Err(mpsc::RecvTimeoutError::Disconnected) => return,
            Ok(_) | Err(mpsc::RecvTimeoutError::Timeout) => {}
        }
        let over = level.as_mut().is_some_and(|level| level.tick(now(), &say));
        if over {
            level = None;
        }
    }
}

struct Simulated {
    order: LevelOrder,
    rows: RowWriter,
    seq: u64,
    first: Option<u64>,
    next: u64,
    each: u64,
    deadline: u64,
    told: u64,
    ended: u64,
}

impl Simulated {
    fn of(order: LevelOrder, tokens_per_second: f64) -> Self {
        Self {
            order,
            rows: RowWriter::default(),
            seq: 0,
            first: None,
            next: u64::MAX,
            each: (TOKENS as f64 / tokens_per_second * 1e9) as u64,
            deadline: u64::MAX,
            told: 0,
            ended: 0,
        }
    }

    /// Whether it is over.
    fn tick(&mut self, now: u64, say: &impl Fn(&WorkerAnswer)) -> bool {
        while self.next <= now && self.next < self.deadline {
            self.first.get_or_insert(self.next);
            let row = self.row();
            self.rows.add(&row);
            self.next += self.each;
            self.ended += 1;
        }
        let over = now >= self.deadline && self.next >= self.deadline && self.first.is_some();
        if !over && (self.first.is_none() || now < self.told + 250_000_000) {
            return false;
        }
        self.told = now;
        for base64 in self.rows.take() {
            say(&WorkerAnswer::Rows {
                seq: self.seq,
                base64,
            });
            self.seq += 1;
        }
        let counts = |base: u64| {
            (0..60)
                .map(|at| [base + at * 7, 4])
                .collect::<Vec<[u64; 2]>>()
        };
        let seen = LevelSeen {
            number: self.order.number,
            lanes: vec![LaneSeen {
                in_flight: if over { 0 } else { 8 },
                streaming: if over { 0 } else { 8 },
                chunks: self.ended * TOKENS,
                cpu_ns: Some([now, now / 10]),
                waits_us: counts(20),
                ends_us: counts(60),
                timers_us: counts(200),
                ..LaneSeen::default()
            }],
            all_in: self.first,
            first_measured: self.first,
            last_sent: Some(self.next.saturating_sub(self.each)),
            in_flight: if over { 0 } else { 8 },
            since: (0..8)
                .map(|at| now.saturating_sub(at * 10_000_000))
                .collect(),
            ..LevelSeen::default()
        };
        if over {
            let over = LevelOver {
                seen,
                ended: self.ended,
                ..LevelOver::default()
            };
            say(&WorkerAnswer::Over(Box::new(over)));
            return true;
        }
        say(&WorkerAnswer::Seen(Box::new(seen)));
        false
    }

    fn row(&self) -> WorkerRow {
        let (ttft, gap) = (Duration::from_millis(80), Duration::from_micros(9_870));
        let sent = Duration::from_nanos(self.next.saturating_sub(1_400_000_000));
        let latency = ttft + gap * (TOKENS as u32 - 1);
        let record = RequestRecord {
            index: self.order.from.requests
                + self.ended * u64::from(self.order.share.of)
                + u64::from(self.order.share.index),
            level: self.order.index,
            phase: Phase::Measured,
            due: sent,
            sent,
            ended: sent + latency,
            figures: Figures {
                ttft: Some(ttft),
                first_answer: Some(ttft),
                latency: Some(latency),
                tokens: Some(Tokens {
                    n: TOKENS,
                    source: TokenSource::Usage,
                }),
                tokens_per_sec: Some(1.0 / gap.as_secs_f64()),
                tpot: Some(gap),
                itl: Some(gap),
                longest_gap: Some(gap),
                prompt_tokens: Some(256),
                chunks: TOKENS,
                ..Figures::default()
            },
            first_byte: Some(ttft),
            chunks: TOKENS,
            bytes: 200 * TOKENS,
            // As they vary at a real server.
            gaps_us: (1..TOKENS as u32)
                .map(|at| 9_870 + (at * 7_919) % 400)
                .collect(),
            wanted_prompt_tokens: None,
            answered_by: None,
            reconnected: false,
            error: None,
        };
        WorkerRow { record, said: None }
    }
}
