//! The command line: the same engine as the window, without one.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage. `bench`: 3 a `--fail-if` condition was met, 4 with `--strict`, a level
//! has a measurement warning. `chat`: 3 the answer is not the JSON that was asked for. `compare`: 3 with
//! `--fail-if-worse`, a figure is worse.

mod args;
mod bench;
mod bench_args;
mod bench_files;
mod bench_help;
mod bench_report;
mod bench_rows;
mod bench_schema;
mod bench_verdict;
mod chat;
mod checks;
mod choose;
mod compare;
mod compare_report;
mod copy_args;
mod fleet_args;
mod headings;
mod history;
mod history_args;
mod image;
mod kubectl_messages;
mod manual;
mod other_tools;
mod out;
mod param_args;
mod plan_file;
mod report;
mod simulated_kubectl;
mod stop;
mod table;
mod worker;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{CommandFactory as _, Parser as _};
use tokio_util::sync::CancellationToken;

use self::args::{Cli, Command, Common, DemoArgs, ModelsArgs};
use self::bench_schema::SchemaForm;
use self::stop::{cancel_on_signal, or_interrupted};
use crate::demo::api::{DEMO_KEY, DemoOptions, DemoServer};
use crate::demo::exact::{self, ExactServer};
use crate::domain::environment::{EnvId, SIMULATED_KUBECTL_ARGUMENT};
use crate::domain::failure::Failure;
use crate::engine::connection::{Connection, Connections};
use crate::engine::history::{History, HistoryNotice};
use crate::engine::{self, Options, cluster};
use crate::io::{group, signals};

/// The name of [`SIMULATED_KUBECTL_ARGUMENT`] in Batida 0.1, which lines that were copied from it have.
const EARLIER_KUBECTL_ARGUMENT: &str = "kubectl-twin";

