//! What can be typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::Ended;
use super::bench_args::{self, BenchArgs};
use super::history_args::{self, HistoryArgs};
use crate::demo::exact::ExactOptions;
use crate::domain::conversation::{DEFAULT_SYSTEM_PROMPT, Effort, Params};
use crate::domain::environment::{
    ApiAddress, ClusterAccess, EnvId, Environment, Extra, ExtraKind, HeaderName, KEY_VARIABLE,
    KeyPlace, check_namespace,
};
use crate::domain::settings::Settings;
use crate::domain::units;
use crate::engine::Options;

/// What stands below the list of commands.
fn after() -> String {
    let (opening, example) = if cfg!(feature = "gui") {
        (
            "Without a command Batida opens its window.\n\n",
            "\n  batida --demo                                   the window, on the built-in demo",
        )
    } else {
        (
            "This build of Batida has no window, only its commands.\n\n",
            "",
        )
    };
    [opening, AFTER, example, EXAMPLES].concat()
}

const AFTER: &str = "\
Environments (a cluster, an API and a key) are kept on the window's Home page. A command uses the one that \
is selected there, unless --env or --demo names another, or --api, --kubeconfig and the like describe one \
for this run alone.

Exit codes: 0 done, 1 it failed, 2 wrong usage; of `batida bench` also 3 a --fail-if came true, 4 with --strict \
a level is in doubt; of `batida chat` 3 the answer is not the JSON that was asked for; of `batida compare` 3 with \
--fail-if-worse something is worse. With --json a command that fails prints {\"failure\": {summary, advice, details, \
retry_after_ms}}; `chat` has it in its object, and `check` tells of each check instead. Ctrl-C, SIGTERM and SIGHUP \
end a command with what it has so far; exit code 1, 143 and 129.

Examples:";

const EXAMPLES: &str = "
  batida check                                    does everything this environment needs work?
  batida deployments --context east --namespace sambastack
  batida models --demo --deployment md-deepseek-r1
  batida chat --demo 'Explain TTFT in two sentences'
  batida chat --api https://api.example.com --model gpt-oss-120b --max-tokens 50 Hello
  batida bench --demo --model gpt-oss-120b --concurrency 1,4,16 --requests 50
  batida history export last --format html --out report.html
  batida compare before.json after.json --fail-if-worse
  batida demo --port 8080                         an OpenAI-like server with simulated models
  batida demo --exact --ttft 50ms                 a server that keeps exact times, to measure clients with";

/// Chat with the models deployed on SambaStack, and see how fast they answer.
#[derive(Debug, Parser)]
#[command(name = "batida", version, after_help = after(), max_term_width = 100)]
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
    /// List what is deployed on the cluster, with each deployment's state and why it is not ready
    ///
    /// Asks kubectl for the deployments, bundles, models and pods of the namespace, of SambaStack's old and
    /// new resources alike. Columns: name, state, kind, models, reason.
    #[command(after_help = DEPLOYMENTS_AFTER)]
    Deployments,
    /// List the models of the deployments and those the API routes
    ///
    /// The names are the serving names that the API wants, not those that kubectl shows.
    #[command(after_help = MODELS_AFTER)]
    Models(ModelsArgs),
    /// Chat once: the answer streams to standard output, its figures go to standard error
    #[command(after_help = CHAT_AFTER)]
    Chat(Box<ChatArgs>),
    /// Load models, and say how fast they answer under it
    ///
    /// Sends requests to each model in turn, at each level of the load, and reports TTFT, inter-token latency,
    /// latency and throughput with 95 % intervals. It watches itself too: a level whose figures the benchmark
    /// itself may have moved says so.
    #[command(after_help = bench_args::AFTER)]
    Bench(Box<BenchArgs>),
    /// What was measured before: list, show, rename, export, import and delete it
    ///
    /// Chats and benchmarks are kept on this computer, those of the window and those of the command line alike.
    #[command(after_help = history_args::AFTER)]
    History(Box<HistoryArgs>),
    /// Hold benchmarks against each other: what changed, how sure that is, and whether it matters
    ///
    /// Takes sessions of the history (an id or its beginning, `last`, `last~1`, a tag) and result files: ours, and those
    /// that `batida history import` reads. The first is the baseline. Levels of the same model and load are compared;
    /// what differs in the plans is told first.
    #[command(after_help = COMPARE_AFTER)]
    Compare(CompareArgs),
    /// Check kubectl, the cluster, the API and the key, one line each
    ///
    /// The same checks as on the Home page. Fails (exit code 1) when one of them does; a warning, such as a
    /// deployment that is not ready, is no failure.
    #[command(after_help = CHECK_AFTER)]
    Check,
    /// Serve simulated models over an OpenAI-like API on 127.0.0.1 until Ctrl-C
    ///
    /// The same server as the Demo environment's: models of different speed, two that reason, one that is slow to
    /// start, one that sees pictures and sometimes answers 429, one that makes embeddings. With --exact another one, to
    /// measure clients with.
    #[command(after_help = DEMO_AFTER)]
    Demo(DemoArgs),
}

