//! The arguments of `batida bench`.

use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches};

use super::bench_schema::SchemaForm;
use super::fleet_args::FleetArgs;
use super::headings::{MODEL, OUTPUT, PLAN};
use super::param_args::BenchParamArgs;
use super::{Ended, report};
use crate::domain::command_line::default_plan;
use crate::domain::params::Params;
use crate::domain::plan::{Plan, Target};
use crate::domain::plan_fields::{FIELDS, FieldSpec, ON, Set};
use crate::domain::verdict::Condition;

const GOALS: &str = "Goals";

#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    /// Benchmark this model, by its serving name; repeat it to benchmark several in turn [default: all models of
    /// --deployment, or the first model that the API lists]
    #[arg(long, short, value_name = "NAME", help_heading = MODEL)]
    pub(super) model: Vec<String>,
    /// Name the deployment of the models: once for all of them, or once per --model (- for none)
    #[arg(long, short, value_name = "NAME", help_heading = MODEL)]
    pub(super) deployment: Vec<String>,
    #[command(flatten)]
    plan: PlanArgs,
    /// Take flags from this TOML file, e.g. concurrency = "1,4,16"; those on the command line come first
    #[arg(long = "plan", value_name = "FILE", help_heading = PLAN)]
    pub(super) plan_file: Option<PathBuf>,
    /// Write the plan to this file, for --plan, and run it
    #[arg(long, value_name = "FILE", help_heading = PLAN)]
    pub(super) save_plan: Option<PathBuf>,
    /// Exit with code 3 if any level meets this condition, e.g. 'ttft_p99>800ms' or 'errors>0'; can be repeated
    #[arg(long, value_name = "CONDITION", value_parser = Condition::parse, help_heading = GOALS)]
    pub(super) fail_if: Vec<Condition>,
    /// Exit with code 4 if a level has a measurement warning: the benchmark itself may have changed a figure
    #[arg(long, help_heading = GOALS)]
    pub(super) strict: bool,
    #[command(flatten)]
    sampling: BenchParamArgs,
    #[command(flatten)]
    pub(super) fleet: FleetArgs,
    /// Write the report as JSON to this file; - for standard output, in place of the report for people
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub(super) out: Option<PathBuf>,
    /// Write JUnit XML to this file (- for standard output): a suite per model, a case per level and condition. What
    /// makes the exit code other than 0 fails; a measurement warning is skipped, with --strict it fails
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub(super) junit: Option<PathBuf>,
    /// Append the report as Markdown to the summary of a GitHub Actions job, and annotate the run with what failed
    #[arg(long, help_heading = OUTPUT)]
    pub(super) github_summary: bool,
    /// Write a row per request to this CSV file, replacing it when the first request ends. A text that a spreadsheet
    /// would run as a formula gets an apostrophe before it
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub(super) csv: Option<PathBuf>,
    /// Write a row per chunk to this CSV file: when it arrived and the gap before it, in ms
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub(super) gaps: Option<PathBuf>,
    /// Print the schema of --json and --out and exit: as text, each key with its meaning, or with --schema=json as a
    /// JSON Schema for validators
    #[arg(
        long,
        value_name = "FORM",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "text",
        hide_possible_values = true,
        help_heading = OUTPUT
    )]
    pub(super) schema: Option<SchemaForm>,
    /// Print no progress
    #[arg(long, short, help_heading = OUTPUT)]
    pub(super) quiet: bool,
    /// Keep this text with the figures, e.g. 'after the update'; can be repeated
    #[arg(long, value_name = "TEXT", help_heading = super::headings::HISTORY)]
    tag: Vec<String>,
    /// Do not keep this benchmark in the history
    #[arg(long, help_heading = super::headings::HISTORY)]
    pub(super) no_history: bool,
}

