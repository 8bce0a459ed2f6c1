//! The command line's arguments and help, and the environment that they describe.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use super::Ended;
use super::bench_args::{self, BenchArgs};
use super::headings::{CONNECTION, ENVIRONMENT, FORMAT, HISTORY, MODEL, OUTPUT, PROMPT};
use super::history_args::{self, HistoryArgs};
use super::param_args::ChatParamArgs;
use crate::demo::exact::ExactOptions;
use crate::domain::conversation::{DEFAULT_SYSTEM_PROMPT, Params};
use crate::domain::environment::{
    ApiAddress, ClusterAccess, EnvId, Environment, Extra, ExtraKind, HeaderName, KEY_VARIABLE,
    KeyPlace, check_namespace,
};
use crate::domain::settings::Settings;
use crate::domain::units;
use crate::engine::Options;

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
Environments: an environment is a cluster, an API and a key, kept on the window's Home page. A command uses the one \
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
    #[command(after_help = bench_args::EXAMPLES, after_long_help = help(bench_args::DETAILS, bench_args::EXAMPLES))]
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
    /// Runs the checks of the Home page. Fails (exit code 1) if one of them fails; a warning, such as a deployment that is
    /// not ready, is not a failure.
    #[command(after_help = CHECK_EXAMPLES, after_long_help = help(CHECK_DETAILS, CHECK_EXAMPLES))]
    Check,
    /// Serve simulated models over an OpenAI-compatible API on 127.0.0.1 until Ctrl-C
    ///
    /// Starts the server of the Demo environment: models of different speeds, two that reason, one that is slow to start,
    /// one that takes pictures and sometimes answers 429, one that makes embeddings. With --exact, starts a server with
    /// exact times instead, to test a client that measures.
    #[command(after_help = DEMO_EXAMPLES, after_long_help = help(DEMO_DETAILS, DEMO_EXAMPLES))]
    Demo(DemoArgs),
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
median, the Mann-Whitney test agrees. Errors are compared with Fisher's exact test. All tests of a session together give a \
wrong verdict at most once in twenty times (Holm). \"not enough data\": the interval is too wide to tell. \"look\": \
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
figures, failure}. Durations in figures are in milliseconds. answered_by is null unless the server names another model \
than was asked. form is null unless JSON was asked for, else {holds, told, violations: [{place, what}], more}: whether the \
answer is what was asked for (null if unknown), that in words, the first violations of the schema as JSON pointers, and \
how many more there are.";

/// Flags that every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = ENVIRONMENT)]
pub(super) struct Common {
    /// Use this environment from Home, by its name [default: the one selected there]
    #[arg(long, global = true, value_name = "NAME", conflicts_with = "demo")]
    pub(super) env: Option<String>,
    /// Use the built-in demo: simulated models and a made-up cluster, all on this computer
    #[arg(long, global = true)]
    pub(super) demo: bool,
    /// Call the API at this base URL or host, e.g. api.example.com; a URL with its own version (/api/paas/v4) or a whole
    /// chat URL is used as written
    // These are read later: clap would repeat a value that is refused, and with it a secret.
    #[arg(long, global = true, value_name = "URL")]
    api: Option<String>,
    /// Read the API key from this environment variable [default with --api: SAMBANOVA_API_KEY]
    #[arg(long, global = true, value_name = "VAR")]
    key_env: Option<String>,
    /// Use this kubeconfig file [default: kubectl's own]
    #[arg(long, global = true, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Use this context of the kubeconfig [default: its current context]
    #[arg(long, global = true, value_name = "NAME")]
    context: Option<String>,
    /// Look for SambaStack's deployments in this namespace [default: the context's]
    #[arg(long, short, global = true, value_name = "NAME", value_parser = read_namespace)]
    namespace: Option<String>,
    /// Run this kubectl program [default: kubectl, found in PATH]
    #[arg(long, global = true, value_name = "PATH", hide_short_help = true)]
    kubectl: Option<PathBuf>,
    /// Keep settings, history and drafts in this folder instead of the default ones
    #[arg(long, global = true, value_name = "DIR", hide_short_help = true)]
    config: Option<PathBuf>,
    /// Send the key in this header, e.g. api-key or x-api-key [default: Authorization: Bearer]
    #[arg(long, global = true, value_name = "NAME", value_parser = HeaderName::parse)]
    #[arg(help_heading = CONNECTION, hide_short_help = true)]
    key_header: Option<HeaderName>,
    #[command(flatten)]
    extras: ExtraArgs,
    /// Trust the certificate authorities in this PEM file besides the system's
    #[arg(long, global = true, value_name = "FILE", help_heading = CONNECTION, hide_short_help = true)]
    ca: Option<PathBuf>,
    /// Accept invalid certificates; anyone on the network path can then read the key
    #[arg(long, global = true, help_heading = CONNECTION, hide_short_help = true)]
    insecure: bool,
    /// Present the client certificate in this PEM file to an API that asks for one
    #[arg(long, global = true, value_name = "FILE", help_heading = CONNECTION, hide_short_help = true)]
    client_cert: Option<PathBuf>,
    /// Read the key of --client-cert from this PEM file [default: the certificate's file]
    #[arg(long, global = true, value_name = "FILE", help_heading = CONNECTION, hide_short_help = true)]
    client_key: Option<PathBuf>,
    /// Print JSON instead of text
    #[arg(long, global = true, help_heading = OUTPUT)]
    pub(super) json: bool,
}

