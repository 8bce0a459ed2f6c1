//! `batida bench`: one session, its progress, its files and its report.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::args::Common;
use super::bench_args::{BenchArgs, check_before_asking, sound_plan};
use super::bench_files::Files;
use super::bench_report::{self, level_line};
use super::bench_rows::{Lines, Rows};
use super::{Ended, bench_verdict, choose, out, plan_file, report};
use crate::domain::failure::{Failure, FaultClass};
use crate::domain::history::HistorySettings;
use crate::domain::plan::{Level, Plan, Target};
use crate::domain::run::{BenchProgress, BenchReport, LevelReport, Stage, Steer};
use crate::engine::bench::{Controls, LIVE_FIGURES, Listener};
use crate::engine::connection::Connection;
use crate::engine::history;
use crate::io::files::cannot_write;
use crate::metrics::request::RequestRecord;

/// A terminal's line is drawn so often at most.
const REDRAW: Duration = Duration::from_millis(100);

pub(super) async fn run(
    common: &Common,
    connection: &Connection,
    args: BenchArgs,
    keep: HistorySettings,
    cancel: &CancellationToken,
) -> Result<(), Ended> {
    let named = args.targets().map_err(Ended::Misused)?;
    check_before_asking(&args, &named)?;
    let files = Files::plan(&args)?;
    let [mut rows, mut gaps] = open_rows(&args)?;
    connection.api_with_key()?;
    let targets = targets(connection, &args, named, cancel).await?;
    let plan = sound_plan(&args, targets)?;
    if let Some(path) = &args.save_plan {
        plan_file::save(path, &plan, &args)?;
    }
    if args.fleet.manifest {
        return Ok(report::json(&args.fleet.manifest(connection, &plan)?)?);
    }
    name_levels([&mut rows, &mut gaps], &plan);
    // Nobody steers from a command line; the sender lives as long as the session.
    let (_steer, steer) = watch::channel(Steer::Resume);
    let controls = Controls {
        cancel: cancel.clone(),
        steer,
    };
    let models = plan.targets.iter().map(|it| it.model.clone()).collect();
    let mut listener = Watcher {
        rows,
        gaps,
        models,
        progress: Progress::new(args.quiet),
    };
    // Dropped at the end: what it holds is written then.
    let history = super::open_history(common, args.no_history);
    let recorder = history
        .as_ref()
        .map(|history| history.recorder().with_bench_texts(keep.bench_texts));
    let found = measure(connection, &args, &plan, controls, recorder, &mut listener).await;
    let Watcher {
        rows,
        gaps,
        mut progress,
        ..
    } = listener;
    progress.clear();
    let found = match found.map_err(before_first_level) {
        Ok(found) => found,
        Err(failure) => {
            files.broken(&failure);
            return Err(failure.into());
        }
    };
    progress.finish(&found);

    let (mut written, mut troubles) = end_rows(&args, rows, gaps);
    let printed = files.write(&args, &found, &mut written, &mut troubles);
    let printed = printed.and_then(|()| print(common.json, &args, &found, &written));
    for trouble in &troubles {
        report::failure(trouble);
    }
    printed?;
    if !troubles.is_empty() {
        return Err(Ended::Told);
    }
    for hint in choose::meant(connection, &found).await {
        report::error_line(&format!("batida: {hint}"));
    }
    bench_verdict::told(&found, &args)
}

/// Runs the session where it is to run. What was started in the cluster for it is removed, however it ends.
async fn measure(
    connection: &Connection,
    args: &BenchArgs,
    plan: &Plan,
    controls: Controls,
    recorder: Option<history::Recorder>,
    listener: &mut Watcher,
) -> Result<BenchReport, Failure> {
    let pods = args
        .fleet
        .start(connection, plan, args.quiet, &controls.cancel)
        .await?;
    let measuring = async {
        let runs_on = args.fleet.runs_on(connection, pods.as_ref()).await?;
        history::bench(&runs_on, connection, plan, controls, recorder, listener).await
    };
    let found = measuring.await;
    if let Some(pods) = &pods
        && let Err(failure) = pods.remove().await
    {
        report::failure(&failure);
    }
    found
}

/// The files with rows that are asked for: a row per request, a row per gap.
fn open_rows(args: &BenchArgs) -> Result<[Option<Rows>; 2], Failure> {
    let open = |path: &Option<PathBuf>, lines| {
        let path = path.as_deref();
        path.map(|path| Rows::open(path, lines)).transpose()
    };
    Ok([
        open(&args.csv, Lines::Requests)?,
        open(&args.gaps, Lines::Gaps)?,
    ])
}

/// Those that were named, or else what the API or the deployment has.
async fn targets(
    connection: &Connection,
    args: &BenchArgs,
    named: Vec<Target>,
    cancel: &CancellationToken,
) -> Result<Vec<Target>, Ended> {
    if !named.is_empty() {
        return Ok(named);
    }
    if !args.plan(Vec::new()).endpoint.streams() {
        let why = "--model: name the model that creates embeddings";
        return Err(Ended::Misused(why.to_owned()));
    }
    tokio::select! {
        () = cancel.cancelled() => Err(Ended::Told),
        found = choose::targets(connection, &args.deployment) => Ok(found?),
    }
}

/// Tells files with rows how the plan's levels are called.
fn name_levels(all: [&mut Option<Rows>; 2], plan: &Plan) {
    for rows in all.into_iter().flatten() {
        let name = |level: Level| (level.load.label(), plan.targets[level.target].model.clone());
        rows.levels = plan.levels().into_iter().map(name).collect();
    }
}

/// Why there is no report at all.
fn before_first_level(failure: Failure) -> Failure {
    match failure.class {
        Some(FaultClass::Cancelled) => {
            Failure::new("The session was stopped before its first level", "")
        }
        _ => failure,
    }
}

