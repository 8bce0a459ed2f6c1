//! The command line's commands, their arguments and help.

mod common;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

pub(super) use self::common::Common;
use super::bench_args::BenchArgs;
use super::bench_help;
use super::copy_args::{self, CompletionsArgs, ImageArgs, ManArgs};
use super::headings::{FORMAT, HISTORY, MODEL, OUTPUT, PROMPT};
use super::history_args::{self, HistoryArgs};
use super::param_args::ChatParamArgs;
use super::worker::WorkerArgs;
use crate::demo::exact::ExactOptions;
use crate::domain::conversation::{DEFAULT_SYSTEM_PROMPT, Params};
use crate::domain::units;

/// The examples of `batida --help`; the first opens the window, where this build has one.
fn examples() -> String {
    let window = if cfg!(feature = "gui") {
        "  batida --demo                                        open the window on the built-in demo\n"
    } else {
        ""
    };
    ["Examples:\n", window, EXAMPLES].concat()
}

fn details() -> String {
    let window = if cfg!(feature = "gui") {
        "Without a command, Batida opens its window.\n\n"
    } else {
        "This build of Batida has no window, only its commands.\n\n"
    };
    [window, DETAILS].concat()
}

const EXAMPLES: &str = "  batida check                                         check kubectl, the cluster, the API and the key
  batida deployments --context east --namespace sambastack
  batida models --demo --deployment md-deepseek-r1
  batida chat --demo 'Explain TTFT in two sentences'
  batida chat --api https://api.example.com --model gpt-oss-120b --max-tokens 50 Hello
  batida bench --demo --model gpt-oss-120b --concurrency 1,4,16 --requests 50
  batida history export last --format html --out report.html
  batida compare before.json after.json --fail-if-worse
  batida demo --port 8080                              simulate an OpenAI-compatible server
  batida demo --exact --ttft 50ms                      serve a model with exact times, to test a client";

const DETAILS: &str = "\
Environments: an environment is a cluster, an API and a key, kept on the window's Environments page. A command uses the one \
that is selected there, unless --env or --demo names another, or --api, --kubeconfig and other flags describe one for \
this run.

Exit codes: 0 done, 1 failed, 2 wrong usage. `batida bench`: 3 a --fail-if condition was met, 4 with --strict, a level has \
a measurement warning. `batida chat`: 3 the answer is not the JSON that was asked for. `batida compare`: 3 with \
--fail-if-worse, a figure is worse. Ctrl-C, SIGTERM and SIGHUP stop a command, with exit codes 1, \
143 and 129 (`batida demo`: 0).

