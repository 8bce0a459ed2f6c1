//! What can be set in a plan, described once. The form, the flags of `batida bench`, "Copy as command", reports,
//! comparisons and the text of `batida bench --schema` all read [`FIELDS`].

#[cfg(test)]
pub(crate) mod samples;

use std::path::PathBuf;

use super::plan::{
    Arrivals, Field, Lengths, Load, MOST_CLIENTS, Objectives, Plan, Prompts, TimeUnit,
};
use super::run::BenchReport;
use super::run::known::{UNKNOWN, Unknown};
use super::units::{count, read_duration, read_share, write_duration, write_share};

/// A field of a plan.
#[derive(Debug)]
pub struct FieldSpec {
    /// Which one.
    pub field: Field,
    /// In the middle of a sentence, e.g. `requests per level`.
    pub title: &'static str,
    /// The flag without its dashes; empty where no flag sets it.
    pub flag: &'static str,
    /// How the help names the flag's value; empty for a switch.
    pub value: &'static str,
    /// What the flag means without a value; empty where it needs one.
    pub missing: &'static str,
    /// The part of the help that lists the flag.
    pub heading: &'static str,
    /// The flag's help: what it does, in which unit, its default, an example.
    pub help: &'static str,
    /// Flags that cannot be used with it.
    pub conflicts: &'static [&'static str],
    /// What the form shows where nothing is typed.
    pub hint: &'static str,
    /// What the form begins with where the plan has no such field.
    pub start: &'static str,
    /// The unit of a bare number in the form: `s`, `%` or none.
    pub unit: &'static str,
    /// Whether it holds several values with commas between them.
    pub list: bool,
    /// Its keys in the JSON of a plan, with type and meaning; an empty meaning is the title.
    pub keys: &'static [(&'static str, &'static str, &'static str)],
    /// The part of an imported report that it belongs to.
    pub part: Option<Unknown>,
    /// What a comparison makes of two values.
    pub compare: Compare,
    /// How it is read off a plan.
    pub get: Get,
    /// How the form and the command line put it into a plan, in the order of [`FIELDS`]. `None` where another
    /// part of the program reads it.
    pub set: Option<Set>,
}

/// Puts a text into a plan, or says what is wrong with it. An empty text and `none` leave an optional field unset.
pub type Set = fn(&mut Plan, &str) -> Result<(), String>;

/// How a field is read off a plan.
#[derive(Debug, Clone, Copy)]
pub enum Get {
    /// A text as its flag takes it, `on` for a switch; empty where it is not set, `None` where a plan of this kind has
    /// no such field.
    One(fn(&Plan) -> Option<String>),
    /// Several texts, with a flag for each.
    Each(fn(&Plan) -> Vec<String>),
}

/// What a comparison makes of two values of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    /// Nothing.
    Skip,
    /// A difference is listed.
    List,
    /// A difference makes the figures incomparable.
    Warn,
}

impl Field {
    /// Its description.
    pub fn spec(self) -> &'static FieldSpec {
        FIELDS
            .iter()
            .find(|spec| spec.field == self)
            .unwrap_or(&FIELDS[0])
    }
}

impl FieldSpec {
    /// As a label: `Requests per level`.
    pub fn label(&self) -> String {
        sentence(self.title)
    }

    /// As people read it; empty where it is not set, `None` where a plan of this kind has no such field.
    pub fn words(&self, plan: &Plan) -> Option<String> {
        match self.get {
            Get::One(get) => get(plan).map(|text| self.spaced(&text)),
            Get::Each(get) => Some(
                get(plan)
                    .iter()
                    .map(|text| format!("{text:?}"))
                    .collect::<Vec<_>>()
                    .join(", "),
            ),
        }
    }

    /// A list with spaces after its commas.
    pub fn spaced(&self, text: &str) -> String {
        if self.list {
            text.replace(',', ", ")
        } else {
            text.to_owned()
        }
    }
}

