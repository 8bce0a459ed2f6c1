//! What the history costs, and how fast it is found again.
//!
//! `cargo bench --bench history [-- store|cost] [--requests N]`: the store with 1,000,000 requests in 2,000 sessions, and
//! what recording takes of a benchmark at 2,000 streams; both, or the one that is named. Linux only.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use batida::demo::exact::MODEL;
use batida::domain::environment::{ApiAddress, EnvId, Environment, KeyPlace};
use batida::domain::failure::Failure;
use batida::domain::history::{HistoryQuery, SessionId, SortBy, StoredRequest};
use batida::domain::plan::{Ends, Lengths, LevelLoad, Load, Objectives, Plan, Target};
use batida::domain::run::{BenchProgress, BenchReport, LevelEnd, Machine, Steer, Watch};
use batida::domain::stats::{P50, P99};
use batida::engine::bench::{Controls, Listener, RunsOn};
use batida::engine::history::{self, History};
use batida::engine::{self, Options};
use batida::io::history::{FILE, Store};
use batida::io::limits::raise_open_files;
use batida::metrics::request::{Phase, RequestRecord};
use batida::metrics::tally::{LevelFrame, Tally};
use batida::metrics::timeline::{Figures, TokenSource, Tokens};
use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const PROGRAM: &str = env!("CARGO_BIN_EXE_batida");
const SESSIONS: u64 = 2_000;
/// One of them is this large.
const LARGE: u64 = 100_000;
const TOKENS: usize = 64;
/// The first page of the History page.
const PAGE: u64 = 100;

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let at = args.iter().position(|arg| arg == "--requests");
    let requests = at
        .and_then(|at| args.get(at + 1)?.parse().ok())
        .unwrap_or(1_000_000);
    let named = |name: &str| args.iter().any(|arg| arg == name);
    let both = !named("store") && !named("cost");
    if both || named("store") {
        store(requests)?;
    }
    if both || named("cost") {
        cost()?;
    }
    Ok(())
}

// ---- the store ----------------------------------------------------------------------------------------

fn store(requests: u64) -> Result<(), Failure> {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::open(dir.path())?.store;
    let began = Instant::now();
    let large = LARGE.min(requests / 2);
    let each = (requests - large) / (SESSIONS - 1);
    for n in 0..SESSIONS {
        let (report, requests) = session(n, if n == SESSIONS / 2 { large } else { each });
        store.keep(&report, &requests)?;
    }
    let took = began.elapsed();
    let total = large + each * (SESSIONS - 1);
    println!("{total} requests of {TOKENS} tokens in {SESSIONS} sessions");
    println!(
        "  written in                     {:8.1} s, {:.1} µs a request",
        took.as_secs_f64(),
        took.as_secs_f64() * 1e6 / total as f64
    );
    drop(store);
    let bytes = fs::metadata(dir.path().join(FILE)).map_or(0, |meta| meta.len());
    println!(
        "  on disk                        {:8.1} MB, {} bytes a request",
        bytes as f64 / 1e6,
        bytes / total
    );

    let page = |query: HistoryQuery| HistoryQuery {
        limit: PAGE,
        ..query
    };
    let mut rows = vec![("first page".to_owned(), page(HistoryQuery::default()))];
    for sort in [
        SortBy::Title,
        SortBy::Deployment,
        SortBy::Model,
        SortBy::Requests,
        SortBy::Ttft,
        SortBy::Itl,
        SortBy::Peak,
        SortBy::Errors,
        SortBy::Tag,
    ] {
        for ascending in [false, true] {
            let query = HistoryQuery {
                sort,
                ascending,
                ..HistoryQuery::default()
            };
            rows.push((
                format!("by {sort:?} {}", if ascending { "up" } else { "down" }),
                page(query),
            ));
        }
    }
    let text = "model-6 nightly".to_owned();
    rows.push((
        "two words".to_owned(),
        page(HistoryQuery {
            text,
            ..HistoryQuery::default()
        }),
    ));
    let model = Some("model-3".to_owned());
    rows.push((
        "of a model".to_owned(),
        page(HistoryQuery {
            model: model.clone(),
            ..HistoryQuery::default()
        }),
    ));
    let tag = Some("nightly".to_owned());
    rows.push((
        "model and tag".to_owned(),
        page(HistoryQuery {
            model,
            tag,
            ..HistoryQuery::default()
        }),
    ));
    rows.push((
        "the last page".to_owned(),
        page(HistoryQuery {
            offset: SESSIONS - PAGE,
            ..HistoryQuery::default()
        }),
    ));
    for (what, query) in rows {
        // As the window does it: opened anew for each page.
        let mut found = 0;
        let times = timed(5, || {
            let page = Store::open_to_read(dir.path())?.list(&query)?;
            found = page.rows.len();
            Ok(())
        })?;
        println!("  {what:28} {times}  {found} rows");
    }
    let id = SessionId(format!("b{:06}", SESSIONS / 2));
    let open = || Store::open_to_read(dir.path());
    println!(
        "  open {large} requests       {}",
        timed(3, || open()?.session(&id).map(|_| ()))?
    );
    println!(
        "  their values, for comparing  {}",
        timed(3, || open()?.values(&id).map(|_| ()))?
    );
    println!(
        "  a trend                      {}",
        timed(3, || open()?.trend("model-3", None, None).map(|_| ()))?
    );
    Ok(())
}