JSON: with --json, a command that fails prints {\"failure\": {summary, advice, details, retry_after_ms}}; `chat` puts it \
into its object, and `check` reports each check instead.";

/// Chat with the models deployed on SambaStack, and measure how fast they answer
#[derive(Debug, Parser)]
#[command(name = "batida", version, max_term_width = 100)]
#[command(after_help = examples(), after_long_help = help(&details(), &examples()))]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) common: Common,
    /// Print how long the window takes to its first frame and to its first deployments, and close it
    #[arg(long, hide = true)]
    pub(super) time_start: bool,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the deployments on the cluster, their state, and why one is not ready
    ///
    /// Asks kubectl for the deployments, bundles, models and pods of the namespace, in SambaStack's old and new resources
    /// alike. Columns: name, state, kind, models, reason.
    #[command(after_help = DEPLOYMENTS_EXAMPLES, after_long_help = help(DEPLOYMENTS_DETAILS, DEPLOYMENTS_EXAMPLES))]
    Deployments,
    /// List the models of the deployments, and the models that the API routes
    ///
    /// Lists serving names, which the API expects; kubectl shows the names of resources instead.
    #[command(after_help = MODELS_EXAMPLES, after_long_help = help(MODELS_DETAILS, MODELS_EXAMPLES))]
    Models(ModelsArgs),
    /// Send one prompt: the answer streams to standard output, its figures go to standard error
    #[command(after_help = CHAT_EXAMPLES, after_long_help = help(CHAT_DETAILS, CHAT_EXAMPLES))]
    Chat(Box<ChatArgs>),
    /// Benchmark one or more models under load
    ///
    /// Sends requests to each model in turn, at each level of the load, and reports TTFT, inter-token latency, latency and
    /// throughput with 95 % intervals. Batida also watches itself, and warns about a level whose figures the benchmark may
    /// have changed.
    #[command(after_help = bench_help::EXAMPLES, after_long_help = help(bench_help::DETAILS, bench_help::EXAMPLES))]
    Bench(Box<BenchArgs>),
    /// List, show, rename, export, import and delete past chats and benchmarks
    ///
    /// Chats and benchmarks of the window and of the command line are kept on this computer.
    #[command(after_help = history_args::EXAMPLES)]
    #[command(after_long_help = help(history_args::DETAILS, history_args::EXAMPLES))]
    History(Box<HistoryArgs>),
    /// Compare benchmarks with a baseline: what changed, how certain that is, and whether it matters
    ///
    /// Takes sessions of the history (an id or the beginning of one, `last`, `last~1`, a tag) and result files: Batida's
    /// and those that `batida history import` reads. The first is the baseline. Levels of the same model and load are
    /// compared; differences between the plans are listed first.
    #[command(after_help = COMPARE_EXAMPLES, after_long_help = help(COMPARE_DETAILS, COMPARE_EXAMPLES))]
    Compare(CompareArgs),
    /// Check kubectl, the cluster, the API and the key, one line each
    ///
    /// Runs the checks of the Environments page. Fails (exit code 1) if one of them fails; a warning, such as a deployment that is
    /// not ready, is not a failure.
    #[command(after_help = CHECK_EXAMPLES, after_long_help = help(CHECK_DETAILS, CHECK_EXAMPLES))]
    Check(CheckArgs),
    /// Serve simulated models over an OpenAI-compatible API on 127.0.0.1 until Ctrl-C
    ///
    /// Starts the server of the Demo environment: models of different speeds, two that reason, one that is slow to start,
    /// one that takes pictures and sometimes answers 429, one that makes embeddings. With --exact, starts a server with
    /// exact times instead, to test a client that measures.
    #[command(after_help = DEMO_EXAMPLES, after_long_help = help(DEMO_DETAILS, DEMO_EXAMPLES))]
    Demo(DemoArgs),
    /// Write a container image with this program, without docker and without a network
    ///
    /// Writes an OCI archive, which podman, docker, skopeo and containerd read, e.g. to run benchmarks on a cluster that
    /// reaches no public registry.
    #[command(after_help = copy_args::IMAGE_EXAMPLES, after_long_help = help(copy_args::IMAGE_DETAILS, copy_args::IMAGE_EXAMPLES))]
    Image(ImageArgs),
    /// Print a completion script for a shell
    #[command(after_help = copy_args::COMPLETIONS_EXAMPLES)]
    Completions(CompletionsArgs),
    /// Write the manual pages, one for each command
    #[command(after_help = copy_args::MAN_EXAMPLES, after_long_help = help(copy_args::MAN_DETAILS, copy_args::MAN_EXAMPLES))]
    Man(ManArgs),
    /// Send a share of a benchmark for a Batida elsewhere, which `batida bench --worker-command` starts
    ///
    /// Reads orders from standard input and writes what it measured to standard output, a line of JSON each. Ends when its
    /// input is closed.
    #[command(hide = true)]
    #[command(after_help = WORKER_EXAMPLES, after_long_help = help(WORKER_DETAILS, WORKER_EXAMPLES))]
    Worker(WorkerArgs),
}

/// The end of a long help: the details, and the examples last.
pub(super) fn help(details: &str, examples: &str) -> String {
    format!("{details}\n\n{examples}")
}

const DEPLOYMENTS_EXAMPLES: &str = "\
Examples:
  batida deployments --demo
  batida deployments --kubeconfig east.yaml --namespace sambastack --json";

const DEPLOYMENTS_DETAILS: &str = "\
An object that cannot be read in full is listed with its reason and hides no other. Fails (exit code 1) if the \
deployments cannot be listed.