const LOAD: &str = "Load";
const LIMITS: &str = "Limits";
const PROMPTS: &str = "Prompts and answers";
const GOALS: &str = "Goals";
const MODELS: &str = "Models";
const SAMPLING: &str = "Sampling";
const LOADS: &[&str] = &["concurrency", "sweep", "rate", "max", "trace"];
/// The largest seed that every reader of JSON keeps to the last digit.
const MAX_SEED: u64 = (1 << 53) - 1;

/// A row with only its field and its title; the methods below add the rest.
const fn row(field: Field, title: &'static str) -> FieldSpec {
    FieldSpec {
        field,
        title,
        flag: "",
        value: "",
        missing: "",
        heading: "",
        help: "",
        conflicts: &[],
        hint: "",
        start: "",
        unit: "",
        list: false,
        keys: &[],
        part: None,
        compare: Compare::Skip,
        get: Get::One(|_| None),
        set: None,
    }
}

/// Builder methods, each named after the field that it sets.
impl FieldSpec {
    const fn flag(self, flag: &'static str, value: &'static str, heading: &'static str) -> Self {
        Self {
            flag,
            value,
            heading,
            ..self
        }
    }

    const fn without_value(self, missing: &'static str) -> Self {
        Self { missing, ..self }
    }

    const fn conflicts(self, conflicts: &'static [&'static str]) -> Self {
        Self { conflicts, ..self }
    }

    const fn help(self, help: &'static str) -> Self {
        Self { help, ..self }
    }

    const fn form(self, hint: &'static str, start: &'static str, unit: &'static str) -> Self {
        Self {
            hint,
            start,
            unit,
            ..self
        }
    }

    const fn list(self) -> Self {
        Self { list: true, ..self }
    }

    const fn keys(self, keys: &'static [(&'static str, &'static str, &'static str)]) -> Self {
        Self { keys, ..self }
    }

    const fn part(self, part: Unknown) -> Self {
        Self {
            part: Some(part),
            ..self
        }
    }

    const fn compare(self, compare: Compare) -> Self {
        Self { compare, ..self }
    }

    const fn one(self, get: fn(&Plan) -> Option<String>) -> Self {
        Self {
            get: Get::One(get),
            ..self
        }
    }

    const fn each(self, get: fn(&Plan) -> Vec<String>) -> Self {
        Self {
            get: Get::Each(get),
            ..self
        }
    }

    const fn set(self, set: Set) -> Self {
        Self {
            set: Some(set),
            ..self
        }
    }
}