impl BenchArgs {
    /// The targets that were named; none when the API must be asked.
    pub(super) fn targets(&self) -> Result<Vec<Target>, String> {
        let (models, names) = (self.model.len(), self.deployment.len());
        if models > 0 && names > 1 && names != models {
            return Err(
                "--deployment: name one for all models, or one for each (- for none)".to_owned(),
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

    /// Whether a file is written to standard output, which then holds nothing else.
    pub(super) fn stdout_is_taken(&self) -> bool {
        [&self.out, &self.junit]
            .into_iter()
            .flatten()
            .any(|path| is_stdout(path))
    }

    /// The plan for these targets.
    pub(super) fn plan(&self, targets: Vec<Target>) -> Plan {
        Plan {
            targets,
            params: Params {
                extra_body: self.plan.0.params.extra_body.clone(),
                ..self.sampling.0.clone()
            },
            tags: self.tag.clone(),
            ..self.plan.0.clone()
        }
    }
}

/// The name of a file that stands for standard output.
pub(super) fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

/// What cannot work in a plan, with its flag.
fn problem(plan: &Plan) -> Option<String> {
    let problem = plan.problems().into_iter().next()?;
    Some(format!("--{}: {}", problem.field.spec().flag, problem.text))
}

/// What is wrong with the arguments is told before anybody is asked for a model.
pub(super) fn check_before_asking(args: &BenchArgs, named: &[Target]) -> Result<(), Ended> {
    let any = Target {
        deployment: None,
        model: "any".to_owned(),
    };
    let targets = if named.is_empty() {
        vec![any]
    } else {
        named.to_owned()
    };
    let plan = sound_plan(args, targets)?;
    // The window refuses to run such a plan; a script may want it all the same.
    if let Some(caution) = plan.refusal() {
        report::error_line(&format!("batida: warning: {}", caution.text));
    }
    Ok(())
}

pub(super) fn sound_plan(args: &BenchArgs, targets: Vec<Target>) -> Result<Plan, Ended> {
    let plan = args.plan(targets);
    match problem(&plan) {
        Some(problem) => Err(Ended::Misused(problem)),
        None => Ok(plan),
    }
}

/// The plan that the flags of [`FIELDS`] describe, without its targets.
#[derive(Debug)]
struct PlanArgs(Plan);

fn plan_flags() -> impl Iterator<Item = (&'static FieldSpec, Set)> {
    FIELDS.iter().filter_map(|spec| Some((spec, spec.set?)))
}

fn arg(spec: &FieldSpec) -> Arg {
    let arg = Arg::new(spec.flag)
        .long(spec.flag)
        .help(spec.help)
        .help_heading(spec.heading)
        .conflicts_with_all(spec.conflicts.iter().filter(|other| **other != spec.flag));
    if spec.value.is_empty() {
        return arg.action(ArgAction::SetTrue);
    }
    let arg = arg.value_name(spec.value);
    if spec.missing.is_empty() {
        arg.action(if spec.list {
            ArgAction::Append
        } else {
            ArgAction::Set
        })
    } else {
        arg.num_args(0..=1)
            .require_equals(true)
            .default_missing_value(spec.missing)
    }
}

impl Args for PlanArgs {
    fn augment_args(command: clap::Command) -> clap::Command {
        plan_flags().fold(command, |command, (spec, _)| command.arg(arg(spec)))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for PlanArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut plan = default_plan();
        for (spec, set) in plan_flags() {
            let text = if spec.value.is_empty() {
                matches.get_flag(spec.flag).then(|| ON.to_owned())
            } else {
                let values = matches.get_many::<String>(spec.flag);
                values.map(|values| values.map(String::as_str).collect::<Vec<_>>().join(","))
            };
            if let Some(Err(why)) = text.map(|text| set(&mut plan, &text)) {
                return Err(clap::Error::raw(
                    ErrorKind::ValueValidation,
                    format!("--{}: {why}\n", spec.flag),
                ));
            }
        }
        Ok(Self(plan))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser as _;
    use proptest::prelude::*;

    use super::super::args::{Cli, Command};
    use super::*;
    use crate::domain::command_line;
    use crate::domain::conversation::Effort;
    use crate::domain::environment::{EnvId, Environment};
    use crate::domain::plan::{
        Arrivals, Ends, HangUps, Images, Lengths, Load, MetricsSource, Objectives, PlanEndpoint,
        Price, Prompts, ThinkTime, TimeUnit,
    };
    use crate::domain::plan_fields::samples;

    /// The plan of a line, or what is wrong with it.
    fn parse(line: &str) -> Result<Plan, String> {
        let words = shlex::split(line).expect("words");
        let cli = Cli::try_parse_from(words).map_err(|why| why.to_string())?;
        let Some(Command::Bench(args)) = cli.command else {
            panic!("another command")
        };
        Ok(args.plan(args.targets()?))
    }

    #[track_caller]
    fn read(line: &str) -> Plan {
        parse(line).unwrap_or_else(|why| panic!("{line}: {why}"))
    }

    #[track_caller]
    fn check_round_trip(plan: &Plan) -> String {
        let line = command_line::bench(plan, &Environment::blank(EnvId("e".to_owned()), "my east"));
        assert_eq!(&read(&line), plan, "{line}");
        line
    }

    fn one() -> Plan {
        Plan {
            targets: vec![target(None, "m")],
            ..default_plan()
        }
    }

    fn target(deployment: Option<&str>, model: &str) -> Target {
        Target {
            deployment: deployment.map(str::to_owned),
            model: model.to_owned(),
        }
    }

    /// A plan in which each field has a value of its own.
    fn everything() -> Plan {
        Plan {
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
            repeat: 3,
            cool_down: Duration::from_secs(30),
            warmup: 0,
            ramp_up: Duration::from_micros(1_500),
            endpoint: PlanEndpoint::Completions,
            images: Some(Images::parse("2@64x48").expect("reads")),
            prompts: Prompts::Synthetic {
                input_tokens: Lengths::Normal {
                    mean: 900,
                    deviation: 20,
                },
                prefix_tokens: 1,
            },
            turns: 3,
            think: Some(ThinkTime::parse("2s±1s").expect("reads")),
            hang_ups: Some(HangUps::parse("10%@500ms").expect("reads")),
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
                extra_body: r#"{"min_p": 0.1}"#.to_owned(),
                ..Params::default()
            },
            timeout: Duration::from_secs(9),
            objectives: Objectives::parse("ttft=500ms,itl=15ms").expect("reads"),
            price: Some(Price::parse("in=0.6,out=1.2").expect("reads")),
            server_metrics: MetricsSource::Url("http://router:9000/metrics".to_owned()),
            keep_saturated: true,
            seed: Some(42),
            tags: vec!["a b".to_owned(), "-c".to_owned()],
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
        check_round_trip(&everything());
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
        for (line, words) in [
            ("--concurrency 0", "--concurrency: a level has 1"),
            (
                "--concurrency x",
                "--concurrency: \"x\" is not a valid number",
            ),
            ("--sweep=30000", "--sweep: a level has 1"),
            ("--rate 0", "--rate: a rate is"),
            ("--max=0", "--max: 1 to"),
            ("--requests 0", "--requests: at least one"),
            ("--turns 0", "--turns: "),
            ("--timeout 1ms", "--timeout: "),
            ("--goodput ttft=0s", "--goodput: "),
            ("--input-tokens 9 --prefix-tokens 9", "--prefix-tokens: "),
            (
                "--max-in-flight 9",
                "--max-in-flight: use it with --rate or --trace",
            ),
            ("--session-requests 0", "--session-requests: "),
            (
                "--session-duration 1ms",
                "--session-duration: at least 10 ms",
            ),
            ("--max-error-share 200%", "--max-error-share: a share"),
            ("--rate 1 --concurrency 2", "cannot be used with"),
            ("--sweep --max", "cannot be used with"),
            ("--trace f --rate 2", "cannot be used with"),
            ("--prompts f --input-tokens 9", "cannot be used with"),
            ("--poisson", "--poisson: use it with --rate"),
            ("--trace-unit s", "--trace-unit: use it with --trace"),
        ] {
            let told = match parse(&format!("batida bench -m m {line}")) {
                Ok(plan) => problem(&plan).unwrap_or_default(),
                Err(why) => why,
            };
            assert!(told.contains(words), "{line}: {told}");
        }
    }

    proptest! {
        #[test]
        fn any_plan_as_a_command_gives_the_plan_again(plan in samples::plans()) {
            let line = command_line::bench(&plan, &Environment::demo());
            prop_assert_eq!(parse(&line), Ok(plan), "{}", line);
        }
    }
}