JSON: {\"deployments\": [{name, generation, bundle, state, reason, since, replicas, pods, models: [{serving_name, \
resource, aliases, capabilities, confirmed}], bundle_notes, models_trouble, unreadable}], \"warnings\": [{summary, advice, \
details, retry_after_ms}], \"unreadable\": [the same]}. The status of a pod is kubectl's STATUS column. capabilities are \
text, vision and embeddings, and empty if the cluster does not say; a model is not confirmed if serving_name is only the \
name of its resource.";

const MODELS_EXAMPLES: &str = "\
Examples:
  batida models --demo
  batida models --demo --deployment md-deepseek-r1 --json";

const MODELS_DETAILS: &str = "\
JSON: {\"models\": [{name, deployment, routed, chats}]}; routed is null if the API was not reached.";

const COMPARE_EXAMPLES: &str = "\
Examples:
  batida compare last~1 last
  batida compare before.json after.json
  batida compare main.json branch.json --fail-if-worse --least-change 5%
  batida compare v1.json v2.json v3.json --markdown > comparison.md";

const COMPARE_DETAILS: &str = "\
Verdicts: a change is better or worse if it is at least --least-change, its 95 % interval excludes zero and, for a \
median, the Mann-Whitney test agrees. Errors are compared with Fisher's exact test. Requests that waited for each other \
count as fewer. All figures of a comparison together give a wrong verdict at most once in twenty times (Holm). \"not enough data\": the interval is too wide to tell. \"look\": \
something changed that cannot be tested, such as the first errors.

Exit codes: 0 done; 1 a report cannot be read; 2 wrong usage; 3 with --fail-if-worse, a figure is worse or nothing could be \
compared.

JSON: one object with \"schema\": \"batida.compare/1\": {schema, labels, sessions, least_change, differences: [{what, \
values, grave}], rows: [{model, level, figure, title, unit, baseline, others: [{value, change, interval, p, verdict}]}], \
remarks}. Changes are shares; verdicts are better, worse, no_difference, too_few or look.";

const CHECK_EXAMPLES: &str = "\
Examples:
  batida check --demo
  batida check --api https://api.example.com --key-env MY_KEY
  batida check --env production --json";

const CHECK_DETAILS: &str = "\
JSON: {\"checks\": [{title, verdict, finding, advice, command, details, took_ms}]}; verdict is good, warning, bad or \
skipped.";

const WORKER_EXAMPLES: &str = "\
Examples:
  batida bench --demo --model gpt-oss-120b --worker-command 'batida worker'
  batida bench --api api.example.com --model m --worker-command 'ssh -T host batida worker --key-file key.txt'";

const WORKER_DETAILS: &str = "\
A worker is never sent a key: it needs its own. It ends when its input is closed, on SIGTERM, or when it hears nothing for \
--patience; then every connection is closed and what it measured is told.";

const DEMO_EXAMPLES: &str = "\
Examples:
  batida demo --port 8080
  batida demo --exact --ttft 50ms --per-token 5ms --port 8080";

const DEMO_DETAILS: &str = "\
JSON: {url, key, models}, printed once the server is ready.

With --exact the server has one model, exact, accepts any key, runs on a core of its own and keeps times to the \
microsecond. GET /times returns and clears them, one line of JSON per request: {id, received_ns, tokens, written_ns: \
[first token, last token], done_ns}, on the monotonic clock. id is the request's X-Request-ID; the header X-Times-Lost \
counts older requests that did not fit. DELETE /times clears them.";

const CHAT_EXAMPLES: &str = "\
Examples:
  batida chat --demo 'Explain TTFT in two sentences'
  batida chat --demo --model gpt-oss-120b --max-tokens 50 --json Hello
  batida chat --demo --model gemma-4-31B-it --attach chart.png 'What is in it?'
  batida chat --demo --json-object 'Name a city'
  git diff | batida chat --demo -";

const CHAT_DETAILS: &str = "\
Figures: TTFT is the time from sending the request to the first chunk with text, reasoning included. Latency is the time \
from sending it to the end of the answer. Tokens/s is (tokens - 1) / (last token - first token); an answer that arrived \
all at once has none. Tokens are counted by the server; if it sends no count, chunks are counted and called chunks.

Exit codes: 0 done; 1 failed, or the answer has no text, tool call or refusal (reasoning alone is not an answer: it may have \
used up --max-tokens); 2 wrong usage; 3 with --json-object or \
--json-schema, the answer is not JSON, is in a code fence, or does not match the schema. These flags ask the server for \
JSON (response_format) and check the answer. A $ref to another file or host is not fetched.

JSON: --json prints one object and streams nothing: {model, answered_by, answer, reasoning, ending, finish_reason, form, \
figures, failure, kept_open}. Durations in figures are in milliseconds. answered_by is null unless the server names another model \
than was asked. form is null unless JSON was asked for, else {holds, told, violations: [{place, what}], more}: whether the \
answer is what was asked for (null if unknown), that in words, the first violations of the schema as JSON pointers, and \
how many more there are. kept_open is true if the server sent no [DONE] and kept the response open after its finish \
reason, so that later text is not in the answer.";

#[derive(Debug, Args)]
pub(super) struct ModelsArgs {
    /// List only the models of this deployment
    #[arg(long, short, value_name = "NAME")]
    pub(super) deployment: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Check the rights that `bench --in-cluster` takes instead, one line each
    #[arg(long)]
    pub(super) in_cluster: bool,
    /// With --in-cluster: in this namespace [default: the environment's]
    #[arg(long, value_name = "NAME", requires = "in_cluster")]
    pub(super) worker_namespace: Option<String>,
    /// With --in-cluster: print a Role with these rights, for an administrator, and ask nothing
    #[arg(long, requires = "in_cluster")]
    pub(super) rbac: bool,
}

#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    /// Sessions or result files to compare, two to six, the baseline first
    #[arg(required = true, num_args = 2..=6, value_name = "SESSION")]
    pub(super) sides: Vec<String>,
    /// Exit with code 3 if a figure is worse than the baseline's
    #[arg(long)]
    pub(super) fail_if_worse: bool,
    /// Ignore changes smaller than this share, e.g. 5% or 0.05 [default: from the settings, at first 3%]
    #[arg(long, value_name = "SHARE", value_parser = least_change)]
    pub(super) least_change: Option<f64>,
    /// Print Markdown, e.g. for a pull request
    #[arg(long, conflicts_with = "json", help_heading = OUTPUT)]
    pub(super) markdown: bool,
    /// Write JUnit XML to this file: a suite per model, a case per figure. A worse figure is skipped, with
    /// --fail-if-worse it fails
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub(super) junit: Option<std::path::PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Listen on this port; 0 takes any free one
    #[arg(long, short, default_value_t = 0, value_name = "P")]
    pub(super) port: u16,
    /// Use this seed: the same seed gives the same answers at the same pace
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(super) seed: u64,
    /// Serve one model with exact, recorded times, to test a client that measures
    #[arg(long, conflicts_with_all = ["seed", "demo"])]
    pub(super) exact: bool,
    #[command(flatten)]
    pub(super) pace: ExactArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "With --exact")]