/// Every field, in the order in which flags and the form set them: a field may change the default of a later one.
pub static FIELDS: &[FieldSpec] = &[
    row(Field::Model, "model")
        .flag("model", "", MODELS)
        .keys(&[("targets[].model", "text", "the model's serving name")])
        .each(|plan| plan.targets.iter().map(|target| target.model.clone()).collect()),
    row(Field::Deployment, "deployment")
        .flag("deployment", "", MODELS)
        .keys(&[("targets[].deployment", "text", "the deployment it belongs to; for people")])
        .each(|plan| {
            let name = |deployment: &Option<String>| deployment.clone().unwrap_or_else(|| "-".to_owned());
            let mut names: Vec<String> = plan.targets.iter().map(|target| name(&target.deployment)).collect();
            if names.iter().all(|name| *name == names[0]) {
                names.truncate(1);
            }
            if names == ["-"] { Vec::new() } else { names }
        }),
    row(Field::Load, "load")
        .keys(&[("load", "text", "unknown if an imported file does not state it; else one of these:")])
        .compare(Compare::Warn).one(|plan| Some(kind(&plan.load).to_owned())),
    row(Field::Concurrency, "concurrent clients")
        .flag("concurrency", "N,N…", LOAD)
        .conflicts(LOADS)
        .help(
            "Send from N concurrent clients; each sends its next request when its previous one \
             finishes. One level per value, e.g. 1,4,16 [default: 1]",
        )
        .form("16", "16", "")
        .list()
        .keys(&[("load.concurrency", "list", "clients of each level")])
        .compare(Compare::List)
        .one(|plan| match &plan.load {
            Load::Concurrency(clients) => Some(join(clients)),
            _ => None,
        })
        .set(|plan, text| put(&mut plan.load, numbers(text).map(Load::Concurrency))),
    row(Field::Sweep, "concurrent clients per level")
        .flag("sweep", "N", LOAD)
        .without_value("64")
        .conflicts(LOADS)
        .help("Sweep the concurrency: 1, 2, 4 … N clients, one level each, e.g. --sweep=32 [N: 64]")
        .form("1, 2, 4, 8, 16", "1, 2, 4, 8, 16", "")
        .list()
        .set(|plan, text| match number::<u32>(text)? {
            most @ 1..=MOST_CLIENTS => put(&mut plan.load, Ok(Load::sweep(most))),
            _ => Err("a level has 1 to 20,000 clients".to_owned()),
        }),
    row(Field::Rate, "requests per second")
        .flag("rate", "R,R…", LOAD)
        .conflicts(LOADS)
        .help(
            "Send R requests per second, whether or not earlier ones have finished. One level per \
             value, e.g. 2,4.5",
        )
        .form("2, 4", "2", "")
        .list()
        .keys(&[("load.rate.per_sec", "list", "requests per second of each level")])
        .compare(Compare::List)
        .one(|plan| match &plan.load {
            Load::Rate { per_sec, .. } => Some(join(per_sec)),
            _ => None,
        })
        .set(|plan, text| {
            let load = |per_sec| Load::Rate { per_sec, arrivals: Arrivals::Constant, most_in_flight: None };
            put(&mut plan.load, numbers(text).map(load))
        }),
    row(Field::Max, "requests in flight")
        .flag("max", "N", LOAD)
        .without_value("512")
        .conflicts(LOADS)
        .help("Send as fast as possible, with N requests in flight, e.g. --max=128 [N: 512]")
        .form("64", "64", "")
        .keys(&[("load.max.in_flight", "count", "as fast as possible, with so many requests in flight")])
        .compare(Compare::Warn)
        .one(|plan| match plan.load {
            Load::Max { in_flight } => optional(Some(in_flight).filter(|n| *n > 0)),
            _ => None,
        })
        .set(|plan, text| put(&mut plan.load, number(text).map(|in_flight| Load::Max { in_flight }))),
    row(Field::Trace, "trace file")
        .flag("trace", "FILE", LOAD)
        .conflicts(LOADS)
        .help("Replay the send times of a trace: JSONL or CSV (Mooncake, Qwen, Azure, BurstGPT)")
        .form("/path/to/trace.jsonl", "", "")
        .keys(&[("load.trace.file", "text", "the trace that is replayed")])
        .compare(Compare::Warn)
        .one(|plan| match &plan.load {
            Load::Trace { file, .. } => Some(file.display().to_string()),
            _ => None,
        })
        .set(|plan, text| {
            // A level ends with its trace, unless --requests says otherwise.
            plan.level_ends.requests = None;
            plan.load = Load::Trace { file: PathBuf::from(text), most_in_flight: None, unit: None };
            Ok(())
        }),
    row(Field::Poisson, "Poisson arrivals")
        .flag("poisson", "", LOAD)
        .help("Space the requests of --rate at random, as independent users would [default: evenly]")
        .form("", "on", "")
        .keys(&[("load.rate.arrivals", "text", "constant or poisson")])
        .compare(Compare::Warn)
        .one(|plan| match &plan.load {
            Load::Rate { arrivals, .. } => switched(*arrivals == Arrivals::Poisson),
            _ => None,
        })
        .set(|plan, text| match &mut plan.load {
            Load::Rate { arrivals, .. } => {
                put(arrivals, Ok(if text == ON { Arrivals::Poisson } else { Arrivals::Constant }))
            }
            _ => Err("use it with --rate".to_owned()),
        }),
    row(Field::TraceUnit, "unit of trace times")
        .flag("trace-unit", "UNIT", LOAD)
        .help(
            "Read the times of --trace in this unit: s, ms, us or ns [default: detected from the \
             file]",
        )
        .keys(&[("load.trace.unit", "text", "of its times, where it was given: s, ms, us or ns")])
        .compare(Compare::List)
        .one(|plan| match &plan.load {
            Load::Trace { unit, .. } => optional(unit.map(TimeUnit::name)),
            _ => None,
        })
        .set(|plan, text| match &mut plan.load {
            Load::Trace { unit, .. } => put(unit, maybe(text, TimeUnit::parse)),
            _ => Err("use it with --trace".to_owned()),
        }),
    row(Field::MaxInFlight, "max requests in flight")
        .flag("max-in-flight", "N", LOAD)
        .help(
            "Hold back requests of --rate or --trace while N are in flight; their wait counts \
             [default: no limit]",
        )
        .form("no limit", "", "")
        .keys(&[("load.rate.most_in_flight", "count", ""), ("load.trace.most_in_flight", "count", "")])
        .compare(Compare::Warn)
        .one(|plan| match &plan.load {
            Load::Rate { most_in_flight, .. } | Load::Trace { most_in_flight, .. } => {
                optional(*most_in_flight)
            }
            _ => None,
        })
        .set(|plan, text| match &mut plan.load {
            Load::Rate { most_in_flight, .. } | Load::Trace { most_in_flight, .. } => {
                put(most_in_flight, maybe(text, number))
            }
            _ => Err("use it with --rate or --trace".to_owned()),
        }),
    row(Field::RampUp, "ramp-up time")
        .flag("ramp-up", "TIME", LOAD)
        .help(
            "Start the clients of a level, or raise its rate, over this time, e.g. 10s [default: at \
             once]",
        )
        .form("none", "", "s")
        .keys(&[("ramp_up", "number", "seconds over which the clients of a level start, or its rate rises")])
        .part(Unknown::RampUp)
        .compare(Compare::List)
        .one(|plan| optional(Some(plan.ramp_up).filter(|time| !time.is_zero()).map(write_duration)))
        .set(|plan, text| put(&mut plan.ramp_up, maybe(text, read_duration).map(Option::unwrap_or_default))),
    row(Field::Warmup, "warm-up requests")
        .flag("warmup", "N", LOAD)
        .help("Send N warm-up requests before each level; figures leave them out [default: 4]")
        .form("0", "", "")
        .keys(&[("warmup", "count", "requests before each level that count in no figure")])
        .part(Unknown::Warmup)
        .compare(Compare::List)
        .one(|plan| Some(plan.warmup.to_string()))
        .set(|plan, text| put(&mut plan.warmup, maybe(text, number).map(Option::unwrap_or_default))),
    row(Field::LevelTime, "time per level")
        .flag("duration", "TIME", LIMITS)
        .help("End a level after this time, e.g. 60s; requests in flight may finish")
        .form("no limit", "", "s")
        .keys(&[("level_ends.after", "number", "seconds after which a level ends,")])
        .part(Unknown::LevelEnds)
        .compare(Compare::List)
        .one(|plan| optional(plan.level_ends.after.map(write_duration)))
        .set(|plan, text| {
            plan.level_ends.after = maybe(text, read_duration)?;
            if plan.level_ends.after.is_some() {
                plan.level_ends.requests = None;
            }
            Ok(())
        }),
    row(Field::LevelRequests, "requests per level")
        .flag("requests", "N|none", LIMITS)
        .help("End a level after N measured requests [default: 100; none with --duration or --trace]")
        .form("no limit", "", "")
        .keys(&[("level_ends.requests", "count", "or after so many measured requests,")])
        .part(Unknown::LevelEnds)
        .compare(Compare::List)
        .one(|plan| optional(plan.level_ends.requests))
        .set(|plan, text| put(&mut plan.level_ends.requests, maybe(text, number))),
    row(Field::LevelErrors, "error limit per level")
        .flag("max-level-error-share", "SHARE", LIMITS)
        .help(
            "End a level once this share of its requests has failed (after at least 20), e.g. 10% \
             [default: no limit]",
        )
        .form("no limit", "", "%")
        .keys(&[("level_ends.error_share", "number", "or once this share of them has failed, 0 to 1")])
        .part(Unknown::LevelEnds)
        .compare(Compare::List)
        .one(|plan| optional(plan.level_ends.error_share.map(write_share)))
        .set(|plan, text| put(&mut plan.level_ends.error_share, maybe(text, read_share))),
    row(Field::SessionTime, "time limit")
        .flag("session-duration", "TIME", LIMITS)
        .help("End the whole session after this time, e.g. 10m [default: no limit]")
        .form("no limit", "", "s")
        .keys(&[("session_ends.after", "number", "seconds after which the session ends,")])
        .part(Unknown::SessionEnds)
        .compare(Compare::List)
        .one(|plan| optional(plan.session_ends.after.map(write_duration)))
        .set(|plan, text| put(&mut plan.session_ends.after, maybe(text, read_duration))),
    row(Field::SessionRequests, "requests in total")
        .flag("session-requests", "N", LIMITS)
        .help("End the whole session after N measured requests [default: no limit]")
        .form("no limit", "", "")
        .keys(&[("session_ends.requests", "count", "or after so many measured requests,")])
        .part(Unknown::SessionEnds)
        .compare(Compare::List)
        .one(|plan| optional(plan.session_ends.requests))
        .set(|plan, text| put(&mut plan.session_ends.requests, maybe(text, number))),
    row(Field::SessionErrors, "error limit")
        .flag("max-error-share", "SHARE|none", LIMITS)
        .help(
            "End the whole session once this share of its requests has failed (after at least 20), \
             e.g. 10% [default: 5%]",
        )
        .form("no limit", "", "%")
        .keys(&[("session_ends.error_share", "number", "or once this share of them has failed, 0 to 1")])
        .part(Unknown::SessionEnds)
        .compare(Compare::List)
        .one(|plan| optional(plan.session_ends.error_share.map(write_share)))
        .set(|plan, text| put(&mut plan.session_ends.error_share, maybe(text, read_share))),
    row(Field::Timeout, "request timeout")
        .flag("timeout", "TIME", LIMITS)
        .help("Count a request that takes longer than this as failed, e.g. 60s [default: 10m]")
        .form("600s", "", "s")
        .keys(&[("timeout", "number", "seconds after which a request counts as failed")])
        .part(Unknown::Timeout)
        .compare(Compare::List)
        .one(|plan| Some(write_duration(plan.timeout)))
        .set(|plan, text| put(&mut plan.timeout, read_duration(text.trim()))),
    row(Field::Prompts, "prompts").part(Unknown::Prompts).compare(Compare::Warn).one(|plan| {
        Some(match plan.prompts {
            Prompts::Synthetic { .. } => "synthetic".to_owned(),
            Prompts::File(_) => "from a file".to_owned(),
        })
    }),
    row(Field::InputTokens, "input tokens")
        .flag("input-tokens", "L", PROMPTS)
        .help(
            "Generate prompts of L tokens, as the server counts them: 1000, 500-1500 or 1000±200 \
             [default: 256]",
        )
        .form("256", "256", "")
        .keys(&[(
            "prompts.synthetic.input_tokens",
            "text",
            "tokens of each prompt: 1000, 500-1500 or 1000±200",
        )])
        .part(Unknown::Prompts)
        .compare(Compare::Warn)
        .one(|plan| match &plan.prompts {
            Prompts::Synthetic { input_tokens, .. } => Some(input_tokens.to_string()),
            Prompts::File(_) => None,
        })
        .set(|plan, text| {
            let prompts = |input_tokens| Prompts::Synthetic { input_tokens, prefix_tokens: 0 };
            put(&mut plan.prompts, Lengths::parse(text).map(prompts))
        }),
    row(Field::PrefixTokens, "shared prefix tokens")
        .flag("prefix-tokens", "N", PROMPTS)
        .help(
            "Begin all generated prompts with the same N tokens, to measure prompt caches [default: \
             0]",
        )
        .form("0", "0", "")
        .keys(&[("prompts.synthetic.prefix_tokens", "count", "of them the same in all prompts")])
        .part(Unknown::Prompts)
        .compare(Compare::Warn)
        .one(|plan| match &plan.prompts {
            Prompts::Synthetic { prefix_tokens, .. } => Some(prefix_tokens.to_string()),
            Prompts::File(_) => None,
        })
        .set(|plan, text| match &mut plan.prompts {
            Prompts::Synthetic { prefix_tokens, .. } => {
                put(prefix_tokens, maybe(text, number).map(Option::unwrap_or_default))
            }
            Prompts::File(_) => Err("use it without --prompts".to_owned()),
        }),
    row(Field::PromptsFile, "prompts file")
        .flag("prompts", "FILE", PROMPTS)
        .conflicts(&["input-tokens", "prefix-tokens"])
        .help(
            "Read prompts from a file: JSONL, OpenAI batch, ShareGPT JSON, CSV with a column \
             \"prompt\", or one per line",
        )
        .form("/path/to/prompts.jsonl", "", "")
        .keys(&[("prompts.file", "text", "or the file that the prompts are from")])
        .part(Unknown::Prompts)
        .compare(Compare::Warn)
        .one(|plan| match &plan.prompts {
            Prompts::Synthetic { .. } => None,
            Prompts::File(file) => Some(file.display().to_string()),
        })
        .set(|plan, text| {
            plan.prompts = Prompts::File(PathBuf::from(text));
            if text.is_empty() { Err("choose a file of prompts".to_owned()) } else { Ok(()) }
        }),
    row(Field::Turns, "turns")
        .flag("turns", "N", PROMPTS)
        .help("Hold conversations of N turns; each request carries the messages before it [default: 1]")
        .form("1", "", "")
        .keys(&[("turns", "count", "of each conversation")])
        .part(Unknown::Turns)
        .compare(Compare::Warn)
        .one(|plan| Some(plan.turns.to_string()))
        .set(|plan, text| put(&mut plan.turns, maybe(text, number).map(|turns| turns.unwrap_or(1)))),
    row(Field::OutputTokens, "output tokens")
        .flag("output-tokens", "L|none", PROMPTS)
        .help(
            "Limit answers to L tokens (max_tokens): 128, 64-256 or 128±20; none leaves it to the \
             server [default: 128]",
        )
        .form("server's limit", "", "")
        .keys(&[("output_tokens", "text", "max_tokens, written as input_tokens; null: the server's limit")])
        .part(Unknown::OutputTokens)
        .compare(Compare::Warn)
        .one(|plan| optional(plan.output_tokens))
        .set(|plan, text| put(&mut plan.output_tokens, maybe(text, Lengths::parse))),
    row(Field::IgnoreEos, "ignore EOS")
        .flag("ignore-eos", "", PROMPTS)
        .help(
            "Ask the server to generate all of max_tokens (ignore_eos), where the deployment allows \
             it",
        )
        .keys(&[("ignore_eos", "flag", "the server was asked to generate all of max_tokens")])
        .part(Unknown::IgnoreEos)
        .compare(Compare::Warn)
        .one(|plan| switched(plan.ignore_eos))
        .set(|plan, text| put(&mut plan.ignore_eos, Ok(text == ON))),
    row(Field::Seed, "seed")
        .flag("seed", "N", PROMPTS)
        .help(
            "Repeat the prompts and the arrival times of the session whose report has this seed \
             [default: random]",
        )
        .form("random", "", "")
        .keys(&[("seed", "count", "null: drawn at random, see seed above")])
        .one(|plan| optional(plan.seed))
        .set(|plan, text| match maybe(text, number::<u64>)? {
            Some(seed) if seed > MAX_SEED => Err(format!("at most {}", count(MAX_SEED))),
            seed => put(&mut plan.seed, Ok(seed)),
        }),
    row(Field::Temperature, "temperature")
        .flag("temperature", "", SAMPLING)
        .keys(&[("params", "object", "sampling parameters, each null unless it was set")])
        .part(Unknown::Params)
        .compare(Compare::List)
        .one(|plan| optional(plan.params.temperature)),
    row(Field::TopP, "top_p")
        .flag("top-p", "", SAMPLING)
        .part(Unknown::Params)
        .compare(Compare::List)
        .one(|plan| optional(plan.params.top_p)),
    row(Field::TopK, "top_k")
        .flag("top-k", "", SAMPLING)
        .part(Unknown::Params)
        .compare(Compare::List)
        .one(|plan| optional(plan.params.top_k)),
    row(Field::Stop, "stop sequences")
        .flag("stop", "", SAMPLING)
        .part(Unknown::Params)
        .compare(Compare::Warn)
        .each(|plan| plan.params.stop.clone()),
    row(Field::SamplingSeed, "sampling seed")
        .flag("sampling-seed", "", SAMPLING)
        .part(Unknown::Params)
        .one(|plan| optional(plan.params.seed)),
    row(Field::ReasoningEffort, "reasoning effort")
        .flag("reasoning-effort", "", SAMPLING)
        .part(Unknown::Params)
        .compare(Compare::Warn)
        .one(|plan| optional(plan.params.reasoning_effort.map(|effort| effort.as_str()))),
    row(Field::Thinking, "thinking")
        .flag("thinking", "ON", SAMPLING)
        .part(Unknown::Params)
        .compare(Compare::Warn)
        .one(|plan| optional(plan.params.thinking.map(|on| if on { ON } else { "off" }))),
    row(Field::Goodput, "goodput objectives")
        .flag("goodput", "LIMITS", GOALS)
        .help(
            "Count requests that meet all of these limits as goodput, e.g. ttft=500ms,itl=15ms; also \
             tpot and latency",
        )
        .form("ttft=500ms, itl=15ms", "", "")
        .list()
        .keys(&[
            ("objectives.ttft", "number", "ms; objectives that were not set are left out"),
            ("objectives.itl", "number", "ms"),
            ("objectives.tpot", "number", "ms"),
            ("objectives.latency", "number", "ms"),
        ])
        .part(Unknown::Objectives)
        .compare(Compare::List)
        .one(|plan| Some(plan.objectives.to_string()))
        .set(|plan, text| {
            put(&mut plan.objectives, maybe(text, Objectives::parse).map(Option::unwrap_or_default))
        }),
    row(Field::Tags, "tags")
        .flag("tag", "", "")
        .form("a, b", "", "")
        .keys(&[("tags", "list", "the user's own words")])
        .each(|plan| plan.tags.clone()),
];