/// The median and the longest of some runs.
fn timed(runs: usize, mut work: impl FnMut() -> Result<(), Failure>) -> Result<String, Failure> {
    let mut times = Vec::new();
    for _ in 0..runs {
        let began = Instant::now();
        work()?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(format!(
        "{:8.1} ms, at most {:.1}",
        times[runs / 2],
        times[runs - 1]
    ))
}

fn session(n: u64, requests: u64) -> (BenchReport, Vec<StoredRequest>) {
    let target = Target {
        model: format!("model-{}", n % 12),
        deployment: Some(format!("deployment-{}", n % 7)),
    };
    let load = LevelLoad::Concurrency(16);
    let mut tally = Tally::new(Objectives::default(), load);
    let stored: Vec<StoredRequest> = (0..requests)
        .map(|index| {
            let record = record(n, index);
            tally.record(&record);
            StoredRequest {
                record,
                model: target.model.clone(),
                deployment: target.deployment.clone(),
                said: None,
            }
        })
        .collect();
    let end = stored
        .last()
        .map_or(Duration::from_secs(1), |request| request.record.ended);
    let level = tally.report(LevelFrame {
        index: 0,
        model: target.model.clone(),
        deployment: target.deployment.clone(),
        ended: LevelEnd::Requests,
        began: Duration::ZERO,
        now: end,
        steady: Some([Duration::ZERO, end]),
        pauses: Vec::new(),
        in_flight_since: Vec::new(),
        most_in_flight: 16,
        aborted: 0,
        unsent: 0,
        sending: None,
        rate_limit: Vec::new(),
        watch: Watch::default(),
    });
    let tags = if n.is_multiple_of(3) {
        vec!["nightly".to_owned()]
    } else {
        Vec::new()
    };
    let began = Timestamp::UNIX_EPOCH + Duration::from_secs(1_750_000_000 + 7_200 * n);
    let report = BenchReport {
        id: format!("b{n:06}"),
        started_at: began,
        took_s: end.as_secs_f64(),
        environment: "east".to_owned(),
        api: "https://api.example.com/v1".to_owned(),
        machine: Machine::new("linux x86_64", 8, 2),
        plan: Plan {
            targets: vec![target],
            load: Load::Concurrency(vec![16]),
            tags,
            ..Plan::default()
        },
        levels: vec![level],
        ..BenchReport::blank()
    };
    (report, stored)
}

/// Times that differ from request to request, the same in each run.
fn record(session: u64, index: u64) -> RequestRecord {
    let wild = (index * 7_919 + session * 104_729) % 20_000;
    let sent = Duration::from_micros(index * 45_000 + wild);
    let ttft = Duration::from_micros(90_000 + wild * 2);
    let gaps_us: Vec<u32> = (0..TOKENS as u32 - 1)
        .map(|gap| 9_000 + (gap * 97 + wild as u32) % 2_000)
        .collect();
    let stream = Duration::from_micros(gaps_us.iter().map(|gap| u64::from(*gap)).sum());
    let latency = ttft + stream;
    RequestRecord {
        index,
        level: 0,
        phase: Phase::Measured,
        due: sent,
        sent,
        ended: sent + latency,
        figures: Figures {
            ttft: Some(ttft),
            first_answer: Some(ttft),
            latency: Some(latency),
            tokens: Some(Tokens {
                n: TOKENS as u64,
                source: TokenSource::Usage,
            }),
            tokens_per_sec: Some((TOKENS - 1) as f64 / stream.as_secs_f64()),
            tpot: Some(stream / (TOKENS as u32 - 1)),
            itl: Some(stream / (TOKENS as u32 - 1)),
            longest_gap: Some(Duration::from_millis(11)),
            prompt_tokens: Some(256),
            ..Figures::default()
        },
        first_byte: Some(ttft),
        gaps_us,
        chunks: TOKENS as u64,
        bytes: 14_000,
        wanted_prompt_tokens: Some(256),
        answered_by: None,
        reconnected: false,
        error: None,
    }
}

// ---- what recording costs -----------------------------------------------------------------------------

struct Nobody;

impl Listener for Nobody {
    fn advanced(&mut self, _: BenchProgress) {}
}

/// Ends with this.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn cost() -> Result<(), Failure> {
    raise_open_files();
    // The first leaves the machine time; the second takes all there is.
    for per_token in ["40ms", "10ms"] {
        recording(per_token)?;
    }
    Ok(())
}