/// Headers and query parameters for every request to the API.
#[derive(Debug, Args)]
#[command(next_help_heading = CONNECTION)]
struct ExtraArgs {
    /// Send this header with every request, e.g. 'X-Team: blue'; not for secrets: other users can read a command line
    #[arg(
        long,
        global = true,
        value_name = "NAME: VALUE",
        hide_short_help = true
    )]
    header: Vec<String>,
    /// Send a header whose secret value is in an environment variable, e.g. X-Gateway-Token=GATEWAY_TOKEN
    #[arg(long, global = true, value_name = "NAME=VAR", value_parser = secret_header, hide_short_help = true)]
    header_env: Vec<Extra>,
    /// Add this query parameter to every request, e.g. api-version=2024-10-21
    #[arg(long, global = true, value_name = "NAME=VALUE", hide_short_help = true)]
    query: Vec<String>,
    /// Add a query parameter whose secret value is in an environment variable, e.g. token=GATEWAY_TOKEN
    #[arg(long, global = true, value_name = "NAME=VAR", value_parser = secret_query, hide_short_help = true)]
    query_env: Vec<Extra>,
}

impl ExtraArgs {
    fn is_empty(&self) -> bool {
        let Self {
            header,
            header_env,
            query,
            query_env,
        } = self;
        header.is_empty() && header_env.is_empty() && query.is_empty() && query_env.is_empty()
    }

    fn read(&self) -> Result<Vec<Extra>, Ended> {
        let Self {
            header,
            header_env,
            query,
            query_env,
        } = self;
        let misused = |flag: &str, why: String| Ended::Misused(format!("{flag}: {why}"));
        let headers = header
            .iter()
            .map(|text| Extra::header(text).map_err(|why| misused("--header", why)));
        let queries = query
            .iter()
            .map(|text| Extra::query(text).map_err(|why| misused("--query", why)));
        let secret = header_env.iter().chain(query_env).cloned().map(Ok);
        headers.chain(queries).chain(secret).collect()
    }
}

fn secret_header(text: &str) -> Result<Extra, String> {
    Extra::from_variable(ExtraKind::Header, text)
}

fn secret_query(text: &str) -> Result<Extra, String> {
    Extra::from_variable(ExtraKind::Query, text)
}

impl Common {
    /// What is wrong with the folder of --config; `None` where it can be used, or made.
    pub(super) fn misused_folder(&self) -> Option<String> {
        let path = self
            .config
            .as_deref()
            .filter(|path| path.exists() && !path.is_dir())?;
        Some(format!(
            "--config must be a folder, but {} is a file: name the folder that contains it",
            path.display()
        ))
    }

