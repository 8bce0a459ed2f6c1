//! What can be typed behind `batida bench`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::args::SamplingArgs;
use super::bench_schema::SchemaForm;
use crate::domain::command_line::default_plan;
use crate::domain::conversation::Params;
use crate::domain::plan::{
    Arrivals, Ends, Field, Lengths, Load, Objectives, Plan, Prompts, Target, TimeUnit,
};
use crate::domain::units;
use crate::domain::verdict::Condition;

pub(super) const AFTER: &str = "\
Figures: times of --rate and --trace count from when a request was due, those of clients from when it was \
sent. TTFT is to the first chunk with any text, reasoning included; ITL is the gap between chunks, pooled; \
TPOT is (last token - first token) / (tokens - 1); throughput is over the steady part of a level. Failed requests and \
warm-ups enter no figure of time; requests that were due and never sent, since --max-in-flight held them back, \
are counted apart (unsent) and miss every --goodput. No rate has an interval before five answers' time.

Exit codes: 0 done; 1 it failed, was stopped, ended for too many errors, or no request was answered; 2 wrong \
usage; 3 a --fail-if came true (or its figure is not known); 4 with --strict, a level is in doubt. The first \
that applies of 1, 3, 4. Ctrl-C ends with a report of what was done, a second one (a \
second later) at once; SIGTERM and SIGHUP do as Ctrl-C does, with exit codes 143 and 129.

With --json one object, versioned by \"schema\": \"batida.bench/1\"; --out keeps the same. `batida bench --schema` \
tells each of its keys with type, unit and meaning; --schema=json is a JSON Schema for validators.

Examples:
  batida bench --demo --model gpt-oss-120b --concurrency 1,4,16 --requests 50
  batida bench --demo --model gpt-oss-120b --rate 5,10 --poisson --duration 10s --csv requests.csv
  batida bench --demo --model gpt-oss-120b --sweep=8 --goodput ttft=500ms,itl=20ms --out report.json
  batida bench --demo --model gpt-oss-120b --requests 30 --fail-if 'ttft_p99>800ms' --strict";