fn recording(per_token: &str) -> Result<(), Failure> {
    let mut command = Command::new(PROGRAM);
    command
        .args([
            "demo",
            "--exact",
            "--ttft",
            "100ms",
            "--per-token",
            per_token,
            "--json",
        ])
        .stdout(Stdio::piped());
    let mut server = Server(command.spawn().expect("the server starts"));
    let mut line = String::new();
    let mut out = BufReader::new(server.0.stdout.take().expect("it is piped"));
    // The JSON may be spread over lines; the address is in one of them.
    let root = loop {
        line.clear();
        out.read_line(&mut line).expect("it says where it is");
        if let Some((_, rest)) = line
            .split_once("\"url\": \"")
            .or_else(|| line.split_once("\"url\":\""))
        {
            break rest.split('"').next().unwrap_or_default().to_owned();
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    println!(
        "recording 2,000 streams of {TOKENS} tokens, one in {per_token}; 2,000 requests to warm up, 8,000 measured"
    );
    println!("            TTFT p50      p99   CPU of all  of the history's thread");
    let mut runs: [Vec<Run>; 2] = Default::default();
    for round in 0..5 {
        for recorded in [round % 2 == 0, round % 2 != 0] {
            let dir = tempfile::tempdir().expect("a folder");
            let run = runtime.block_on(run(&root, dir.path(), recorded))?;
            let name = if recorded { "recorded" } else { "not" };
            let Run { ttft, cpu, thread } = run;
            let share = thread
                .map(|own| format!("{own:6.2} s, {:.1} %", 100.0 * own / cpu))
                .unwrap_or_default();
            println!(
                "  {name:9} {:8.2} {:8.2} ms {cpu:8.2} s  {share}",
                ttft[0], ttft[1]
            );
            runs[usize::from(recorded)].push(Run { ttft, cpu, thread });
        }
    }
    let median = |recorded: bool, of: fn(&Run) -> f64| {
        let mut values: Vec<f64> = runs[usize::from(recorded)].iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    for (name, of) in [
        ("p50, ms", p50 as fn(&Run) -> f64),
        ("p99, ms", p99),
        ("CPU, s", cpu),
    ] {
        let (with, without) = (median(true, of), median(false, of));
        println!(
            "  median {name}: {with:.2} recorded, {without:.2} not: {:.3}",
            with / without
        );
    }
    Ok(())
}

fn p50(run: &Run) -> f64 {
    run.ttft[0]
}

fn p99(run: &Run) -> f64 {
    run.ttft[1]
}

fn cpu(run: &Run) -> f64 {
    run.cpu
}

struct Run {
    ttft: [f64; 2],
    cpu: f64,
    thread: Option<f64>,
}

async fn run(root: &str, dir: &Path, recorded: bool) -> Result<Run, Failure> {
    let options = Options {
        config: Some(dir.to_owned()),
        simulated_kubectl: None,
    };
    let (connections, ..) = engine::connections(&options, |_| {})?;
    let api = ApiAddress::parse(root).expect("an address");
    let env = Environment {
        api: Some(api),
        key: KeyPlace::None,
        ..Environment::blank(EnvId("e".to_owned()), "exact")
    };
    let connection = connections.open(&env).await;
    let plan = Plan {
        targets: vec![Target {
            model: MODEL.to_owned(),
            deployment: None,
        }],
        load: Load::Concurrency(vec![2_000]),
        level_ends: Ends {
            requests: Some(8_000),
            ..Ends::default()
        },
        output_tokens: Some(Lengths::Fixed(TOKENS as u32)),
        // The burst of all first requests is no load that lasts.
        warmup: 2_000,
        ..Plan::default()
    };
    let history = recorded
        .then(|| History::start(Ok(dir.to_owned()), |_| {}))
        .transpose()?;
    let (_steer, steer) = watch::channel(Steer::Resume);
    let controls = Controls {
        cancel: CancellationToken::new(),
        steer,
    };
    let recorder = history.as_ref().map(History::recorder);
    if let Some(recorder) = &recorder {
        // Opening the file is not recording.
        recorder.flush().await;
    }
    let before = cpu_seconds();
    let report = history::bench(
        &RunsOn::ThisComputer,
        &connection,
        &plan,
        controls,
        recorder.clone(),
        &mut Nobody,
    )
    .await?;
    if let Some(recorder) = recorder {
        recorder.flush().await;
    }
    let cpu = cpu_seconds() - before;
    let thread = recorded.then(|| thread_seconds("history"));
    let ttft = &report.levels[0].ttft_ms;
    Ok(Run {
        ttft: [
            ttft.at(P50).unwrap_or(f64::NAN),
            ttft.at(P99).unwrap_or(f64::NAN),
        ],
        cpu,
        thread,
    })
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// CPU of this process's threads of a name that are alive, in seconds.
fn thread_seconds(name: &str) -> f64 {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux").flatten();
    let own = tasks.filter(|task| {
        fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.trim() == name)
    });
    // Nanoseconds on a processor come first.
    let nanoseconds = own.filter_map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    });
    nanoseconds.sum::<f64>() / 1e9
}
