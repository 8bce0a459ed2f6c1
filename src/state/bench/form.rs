//! A plan as it is typed: texts in fields, what is wrong with each, and the plan they say.

use std::path::PathBuf;
use std::time::Duration;

use crate::domain::plan::{
    Arrivals, Ends, Field, Lengths, Load, Objectives, Plan, Prompts, Target, TimeUnit,
};
use crate::domain::units::{checked_seconds, read_duration, write_duration};

/// A plan as it is being typed.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    missing_docs,
    reason = "named as the plan's fields; texts as they are typed"
)]
pub struct Form {
    pub targets: Vec<Target>,
    pub kind: LoadKind,
    pub concurrency: String,
    pub sweep: String,
    pub rates: String,
    pub poisson: bool,
    /// The most in flight of a rate or a trace; empty for no cap.
    pub cap: String,
    pub in_flight: String,
    pub trace: String,
    /// The unit of the trace's times; `None` reads it off the file.
    pub trace_unit: Option<TimeUnit>,
    pub from_file: bool,
    pub input_tokens: String,
    pub prefix_tokens: String,
    pub prompts: String,
    pub output_tokens: String,
    pub ignore_eos: bool,
    pub turns: String,
    pub requests: String,
    pub level_time: String,
    pub warmup: String,
    pub ramp_up: String,
    pub stop_time: String,
    /// In percent.
    pub stop_errors: String,
    pub timeout: String,
    pub goodput: String,
    /// Empty for another each time.
    pub seed: String,
    pub tags: String,
    /// What the form does not show and must not lose.
    rest: Plan,
}

/// The kinds of load, as people choose them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadKind {
    /// One level of concurrency.
    Fixed,
    /// Several.
    Sweep,
    /// Open loop.
    Rate,
    /// Everything at once.
    Max,
    /// A trace file.
    Trace,
}

impl LoadKind {
    /// In the order of the list, with their names.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Fixed, "Fixed concurrency"),
        (Self::Sweep, "Concurrency sweep"),
        (Self::Rate, "Rate"),
        (Self::Max, "As fast as it goes"),
        (Self::Trace, "Trace file"),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(kind, _)| *kind == self)
            .map_or("", |(_, name)| name)
    }
}

/// A field of the form, for what is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as the form's fields")]
pub enum Spot {
    Targets,
    Load,
    Cap,
    Input,
    Prefix,
    Prompts,
    Output,
    Turns,
    Requests,
    LevelTime,
    Warmup,
    RampUp,
    StopTime,
    StopErrors,
    Timeout,
    Goodput,
    Seed,
}

impl Spot {
    /// Whether the field is among those that are folded away.
    pub fn is_rare(self) -> bool {
        matches!(
            self,
            Self::Prefix
                | Self::Turns
                | Self::LevelTime
                | Self::RampUp
                | Self::Timeout
                | Self::Seed
        )
    }
}

/// What a form says.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// The plan; where something is wrong, the default stands in.
    pub plan: Plan,
    /// What is wrong, and where.
    pub problems: Vec<(Spot, String)>,
}

impl Read {
    /// What is wrong with one field.
    pub fn problem(&self, spot: Spot) -> Option<&str> {
        self.problems
            .iter()
            .find(|(at, _)| *at == spot)
            .map(|(_, text)| text.as_str())
    }
}

impl Form {
    /// The form that says what `plan` says.
    pub fn of(plan: &Plan) -> Self {
        let text = |n: Option<u64>| n.map(|n| n.to_string()).unwrap_or_default();
        let time = |time: Option<Duration>| time.map(write_duration).unwrap_or_default();
        let mut form = Self {
            targets: plan.targets.clone(),
            kind: LoadKind::Fixed,
            concurrency: "16".to_owned(),
            sweep: "1, 2, 4, 8, 16".to_owned(),
            rates: "2".to_owned(),
            poisson: true,
            cap: String::new(),
            in_flight: "64".to_owned(),
            trace: String::new(),
            trace_unit: None,
            from_file: false,
            input_tokens: "256".to_owned(),
            prefix_tokens: "0".to_owned(),
            prompts: String::new(),
            output_tokens: plan
                .output_tokens
                .map(|lengths| lengths.to_string())
                .unwrap_or_default(),
            ignore_eos: plan.ignore_eos,
            turns: plan.turns.to_string(),
            requests: text(plan.level_ends.requests),
            level_time: time(plan.level_ends.after),
            warmup: plan.warmup.to_string(),
            ramp_up: if plan.ramp_up.is_zero() {
                String::new()
            } else {
                write_duration(plan.ramp_up)
            },
            stop_time: time(plan.session_ends.after),
            stop_errors: plan
                .session_ends
                .error_share
                .map(percent)
                .unwrap_or_default(),
            timeout: write_duration(plan.timeout),
            goodput: plan.objectives.to_string(),
            seed: text(plan.seed),
            tags: plan.tags.join(", "),
            rest: plan.clone(),
        };
        form.set_load(&plan.load);
        match &plan.prompts {
            Prompts::Synthetic {
                input_tokens,
                prefix_tokens,
            } => {
                form.input_tokens = input_tokens.to_string();
                form.prefix_tokens = prefix_tokens.to_string();
            }
            Prompts::File(file) => {
                form.from_file = true;
                form.prompts = file.display().to_string();
            }
        }
        form
    }