#[derive(Debug, Clone, Args)]
#[group(id = "load", multiple = false)]
pub(super) struct LoadArgs {
    /// So many clients, each sends its next request when its answer is there; a level each [default: 1]
    #[arg(long, value_name = "N,N…", value_delimiter = ',')]
    concurrency: Vec<u32>,
    /// So many requests per second, however long the answers take; a level each
    #[arg(long, value_name = "R,R…", value_delimiter = ',')]
    rate: Vec<f64>,
    /// 1, 2, 4 … N clients [N: 64]
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "64")]
    sweep: Option<u32>,
    /// As fast as it goes, with N in flight [N: 512]
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "512")]
    max: Option<u32>,
    /// Replay a trace: JSONL or CSV with a send time per request (Mooncake, Qwen, Azure, BurstGPT)
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    /// A model's serving name; several are loaded in turn [default: the first that the API offers, or all of the deployment]
    #[arg(long, short, value_name = "NAME")]
    pub(super) model: Vec<String>,
    /// The deployment of the models, or one for each of them; - for none
    #[arg(long, short, value_name = "NAME")]
    pub(super) deployment: Vec<String>,
    #[command(flatten)]
    load: LoadArgs,
    /// Space the requests of --rate at random, as independent users would
    #[arg(long, requires = "rate")]
    poisson: bool,
    /// Unit of the trace's times: s, ms, us or ns [default: read off the file; the span is told before it starts]
    #[arg(long, value_name = "UNIT", value_parser = TimeUnit::parse, requires = "trace")]
    trace_unit: Option<TimeUnit>,
    /// At most so many in flight with --rate and --trace
    #[arg(long, value_name = "N", conflicts_with_all = ["concurrency", "sweep", "max"])]
    max_in_flight: Option<u32>,
    /// Requests of a level [default: 100, without --duration and --trace]
    #[arg(long, value_name = "N|none", value_parser = or_none::<u64>)]
    requests: Option<OrNone<u64>>,
    /// How long a level sends requests
    #[arg(long, value_name = "TIME", value_parser = units::read_duration)]
    duration: Option<Duration>,
    /// End a level when this share of its requests failed, or more, of 20 at least
    #[arg(long, value_name = "SHARE", value_parser = share)]
    max_level_error_share: Option<f64>,
    /// Requests of the whole session
    #[arg(long, value_name = "N")]
    session_requests: Option<u64>,
    /// How long the whole session takes at most
    #[arg(long, value_name = "TIME", value_parser = units::read_duration)]
    session_duration: Option<Duration>,
    /// End the session when this share of its requests failed, or more, of 20 at least [default: 5%]
    #[arg(long, value_name = "SHARE|none", value_parser = share_or_none)]
    max_error_share: Option<OrNone<f64>>,
    /// Requests before each level, left out of the figures [default: 4]
    #[arg(long, value_name = "N")]
    warmup: Option<u32>,
    /// Over how long the clients of a level begin
    #[arg(long, value_name = "TIME", value_parser = units::read_duration)]
    ramp_up: Option<Duration>,
    /// Tokens of a prompt: 1000, 500-1500 or 1000±200 [default: 256]
    #[arg(long, value_name = "L", value_parser = Lengths::parse)]
    input_tokens: Option<Lengths>,
    /// Tokens that all prompts begin with, to measure prompt caches
    #[arg(long, value_name = "N")]
    prefix_tokens: Option<u32>,
    /// Prompts from a file: JSONL, OpenAI batch, ShareGPT JSON, CSV with a column "prompt", or text with one a line
    #[arg(long, value_name = "FILE", conflicts_with_all = ["input_tokens", "prefix_tokens"])]
    prompts: Option<PathBuf>,
    /// Turns of each conversation; each carries the answers before it [default: 1]
    #[arg(long, value_name = "N")]
    turns: Option<u32>,
    /// max_tokens, as --input-tokens; none leaves it to the server [default: 128]
    #[arg(long, value_name = "L|none", value_parser = lengths_or_none)]
    output_tokens: Option<OrNone<Lengths>>,
    /// Ask the server to go on to max_tokens
    #[arg(long)]
    ignore_eos: bool,
    /// A request that takes longer is an error [default: 10m]
    #[arg(long, value_name = "TIME", value_parser = units::read_duration)]
    timeout: Option<Duration>,
    /// What a request must meet, e.g. ttft=500ms,itl=15ms; also tpot and latency
    #[arg(long, value_name = "LIMITS", value_parser = Objectives::parse)]
    goodput: Option<Objectives>,
    /// The same seed sends the same prompts at the same moments [default: another each time, told in the report]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Kept with the figures; may be repeated
    #[arg(long, value_name = "TEXT")]
    tag: Vec<String>,
    /// Keep the report as JSON
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// Keep a row per request. An older file is replaced when the first request has ended. A text that a
    /// spreadsheet would run as a formula gets an apostrophe before it
    #[arg(long, value_name = "FILE")]
    pub(super) csv: Option<PathBuf>,
    /// Keep a row per chunk: when it came and the gap before it, in ms
    #[arg(long, value_name = "FILE")]
    pub(super) gaps: Option<PathBuf>,
    /// Print the schema of --json and --out and do nothing else: as text, each key with its meaning, or with
    /// --schema=json as a JSON Schema for validators
    #[arg(
        long,
        value_name = "FORM",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "text",
        hide_possible_values = true
    )]
    pub(super) schema: Option<SchemaForm>,
    /// Say nothing while it runs
    #[arg(long, short)]
    pub(super) quiet: bool,
    /// Keep nothing of it in the history
    #[arg(long)]
    pub(super) no_history: bool,
    /// Exit code 4 when the benchmark itself may have moved a figure
    #[arg(long)]
    pub(super) strict: bool,
    /// Exit code 3 when this is true of any level, e.g. 'ttft_p99>800ms'; may be repeated
    #[arg(long, value_name = "CONDITION", value_parser = Condition::parse)]
    pub(super) fail_if: Vec<Condition>,
    /// The seed that is sent to the server
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    sampling_seed: Option<i64>,
    #[command(flatten)]
    sampling: SamplingArgs,
}