pub(super) struct ExactArgs {
    /// Wait this long before the first token
    #[arg(long, requires = "exact", default_value = "100ms", value_name = "TIME", value_parser = units::read_duration)]
    ttft: Duration,
    /// Wait this long between tokens; 0ms sends them as fast as possible
    #[arg(long, requires = "exact", default_value = "10ms", value_name = "TIME", value_parser = units::read_duration)]
    per_token: Duration,
    /// Answer with N tokens if the request has no max_tokens
    #[arg(long, requires = "exact", default_value_t = 64, value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    tokens: u32,
    /// Send the whole answer in one write, at the time of the first token
    #[arg(long, requires = "exact")]
    one_write: bool,
    /// Stay on this processor core [default: the last one]
    #[arg(long, requires = "exact", value_name = "N")]
    core: Option<usize>,
    /// Record the time of every token, not only of the first and the last
    #[arg(long, requires = "exact")]
    all_times: bool,
}

impl DemoArgs {
    /// What the exact server is to be.
    pub(super) fn exact_options(&self) -> ExactOptions {
        let &ExactArgs {
            ttft,
            per_token,
            tokens,
            one_write,
            core,
            all_times,
        } = &self.pace;
        ExactOptions {
            port: self.port,
            ttft,
            per_token,
            tokens,
            one_write,
            core,
            all_times,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct ChatArgs {
    /// The prompt; - reads it from standard input
    pub(super) prompt: String,
    /// Ask this model, by its serving name [default: the first of the deployment, or of the API]
    #[arg(long, short, value_name = "NAME", help_heading = MODEL)]
    pub(super) model: Option<String>,
    /// Take the model from this deployment
    #[arg(long, short, value_name = "NAME", help_heading = MODEL)]
    pub(super) deployment: Option<String>,
    /// Give up on the answer after this time, e.g. 90s or 5m [default: after 10m without data]
    #[arg(long, help_heading = PROMPT, value_name = "TIME", value_parser = units::read_duration)]
    pub(super) timeout: Option<Duration>,
    /// Attach a picture (PNG, JPEG, WebP) or a text file, e.g. chart.png; can be repeated
    #[arg(long, help_heading = PROMPT, value_name = "FILE")]
    pub(super) attach: Vec<PathBuf>,
    /// Send this system prompt; empty sends none
    #[arg(long, short, help_heading = PROMPT, default_value = DEFAULT_SYSTEM_PROMPT, value_name = "TEXT")]
    pub(super) system: String,
    /// Print the reasoning too, to standard error
    #[arg(long, help_heading = OUTPUT)]
    pub(super) reasoning: bool,
    /// Print only the answer, without figures
    #[arg(long, short, help_heading = OUTPUT)]
    pub(super) quiet: bool,
    /// Do not keep this chat in the history
    #[arg(long, help_heading = HISTORY)]
    pub(super) no_history: bool,
    /// Ask for a JSON object; exit with code 3 if the answer is not one
    #[arg(long, help_heading = FORMAT, conflicts_with = "json_schema")]
    pub(super) json_object: bool,
    /// Ask for JSON that matches the schema in this file; exit with code 3 if it does not
    #[arg(long, help_heading = FORMAT, value_name = "FILE")]
    pub(super) json_schema: Option<PathBuf>,
    #[command(flatten)]
    params: ChatParamArgs,
}

impl ChatArgs {
    /// The parameters to be sent besides the messages.
    pub(super) fn params(&self) -> Params {
        self.params.0.clone()
    }
}

fn least_change(text: &str) -> Result<f64, String> {
    let share = units::read_share(text)?;
    if share >= 0.0 && share.is_finite() {
        Ok(share)
    } else {
        Err("use a share of at least 0".to_owned())
    }
}

#[cfg(test)]
mod tests;