    fn set_load(&mut self, load: &Load) {
        let cap = |most: &Option<u32>| most.map(|most| most.to_string()).unwrap_or_default();
        match load {
            Load::Concurrency(clients) if clients.len() == 1 => {
                self.kind = LoadKind::Fixed;
                self.concurrency = list(clients);
            }
            Load::Concurrency(clients) => {
                self.kind = LoadKind::Sweep;
                self.sweep = list(clients);
            }
            Load::Rate {
                per_sec,
                arrivals,
                most_in_flight,
            } => {
                self.kind = LoadKind::Rate;
                self.rates = list(per_sec);
                self.poisson = *arrivals == Arrivals::Poisson;
                self.cap = cap(most_in_flight);
            }
            Load::Max { in_flight } => {
                self.kind = LoadKind::Max;
                self.in_flight = in_flight.to_string();
            }
            Load::Trace {
                file,
                most_in_flight,
                unit,
            } => {
                self.kind = LoadKind::Trace;
                self.trace = file.display().to_string();
                self.trace_unit = *unit;
                self.cap = cap(most_in_flight);
            }
            // Of an import: what is there stays, and can be changed.
            Load::Unknown => {}
        }
    }

    /// Takes a preset over, and keeps the models unless it names some.
    pub fn take(&mut self, preset: &Plan) {
        let targets = std::mem::take(&mut self.targets);
        *self = Self::of(preset);
        if self.targets.is_empty() {
            self.targets = targets;
        }
    }

    /// The plan, and what is wrong.
    pub fn read(&self) -> Read {
        let mut reader = Reader::default();
        let plan = self.plan(&mut reader);
        let mut problems = reader.problems;
        for problem in plan.problems() {
            let spot = self.spot_of(problem.field, &plan);
            // What cannot be read has said so already.
            if problems.iter().all(|(at, _)| *at != spot) {
                problems.push((spot, sentence(&problem.text)));
            }
        }
        Read { plan, problems }
    }

    fn plan(&self, reader: &mut Reader) -> Plan {
        let default = Plan::default();
        let mut cap = || reader.maybe(Spot::Cap, &self.cap, number::<u32>);
        let load = match self.kind {
            LoadKind::Rate => Load::Rate {
                most_in_flight: cap(),
                per_sec: reader
                    .needed(Spot::Load, &self.rates, numbers)
                    .unwrap_or_default(),
                arrivals: if self.poisson {
                    Arrivals::Poisson
                } else {
                    Arrivals::Constant
                },
            },
            LoadKind::Trace => Load::Trace {
                most_in_flight: cap(),
                file: PathBuf::from(self.trace.trim()),
                unit: self.trace_unit,
            },
            LoadKind::Max => Load::Max {
                in_flight: reader
                    .needed(Spot::Load, &self.in_flight, number)
                    .unwrap_or(1),
            },
            LoadKind::Fixed => Load::Concurrency(
                reader
                    .needed(Spot::Load, &self.concurrency, number)
                    .into_iter()
                    .collect(),
            ),
            LoadKind::Sweep => Load::Concurrency(
                reader
                    .needed(Spot::Load, &self.sweep, numbers)
                    .unwrap_or_default(),
            ),
        };
        let prompts = if self.from_file {
            let file = self.prompts.trim();
            if file.is_empty() {
                reader
                    .problems
                    .push((Spot::Prompts, "Say which file".to_owned()));
            }
            Prompts::File(PathBuf::from(file))
        } else {
            Prompts::Synthetic {
                input_tokens: reader
                    .needed(Spot::Input, &self.input_tokens, Lengths::parse)
                    .unwrap_or(Lengths::Fixed(256)),
                prefix_tokens: reader
                    .maybe(Spot::Prefix, &self.prefix_tokens, number)
                    .unwrap_or(0),
            }
        };
        let share = |text: &str| {
            let percent: f64 = number(text.trim().trim_end_matches('%').trim_end())?;
            Ok(percent / 100.0)
        };
        Plan {
            targets: self.targets.clone(),
            load,
            level_ends: Ends {
                requests: reader.maybe(Spot::Requests, &self.requests, number),
                after: reader.maybe(Spot::LevelTime, &self.level_time, time),
                ..self.rest.level_ends
            },
            session_ends: Ends {
                after: reader.maybe(Spot::StopTime, &self.stop_time, time),
                error_share: reader.maybe(Spot::StopErrors, &self.stop_errors, share),
                ..self.rest.session_ends
            },
            warmup: reader
                .maybe(Spot::Warmup, &self.warmup, number)
                .unwrap_or(0),
            ramp_up: reader
                .maybe(Spot::RampUp, &self.ramp_up, time)
                .unwrap_or_default(),
            prompts,
            turns: reader.maybe(Spot::Turns, &self.turns, number).unwrap_or(1),
            output_tokens: reader.maybe(Spot::Output, &self.output_tokens, Lengths::parse),
            ignore_eos: self.ignore_eos,
            timeout: reader
                .needed(Spot::Timeout, &self.timeout, time)
                .unwrap_or(default.timeout),
            objectives: reader
                .maybe(Spot::Goodput, &self.goodput, Objectives::parse)
                .unwrap_or_default(),
            // TOML and JSON readers know no larger number.
            seed: reader
                .maybe(Spot::Seed, &self.seed, number::<u32>)
                .map(u64::from),
            tags: self
                .tags
                .split(',')
                .map(|tag| tag.trim().to_owned())
                .filter(|tag| !tag.is_empty())
                .collect(),
            params: self.rest.params.clone(),
        }
    }