    pub(super) fn options(&self) -> Options {
        Options {
            config: self.config.clone(),
            twin: None,
        }
    }

    /// Whether the flags describe an environment, or change one.
    pub(super) fn is_ad_hoc(&self) -> bool {
        self.api.is_some()
            || self.key_env.is_some()
            || self.key_header.is_some()
            || !self.extras.is_empty()
            || self.ca.is_some()
            || self.insecure
            || self.client_cert.is_some()
            || self.client_key.is_some()
            || self.has_cluster()
    }

    fn has_cluster(&self) -> bool {
        self.kubeconfig.is_some()
            || self.context.is_some()
            || self.namespace.is_some()
            || self.kubectl.is_some()
    }

    /// Whether the environment comes from the settings.
    pub(super) fn needs_settings(&self) -> bool {
        !self.demo && (self.env.is_some() || !self.is_ad_hoc())
    }

    /// The environment of this name.
    pub(super) fn named<'a>(
        &self,
        settings: &'a Settings,
        name: &str,
    ) -> Result<&'a Environment, Ended> {
        settings.by_name(name).ok_or_else(|| {
            let names: Vec<&str> = settings
                .environments
                .iter()
                .map(|env| env.name.as_str())
                .collect();
            Ended::Misused(format!(
                "there is no environment named {name:?}; there are: {}",
                names.join(", ")
            ))
        })
    }

    /// The environment that is meant: a named one, or the selected one, changed by the flags; a new one when
    /// the flags alone describe it.
    pub(super) fn environment(&self, settings: &Settings) -> Result<Environment, Ended> {
        let mut env = match &self.env {
            _ if self.demo => Environment::demo(),
            Some(name) => self.named(settings, name)?.clone(),
            None if self.is_ad_hoc() => {
                Environment::blank(EnvId::ad_hoc(), "given on the command line")
            }
            None => settings.current().clone(),
        };
        if !self.is_ad_hoc() {
            return Ok(env);
        }
        if env.demo {
            return Err(Ended::Misused(
                "the demo's addresses are its own: leave out --api and the like".to_owned(),
            ));
        }
        if let Some(text) = &self.api {
            let api =
                &ApiAddress::parse(text).map_err(|why| Ended::Misused(format!("--api: {why}")))?;
            // A key is for the API it was given for: it does not follow to another address.
            if env.api.as_ref() != Some(api) {
                env.key = KeyPlace::None;
                env.key_header = None;
                env.extras.retain(|extra| !extra.is_secret());
            }
            env.api = Some(api.clone());
        }
        let usual = self.api.is_some()
            && env.key == KeyPlace::None
            && std::env::var_os(KEY_VARIABLE).is_some();
        match &self.key_env {
            Some(name) => env.key = KeyPlace::Variable(name.clone()),
            None if usual => env.key = KeyPlace::Variable(KEY_VARIABLE.to_owned()),
            None => {}
        }
        env.key_header = self.key_header.clone().or(env.key_header);
        for extra in self.extras.read()? {
            // A flag comes in place of what the environment has of that name.
            env.extras.retain(|old| old.slot() != extra.slot());
            env.extras.push(extra);
        }
        env.ca_file = self.ca.clone().or(env.ca_file);
        env.accept_invalid_certs |= self.insecure;
        if self.client_cert.is_some() {
            env.client_key = None;
        }
        env.client_cert = self.client_cert.clone().or(env.client_cert);
        env.client_key = self.client_key.clone().or(env.client_key);
        if env.client_key.is_some() && env.client_cert.is_none() {
            return Err(Ended::Misused(
                "--client-key needs a --client-cert".to_owned(),
            ));
        }
        if self.has_cluster() {
            let cluster = env.cluster.take().unwrap_or_default();
            env.cluster = Some(ClusterAccess {
                kubectl: self.kubectl.clone().or(cluster.kubectl),
                kubeconfig: self.kubeconfig.clone().or(cluster.kubeconfig),
                context: self.context.clone().or(cluster.context),
                namespace: self.namespace.clone().unwrap_or(cluster.namespace),
            });
        }
        Ok(env)
    }
}