const DEPLOYMENTS_AFTER: &str = "\
An object that cannot be read in full is listed with its reason and hides no other. Fails (exit code 1) when the
deployments could not be listed.

With --json: {\"deployments\": [{name, generation, bundle, state, reason, since, replicas, pods, models: [{serving_name, \
resource, aliases, capabilities, confirmed}], bundle_notes, models_trouble, unreadable}], \"warnings\": [{summary, advice, \
details, retry_after_ms}], \"unreadable\": [the same]}. Of each pod, status is kubectl's STATUS column. capabilities are text, vision and embeddings, and empty where the cluster does not say; a model is not \
confirmed when serving_name is only its resource's name.";

const MODELS_AFTER: &str = "\
With --json: {\"models\": [{name, deployment, routed, chats}]}; routed is null when the API was not reached";

const COMPARE_AFTER: &str = "\
Verdicts: better and worse are changes of at least --least-change whose 95 % interval does not hold zero and, of \
medians, whose Mann-Whitney test agrees; more errors are told by Fisher's exact test; all tests of a session \
together mislead at most once in twenty times (Holm). \"too few requests\" is told where the interval is too wide \
to say; \"look\" where something changed that cannot be tested, such as the first errors.

Exit codes: 0 done; 1 a report cannot be read; 2 wrong usage; 3 with --fail-if-worse a figure is worse, or nothing \
could be compared.

With --json one object, versioned by \"schema\": \"batida.compare/1\": {schema, labels, sessions, least_change, \
differences: [{what, values, grave}], rows: [{model, level, figure, title, unit, baseline, others: [{value, change, \
interval, p, verdict}]}], remarks}; changes are shares, verdicts better, worse, no_difference, too_few or look.

Examples:
  batida compare last~1 last
  batida compare before.json after.json
  batida compare main.json branch.json --fail-if-worse --least-change 5%
  batida compare v1.json v2.json v3.json --markdown > comparison.md";

const CHECK_AFTER: &str = "\
With --json: {\"checks\": [{title, verdict, finding, advice, command, details, took_ms}]}; verdict is good, warning, \
bad or skipped";

const DEMO_AFTER: &str = "\
With --json: {url, key, models}, printed once it serves.

With --exact: one model, exact, that takes any key, on a core of its own and with times to the microsecond. \
GET /times gives them, and forgets them, as a line of JSON per request: {id, received_ns, tokens, written_ns: \
[first token, last token], done_ns}, on the monotonic clock; id is the request's X-Request-ID, and the header \
X-Times-Lost says how many older ones did not fit. DELETE /times forgets them.";

const CHAT_AFTER: &str = "\
Figures: TTFT is from sending the request to the first chunk with text, reasoning included; latency is from \
sending to the end; tokens/s is (tokens - 1) / (last token - first token); an answer that arrived all at once has none. Tokens \
are the server's count; where it sends none, chunks are counted and called chunks.

An answer without text, tool call or refusal is no success: exit code 1. Reasoning alone is no answer: it may have used \
up --max-tokens.

With --json nothing streams; one object is printed: {model, answered_by, answer, reasoning, ending, finish_reason, \
form, figures, failure}. Durations in figures are in milliseconds. answered_by is \
null unless the server names another model than was asked. form is null unless JSON was asked for, else {holds, \
told, violations: [{place, what}], more}: whether the answer is what was asked for (null where nobody can know), in words, \
the first places that do not hold to the schema as JSON pointers, and how many more there are.

--json-object and --json-schema ask the server for JSON (response_format) and hold the answer against it: exit code 3 when \
the answer is no JSON, is in a code fence, or does not hold to the schema. Nothing is fetched for a $ref.";

/// Flags that every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which environment")]
pub(super) struct Common {
    /// Use the environment of this name from Home
    #[arg(long, global = true, value_name = "NAME", conflicts_with = "demo")]
    pub(super) env: Option<String>,
    /// Use the built-in demo: simulated models and a made-up cluster on this machine
    #[arg(long, global = true)]
    pub(super) demo: bool,
    /// The API's base URL or host; one with its own version (/api/paas/v4), or a whole chat URL, is used as written
    // These are read later: clap would repeat a value that is refused, and with it a secret.
    #[arg(long, global = true, value_name = "URL")]
    api: Option<String>,
    /// Read the API key from this environment variable [default with --api: SAMBANOVA_API_KEY]
    #[arg(long, global = true, value_name = "VAR")]
    key_env: Option<String>,
    /// Send the key in this header, e.g. api-key or x-api-key [default: Authorization: Bearer]
    #[arg(long, global = true, value_name = "NAME", value_parser = HeaderName::parse)]
    key_header: Option<HeaderName>,
    #[command(flatten)]
    extras: ExtraArgs,
    /// The kubeconfig file [default: kubectl's own]
    #[arg(long, global = true, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The kubeconfig's context [default: its current one]
    #[arg(long, global = true, value_name = "NAME")]
    context: Option<String>,
    /// The namespace SambaStack's deployments live in [default: the context's]
    #[arg(long, short, global = true, value_name = "NAME", value_parser = read_namespace)]
    namespace: Option<String>,
    /// The kubectl program [default: kubectl, found in PATH]
    #[arg(long, global = true, value_name = "PATH")]
    kubectl: Option<PathBuf>,
    /// A PEM file of certificate authorities to trust besides the system's
    #[arg(long, global = true, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Accept invalid certificates; whoever sits between can then read the key
    #[arg(long, global = true)]
    insecure: bool,
    /// A PEM file with the certificate to show to an API that asks for one
    #[arg(long, global = true, value_name = "FILE")]
    client_cert: Option<PathBuf>,
    /// A PEM file with the key of --client-cert [default: the certificate's file]
    #[arg(long, global = true, value_name = "FILE")]
    client_key: Option<PathBuf>,
    /// Keep settings in this folder instead of the user's own
    #[arg(long, global = true, value_name = "DIR")]
    config: Option<PathBuf>,
    /// Print JSON instead of text
    #[arg(long, global = true)]
    pub(super) json: bool,
}

/// Headers and query parameters for every request to the API.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which environment")]
struct ExtraArgs {
    /// Send this header with every request, e.g. 'X-Team: blue'; no secrets: others can read a command line
    #[arg(long, global = true, value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// Send a header whose secret value is in an environment variable, e.g. X-Gateway-Token=GATEWAY_TOKEN
    #[arg(long, global = true, value_name = "NAME=VAR", value_parser = secret_header)]
    header_env: Vec<Extra>,
    /// Add this query parameter to every request, e.g. api-version=2024-10-21
    #[arg(long, global = true, value_name = "NAME=VALUE")]
    query: Vec<String>,
    /// Add a query parameter whose secret value is in an environment variable
    #[arg(long, global = true, value_name = "NAME=VAR", value_parser = secret_query)]
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
            "--config wants a folder, and {} is a file: name the folder that it is in",
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
    /// Only the models of this deployment
    #[arg(long, short, value_name = "NAME")]
    pub(super) deployment: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    /// Two to six sessions or files, the baseline first
    #[arg(required = true, num_args = 2..=6, value_name = "SESSION")]
    pub(super) sides: Vec<String>,
    /// Fail with exit code 3 when a figure is worse than the baseline's
    #[arg(long)]
    pub(super) fail_if_worse: bool,
    /// The smallest change that matters [default: that of the settings, 3%]
    #[arg(long, value_name = "SHARE", value_parser = least_change)]
    pub(super) least_change: Option<f64>,
    /// Print Markdown, for a pull request
    #[arg(long, conflicts_with = "json")]
    pub(super) markdown: bool,
}

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// The port; 0 takes any free one
    #[arg(long, short, default_value_t = 0, value_name = "P")]
    pub(super) port: u16,
    /// The same seed gives the same answers at the same pace
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(super) seed: u64,
    /// Serve one model whose times are exact and kept, to measure clients with
    #[arg(long, conflicts_with_all = ["seed", "demo"])]
    pub(super) exact: bool,
    #[command(flatten)]
    pub(super) pace: ExactArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "With --exact")]