/// A value, or `none` in so many words.
#[derive(Debug, Clone, Copy)]
struct OrNone<T>(Option<T>);

impl BenchArgs {
    /// The targets that were named; none when the place must be asked.
    pub(super) fn targets(&self) -> Result<Vec<Target>, String> {
        let (models, names) = (self.model.len(), self.deployment.len());
        if models > 0 && names > 1 && names != models {
            return Err(
                "--deployment: say one for all models, or one for each (- for none)".to_owned(),
            );
        }
        let name = |i: usize| {
            self.deployment
                .get(if names == 1 { 0 } else { i })
                .filter(|name| *name != "-")
        };
        let target = |(i, model): (usize, &String)| Target {
            deployment: name(i).cloned(),
            model: model.clone(),
        };
        Ok(self.model.iter().enumerate().map(target).collect())
    }

    /// The plan for these targets.
    pub(super) fn plan(&self, targets: Vec<Target>) -> Plan {
        let usual = default_plan();
        let load = self.load(usual.load);
        let open = self.duration.is_some() || matches!(load, Load::Trace { .. });
        let requests = if open {
            None
        } else {
            usual.level_ends.requests
        };
        let prompts = match &self.prompts {
            Some(file) => Prompts::File(file.clone()),
            None => Prompts::Synthetic {
                input_tokens: self.input_tokens.unwrap_or(Lengths::Fixed(256)),
                prefix_tokens: self.prefix_tokens.unwrap_or(0),
            },
        };
        Plan {
            targets,
            load,
            level_ends: Ends {
                requests: self.requests.map_or(requests, |given| given.0),
                after: self.duration,
                error_share: self.max_level_error_share,
            },
            session_ends: Ends {
                requests: self.session_requests,
                after: self.session_duration,
                error_share: self
                    .max_error_share
                    .map_or(usual.session_ends.error_share, |given| given.0),
            },
            warmup: self.warmup.unwrap_or(usual.warmup),
            ramp_up: self.ramp_up.unwrap_or(usual.ramp_up),
            prompts,
            turns: self.turns.unwrap_or(usual.turns),
            output_tokens: self
                .output_tokens
                .map_or(usual.output_tokens, |given| given.0),
            ignore_eos: self.ignore_eos,
            params: Params {
                seed: self.sampling_seed,
                ..self.sampling.params()
            },
            timeout: self.timeout.unwrap_or(usual.timeout),
            objectives: self.goodput.unwrap_or_default(),
            seed: self.seed,
            tags: self.tag.clone(),
        }
    }

    fn load(&self, usual: Load) -> Load {
        let most_in_flight = self.max_in_flight;
        match &self.load {
            LoadArgs {
                sweep: Some(most), ..
            } => Load::sweep(*most),
            LoadArgs { max: Some(n), .. } => Load::Max { in_flight: *n },
            LoadArgs {
                trace: Some(file), ..
            } => Load::Trace {
                file: file.clone(),
                most_in_flight,
                unit: self.trace_unit,
            },
            LoadArgs { rate, .. } if !rate.is_empty() => {
                let arrivals = if self.poisson {
                    Arrivals::Poisson
                } else {
                    Arrivals::Constant
                };
                Load::Rate {
                    per_sec: rate.clone(),
                    arrivals,
                    most_in_flight,
                }
            }
            LoadArgs { concurrency, .. } if !concurrency.is_empty() => {
                Load::Concurrency(concurrency.clone())
            }
            _ => usual,
        }
    }