#[derive(Debug, Args)]
pub(super) struct ModelsArgs {
    /// List only the models of this deployment
    #[arg(long, short, value_name = "NAME")]
    pub(super) deployment: Option<String>,
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

fn read_namespace(text: &str) -> Result<String, &'static str> {
    check_namespace(text).map(|()| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_are_well_formed() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
        let mut command = Cli::command();
        command.build();
        check_help(&mut command);
    }

    /// Every help ends with examples, every flag's help is a sentence, and many flags are grouped.
    #[track_caller]
    fn check_help(command: &mut clap::Command) {
        let name = command.get_name().to_owned();
        for long in [false, true] {
            let help = if long {
                command.render_long_help()
            } else {
                command.render_help()
            }
            .to_string();
            let (_, examples) = help
                .rsplit_once("\n\nExamples:\n")
                .unwrap_or_else(|| panic!("{name}: {help}"));
            assert!(
                examples.lines().all(|line| line.starts_with("  ")),
                "{name}: {examples}"
            );
        }
        for arg in command
            .get_arguments()
            .filter(|arg| !arg.is_hide_set() && arg.get_id() != "help")
        {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(
                help.starts_with(char::is_uppercase),
                "{name} {}: {help}",
                arg.get_id()
            );
            let grouped =
                ["bench", "chat", "list"].contains(&name.as_str()) && arg.get_long().is_some();
            assert!(
                !grouped || arg.get_help_heading().is_some(),
                "{name} --{}",
                arg.get_id()
            );
        }
        for command in command
            .get_subcommands_mut()
            .filter(|command| command.get_name() != "help")
        {
            check_help(command);
        }
    }

    #[test]
    fn times_are_read_with_their_unit() {
        let read = |text| units::read_duration(text).ok();
        assert_eq!(read("100ms"), Some(Duration::from_millis(100)));
        assert_eq!(read("1.5s"), Some(Duration::from_millis(1_500)));
        assert_eq!(read("2m 30s"), Some(Duration::from_secs(150)));
        assert_eq!(read("1h"), Some(Duration::from_secs(3_600)));
        for text in ["", "100", "-1s", "s", "1 fortnight", "1s x"] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_key_does_not_follow_to_another_api() {
        let mut settings = Settings::default();
        settings.environments.push(Environment {
            api: ApiAddress::parse("api.example.com").ok(),
            key: KeyPlace::Keychain,
            ..Environment::blank(EnvId("e".to_owned()), "prod")
        });
        let parse = |args: &[&str]| Cli::try_parse_from(args).expect("parses").common;
        let env = |args: &[&str]| {
            parse(args)
                .environment(&settings)
                .ok()
                .expect("an environment")
        };
        let same = env(&[
            "batida",
            "check",
            "--env",
            "prod",
            "--api",
            "https://api.example.com/v1",
        ]);
        assert_eq!(same.key, KeyPlace::Keychain);
        let other = env(&[
            "batida",
            "check",
            "--env",
            "prod",
            "--api",
            "evil.example.com",
        ]);
        assert_ne!(other.key, KeyPlace::Keychain);
        let headers = [
            "batida",
            "chat",
            "--env",
            "prod",
            "x",
            "--header",
            "X-A: 1",
            "--header-env",
            "X-Token=T",
        ];
        assert_eq!(env(&headers).extras.len(), 2);
    }

    #[test]
    fn a_secret_never_stands_on_the_command_line() {
        for args in [
            ["--header", "X-Token: sk-12345678"],
            ["--query", "key=sk-12345678"],
        ] {
            let cli = Cli::try_parse_from(["batida", "check", args[0], args[1]]).expect("parses");
            let Err(Ended::Misused(words)) = cli.common.environment(&Settings::default()) else {
                panic!()
            };
            assert!(
                words.contains("-env ") && !words.contains("sk-12345678"),
                "{words}"
            );
        }
    }
}