    fn spot_of(&self, field: Field, plan: &Plan) -> Spot {
        match field {
            Field::Targets => Spot::Targets,
            Field::Load => {
                let no_cap = matches!(
                    plan.load,
                    Load::Rate {
                        most_in_flight: Some(0),
                        ..
                    } | Load::Trace {
                        most_in_flight: Some(0),
                        ..
                    }
                );
                if no_cap { Spot::Cap } else { Spot::Load }
            }
            Field::LevelEnds
                if plan.level_ends.after.is_some() && plan.level_ends.requests != Some(0) =>
            {
                Spot::LevelTime
            }
            Field::LevelEnds => Spot::Requests,
            Field::SessionEnds
                if plan
                    .session_ends
                    .after
                    .is_some_and(|a| a < Duration::from_millis(10)) =>
            {
                Spot::StopTime
            }
            Field::SessionEnds => Spot::StopErrors,
            Field::Warmup => Spot::Warmup,
            Field::RampUp => Spot::RampUp,
            Field::Prompts if self.from_file => Spot::Prompts,
            Field::Prompts => match &plan.prompts {
                Prompts::Synthetic {
                    input_tokens,
                    prefix_tokens,
                } if *prefix_tokens > 0 && *prefix_tokens >= input_tokens.least() => Spot::Prefix,
                _ => Spot::Input,
            },
            Field::Turns => Spot::Turns,
            Field::OutputTokens | Field::Params => Spot::Output,
            Field::Timeout => Spot::Timeout,
            Field::Objectives => Spot::Goodput,
        }
    }
}

#[derive(Default)]
struct Reader {
    problems: Vec<(Spot, String)>,
}

impl Reader {
    /// An empty text is nothing.
    fn maybe<T>(
        &mut self,
        spot: Spot,
        text: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        if text.trim().is_empty() {
            None
        } else {
            self.needed(spot, text, read)
        }
    }

    fn needed<T>(
        &mut self,
        spot: Spot,
        text: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        match read(text) {
            Ok(value) => Some(value),
            Err(why) => {
                self.problems.push((spot, sentence(&why)));
                None
            }
        }
    }
}

/// Thousands may stand apart.
fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    let digits = text.trim().replace([',', '_', ' '], "");
    digits.parse().map_err(|_| match text.trim() {
        "" => "A number is needed".to_owned(),
        other => format!("{other:?} is no such number"),
    })
}

fn numbers<T: std::str::FromStr>(text: &str) -> Result<Vec<T>, String> {
    let parts = text
        .split([',', ' ', '·', ';'])
        .filter(|part| !part.is_empty());
    parts
        .map(|part| {
            part.parse()
                .map_err(|_| format!("{part:?} is no such number"))
        })
        .collect()
}

/// A bare number is seconds.
fn time(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    match text.parse::<f64>() {
        Ok(seconds) => {
            checked_seconds(seconds).ok_or_else(|| format!("{text:?} is no time up to a year"))
        }
        Err(_) => read_duration(text),
    }
}

fn percent(share: f64) -> String {
    // 0.07 × 100 is not quite 7.
    format!("{}", (share * 1e8).round() / 1e6)
}

fn list<T: ToString>(values: &[T]) -> String {
    values
        .iter()
        .map(T::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}