    /// What cannot work, with its flag.
    pub(super) fn problem(&self, plan: &Plan) -> Option<String> {
        if self.max_in_flight.is_some()
            && !matches!(plan.load, Load::Rate { .. } | Load::Trace { .. })
        {
            return Some("--max-in-flight: it goes with --rate or --trace".to_owned());
        }
        let problem = plan.problems().into_iter().next()?;
        let flag = match (problem.field, &plan.load) {
            (Field::Targets, _) => "--model",
            (Field::Load, Load::Concurrency(_)) if self.load.sweep.is_some() => "--sweep",
            (Field::Load, Load::Concurrency(_)) => "--concurrency",
            (Field::Load, Load::Rate { .. }) => "--rate",
            (Field::Load, Load::Max { .. }) => "--max",
            (Field::Load, Load::Trace { .. } | Load::Unknown) => "--trace",
            (Field::LevelEnds, _) => "--requests, --duration",
            (Field::SessionEnds, _) => "--session-requests, --session-duration, --max-error-share",
            (Field::Warmup, _) => "--warmup",
            (Field::RampUp, _) => "--ramp-up",
            (Field::Prompts, _) => "--input-tokens, --prefix-tokens, --prompts",
            (Field::Turns, _) => "--turns",
            (Field::OutputTokens, _) => "--output-tokens",
            (Field::Params, _) => "the parameters",
            (Field::Timeout, _) => "--timeout",
            (Field::Objectives, _) => "--goodput",
        };
        Some(format!("{flag}: {}", problem.text))
    }
}

fn or_none<T: std::str::FromStr>(text: &str) -> Result<OrNone<T>, String> {
    if text == "none" {
        return Ok(OrNone(None));
    }
    text.parse()
        .map(|value| OrNone(Some(value)))
        .map_err(|_| format!("{text:?} is no number, and not none"))
}

fn lengths_or_none(text: &str) -> Result<OrNone<Lengths>, String> {
    if text == "none" {
        Ok(OrNone(None))
    } else {
        Lengths::parse(text).map(|it| OrNone(Some(it)))
    }
}

fn share_or_none(text: &str) -> Result<OrNone<f64>, String> {
    if text == "none" {
        Ok(OrNone(None))
    } else {
        share(text).map(|it| OrNone(Some(it)))
    }
}