/// The text that turns a switch on.
pub const ON: &str = "on";

/// What a report for people says of its plan: a label and a value for all that is set, and what is not known.
pub fn facts(report: &BenchReport) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    let mut unknown: Vec<String> = Vec::new();
    for spec in FIELDS {
        if let Some(part) = spec.part.filter(|part| !report.knows(*part)) {
            if !unknown.contains(&part.name()) {
                unknown.push(part.name());
            }
            continue;
        }
        let words = match spec.field {
            // Reports tell these apart from the plan.
            Field::Model | Field::Deployment | Field::Tags => None,
            // A trace may have prompts and lengths of its own, which stand before the plan's.
            Field::Prompts => report.prompts_told(),
            Field::InputTokens | Field::PrefixTokens | Field::PromptsFile => None,
            Field::OutputTokens => report.answers_told(),
            Field::Trace => spec.words(&report.plan).map(|file| match &report.trace {
                Some(trace) => format!("{file}: {}", trace.told()),
                None => file,
            }),
            // The seed that was drawn.
            Field::Seed => report.seed().map(|seed| seed.to_string()),
            Field::Goodput => spec
                .words(&report.plan)
                .map(|limits| limits.replace('=', " ≤ ")),
            _ => spec.words(&report.plan),
        };
        match words {
            Some(words) if words == UNKNOWN => unknown.push(spec.title.to_owned()),
            Some(words) if !words.is_empty() => facts.push((spec.label(), words)),
            _ => {}
        }
    }
    if !unknown.is_empty() {
        facts.push((sentence(UNKNOWN), unknown.join(", ")));
    }
    facts
}