pub(super) struct ExactArgs {
    /// From the request to the first token
    #[arg(long, requires = "exact", default_value = "100ms", value_name = "TIME", value_parser = units::read_duration)]
    ttft: Duration,
    /// From a token to the next; 0ms: as fast as it goes
    #[arg(long, requires = "exact", default_value = "10ms", value_name = "TIME", value_parser = units::read_duration)]
    per_token: Duration,
    /// Tokens of an answer whose request has no max_tokens
    #[arg(long, requires = "exact", default_value_t = 64, value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    tokens: u32,
    /// The whole answer in one write, at the time of the first token
    #[arg(long, requires = "exact")]
    one_write: bool,
    /// The processor core to stay on [default: the last one]
    #[arg(long, requires = "exact", value_name = "N")]
    core: Option<usize>,
    /// Keep every token's time, not only the first and the last
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
    /// What to say; - reads it from standard input
    pub(super) prompt: String,
    /// The model's serving name [default: the first that the deployment, or the API, offers]
    #[arg(long, short, value_name = "NAME")]
    pub(super) model: Option<String>,
    /// Take the model from this deployment
    #[arg(long, short, value_name = "NAME")]
    pub(super) deployment: Option<String>,
    /// Give the whole answer up after this time, e.g. 90s or 5m [default: after 10m without data]
    #[arg(long, value_name = "TIME", value_parser = units::read_duration)]
    pub(super) timeout: Option<Duration>,
    /// Send this file along: a picture (PNG, JPEG, WebP) or a text; may be said several times
    #[arg(long, value_name = "FILE")]
    pub(super) attach: Vec<PathBuf>,
    /// The system prompt; empty sends none
    #[arg(long, short, default_value = DEFAULT_SYSTEM_PROMPT, value_name = "TEXT")]
    pub(super) system: String,
    /// Print the reasoning too, to standard error
    #[arg(long)]
    pub(super) reasoning: bool,
    /// Say nothing but the answer
    #[arg(long, short)]
    pub(super) quiet: bool,
    /// Keep nothing of it in the history
    #[arg(long)]
    pub(super) no_history: bool,
    /// The answer must be a JSON object; exit code 3 when it is none
    #[arg(long, conflicts_with = "json_schema")]
    pub(super) json_object: bool,
    /// The answer must be JSON after the schema in this file; exit code 3 when it is not
    #[arg(long, value_name = "FILE")]
    pub(super) json_schema: Option<PathBuf>,
    #[command(flatten)]
    params: ParamArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Parameters (only what is given is sent)")]
struct ParamArgs {
    /// The most tokens to generate
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_tokens: Option<u32>,
    /// The sampling seed
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    seed: Option<i64>,
    #[command(flatten)]
    sampling: SamplingArgs,
}

/// The parameters that a chat and a benchmark have in common.
#[derive(Debug, Args)]
#[command(next_help_heading = "Parameters (only what is given is sent)")]
pub(super) struct SamplingArgs {
    /// 0 to 2
    #[arg(long, value_name = "T", value_parser = between::<0, 2>)]
    temperature: Option<f64>,
    /// 0 to 1
    #[arg(long, value_name = "P", value_parser = between::<0, 1>)]
    top_p: Option<f64>,
    /// 1 to 100
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=100))]
    top_k: Option<u32>,
    /// A sequence that ends the answer; may be repeated
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
    /// How much a reasoning model should think
    #[arg(long, value_name = "LEVEL")]
    reasoning_effort: Option<EffortArg>,
    /// Whether a model that can should think
    #[arg(long, value_name = "ON")]
    thinking: Option<Switch>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum EffortArg {
    Low,
    Medium,
    High,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Switch {
    On,
    Off,
}

impl ChatArgs {
    /// What is to be sent besides the messages.
    pub(super) fn params(&self) -> Params {
        let ParamArgs {
            max_tokens,
            seed,
            sampling,
        } = &self.params;
        Params {
            max_tokens: *max_tokens,
            seed: *seed,
            ..sampling.params()
        }
    }
}

impl SamplingArgs {
    /// What was set.
    pub(super) fn params(&self) -> Params {
        let Self {
            temperature,
            top_p,
            top_k,
            stop,
            reasoning_effort,
            thinking,
        } = self;
        Params {
            temperature: *temperature,
            top_p: *top_p,
            top_k: *top_k,
            stop: stop.clone(),
            reasoning_effort: reasoning_effort.map(|effort| match effort {
                EffortArg::Low => Effort::Low,
                EffortArg::Medium => Effort::Medium,
                EffortArg::High => Effort::High,
            }),
            thinking: thinking.map(|switch| matches!(switch, Switch::On)),
            ..Params::default()
        }
    }
}

fn least_change(text: &str) -> Result<f64, String> {
    let share = bench_args::share(text)?;
    if share >= 0.0 && share.is_finite() {
        Ok(share)
    } else {
        Err("it is a share from 0 up".to_owned())
    }
}

fn read_namespace(text: &str) -> Result<String, &'static str> {
    check_namespace(text).map(|()| text.to_owned())
}

fn between<const LOW: i32, const HIGH: i32>(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    let range = f64::from(LOW)..=f64::from(HIGH);
    if range.contains(&number) {
        Ok(number)
    } else {
        Err(format!("it goes from {LOW} to {HIGH}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_are_well_formed() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
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