/// `5%` or `0.05`.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let (number, part) = text
        .strip_suffix('%')
        .map_or((text, 1.0), |number| (number, 100.0));
    let number: f64 = number
        .trim()
        .parse()
        .map_err(|_| format!("{text:?} is no share such as 5%"))?;
    Ok(number / part)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::args::{Cli, Command};
    use super::*;
    use crate::domain::command_line;
    use crate::domain::conversation::Effort;
    use crate::domain::environment::{EnvId, Environment};

    fn parse(words: &[String]) -> (Plan, Option<String>) {
        let cli = Cli::try_parse_from(words).unwrap_or_else(|why| panic!("{why}"));
        let Some(Command::Bench(args)) = cli.command else {
            panic!("another command")
        };
        let plan = args.plan(args.targets().expect("targets"));
        let problem = args.problem(&plan);
        (plan, problem)
    }

    fn read(line: &str) -> Plan {
        parse(&shlex::split(line).expect("words")).0
    }

    #[track_caller]
    fn check_round_trip(plan: &Plan) -> String {
        let line = command_line::bench(plan, &Environment::blank(EnvId("e".to_owned()), "my east"));
        assert_eq!(&read(&line), plan, "{line}");
        line
    }

    fn one() -> Plan {
        Plan {
            targets: vec![Target {
                deployment: None,
                model: "m".to_owned(),
            }],
            ..default_plan()
        }
    }

    #[test]
    fn a_plan_as_a_line_gives_the_plan_again() {
        assert_eq!(
            check_round_trip(&one()),
            "batida bench --env 'my east' --model m"
        );
        assert_eq!(
            command_line::bench(&one(), &Environment::demo()),
            "batida bench --demo --model m"
        );
        let target = |deployment: Option<&str>, model: &str| Target {
            deployment: deployment.map(str::to_owned),
            model: model.to_owned(),
        };
        let everything = Plan {
            targets: vec![target(Some("d e"), "m"), target(None, "it's")],
            load: Load::Rate {
                per_sec: vec![0.5, 20.0],
                arrivals: Arrivals::Poisson,
                most_in_flight: Some(9),
            },
            level_ends: Ends {
                requests: Some(7),
                after: Some(Duration::from_millis(1_001)),
                error_share: Some(0.1),
            },
            session_ends: Ends {
                requests: Some(90),
                after: Some(Duration::from_secs(600)),
                error_share: None,
            },
            warmup: 0,
            ramp_up: Duration::from_micros(1_500),
            prompts: Prompts::Synthetic {
                input_tokens: Lengths::Normal {
                    mean: 900,
                    deviation: 20,
                },
                prefix_tokens: 1,
            },
            turns: 3,
            output_tokens: Some(Lengths::Uniform { least: 5, most: 9 }),
            ignore_eos: true,
            params: Params {
                temperature: Some(0.7),
                top_p: Some(0.9),
                top_k: Some(4),
                stop: vec!["-".to_owned(), "--x".to_owned()],
                seed: Some(-7),
                reasoning_effort: Some(Effort::High),
                thinking: Some(false),
                ..Params::default()
            },
            timeout: Duration::from_secs(9),
            objectives: Objectives::parse("ttft=500ms,itl=15ms").expect("reads"),
            seed: Some(42),
            tags: vec!["a b".to_owned(), "-c".to_owned()],
        };
        check_round_trip(&everything);
        for plan in [
            Plan {
                targets: vec![target(Some("d"), "m"), target(Some("d"), "n")],
                ..one()
            },
            Plan {
                load: Load::sweep(64),
                ..one()
            },
            Plan {
                load: Load::Max { in_flight: 3 },
                output_tokens: None,
                ..one()
            },
            Plan {
                load: Load::Trace {
                    file: "a trace".into(),
                    most_in_flight: None,
                    unit: Some(TimeUnit::S),
                },
                level_ends: Ends::default(),
                ..one()
            },
            Plan {
                level_ends: Ends::default(),
                ..one()
            },
            Plan {
                prompts: Prompts::File("p.jsonl".into()),
                ..one()
            },
            Plan {
                ..Plan {
                    targets: one().targets,
                    ..Plan::default()
                }
            },
        ] {
            check_round_trip(&plan);
        }
    }

    #[test]
    fn without_flags_one_client_sends_a_hundred_requests() {
        assert_eq!(read("batida bench -m m"), one());
        assert_eq!(
            read("batida bench -m m --duration 2s").level_ends.requests,
            None
        );
        assert_eq!(read("batida bench -m m --sweep").load, Load::sweep(64));
        assert_eq!(
            read("batida bench -m m --max").load,
            Load::Max { in_flight: 512 }
        );
        assert_eq!(
            read("batida bench -m m --max-error-share 20%")
                .session_ends
                .error_share,
            Some(0.2)
        );
    }

    #[test]
    fn what_cannot_work_is_told_with_its_flag() {
        for (line, flag) in [
            ("--concurrency 0", "--concurrency:"),
            ("--sweep=30000", "--sweep:"),
            ("--rate 0", "--rate:"),
            ("--max=0", "--max:"),
            ("--requests 0", "--requests"),
            ("--turns 0", "--turns:"),
            ("--timeout 1ms", "--timeout:"),
            ("--goodput ttft=0s", "--goodput:"),
            ("--input-tokens 9 --prefix-tokens 9", "--input-tokens"),
            ("--max-in-flight 9", "--max-in-flight:"),
            ("--session-requests 0", "--session-requests"),
        ] {
            let words = shlex::split(&format!("batida bench -m m {line}")).expect("words");
            let (_, problem) = parse(&words);
            assert!(
                problem
                    .as_deref()
                    .is_some_and(|text| text.starts_with(flag)),
                "{line}: {problem:?}"
            );
        }
    }

    #[test]
    fn there_is_one_kind_of_load() {
        for line in [
            "--rate 1 --concurrency 2",
            "--sweep --max",
            "--trace f --rate 2",
            "--poisson",
        ] {
            let words = shlex::split(&format!("batida bench -m m {line}")).expect("words");
            assert!(Cli::try_parse_from(&words).is_err(), "{line}");
        }
    }
}