/// The plan's part of `batida bench --schema`: a line for each key.
pub fn schema() -> String {
    let mut out = "\nTHE PLAN, each key after plan.\n".to_owned();
    for spec in FIELDS {
        for (key, kind, meaning) in spec.keys {
            let meaning = if meaning.is_empty() {
                spec.title
            } else {
                meaning
            };
            out.push_str(&format!("  plan.{key:<33} {kind:<8} {meaning}\n"));
        }
    }
    out
}

fn put<T>(place: &mut T, value: Result<T, String>) -> Result<(), String> {
    *place = value?;
    Ok(())
}

fn kind(load: &Load) -> &'static str {
    match load {
        Load::Concurrency(_) => "fixed number of clients",
        Load::Rate { .. } => "rate",
        Load::Max { .. } => "as fast as possible",
        Load::Trace { .. } => "trace",
        Load::Unknown => UNKNOWN,
    }
}

fn optional(value: Option<impl ToString>) -> Option<String> {
    Some(value.map(|value| value.to_string()).unwrap_or_default())
}

fn switched(on: bool) -> Option<String> {
    optional(on.then_some(ON))
}

fn join<T: ToString>(values: &[T]) -> String {
    values
        .iter()
        .map(T::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

/// An empty text and `none` are no value.
fn maybe<T>(text: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    match text.trim() {
        "" | "none" => Ok(None),
        text => read(text).map(Some),
    }
}

/// Thousands may be set apart: `1,000`.
fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    let digits = text.trim().replace([',', '_', ' '], "");
    digits.parse().map_err(|_| match text.trim() {
        "" => "type a number".to_owned(),
        other => format!("{other:?} is not a valid number"),
    })
}

fn numbers<T: std::str::FromStr>(text: &str) -> Result<Vec<T>, String> {
    let parts = text
        .split([',', ' ', '·', ';'])
        .filter(|part| !part.is_empty());
    parts
        .map(|part| {
            part.parse()
                .map_err(|_| format!("{part:?} is not a valid number"))
        })
        .collect()
}

/// With its first letter in upper case.
pub fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// Calls with each key of a plan whose value has no keys of its own.
    fn leaves(value: &Value, key: &str, see: &mut impl FnMut(&str)) {
        match value {
            Value::Object(members) if key != "params" => {
                for (name, value) in members {
                    let key = if key.is_empty() {
                        name.clone()
                    } else {
                        format!("{key}.{name}")
                    };
                    leaves(value, &key, see);
                }
            }
            Value::Array(items) if items.iter().any(Value::is_object) => {
                items
                    .iter()
                    .for_each(|item| leaves(item, &format!("{key}[]"), see));
            }
            _ => see(key),
        }
    }

    proptest! {
        #[test]
        fn every_key_of_a_plan_is_described(plan in samples::plans()) {
            let json = serde_json::to_value(&plan).expect("it is JSON");
            leaves(&json, "", &mut |key| {
                let mut known = FIELDS.iter().flat_map(|spec| spec.keys);
                assert!(known.any(|(known, ..)| *known == key), "plan.{key} has no row in FIELDS");
            });
        }
    }

    #[test]
    fn every_field_has_one_row_and_a_name() {
        for spec in FIELDS {
            assert_eq!(
                FIELDS
                    .iter()
                    .filter(|other| other.field == spec.field)
                    .count(),
                1,
                "{spec:?}"
            );
            assert!(
                !spec.title.is_empty() && std::ptr::eq(spec.field.spec(), spec),
                "{spec:?}"
            );
            assert!(
                spec.set.is_none() || (!spec.flag.is_empty() && !spec.help.is_empty()),
                "{spec:?}"
            );
        }
    }
}