/// Ends the files with rows. Gives those that were written, and why others were not.
fn end_rows(
    args: &BenchArgs,
    rows: Option<Rows>,
    gaps: Option<Rows>,
) -> (Vec<String>, Vec<Failure>) {
    let mut written = Vec::new();
    let mut troubles = Vec::new();
    let mut keep =
        |path: &Option<PathBuf>, ended: Option<std::io::Result<bool>>| match (path, ended) {
            (Some(path), Some(Ok(true))) => written.push(path.display().to_string()),
            (Some(path), Some(Err(error))) => troubles.push(cannot_write(path, &error)),
            _ => {}
        };
    keep(&args.csv, rows.map(Rows::end));
    keep(&args.gaps, gaps.map(Rows::end));
    (written, troubles)
}

/// The report for whoever reads standard output, unless a file has taken it.
fn print(
    json: bool,
    args: &BenchArgs,
    found: &BenchReport,
    written: &[String],
) -> std::io::Result<()> {
    if args.stdout_is_taken() {
        return Ok(());
    }
    if json {
        return report::json(&serde_json::to_value(found)?);
    }
    let text = bench_report::text(found, written);
    let mut stdout = out::stdout();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

// ---- progress -----------------------------------------------------------------------------------------

struct Watcher {
    rows: Option<Rows>,
    gaps: Option<Rows>,
    /// Of the plan's targets.
    models: Vec<String>,
    progress: Progress,
}

impl Listener for Watcher {
    fn partial_interval(&self) -> Duration {
        if self.progress.quiet || !self.progress.terminal {
            Duration::MAX
        } else {
            LIVE_FIGURES
        }
    }

    fn began(&mut self, report: &BenchReport) {
        for rows in [&mut self.rows, &mut self.gaps].into_iter().flatten() {
            rows.session.clone_from(&report.id);
        }
        self.progress.begin(report);
    }

    fn advanced(&mut self, progress: BenchProgress) {
        for rows in [&mut self.rows, &mut self.gaps].into_iter().flatten() {
            rows.searches(&progress, &self.models);
            rows.flush_regularly();
        }
        self.progress.show(&progress);
    }

    fn ended(&mut self, record: &Arc<RequestRecord>) {
        for rows in [&mut self.rows, &mut self.gaps].into_iter().flatten() {
            rows.add(record);
        }
    }
}

/// What is said on standard error while a session runs.
struct Progress {
    quiet: bool,
    terminal: bool,
    drawn: Option<Instant>,
    /// Levels whose beginning, and whose end, was told.
    begun: usize,
    told: usize,
    /// Of the level under way, kept from one partial report to the next.
    partial: Option<Box<LevelReport>>,
    /// The same for the last rate.
    tokens_per_s: Option<f64>,
}

impl Progress {
    fn new(quiet: bool) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let terminal = out::errors_are_on_a_terminal() && !dumb;
        Self {
            quiet,
            terminal,
            drawn: None,
            begun: 0,
            told: 0,
            partial: None,
            tokens_per_s: None,
        }
    }

    /// What is to be known of the files before the first request.
    fn begin(&mut self, report: &BenchReport) {
        if !self.quiet {
            report
                .told_before()
                .iter()
                .for_each(|line| report::error_line(line));
        }
    }

    fn show(&mut self, progress: &BenchProgress) {
        if self.quiet {
            return;
        }
        for level in &progress.ended {
            self.end(level, progress.levels);
        }
        if let Some(partial) = &progress.partial {
            self.partial = Some(partial.clone());
        }
        if let Some(rate) = progress.rates.last() {
            self.tokens_per_s = Some(rate.tokens_per_s);
        }
        if self.terminal {
            self.draw(progress);
        } else if !matches!(progress.stage, Stage::Starting | Stage::Calibrating)
            && (self.begun..progress.levels).contains(&progress.level)
        {
            self.begun = progress.level + 1;
            report::error_line(&match progress.search {
                Some(search) => format!(
                    "probe {}: {} begins",
                    progress.level + 1,
                    search.load.label()
                ),
                None => format!("level {}/{} begins", progress.level + 1, progress.levels),
            });
        }
    }

    /// The levels whose end nobody has told yet.
    fn finish(&mut self, found: &BenchReport) {
        if !self.quiet {
            let levels = found.plan.levels().len();
            found
                .levels
                .iter()
                .for_each(|level| self.end(level, levels));
        }
    }

    fn end(&mut self, level: &LevelReport, levels: usize) {
        if level.index < self.told {
            return;
        }
        self.clear();
        (self.partial, self.tokens_per_s) = (None, None);
        self.told = level.index + 1;
        self.begun = self.begun.max(self.told);
        let place = match &level.probe {
            Some(_) => format!("probe {}", level.index + 1),
            None => format!("level {}/{levels}", level.index + 1),
        };
        report::error_line(&format!("{place}: {}", level_line(level)));
    }

    fn draw(&mut self, progress: &BenchProgress) {
        if self.drawn.is_some_and(|drawn| drawn.elapsed() < REDRAW) {
            return;
        }
        self.drawn = Some(Instant::now());
        let width = out::error_width().unwrap_or(80);
        let partial = self
            .partial
            .as_deref()
            .filter(|partial| partial.index == progress.level);
        let line = bench_report::progress_line(progress, self.tokens_per_s, partial);
        out::redraw(
            &line
                .chars()
                .take(width.saturating_sub(1))
                .collect::<String>(),
        );
    }

    fn clear(&mut self) {
        if self.terminal && self.drawn.take().is_some() {
            out::redraw("");
        }
    }
}