/// Why a command ended other than well.
enum Ended {
    /// It failed; exit code 1.
    Failed(Failure),
    /// It was called in a way that makes no sense; exit code 2.
    Misused(String),
    /// It said itself what is wrong; exit code 1.
    Told,
    /// A condition of `--fail-if` came true, with `--fail-if-worse` something is worse, or an answer is not the JSON that
    /// was asked for, which was said; exit code 3.
    Crossed,
    /// With `--strict`, a level has a measurement warning, which was printed; exit code 4.
    Doubted,
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<std::io::Error> for Ended {
    /// Of standard output alone: [`out::finish`] tells why.
    fn from(_: std::io::Error) -> Self {
        Self::Told
    }
}

/// Told of the window's first frames.
pub type Mark = Box<dyn Fn(&str)>;

/// Opens the window, on an environment if one is named, and returns when it is closed.
pub type OpenWindow = fn(Options, Option<EnvId>, Option<Mark>) -> Result<(), Failure>;

/// Parses the arguments and runs the command; without one, `window` opens the window, where this build has one.
/// `started` is when the program did.
pub fn main(args: Vec<OsString>, started: Instant, window: Option<OpenWindow>) -> ExitCode {
    // The demo's kubectl runs as a process of its own, as a real one does; its arguments are kubectl's.
    if args
        .get(1)
        .is_some_and(|arg| arg == SIMULATED_KUBECTL_ARGUMENT || arg == EARLIER_KUBECTL_ARGUMENT)
    {
        return simulated_kubectl::run(&args[2..]);
    }
    if group::serves(&args) {
        return ExitCode::SUCCESS;
    }
    if let Some(program) = own_program() {
        group::outlive_none(program);
    }
    let Cli {
        common,
        time_start,
        command,
    } = match Cli::try_parse_from(&args).and_then(|cli| plan_file::read_into(cli, &args)) {
        Ok(cli) => cli,
        Err(mut error) => {
            other_tools::suggest(&mut error);
            // Help and version are answers, not errors; clap tells which by the exit code.
            out::clap(&error);
            return ExitCode::from(out::finish(
                u8::try_from(error.exit_code()).unwrap_or(2),
                report::failure,
            ));
        }
    };
    let misused = match &command {
        Some(Command::Bench(_)) => other_tools::misused_number(&args),
        _ => None,
    };
    let ended = match (misused.or_else(|| common.misused_folder()), command) {
        (Some(why), _) => Err(Ended::Misused(why)),
        (None, None) => open_window(&common, time_start.then_some(started), window),
        (None, Some(command)) => run(&common, command),
    };
    let code = match ended {
        Ok(()) => 0,
        Err(Ended::Told) => 1,
        Err(Ended::Crossed) => 3,
        Err(Ended::Doubted) => 4,
        Err(Ended::Failed(failure)) if common.json => {
            // Whoever reads JSON gets JSON. A failure to print it is told below.
            let _ = report::json(&serde_json::json!({ "failure": report::failure_json(&failure) }));
            1
        }
        Err(Ended::Failed(failure)) => {
            report::failure(&failure);
            1
        }
        Err(Ended::Misused(why)) => {
            report::error_line(&format!("batida: {}", report::message(&why)));
            2
        }
    };
    // Whoever ended it learns so, as of any program.
    let signalled = signals::first().filter(|number| *number != signals::INTERRUPT && code != 0);
    let code = signalled
        .and_then(|number| u8::try_from(128 + number).ok())
        .unwrap_or(code);
    ExitCode::from(out::finish(code, report::failure))
}

/// Batida's executable, as it is even after an update has put another in its place.
fn own_program() -> Option<PathBuf> {
    let linux = PathBuf::from("/proc/self/exe");
    if linux.exists() {
        Some(linux)
    } else {
        std::env::current_exe().ok()
    }
}

fn open_window(
    common: &Common,
    time_start: Option<Instant>,
    window: Option<OpenWindow>,
) -> Result<(), Ended> {
    let Some(window) = window else {
        let cli = Cli::command();
        let commands: Vec<&str> = cli.get_subcommands().map(clap::Command::get_name).collect();
        return Err(Ended::Misused(format!(
            "this build has no window, since it was made without the feature `gui`. It has the commands {}; \
             `batida --help` describes them",
            commands.join(", ")
        )));
    };
    if common.is_ad_hoc() || common.json {
        let why = "--api, --kubeconfig, --json and the like go with a command, e.g. `batida chat`; \
                   the window's environments are kept on its Environments page";
        return Err(Ended::Misused(why.to_owned()));
    }
    let select = if common.demo {
        Some(EnvId::demo())
    } else if let Some(name) = &common.env {
        let (_, settings, notice) = engine::connections(&common.options(), |_| {})?;
        warn(notice);
        Some(common.named(&settings, name)?.id.clone())
    } else {
        None
    };
    let mark = time_start.map(|started| -> Mark {
        Box::new(move |what| {
            report::error_line(&format!(
                "{what}: {:.0} ms",
                started.elapsed().as_secs_f64() * 1e3
            ))
        })
    });
    window(common.options(), select, mark)?;
    Ok(())
}

fn warn(notice: Option<Failure>) {
    if let Some(notice) = notice {
        report::failure(&notice);
    }
}

/// The history, unless it is not wanted. Trouble with it is told, and is no reason not to go on.
fn open_history(common: &Common, unwanted: bool) -> Option<History> {
    if unwanted {
        return None;
    }
    let told = |told| {
        if let HistoryNotice::Troubled(failure) = told {
            report::failure(&failure);
        }
    };
    engine::history(&common.options(), told)
        .map_err(|failure| report::failure(&failure))
        .ok()
}

/// Runs a command that needs nothing but the program itself: no threads, no settings, no connection.
fn run_alone(common: &Common, command: &Command) -> Option<Result<(), Ended>> {
    match command {
        Command::Bench(args) => args.schema.map(|form| match form {
            SchemaForm::Text => Ok(out::stdout().write_all(bench_schema::TEXT.as_bytes())?),
            SchemaForm::Json => Ok(report::json(&bench_schema::json_schema())?),
        }),
        Command::Image(args) => Some(image::write(common, args)),
        Command::Completions(args) => Some(manual::completions(args.shell)),
        Command::Man(args) => Some(manual::write(args, common.json)),
        _ => None,
    }
}

fn run(common: &Common, command: Command) -> Result<(), Ended> {
    if let Some(ended) = run_alone(common, &command) {
        return ended;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::new("The system gives Batida no threads", error.to_string()))?;
    let ended = runtime.block_on(async {
        let cancel = cancel_on_signal();
        signals::outlive_file_limits();
        if let Command::Demo(args) = command {
            return serve_demo(common, &args, &cancel).await;
        }
        if let Command::Worker(args) = command {
            return worker::run(args, &cancel).await;
        }
        if let Command::History(args) = command {
            return or_interrupted(&cancel, history::run(common, *args)).await;
        }
        // The connections outlive the command: the demo's server lives with them.
        let quiet = matches!(&command, Command::Bench(args) if args.quiet);
        let silent = match &command {
            Command::Bench(args) => args.quiet,
            Command::Chat(args) => args.quiet,
            _ => false,
        };
        let (connections, settings, notice) =
            engine::connections(&common.options(), kubectl_messages::printer(silent))?;
        // Without a terminal nobody reads in time what a credential plugin says.
        let connections = if out::errors_are_on_a_terminal() {
            connections
        } else {
            connections.unattended()
        };
        if let Command::Compare(args) = &command {
            warn(notice);
            return or_interrupted(&cancel, compare::run(common, &settings.history, args)).await;
        }
        if let Some(notice) = notice {
            // The demo in place of the environment that was meant would be a lie.
            if common.needs_settings() {
                return Err(notice.into());
            }
            report::failure(&notice);
        }
        // A kubectl may be asked for the context's namespace.
        let opened = cancel
            .run_until_cancelled(open(common, &connections, &settings, quiet))
            .await;
        let connection = &*opened.ok_or(Ended::Told)??;
        match command {
            Command::Deployments => or_interrupted(&cancel, deployments(common, connection)).await,
            Command::Models(args) => {
                or_interrupted(&cancel, models(common, connection, &args)).await
            }
            Command::Chat(args) => {
                let keep = settings.history;
                chat::run(common, connection, *args, keep, &cancel).await
            }
            Command::Bench(args) => {
                bench::run(common, connection, *args, settings.history, &cancel).await
            }
            Command::Check(args) => checks::run(common, connection, &args, &cancel).await,
            Command::Demo(_) | Command::History(_) | Command::Compare(_) => Ok(()),
            Command::Worker(_) | Command::Image(_) | Command::Completions(_) | Command::Man(_) => {
                Ok(())
            }
        }
    });
    runtime.shutdown_timeout(Duration::from_millis(200));
    ended
}

/// Opens the environment that the flags mean.
async fn open(
    common: &Common,
    connections: &Connections,
    settings: &crate::domain::settings::Settings,
    quiet: bool,
) -> Result<Arc<Connection>, Ended> {
    let env = common.environment(settings)?;
    if common.needs_settings() && common.env.is_none() && !quiet {
        report::error_line(&format!("environment: {}", env.name));
    }
    Ok(connections.open(&env).await)
}

async fn deployments(common: &Common, connection: &Connection) -> Result<(), Ended> {
    let kubectl = connection
        .kubectl
        .as_ref()
        .ok_or_else(|| no_cluster(connection))?;
    let view = cluster::load(kubectl).await?;
    report::deployments(common.json, &view)?;
    // There may be more of a kind that could not be listed, and of what cannot be read nobody can say that it is nothing.
    if view.is_partial || view.deployments.is_empty() && !view.unreadable.is_empty() {
        return Err(Ended::Told);
    }
    Ok(())
}

fn no_cluster(connection: &Connection) -> Failure {
    Failure::new(
        format!("The environment {} has no cluster", connection.env.name),
        "Give it one in Environments, or say --kubeconfig, --context and --namespace",
    )
}

async fn models(common: &Common, connection: &Connection, args: &ModelsArgs) -> Result<(), Ended> {
    if args.deployment.is_some() && connection.kubectl.is_none() {
        return Err(no_cluster(connection).into());
    }
    let load = async {
        match &connection.kubectl {
            Some(kubectl) => Some(cluster::load(kubectl).await),
            None => None,
        }
    };
    let (view, routed) = tokio::join!(load, connection.models());
    // One of the two is enough, and what failed is said.
    let view = match (view, &routed) {
        (Some(Err(failure)), Ok(_)) if args.deployment.is_none() => {
            report::failure(&failure);
            None
        }
        (Some(Err(failure)), _) => return Err(failure.into()),
        (Some(Ok(view)), _) => Some(view),
        (None, _) => None,
    };
    let routed = match routed {
        Ok(models) => Some(models.ids),
        Err(failure) if view.is_none() => return Err(failure.into()),
        Err(failure) => {
            report::failure(&failure);
            None
        }
    };
    if let (Some(name), Some(view)) = (&args.deployment, &view) {
        choose::named(view, name)?;
    }
    report::models(
        common.json,
        view.as_ref(),
        routed.as_deref(),
        args.deployment.as_deref(),
    )?;
    Ok(())
}

async fn serve_demo(
    common: &Common,
    args: &DemoArgs,
    cancel: &CancellationToken,
) -> Result<(), Ended> {
    let cannot = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::InvalidInput => Ended::Misused(format!("--core: {error}")),
        _ => Ended::Failed(Failure::new(
            format!("The demo cannot listen on port {}: {error}", args.port),
            "Another program may use it: take another port, or 0 for any free one",
        )),
    };
    if args.exact {
        crate::io::limits::raise_open_files();
        let server = ExactServer::start(args.exact_options()).map_err(cannot)?;
        let models = [exact::MODEL.to_owned()];
        report::demo(common.json, &server.address(), DEMO_KEY, &models)?;
        cancel.cancelled().await;
        return Ok(());
    }
    let options = DemoOptions {
        port: args.port,
        seed: args.seed,
        ..DemoOptions::default()
    };
    let models: Vec<String> = options
        .models
        .iter()
        .map(|model| model.name.clone())
        .collect();
    let server = DemoServer::start(options).await.map_err(cannot)?;
    report::demo(common.json, &server.address(), DEMO_KEY, &models)?;
    cancel.cancelled().await;
    Ok(())
}

#[cfg(test)]
mod tests;
